package edgemelanoma.app

import android.graphics.Bitmap
import android.os.Handler
import android.os.Looper
import edgemelanoma.app.bench.Measurement
import edgemelanoma.app.bench.StoppedError
import edgemelanoma.app.model.LatencyBench
import edgemelanoma.app.model.Ready
import edgemelanoma.app.model.openReady
import edgemelanoma.app.page.words
import edgemelanoma.app.picture.Decoding
import edgemelanoma.core.BundleError
import edgemelanoma.core.BundleFault
import edgemelanoma.core.PictureError
import edgemelanoma.core.PictureFault
import edgemelanoma.core.Prediction
import edgemelanoma.core.decision.BrokenLogitsError
import edgemelanoma.core.picture.PictureFormat
import edgemelanoma.core.picture.openPicture
import edgemelanoma.core.preprocess.Rgb
import java.util.concurrent.Executors
import java.util.concurrent.atomic.AtomicBoolean

/** What is shown. */
enum class Page { PICTURE, CARD, LATENCY }

/** How far the bundle is. */
sealed class Opening {
    class Running(val pictures: Int) : Opening()

    class Refused(val words: Int, val detail: String?) : Opening()

    class Done(val ready: Ready) : Opening()
}

/** How far a picture is. */
sealed class Judging {
    object Nothing : Judging()

    object Running : Judging()

    class Refused(val words: Int) : Judging()

    /** [seen] is the tensor as a picture: all that is kept of it, and only in memory. */
    class Answered(val prediction: Prediction, val seen: Bitmap) : Judging()
}

/** How far the latency is; [words] say what there is to say beside it. */
sealed class Timing {
    class Nothing(val words: Int? = null) : Timing()

    class Running(val step: Int, val of: Int) : Timing()

    class Done(val measurement: Measurement, val words: Int? = null) : Timing()
}

/**
 * Everything that outlives a rotation, in memory only; its properties belong to the main thread.
 *
 * One worker does one thing after the other, because the engine is not to be shared between threads.
 */
class Session(private val app: DemoApplication) {
    var page = Page.PICTURE
        set(value) {
            field = value
            onChange()
        }
    var opening: Opening = Opening.Running(0)
        private set
    var judging: Judging = Judging.Nothing
        private set
    var timing: Timing = Timing.Nothing()
        private set

    /** Called on the main thread after each change; the Activity that shows it. */
    var onChange: () -> Unit = {}

    // for the worker, which may judge before the main thread has heard that the bundle is open
    @Volatile
    private var ready: Ready? = null
    private val worker = Executors.newSingleThreadExecutor()
    private val main = Handler(Looper.getMainLooper())
    private val stop = AtomicBoolean()

    /** Is something under way that buttons have to wait for? */
    val busy: Boolean get() = judging is Judging.Running || timing is Timing.Running

    /** Opens the bundle and tests it. */
    fun open() {
        opening = Opening.Running(0)
        worker.execute {
            val found = opened()
            show { opening = found }
        }
    }

    private fun opened(): Opening = try {
        val found = openReady(app) { done -> show { opening = Opening.Running(done) } }
        ready = found
        Opening.Done(found)
    } catch (error: BundleError) {
        Opening.Refused(words(error.fault), error.message.takeIf { error.fault == BundleFault.OTHER_RESULTS })
    } catch (error: OutOfMemoryError) {
        Opening.Refused(R.string.bundle_memory, null)
    } catch (error: LinkageError) { // no native library for this processor
        Opening.Refused(R.string.bundle_engine, null)
    } catch (error: Exception) { // the engine does not take a model that is whole; its errors are no closed list
        Opening.Refused(R.string.bundle_engine, error.message)
    }

    /** Judges the picture that [read] gives, off the main thread; null is a camera that gave none. */
    fun judge(read: () -> ByteArray?) {
        judging = Judging.Running
        onChange()
        worker.execute {
            val found = judged(read)
            show { judging = found }
        }
    }

    /** Says in place of a result what went wrong before there was a picture. */
    fun refuse(words: Int) = show { judging = Judging.Refused(words) }

    private fun judged(read: () -> ByteArray?): Judging {
        try {
            // read in any case: what the camera wrote is deleted by reading it
            val picture = read() ?: return Judging.Refused(R.string.camera_gave_nothing)
            val ready = ready ?: return Judging.Nothing
            if (ready.decoding == Decoding.Other && openPicture(picture).facts.format == PictureFormat.JPEG) {
                return Judging.Refused(R.string.picture_decoder)
            }
            val look = ready.predictor.look(picture)
            val logits = ready.predictor.infer(look.tensor)
            return Judging.Answered(ready.predictor.decide(logits, look), bitmap(look.tensor))
        } catch (error: PictureError) {
            return Judging.Refused(words(error.fault))
        } catch (error: OutOfMemoryError) {
            return Judging.Refused(words(PictureFault.SIZE))
        } catch (error: BrokenLogitsError) {
            return Judging.Refused(R.string.picture_broken_logits)
        } catch (error: RuntimeException) { // of the engine, whose errors are no closed list
            return Judging.Refused(R.string.picture_broken_logits)
        }
    }

    /** Measures the latency, off the main thread; [stopMeasuring] ends it. */
    fun measure() {
        val ready = ready ?: return
        stop.set(false)
        timing = Timing.Running(0, 1)
        onChange()
        worker.execute {
            val found = measured(ready)
            show { timing = found }
        }
    }

    private fun measured(ready: Ready): Timing = try {
        val bench = LatencyBench(app, ready, app.benchSeconds, stop::get)
        Timing.Done(bench.measure { step, of -> show { timing = Timing.Running(step, of) } })
    } catch (error: StoppedError) {
        Timing.Nothing(R.string.latency_stopped)
    } catch (error: OutOfMemoryError) {
        Timing.Nothing(R.string.latency_failed)
    } catch (error: Exception) { // of the engine or of a picture that this app drew itself
        Timing.Nothing(R.string.latency_failed)
    }

    fun stopMeasuring() = stop.set(true)

    /** Writes the measurement by [write], off the main thread. */
    fun save(write: (ByteArray) -> Unit) {
        val done = timing as? Timing.Done ?: return
        worker.execute {
            val words = try {
                write(done.measurement.toJson().toByteArray())
                R.string.latency_saved
            } catch (error: Exception) { // whatever another app throws across
                R.string.latency_not_saved
            }
            show { timing = Timing.Done(done.measurement, words) }
        }
    }

    /** Lets go of the engine and of everything shown. */
    fun close() {
        onChange = {}
        stop.set(true)
        worker.execute { ready?.close() }
        worker.shutdown()
    }

    private fun show(change: () -> Unit) {
        main.post {
            change()
            onChange()
        }
    }
}

private fun bitmap(tensor: Rgb): Bitmap {
    val colours = IntArray(tensor.width * tensor.height) { pixel ->
        val (r, g, b) = List(3) { tensor.pixels[3 * pixel + it].toInt() and 0xFF }
        (0xFF shl 24) or (r shl 16) or (g shl 8) or b
    }
    return Bitmap.createBitmap(colours, tensor.width, tensor.height, Bitmap.Config.ARGB_8888)
}
