package edgemelanoma.core

import edgemelanoma.core.json.Json
import edgemelanoma.core.json.JsonList
import edgemelanoma.core.json.JsonNumber
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.json.JsonText
import edgemelanoma.core.json.parseJson
import edgemelanoma.core.picture.JpegDecoder
import edgemelanoma.core.picture.PictureFile
import edgemelanoma.core.picture.reducedSide
import edgemelanoma.core.preprocess.Contract
import edgemelanoma.core.preprocess.Rgb
import org.junit.jupiter.api.Assumptions.assumeTrue
import java.io.File

/** What the tests are given: the golden files of the project, and what Python computed for them. */
object Given {
    private val goldenFolder = folder("golden")

    /** A file below tests/golden. */
    fun golden(path: String): File = File(requireNotNull(goldenFolder) { "-Dedgemelanoma.golden=FOLDER" }, path)

    val tinyBundle: ByteArray by lazy { golden("tiny/tiny_bundle.tflite").readBytes() }

    /** A file that Python computed; a test that needs one is skipped where there is none. */
    fun expected(path: String): File {
        val folder = folder("expectations")
        assumeTrue(folder != null, "no -Dedgemelanoma.expectations; `python -m tooling core` computes them")
        return File(requireNotNull(folder), path)
    }

    /** LiteRT's native library; a test that needs it is skipped where there is none. */
    fun nativeLibrary(): File {
        val file = folder("litert")
        assumeTrue(file != null, "no -Dedgemelanoma.litert; `python -m tooling core` finds it")
        return requireNotNull(file)
    }

    private fun folder(name: String): File? =
        System.getProperty("edgemelanoma.$name")?.let(::File)?.takeIf { it.exists() }

    /** The pixels that Pillow decoded from a golden JPEG, in place of a platform's decoder. */
    fun pillow(picture: String, file: PictureFile) = JpegDecoder { _, reduction ->
        Rgb(
            reducedSide(file.facts.width, reduction),
            reducedSide(file.facts.height, reduction),
            expected("decoded/$picture-$reduction.rgb").readBytes(),
        )
    }

    /** Says in the report of the build what a test found. */
    fun note(what: String, found: Any) {
        System.getProperty("edgemelanoma.notes")?.let { File(it).appendText("$what\t$found\n") }
    }
}

/** The JSON in a file. */
fun File.json(): Json = parseJson(readBytes(), name)

/** The objects of a list. */
fun Json.objects(): List<JsonObject> = (this as JsonList).items.map { it as JsonObject }

/** The numbers of a list. */
fun Json.numbers(): List<Double> = (this as JsonList).items.map { (it as JsonNumber).text.toDouble() }

/** A text. */
fun Json.word(): String = (this as JsonText).value

/** The contract of a golden vector. */
fun JsonObject.contract(): Contract = Contract.fromJson(obj("contract"))
