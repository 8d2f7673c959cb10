package edgemelanoma.app.model

import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import edgemelanoma.app.DemoApplication
import edgemelanoma.app.bench.Artefact
import edgemelanoma.app.bench.Check
import edgemelanoma.app.bench.Conditions
import edgemelanoma.app.bench.Device
import edgemelanoma.app.bench.EndToEnd
import edgemelanoma.app.bench.Measurement
import edgemelanoma.app.bench.Stream
import edgemelanoma.app.bench.Timed
import edgemelanoma.app.bench.look
import edgemelanoma.app.bench.marks
import edgemelanoma.app.bench.seriesOf
import edgemelanoma.app.bench.worst
import java.io.File

private const val REPEATS = 3
private const val SHORTER = 3 // by which an end-to-end run is shorter than the model's own

/** Measures the app's bundle on this phone as `edge-melanoma bench` does, which its report can be laid beside. */
class LatencyBench(
    private val app: DemoApplication,
    private val ready: Ready,
    private val seconds: Double,
    stopped: () -> Boolean,
) {
    private val stream = Stream(stopped)
    private val seen = ArrayList<Conditions>()
    private val heat = ArrayList<Int>()

    /** Runs of the model and of drawn pictures by turns, so that a slow minute hits all of them. */
    fun measure(progress: (step: Int, of: Int) -> Unit): Measurement {
        val before = conditions()
        val pictures = app.benchPictures()
        val input = ready.bundle.manifest.input.encode(ready.bundle.golden.first().input)
        val model = ArrayList<Timed>()
        val whole = pictures.map { ArrayList<Timed>() }
        var step = 0
        val steps = REPEATS * (1 + pictures.size)
        repeat(REPEATS) {
            progress(++step, steps)
            model += stream.run(seconds) { ready.engine.run(input) }
            seen += conditions()
            pictures.forEachIndexed { i, picture ->
                progress(++step, steps)
                whole[i] += stream.run(seconds / SHORTER) { ready.predictor.predict(picture.jpeg) }
                seen += conditions()
            }
        }
        val after = conditions()
        return Measurement(
            device = device(before, after),
            artefact = artefact(),
            seconds = seconds,
            repeats = REPEATS,
            threads = ready.threads,
            model = seriesOf(model, ready.threads),
            endToEnd = pictures.mapIndexed { i, picture -> endToEnd(picture, whole[i]) },
            cold = ready.cold,
            checks = checks(),
        )
    }

    private fun endToEnd(picture: DrawnPicture, runs: List<Timed>) = EndToEnd(
        picture = picture.name,
        width = picture.width,
        height = picture.height,
        fileBytes = picture.jpeg.size,
        series = seriesOf(runs, ready.threads),
        stagesMs = stageMedians(app.jpegDecoder, ready, picture.jpeg),
    )

    private fun conditions(): Conditions {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) {
            heat += app.getSystemService(PowerManager::class.java)?.currentThermalStatus ?: 0
        }
        val battery = app.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        val tenths = battery?.getIntExtra(BatteryManager.EXTRA_TEMPERATURE, -1) ?: -1
        return look(File("/"), if (tenths > 0) tenths / 10.0 else null)
    }

    private fun device(before: Conditions, after: Conditions): Device {
        val during = worst(seen)
        val power = app.getSystemService(PowerManager::class.java)
        val hottest = heat.maxOrNull() ?: 0
        val found = marks(listOf(before, during, after), during) + listOfNotNull(
            "it was hot: thermal status $hottest".takeIf { hottest >= PowerManager.THERMAL_STATUS_MODERATE },
            "the phone was saving power".takeIf { power?.isPowerSaveMode == true },
        )
        val (engine, version) = ready.engine.name.substringBeforeLast(' ') to ready.engine.name.substringAfterLast(' ')
        return Device(thisMachine(app), engine, version, versions(app), before, during, after, found)
    }

    private fun artefact(): Artefact {
        val manifest = ready.bundle.manifest
        return Artefact(
            name = "${manifest.modelName}.tflite",
            sha256 = ready.bundle.sha256,
            sizeBytes = ready.bundleBytes,
            modelBytes = ready.bundle.modelBytes,
            format = manifest.format,
            input = manifest.input.toString(),
            output = manifest.output.toString(),
            macs = manifest.json.obj("model").long("macs"),
            synthetic = manifest.synthetic,
            remarks = listOfNotNull(manifest.syntheticBanner, "not for commercial use".takeIf { !manifest.commercial }),
        )
    }

    /** The self-test as rows; who measures has passed it. */
    private fun checks(): List<Check> {
        val test = ready.selfTest
        return listOf(
            Check("engine", true, "${ready.engine.name} opens and runs it"),
            Check(
                "golden outputs",
                true,
                "${test.differing} of ${test.pictures} pictures differ, by up to ${test.worst}",
            ),
            Check("decisions", true, "as recorded, of ${test.pictures} pictures"),
        )
    }
}
