package edgemelanoma.app.bench

import edgemelanoma.core.json.Json
import edgemelanoma.core.json.JsonList
import edgemelanoma.core.json.JsonNull
import edgemelanoma.core.json.JsonNumber
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.json.parseJson
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import java.io.File

/** The statistics of the latency screen against the numbers of benchmarks/device, which Python wrote down. */
class StatisticsTest {
    private val expected: JsonObject by lazy {
        val path = System.getProperty("edgemelanoma.statistics")
        assumeTrue(path != null, "no -Dedgemelanoma.statistics; `python -m tooling bench` computes it")
        parseJson(File(requireNotNull(path)).readBytes(), "statistics") as JsonObject
    }

    private fun longs(json: Json) = (json as JsonList).items.map { (it as JsonNumber).text.toLong() }

    private fun intOrNull(json: Json) = if (json === JsonNull) null else (json as JsonNumber).text.toInt()

    @Test
    fun `as many slow queries are let go as in Python, for every number of queries`() {
        val shares = expected.obj("slower")
        assertEquals(setOf("0.9", "0.99"), shares.members.keys)
        for ((share, counts) in shares.members) {
            (counts as JsonList).items.forEachIndexed { i, count ->
                assertEquals(intOrNull(count), slowerQueries(i + 1, share.toDouble()), "$share of ${i + 1}")
            }
        }
        assertEquals(null, slowerQueries(LEAST_QUERIES - 1, 0.9))
        assertEquals(1, slowerQueries(LEAST_QUERIES, 0.9))
    }

    @Test
    fun `the end of the warm-up is where Python finds it`() {
        val streams = expected.objects("settled")
        for (stream in streams) assertEquals(intOrNull(stream["after"]), settledAfter(longs(stream["ns"])))
        assertTrue(streams.any { it["after"] === JsonNull } && streams.any { it["after"] !== JsonNull })
    }

    @Test
    fun `a series has Python's numbers, to the letter of its JSON`() {
        for (case in expected.objects("series")) {
            val runs = case.objects("runs").map {
                Timed(it.int("warm_up"), it.truth("settled"), longs(it["ns"]).toLongArray())
            }
            val found = seriesOf(runs, threads = 4).json().canonical()
            assertSame(case["series"], parseJson(found.toByteArray(), "series"), "series")
        }
    }

    private fun assertSame(expected: Json, found: Json, where: String) {
        when (expected) {
            is JsonNumber ->
                assertEquals(expected.text.toDouble(), (found as JsonNumber).text.toDouble(), 1.1e-6, where)
            is JsonList -> {
                assertEquals(expected.items.size, (found as JsonList).items.size, where)
                expected.items.zip(found.items).forEachIndexed { i, (a, b) -> assertSame(a, b, "$where[$i]") }
            }
            is JsonObject -> {
                assertEquals(expected.members.keys, (found as JsonObject).members.keys, where)
                expected.members.forEach { (key, value) -> assertSame(value, found[key], "$where.$key") }
            }
            else -> assertEquals(expected, found, where)
        }
    }

    @Test
    fun `a stream has at least 64 queries and its time, after its warm-up`() {
        var nowNs = 0L
        val timed = Stream(clockNs = { nowNs }).run(seconds = 0.5) { nowNs += 1_000_000 }
        assertTrue(timed.settled)
        assertEquals(500, timed.latenciesNs.size)
        assertEquals(64, Stream(clockNs = { nowNs }).run(seconds = 0.0) { nowNs += 1_000_000 }.latenciesNs.size)
    }

    @Test
    fun `a stream that never settles is warmed up as long as it runs, and says so`() {
        var nowNs = 0L
        var query = 0L
        val timed = Stream(clockNs = { nowNs }).run(seconds = 1.0) { nowNs += 1_000_000 + 20_000 * query++ }
        assertFalse(timed.settled)
    }

    @Test
    fun `a stopped stream ends at once`() {
        var queries = 0
        assertThrows(StoppedError::class.java) { Stream(stopped = { queries == 3 }).run(seconds = 9.0) { queries++ } }
        assertEquals(3, queries)
    }
}
