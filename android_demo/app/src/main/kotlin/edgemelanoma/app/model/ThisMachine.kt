package edgemelanoma.app.model

import android.app.ActivityManager
import android.content.Context
import android.os.Build
import edgemelanoma.app.bench.Machine
import java.io.File
import java.io.IOException

// what edge_melanoma/machine.py looks for: the instruction sets that int8 kernels use
private val INT8_FEATURES = listOf("avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimdhp", "asimddp", "i8mm")

/** What this phone is, as far as it decides how fast a model runs. */
fun thisMachine(context: Context): Machine {
    val memory = ActivityManager.MemoryInfo()
    context.getSystemService(ActivityManager::class.java)?.getMemoryInfo(memory)
    val flags = cpuFlags()
    return Machine(
        board = "${Build.MANUFACTURER} ${Build.MODEL}",
        cpu = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) Build.SOC_MODEL else Build.HARDWARE,
        architecture = System.getProperty("os.arch") ?: "unknown",
        cores = Runtime.getRuntime().availableProcessors(),
        features = INT8_FEATURES.filter { it in flags },
        memoryMb = memory.totalMem shr 20,
        memoryAvailableMb = memory.availMem shr 20,
        system = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT}), " +
            "Linux ${System.getProperty("os.version")}",
    )
}

/** The versions of what takes part. */
fun versions(context: Context): Map<String, String> = mapOf(
    "edge_melanoma_demo" to (context.packageManager.getPackageInfo(context.packageName, 0).versionName ?: "unknown"),
    "android" to Build.VERSION.RELEASE,
    "kotlin" to KotlinVersion.CURRENT.toString(),
)

private fun cpuFlags(): Set<String> = try {
    File("/proc/cpuinfo").readLines().filter { it.startsWith("Features") || it.startsWith("flags") }
        .flatMap { it.substringAfter(':').replace("avx512vnni", "avx512_vnni").trim().split(' ') }.toSet()
} catch (error: IOException) {
    emptySet()
}
