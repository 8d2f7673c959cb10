package edgemelanoma.core.bundle

import edgemelanoma.core.bundleEdited
import edgemelanoma.core.decision.BrokenLogitsError
import edgemelanoma.core.decision.DecisionRule
import kotlin.math.abs

internal const val MAX_GOLDEN_BYTES = 64 shl 20
private const val MOST_PICTURES = 256

/** exp and log differ in their last bits from one C library to another. */
private const val SAME_PROBABILITY = 1e-9

private val ARRAYS = listOf("inputs", "outputs", "logits", "probability")

/** One input of the model, and what the model and the rule made of it where the bundle was made. */
class GoldenVector(val input: ByteArray, val output: ByteArray, val logits: FloatArray, val probability: Double)

/** The golden vectors of a bundle, checked against the model's ends and the rule. */
internal fun readGolden(
    data: ByteArray,
    input: TensorFacts,
    output: TensorFacts,
    rule: DecisionRule,
    name: String,
): List<GoldenVector> {
    val archive = readArchive(data, ARRAYS.associate { "$it.npy" to MAX_GOLDEN_BYTES }, name)
    if (archive.start != 0) throw bundleEdited("$name: ${archive.start} bytes lie before its archive; none may")
    val arrays = ARRAYS.map { readNumpyArray(archive.entries.getValue("$it.npy"), "$name, $it") }
    val count = arrays[0].shape[0]
    if (count !in 1..MOST_PICTURES) {
        throw bundleEdited("$name: has $count golden pictures; 1 to $MOST_PICTURES are needed")
    }
    val sides = output.shape.drop(1)
    val expected = listOf(
        "|u1" to listOf(count) + input.shape.drop(1),
        numpyType(output.type) to listOf(count) + sides,
        "<f4" to listOf(count) + sides,
        "<f8" to listOf(count),
    )
    arrays.zip(expected).forEachIndexed { i, (found, fits) ->
        if (found.type to found.shape != fits) {
            throw bundleEdited("$name: ${ARRAYS[i]} is ${found.type} ${found.shape}; ${fits.first} ${fits.second} fits")
        }
    }
    return List(count) { vector(arrays, it, output).also { found -> check(found, output, rule, name) } }
}

private fun numpyType(type: ElementType) = when (type) {
    ElementType.UINT8 -> "|u1"
    ElementType.INT8 -> "|i1"
    ElementType.INT16 -> "<i2"
    ElementType.FLOAT32 -> "<f4"
}

private fun vector(arrays: List<NumpyArray>, number: Int, output: TensorFacts): GoldenVector {
    val inputBytes = arrays[0].shape.drop(1).fold(1, Int::times)
    val classes = output.count
    val (inputs, outputs, logits, probability) = arrays.map { it.values }
    return GoldenVector(
        input = ByteArray(inputBytes) { inputs.get(number * inputBytes + it) },
        output = ByteArray(output.bytes) { outputs.get(number * output.bytes + it) },
        logits = FloatArray(classes) { logits.getFloat(4 * (number * classes + it)) },
        probability = probability.getDouble(8 * number),
    )
}

private fun check(vector: GoldenVector, output: TensorFacts, rule: DecisionRule, name: String) {
    if (!vector.logits.contentEquals(output.logits(vector.output))) {
        throw bundleEdited("$name: its logits are not those of its outputs")
    }
    val probability = try {
        rule.probability(vector.logits)
    } catch (error: BrokenLogitsError) {
        throw bundleEdited("$name: the decision rule makes nothing of its logits (${error.message})", error)
    }
    // written so that a NaN is refused too
    if (!(abs(probability - vector.probability) <= SAME_PROBABILITY)) {
        throw bundleEdited("$name: its probabilities are not those that the decision rule gives")
    }
}
