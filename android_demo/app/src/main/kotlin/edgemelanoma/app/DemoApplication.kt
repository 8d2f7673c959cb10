package edgemelanoma.app

import android.app.Application
import edgemelanoma.app.model.DrawnPicture
import edgemelanoma.app.model.TfliteEngine
import edgemelanoma.app.model.drawnPictures
import edgemelanoma.app.picture.AndroidJpegDecoder
import edgemelanoma.core.Engine
import edgemelanoma.core.picture.JpegDecoder
import java.io.InputStream

/** What the app is made of; a test puts something else in one of these places. */
open class DemoApplication : Application() {
    /** The bundle that the app was built with. */
    open fun openBundle(): InputStream = assets.open("model.tflite")

    /** What runs models. */
    open fun openEngine(model: ByteArray, threads: Int): Engine = TfliteEngine(model, threads)

    /** At least so long is every run of the latency screen. */
    open val benchSeconds: Double get() = 10.0

    /** What the latency screen decides on; the large one only where memory allows it. */
    open fun benchPictures(): List<DrawnPicture> = drawnPictures()

    /** What decodes JPEGs. */
    open val jpegDecoder: JpegDecoder = AndroidJpegDecoder()
}
