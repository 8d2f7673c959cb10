package edgemelanoma.core.desktop

import edgemelanoma.core.BundleError
import edgemelanoma.core.Engine
import edgemelanoma.core.Faults
import edgemelanoma.core.Given
import edgemelanoma.core.Predictor
import edgemelanoma.core.bundle.readBundle
import edgemelanoma.core.decision.Decision
import edgemelanoma.core.json
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.objects
import edgemelanoma.core.picture.JpegDecoder
import edgemelanoma.core.preprocess.Rgb
import edgemelanoma.core.sha256
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import kotlin.math.abs

class PredictionsTest {
    private val noJpeg = JpegDecoder { _, _ -> error("no JPEG here") }
    private lateinit var engine: LiteRtEngine

    private val bundle by lazy { readBundle(Given.expected("bundle.tflite").readBytes()) }
    private val manifest by lazy { bundle.manifest }
    private val expected by lazy { Given.expected("predictions.json").json() as JsonObject }
    private val pictures by lazy { expected["predictions"].objects() }

    @BeforeEach
    fun open() {
        engine = LiteRtEngine(Given.nativeLibrary(), bundle.model())
    }

    @AfterEach
    fun close() {
        if (::engine.isInitialized) engine.close()
    }

    @Test
    fun `the bundle proves itself on this machine`() {
        val result = Predictor(bundle, engine, noJpeg).selfTest()
        assertEquals(emptyList<String>(), result.problems)
        Given.note("golden pictures of the bundle", "${result.pictures}, of which ${result.differing} differ")
    }

    @Test
    fun `a bundle with floats at both ends proves itself too`() {
        val float = readBundle(Given.expected("bundles/float32.tflite").readBytes())
        LiteRtEngine(Given.nativeLibrary(), float.model()).use { engine ->
            assertEquals(emptyList<String>(), Predictor(float, engine, noJpeg).selfTest().problems)
        }
    }

    @Test
    fun `a bundle is not used with the model of another`() {
        val float = readBundle(Given.expected("bundles/float32.tflite").readBytes())
        assertThrows(BundleError::class.java) { Predictor(float, engine, noJpeg) }
    }

    @Test
    fun `tensor, output and decision are Python's on every picture`() {
        val predictor = Predictor(bundle, engine, noJpeg)
        var furthest = 0
        var differing = 0
        for (asked in pictures) {
            val name = asked.text("picture")
            val look = predictor.look(Given.expected("pictures/$name").readBytes())
            assertEquals(asked.text("tensor"), sha256(look.tensor.pixels), name)
            val raw = engine.run(manifest.input.encode(look.tensor.pixels))
            val apart = apart(raw, fromHex(asked.text("output")))
            furthest = maxOf(furthest, apart)
            if (apart > 0) differing++
            val found = predictor.decide(manifest.output.logits(raw), look)
            assertEquals(asked.text("decision"), found.decision.word, "$name: ${found.probability}")
            assertEquals(asked.texts("reasons"), found.reasons.map { it.code }, name)
            if (apart == 0) assertTrue(abs(found.probability - asked.double("probability")) <= 1e-12, name)
        }
        assertTrue(furthest <= 1, "an output is $furthest levels away")
        assertTrue(pictures.size >= 200, "${pictures.size} pictures")
        Given.note("pictures with Python's decision by the real native library", pictures.size)
        val engineThere = expected.text("engine")
        Given.note("outputs that differ from Python's ($engineThere)", "$differing, by up to $furthest levels")
    }

    @Test
    fun `every answer occurs among the pictures of the committed bundle`() {
        assumeTrue(bundle.sha256 == sha256(Given.tinyBundle), "another bundle was given")
        assertEquals(Decision.values().map { it.word }.toSet(), pictures.map { it.text("decision") }.toSet())
    }

    @Test
    fun `a self-test sees swapped colours, signed pixels and an output that is two levels off`() {
        val faults = mapOf<String, (ByteArray) -> ByteArray>(
            "BGR" to { Faults.bgr(tensor(it)).pixels },
            "pixels taken for signed" to { pixels -> ByteArray(pixels.size) { (pixels[it] - 128).toByte() } },
        )
        for ((fault, change) in faults) {
            assertFalse(Predictor(bundle, Changed(engine, before = change), noJpeg).selfTest().passed, fault)
        }
        val shifted = Changed(engine, after = { raw -> ByteArray(raw.size) { (raw[it] + 2).toByte() } })
        assertFalse(Predictor(bundle, shifted, noJpeg).selfTest().passed, "two levels off")
        Given.note("negative controls of the self-test", "BGR, signed pixels and two levels off are all refused")
    }

    @Test
    fun `a wrong zero point moves every logit away from the golden ones`() {
        val wrong = manifest.output.copy(zeroPoint = (manifest.output.zeroPoint ?: 0) + 1)
        assertTrue(bundle.golden.none { wrong.logits(it.output).contentEquals(it.logits) })
    }

    private fun tensor(pixels: ByteArray) = Rgb(manifest.contract.width, manifest.contract.height, pixels)

    private fun apart(raw: ByteArray, python: ByteArray): Int =
        manifest.output.values(raw).zip(manifest.output.values(python).asIterable()) { a, b -> abs(a - b) }.max()

    private fun fromHex(text: String) = text.chunked(2).map { it.toInt(16).toByte() }.toByteArray()
}

/** An engine that is given, or gives, something else. */
private class Changed(
    private val engine: Engine,
    private val before: (ByteArray) -> ByteArray = { it },
    private val after: (ByteArray) -> ByteArray = { it },
) : Engine by engine {
    override fun run(input: ByteArray): ByteArray = after(engine.run(before(input)))
}
