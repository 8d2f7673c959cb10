package edgemelanoma.app.model

import android.os.Process
import android.os.SystemClock
import edgemelanoma.app.DemoApplication
import edgemelanoma.app.bench.Cold
import edgemelanoma.app.picture.DecodeCheck
import edgemelanoma.app.picture.Decoding
import edgemelanoma.core.BundleError
import edgemelanoma.core.BundleFault
import edgemelanoma.core.Engine
import edgemelanoma.core.Predictor
import edgemelanoma.core.SelfTest
import edgemelanoma.core.bundle.Bundle
import edgemelanoma.core.bundle.MAX_BUNDLE_BYTES
import edgemelanoma.core.bundle.readBundle
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

private const val MOST_THREADS = 4 // small networks gain little beyond; Python tries how many help

/** A bundle that has proved itself on this phone, with all that is needed to judge pictures by it. */
class Ready(
    val bundle: Bundle,
    val bundleBytes: Int,
    val engine: Engine,
    val predictor: Predictor,
    val threads: Int,
    val selfTest: SelfTest,
    val decoding: Decoding,
    val cold: Cold,
) : AutoCloseable by engine

/** Opens the app's bundle, runs its self-test and looks at the JPEG decoder; BundleError where it cannot be used. */
fun openReady(app: DemoApplication, progress: (done: Int) -> Unit): Ready {
    val clock = Stopwatch()
    val startMs = (SystemClock.elapsedRealtime() - Process.getStartElapsedRealtime()).toDouble()
    val data = bundleBytes(app)
    val bundle = readBundle(data)
    val openMs = clock.lap()
    val threads = minOf(MOST_THREADS, Runtime.getRuntime().availableProcessors())
    val engine = app.openEngine(bundle.model(), threads)
    try {
        val predictor = Predictor(bundle, engine, app.jpegDecoder)
        val loadMs = clock.lap()
        engine.run(bundle.manifest.input.encode(bundle.golden.first().input))
        val cold = Cold(startMs, openMs, loadMs, clock.lap(), peakMegabytes())
        val selfTest = predictor.selfTest(progress)
        if (!selfTest.passed) throw BundleError(BundleFault.OTHER_RESULTS, selfTest.problems.joinToString("; "))
        val decoding = DecodeCheck.read(app.assets::open).check(app.jpegDecoder)
        return Ready(bundle, data.size, engine, predictor, threads, selfTest, decoding, cold)
    } catch (error: Throwable) {
        engine.close()
        throw error
    }
}

private fun bundleBytes(app: DemoApplication): ByteArray = try {
    app.openBundle().use { it.readAtMost(MAX_BUNDLE_BYTES) }
        ?: throw BundleError(BundleFault.TOO_LARGE, "the app's bundle has more than $MAX_BUNDLE_BYTES bytes")
} catch (error: FileNotFoundException) {
    throw BundleError(BundleFault.NO_BUNDLE, "the app was built without a bundle", error)
} catch (error: IOException) {
    throw BundleError(BundleFault.DAMAGED, "the app's bundle cannot be read", error)
}

/** Everything in a stream, or null where that is more than [most] bytes. */
fun InputStream.readAtMost(most: Long): ByteArray? {
    val out = java.io.ByteArrayOutputStream(maxOf(available(), 1 shl 16))
    val piece = ByteArray(1 shl 16)
    while (true) {
        val read = read(piece)
        if (read < 0) return out.toByteArray()
        out.write(piece, 0, read)
        if (out.size() > most) return null
    }
}

private class Stopwatch {
    private var last = System.nanoTime()

    /** Milliseconds since the last call. */
    fun lap(): Double {
        val now = System.nanoTime()
        return ((now - last) / 1e6).also { last = now }
    }
}

private fun peakMegabytes(): Double? = try {
    File("/proc/self/status").readLines().find { it.startsWith("VmHWM:") }
        ?.filter(Char::isDigit)?.toDoubleOrNull()?.let { it / 1024 }
} catch (error: IOException) {
    null
}
