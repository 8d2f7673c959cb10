package edgemelanoma.app.bench

import java.io.File

private const val FULL_CLOCK = 0.98 // of the highest frequency

/** One look at the phone; what it does not tell is null. */
data class Conditions(
    val governor: String?,
    val frequencyMhz: Double?,
    val minFrequencyMhz: Double?,
    val maxFrequencyMhz: Double?,
    val temperatureC: Double?,
)

/** The conditions now; Android hides most of /sys from apps, so that [temperatureC] is the battery's. */
fun look(root: File, temperatureC: Double?): Conditions {
    val cores = File(root, "sys/devices/system/cpu").listFiles { file -> file.name.matches(Regex("cpu[0-9]+")) }
        .orEmpty().map { File(it, "cpufreq") }.sorted()
    fun mhz(name: String) = cores.mapNotNull { text(File(it, name))?.toDoubleOrNull() }.maxOrNull()?.let { it / 1000 }
    return Conditions(
        governor = governors(cores.mapNotNull { text(File(it, "scaling_governor")) }),
        frequencyMhz = mhz("scaling_cur_freq"),
        minFrequencyMhz = mhz("cpuinfo_min_freq"),
        maxFrequencyMhz = mhz("cpuinfo_max_freq"),
        temperatureC = temperatureC,
    )
}

/** Of several looks under load the hottest and the slowest. */
fun worst(looks: List<Conditions>): Conditions = looks.last().copy(
    governor = governors(looks.flatMap { it.governor.orEmpty().split(", ") }),
    frequencyMhz = looks.mapNotNull { it.frequencyMhz }.minOrNull(),
    temperatureC = looks.mapNotNull { it.temperatureC }.maxOrNull(),
)

/** Every reason in these looks not to take the latencies for the phone's own, in the words of `edge-melanoma bench`. */
fun marks(looks: List<Conditions>, during: Conditions): List<String> {
    val changing = governors(looks.flatMap { it.governor.orEmpty().split(", ") })
        .orEmpty().split(", ").filter { it.isNotEmpty() && it != "performance" }
    val share = during.frequencyMhz?.let { now -> during.maxFrequencyMhz?.let { now / it } }
    return listOfNotNull(
        changing.takeIf { it.isNotEmpty() }?.let {
            "the governor is ${it.joinToString()}, so that the clock changes; performance holds it"
        },
        share?.takeIf { it < FULL_CLOCK }?.let {
            "under load the clock was at ${Math.round(100 * it)}% of its highest frequency"
        },
    )
}

private fun governors(names: List<String>): String? =
    names.filter(String::isNotEmpty).distinct().sorted().joinToString().ifEmpty { null }

private fun text(file: File): String? = try {
    file.readText().trim().ifEmpty { null }
} catch (error: java.io.IOException) {
    null
}
