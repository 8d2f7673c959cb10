package edgemelanoma.core.decision

import edgemelanoma.core.bundleEdited
import edgemelanoma.core.json.JsonObject
import kotlin.math.abs
import kotlin.math.exp
import kotlin.math.ln

private const val RULE_VERSION = 1L

/** What a prediction comes to. */
enum class Decision(val word: String) { LOW("low"), UNCERTAIN("uncertain"), REFER("refer") }

/** A value and how well it is known. */
data class Interval(val value: Double, val low: Double, val high: Double) {
    companion object {
        internal fun fromJson(json: JsonObject): Interval {
            json.requireKeys("high", "low", "value")
            return Interval(json.double("value"), json.double("low"), json.double("high"))
        }
    }
}

/** A probability that divides two answers, what it was chosen for, and what it did where it was chosen. */
data class Threshold(
    val value: Double,
    val low: Double,
    val high: Double,
    val chosenFor: String,
    val sensitivity: Interval,
    val specificity: Interval,
) {
    init {
        require(0 <= low && low <= value && value <= high && high <= 1) { "threshold $value ($low to $high)" }
    }

    companion object {
        internal fun fromJson(json: JsonObject): Threshold {
            json.requireKeys("chosen_for", "high", "low", "sensitivity", "specificity", "value")
            return Threshold(
                value = json.double("value"),
                low = json.double("low"),
                high = json.double("high"),
                chosenFor = json.text("chosen_for"),
                sensitivity = Interval.fromJson(json.obj("sensitivity")),
                specificity = Interval.fromJson(json.obj("specificity")),
            )
        }
    }
}

/** Logits that the rule makes nothing of. */
class BrokenLogitsError(message: String) : Exception(message)

/** From logits to low, uncertain or refer: what edge_melanoma/decision.py does, to the last bits of exp and log. */
data class DecisionRule(
    val task: String,
    val classes: List<String>,
    val positive: List<Int>,
    val temperature: Interval,
    val sharesTrain: List<Double>,
    val sharesDeploy: List<Double>,
    val thresholdLow: Threshold,
    val thresholdRefer: Threshold,
    val fittedOn: JsonObject,
) {
    init {
        require(classes.size >= 2 && classes.distinct().size == classes.size) { "classes $classes" }
        require(positive.isNotEmpty() && positive.distinct().size == positive.size) { "positive classes $positive" }
        require(positive.all { it in classes.indices } && positive.size < classes.size) { "positive classes $positive" }
        require(temperature.value > 0) { "temperature ${temperature.value}" }
        for (shares in listOf(sharesTrain, sharesDeploy)) {
            require(shares.size == classes.size && shares.all { it > 0 && it < 1 }) { "class shares $shares" }
            require(abs(shares.sum() - 1) <= 1e-6) { "class shares $shares add up to ${shares.sum()}" }
        }
        require(thresholdLow.value <= thresholdRefer.value) { "threshold_low lies above threshold_refer" }
    }

    private val moved = DoubleArray(classes.size) { ln(sharesDeploy[it]) - ln(sharesTrain[it]) }

    /** The share of positives that the shown probability is for. */
    val priorDeploy: Double get() = positive.sumOf { sharesDeploy[it] }

    /** The calibrated probability of the positive classes together, at the prevalence of [priorDeploy]. */
    fun probability(logits: FloatArray): Double {
        val z = movedLogits(logits)
        val places = z.indices.partition { it in positive }
        val odds = logSumExp(places.first.map { z[it] }) - logSumExp(places.second.map { z[it] })
        val small = exp(-abs(odds))
        return (if (odds >= 0) 1.0 else small) / (1.0 + small)
    }

    /** The same probability for every class; they add up to 1. */
    fun scores(logits: FloatArray): List<Double> {
        val z = movedLogits(logits).toList()
        val whole = logSumExp(z)
        return z.map { exp(it - whole) }
    }

    /** The decision for one probability. */
    fun decide(probability: Double): Decision {
        // a NaN must never pass for `low`
        if (!(probability >= 0.0 && probability <= 1.0)) throw BrokenLogitsError("probability $probability")
        return when {
            probability >= thresholdRefer.value -> Decision.REFER
            probability < thresholdLow.value -> Decision.LOW
            else -> Decision.UNCERTAIN
        }
    }

    private fun movedLogits(logits: FloatArray): DoubleArray {
        if (logits.size != classes.size) throw BrokenLogitsError("${logits.size} logits for ${classes.size} classes")
        val z = DoubleArray(logits.size) { logits[it].toDouble() / temperature.value + moved[it] }
        if (z.any { it.isNaN() || it.isInfinite() }) throw BrokenLogitsError("logits that are not finite")
        return z
    }

    companion object {
        /** The rule that a bundle carries; every key must be there and none other. */
        fun fromJson(json: JsonObject): DecisionRule {
            json.requireKeys(
                "classes", "fitted_on", "positive", "shares_deploy", "shares_train",
                "task", "temperature", "threshold_low", "threshold_refer", "version",
            )
            json.requireVersion(RULE_VERSION)
            try {
                return DecisionRule(
                    task = json.text("task"),
                    classes = json.texts("classes"),
                    positive = json.ints("positive"),
                    temperature = Interval.fromJson(json.obj("temperature")),
                    sharesTrain = json.doubles("shares_train"),
                    sharesDeploy = json.doubles("shares_deploy"),
                    thresholdLow = Threshold.fromJson(json.obj("threshold_low")),
                    thresholdRefer = Threshold.fromJson(json.obj("threshold_refer")),
                    fittedOn = json.obj("fitted_on"),
                )
            } catch (error: IllegalArgumentException) {
                throw bundleEdited("${json.where}: ${error.message} cannot be", error)
            }
        }
    }
}

private fun logSumExp(z: List<Double>): Double {
    val highest = z.maxOrNull() ?: Double.NEGATIVE_INFINITY
    return highest + ln(z.sumOf { exp(it - highest) })
}
