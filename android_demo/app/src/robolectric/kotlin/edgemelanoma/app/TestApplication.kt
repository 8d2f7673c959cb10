package edgemelanoma.app

import edgemelanoma.app.model.DrawnPicture
import edgemelanoma.core.Engine
import edgemelanoma.core.desktop.LiteRtEngine
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.json.parseJson
import java.io.ByteArrayInputStream
import java.io.File
import java.io.InputStream

/** A file or folder that the build names. */
fun given(name: String) = File(requireNotNull(System.getProperty("edgemelanoma.$name")) { "-Dedgemelanoma.$name=FILE" })

/** What Python decides on each of its pictures. */
fun predictions(): List<JsonObject> =
    (parseJson(given("expectations").resolve("predictions.json").readBytes(), "predictions") as JsonObject)
        .objects("predictions")

/** Says in the report of the build what a test found. */
fun note(what: String, found: Any) = given("notes").appendText("$what\t$found\n")

/** The app with LiteRT's desktop library in place of TensorFlow Lite's Android one, and a bundle of a test's choice. */
class TestApplication : DemoApplication() {
    override fun openBundle(): InputStream = ByteArrayInputStream(bundle())

    override fun openEngine(model: ByteArray, threads: Int): Engine = engine(LiteRtEngine(given("litert"), model))

    override val benchSeconds = 0.0

    override fun benchPictures(): List<DrawnPicture> = super.benchPictures().take(1)

    companion object {
        private val whole by lazy { given("expectations").resolve("bundle.tflite").readBytes() }

        /** The bundle as it should be. */
        fun wholeBundle(): ByteArray = whole.copyOf()

        var bundle: () -> ByteArray = ::wholeBundle
        var engine: (Engine) -> Engine = { it }

        /** Undoes what a test changed. */
        fun reset() {
            bundle = ::wholeBundle
            engine = { it }
        }
    }
}
