package edgemelanoma.app.bench

import edgemelanoma.core.json.Json
import edgemelanoma.core.json.JsonList
import edgemelanoma.core.json.JsonNull
import edgemelanoma.core.json.JsonNumber
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.json.JsonText
import edgemelanoma.core.json.JsonTruth

private const val KIND = "bench"
private const val SCHEMA_VERSION = 1
private const val NO_PROFILE = "the app does not look at operators; `edge-melanoma bench` does, on the same bundle"

/** The hardware and the system, by the names that `edge-melanoma bench` has for them. */
data class Machine(
    val board: String?,
    val cpu: String?,
    val architecture: String,
    val cores: Int,
    val features: List<String>,
    val memoryMb: Long?,
    val memoryAvailableMb: Long?,
    val system: String,
)

/** The machine, the engine, and the state in which they were: no latency means anything without them. */
data class Device(
    val machine: Machine,
    val engine: String,
    val engineVersion: String,
    val versions: Map<String, String>,
    val before: Conditions,
    val during: Conditions,
    val after: Conditions,
    val marks: List<String>,
)

/** The identity of the bundle, and what it is. */
data class Artefact(
    val name: String,
    val sha256: String,
    val sizeBytes: Int,
    val modelBytes: Int,
    val format: String,
    val input: String,
    val output: String,
    val macs: Long,
    val synthetic: Boolean,
    val remarks: List<String>,
)

/** From a picture to a decision. */
data class EndToEnd(
    val picture: String,
    val width: Int,
    val height: Int,
    val fileBytes: Int,
    val series: Series,
    val stagesMs: Map<String, Double>,
)

/** How long the app took to be ready. */
data class Cold(
    val startMs: Double,
    val openMs: Double,
    val loadMs: Double,
    val firstInferenceMs: Double,
    val peakMb: Double?,
)

/** One thing that was asked of the golden vectors. */
data class Check(val check: String, val passed: Boolean, val detail: String)

/** What a measurement on the phone found, and how it was made. */
data class Measurement(
    val device: Device,
    val artefact: Artefact,
    val seconds: Double,
    val repeats: Int,
    val threads: Int,
    val model: Series,
    val endToEnd: List<EndToEnd>,
    val cold: Cold,
    val checks: List<Check>,
) {
    /** The report as `edge-melanoma bench --json` writes it; `edge-melanoma bench --compare` and the page read it. */
    fun toJson(): String = obj(
        "kind" to text(KIND),
        "schema_version" to number(SCHEMA_VERSION),
        "measurements" to JsonList(listOf(measurement())),
        "failures" to JsonList(emptyList()),
    ).canonical() + "\n"

    private fun measurement() = obj(
        "device" to device.json(),
        "artefact" to artefact.json(),
        "settings" to obj("seconds" to number(seconds), "repeats" to number(repeats), "threads" to number(threads)),
        "model" to model.json(),
        "end_to_end" to JsonList(endToEnd.map { it.json() }),
        "cold" to JsonList(listOf(cold.json())),
        "cold_picture" to JsonNull,
        "sweep" to JsonList(emptyList()),
        "anatomy" to obj(
            "operators" to JsonList(emptyList()),
            "macs" to number(artefact.macs),
            "delegated" to JsonNull,
            "delegates" to JsonNull,
            "left" to obj(),
            "profile" to text(NO_PROFILE),
        ),
        "int8" to JsonList(emptyList()),
        "checks" to JsonList(
            checks.map { (check, passed, detail) ->
                obj("check" to text(check), "passed" to JsonTruth(passed), "detail" to text(detail))
            },
        ),
        "data" to JsonNull,
    )
}

private fun Device.json() = obj(
    "label" to JsonNull,
    "machine" to obj(
        "board" to text(machine.board),
        "cpu" to text(machine.cpu),
        "architecture" to text(machine.architecture),
        "cores" to number(machine.cores),
        "features" to texts(machine.features),
        "memory_mb" to number(machine.memoryMb),
        "memory_available_mb" to number(machine.memoryAvailableMb),
        "system" to text(machine.system),
        "c_library" to text("bionic"),
        "python" to text("none: the Android app"),
    ),
    "engine" to text(engine),
    "engine_version" to text(engineVersion),
    "slow_engine" to JsonNull,
    "emulator" to JsonNull,
    "versions" to obj(*versions.map { (name, version) -> name to text(version) }.toTypedArray()),
    "before" to before.json(),
    "during" to during.json(),
    "after" to after.json(),
    "others_share" to JsonNull,
    "marks" to texts(marks),
)

private fun Conditions.json() = obj(
    "governor" to text(governor),
    "frequency_mhz" to number(frequencyMhz),
    "min_frequency_mhz" to number(minFrequencyMhz),
    "max_frequency_mhz" to number(maxFrequencyMhz),
    "temperature_c" to number(temperatureC),
    "throttled" to JsonNull,
    "load_1min" to JsonNull,
)

private fun Artefact.json() = obj(
    "name" to text(name),
    "sha256" to text(sha256),
    "size_bytes" to number(sizeBytes),
    "model_bytes" to number(modelBytes),
    "is_bundle" to JsonTruth(true),
    "format" to text(format),
    "input" to text(input),
    "output" to text(output),
    "synthetic" to JsonTruth(synthetic),
    "remarks" to texts(remarks),
)

/** As `edge-melanoma bench` writes it. */
internal fun Series.json() = obj(
    "threads" to number(threads),
    "runs" to JsonList(runs.map { it.json() }),
    "queries" to number(queries),
    "p50_ms" to number(p50Ms),
    "p90_ms" to number(p90Ms),
    "p99_ms" to number(p99Ms),
    "quantiles_ms" to JsonList(quantilesMs.map(::number)),
)

private fun Run.json() = obj(
    "queries" to number(queries),
    "seconds" to number(seconds),
    "warm_up_queries" to number(warmUpQueries),
    "settled" to JsonTruth(settled),
    "p50_ms" to number(p50Ms),
    "slowest_ms" to number(slowestMs),
    "trace_ms" to JsonList(traceMs.map(::number)),
)

private fun EndToEnd.json() = obj(
    "picture" to text(picture),
    "size" to JsonList(listOf(number(width), number(height))),
    "file_bytes" to number(fileBytes),
    "series" to series.json(),
    "stages_ms" to obj(*stagesMs.map { (stage, ms) -> stage to number(ms) }.toTypedArray()),
)

private fun Cold.json() = obj(
    "start_ms" to number(startMs),
    "open_ms" to number(openMs),
    "load_ms" to number(loadMs),
    "first_inference_ms" to number(firstInferenceMs),
    "first_decision_ms" to JsonNull,
    "libraries_mb" to JsonNull,
    "peak_mb" to number(peakMb),
)

private fun obj(vararg members: Pair<String, Json>) = JsonObject("bench", mapOf(*members))

private fun text(value: String?): Json = if (value == null) JsonNull else JsonText(value)

private fun texts(values: List<String>) = JsonList(values.map(::JsonText))

private fun number(value: Number?): Json = if (value == null) JsonNull else JsonNumber(value.toString())
