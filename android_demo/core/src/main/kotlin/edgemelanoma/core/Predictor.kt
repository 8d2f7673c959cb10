package edgemelanoma.core

import edgemelanoma.core.bundle.Bundle
import edgemelanoma.core.bundle.ElementType
import edgemelanoma.core.bundle.GoldenVector
import edgemelanoma.core.bundle.TensorFacts
import edgemelanoma.core.capture.Reason
import edgemelanoma.core.capture.measure
import edgemelanoma.core.decision.BrokenLogitsError
import edgemelanoma.core.decision.Decision
import edgemelanoma.core.picture.JpegDecoder
import edgemelanoma.core.picture.PictureFacts
import edgemelanoma.core.picture.decodePicture
import edgemelanoma.core.picture.openPicture
import edgemelanoma.core.preprocess.Rgb
import kotlin.math.abs
import kotlin.math.max

/** What runs models: LiteRT or TensorFlow Lite on the phone, LiteRT's native library on the desktop. */
interface Engine : AutoCloseable {
    /** The name and version, for the self-test and the latency screen. */
    val name: String

    /** The input as the engine has it; its shape and type are compared with the manifest. */
    val input: TensorFacts

    /** The output as the engine has it. */
    val output: TensorFacts

    /** The bytes of the output for the bytes of an input, both little endian and without padding. */
    fun run(input: ByteArray): ByteArray
}

/** A picture before the model saw it; [reasons] say why it is not fit to be judged. */
class Look(val tensor: Rgb, val facts: PictureFacts, val reasons: List<Reason>)

/** What a bundle says of one picture. */
data class Prediction(
    val decision: Decision,
    val probability: Double,
    val reasons: List<Reason>,
    val scores: Map<String, Double>,
)

/** What the self-test found; the app predicts only where it [passed]. */
data class SelfTest(val pictures: Int, val problems: List<String>, val differing: Int, val worst: Double) {
    val passed: Boolean get() = problems.isEmpty()
}

/** A bundle, ready to judge pictures; not to be shared between threads, except for [look]. */
class Predictor(private val bundle: Bundle, private val engine: Engine, private val jpegDecoder: JpegDecoder) {
    private val manifest = bundle.manifest

    init {
        for ((found, stated) in listOf(engine.input to manifest.input, engine.output to manifest.output)) {
            if (found != stated) {
                throw BundleError(BundleFault.DAMAGED, "the bundle says $stated, and ${engine.name} makes $found of it")
            }
        }
    }

    /** The decision on a picture file's bytes; PictureError where it cannot be read. */
    fun predict(picture: ByteArray): Prediction {
        val look = look(picture)
        return decide(infer(look.tensor), look)
    }

    /** The picture as the model will see it, and whether it is fit to be judged. */
    fun look(picture: ByteArray): Look {
        val file = openPicture(picture)
        val facts = file.facts
        val contract = manifest.contract
        val tensor = contract.toTensor(decodePicture(file, contract.reduction(facts), jpegDecoder))
        val gate = manifest.captureGate ?: return Look(tensor, facts, emptyList())
        val measures = measure(tensor, contract, facts.uprightWidth, facts.uprightHeight)
        return Look(tensor, facts, gate.reasons(measures))
    }

    /** The logits of one tensor. */
    fun infer(tensor: Rgb): FloatArray = manifest.output.logits(engine.run(manifest.input.encode(tensor.pixels)))

    /** The decision; a picture that is not fit to be judged is uncertain whatever the model made of it. */
    fun decide(logits: FloatArray, look: Look): Prediction {
        val probability = manifest.rule.probability(logits)
        val ruled = manifest.rule.decide(probability)
        val decision = if (look.reasons.isEmpty()) ruled else Decision.UNCERTAIN
        val reasons = look.reasons.ifEmpty { if (ruled == Decision.UNCERTAIN) listOf(Reason.BETWEEN) else emptyList() }
        return Prediction(decision, probability, reasons, manifest.classes.zip(manifest.rule.scores(logits)).toMap())
    }

    /**
     * Runs the bundle's golden vectors, calling [progress] after each, and says what came out otherwise.
     *
     * Another machine than the one that recorded them may round otherwise: by one level of an 8-bit output, by a small
     * share of another. The decisions must be the recorded ones.
     */
    fun selfTest(progress: (done: Int) -> Unit = {}): SelfTest {
        val problems = ArrayList<String>()
        var differing = 0
        var worst = 0.0
        val limit = limit()
        bundle.golden.forEachIndexed { i, vector ->
            val raw = engine.run(manifest.input.encode(vector.input))
            val apart = apart(raw, vector)
            if (apart > 0) differing++
            worst = max(worst, apart)
            if (!(apart <= limit)) problems += "picture $i: its output is $apart away; $limit is allowed"
            val expected = manifest.rule.decide(vector.probability)
            val found = decisionOf(raw)
            if (found != expected) problems += "picture $i: ${found?.word ?: "nothing"} instead of ${expected.word}"
            progress(i + 1)
        }
        return SelfTest(bundle.golden.size, problems, differing, worst)
    }

    private val levels get() = manifest.output.type == ElementType.UINT8 || manifest.output.type == ElementType.INT8

    private fun limit(): Double {
        if (levels) return 1.0
        val largest = bundle.golden.flatMap { it.logits.asList() }.maxOf { abs(it) }.toDouble()
        return (SHARES[manifest.format] ?: 0.0) * max(1.0, largest)
    }

    /** How far an output lies from the recorded one, in levels or in the logits; what is no number is endlessly far. */
    private fun apart(raw: ByteArray, vector: GoldenVector): Double {
        if (levels) {
            val recorded = manifest.output.values(vector.output)
            return manifest.output.values(raw).mapIndexed { i, value -> abs(value - recorded[i]) }.max().toDouble()
        }
        val found = manifest.output.logits(raw)
        val far = found.mapIndexed { i, logit -> abs(logit.toDouble() - vector.logits[i]) }
        return if (far.any { it.isNaN() }) Double.POSITIVE_INFINITY else far.max()
    }

    private fun decisionOf(raw: ByteArray): Decision? = try {
        manifest.rule.decide(manifest.rule.probability(manifest.output.logits(raw)))
    } catch (error: BrokenLogitsError) {
        null
    }

    private companion object {
        // As in edge_melanoma/bundle/agreement.py: shares of the largest logit, or of 1.
        val SHARES = mapOf("float32" to 1e-4, "float16" to 1e-4, "int16x8" to 1e-3, "dynamic" to 1e-1)
    }
}
