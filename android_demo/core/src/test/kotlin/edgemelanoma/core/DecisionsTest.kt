package edgemelanoma.core

import edgemelanoma.core.decision.BrokenLogitsError
import edgemelanoma.core.decision.DecisionRule
import edgemelanoma.core.json.JsonList
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import kotlin.math.abs

class DecisionsTest {
    @Test
    fun `probability, scores and decision are Python's on thousands of logits`() {
        var cases = 0
        var furthest = 0.0
        for (content in Given.expected("decisions.json").json().objects()) {
            val rule = DecisionRule.fromJson(content.obj("rule"))
            for (case in content.list("cases")) {
                val (logits, probability, scores, decision) = (case as JsonList).items
                val given = logits.numbers().map(Double::toFloat).toFloatArray()
                val found = rule.probability(given)
                val expected = JsonList(listOf(probability)).numbers().single()
                val far = rule.scores(given).zip(scores.numbers()).map { (a, b) -> abs(a - b) } + abs(found - expected)
                furthest = maxOf(furthest, far.max())
                assertEquals(decision.word(), rule.decide(found).word, "$given: $found, not $expected")
                cases++
            }
        }
        assertTrue(furthest <= 1e-12, "furthest $furthest")
        assertTrue(cases > 3000, "$cases cases")
        Given.note("logits with Python's decision", cases)
        Given.note("furthest a probability or score lies from Python's", furthest)
    }

    @Test
    fun `logits that are not finite, or too few, never become a decision`() {
        val rule = DecisionRule.fromJson(Given.expected("decisions.json").json().objects().first().obj("rule"))
        val endless = Float.POSITIVE_INFINITY
        for (broken in listOf(floatArrayOf(Float.NaN, 0f), floatArrayOf(0f, endless), floatArrayOf(0f))) {
            assertThrows(BrokenLogitsError::class.java) { rule.probability(broken) }
        }
        for (p in listOf(Double.NaN, -0.1, 1.1)) assertThrows(BrokenLogitsError::class.java) { rule.decide(p) }
    }
}
