package edgemelanoma.app.bench

import java.math.BigDecimal
import java.math.RoundingMode
import kotlin.math.floor
import kotlin.math.max

private const val AGREE_WITHIN = 0.05 // the medians of repeated runs
private const val TRACE = 60 // medians along a run that are kept
private val QUANTILES = doubleArrayOf(0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)

/** The user stopped a measurement. */
class StoppedError : Exception("stopped")

/** A run as it was timed: every latency in nanoseconds, after the queries that came before the stream had settled. */
class Timed(val warmUpQueries: Int, val settled: Boolean, val latenciesNs: LongArray)

/** A run in a few numbers. */
data class Run(
    val queries: Int,
    val seconds: Double,
    val warmUpQueries: Int,
    val settled: Boolean,
    val p50Ms: Double,
    val slowestMs: Double,
    val traceMs: List<Double>,
)

/** Runs of the same thing, and what all their queries say together: what `edge-melanoma bench` has in its Series. */
data class Series(
    val threads: Int,
    val runs: List<Run>,
    val queries: Int,
    val p50Ms: Double,
    val p90Ms: Double?,
    val p99Ms: Double?,
    val quantilesMs: List<Double>,
) {
    /** By which share the slowest run's median lies above the fastest one's. */
    val spread: Double get() = runs.maxOf { it.p50Ms } / runs.minOf { it.p50Ms } - 1

    /** Do the repeated runs say the same? */
    val agrees: Boolean get() = spread <= AGREE_WITHIN

    /** Did every run come out of its warm-up? */
    val settled: Boolean get() = runs.all { it.settled }
}

/** Times one query after the other. */
class Stream(private val stopped: () -> Boolean = { false }, private val clockNs: () -> Long = System::nanoTime) {
    /** Warm up until the latencies have settled, or as long as the run itself takes; then the run. */
    fun run(seconds: Double, least: Int = LEAST_QUERIES, query: () -> Unit): Timed {
        val warm = ArrayList<Long>()
        val until = clockNs() + (max(seconds, 0.0) * 1e9).toLong()
        var after: Int?
        do {
            collect(warm, seconds / 10, LEAST_WARM_UP, query)
            after = settledAfter(warm)
        } while (after == null && clockNs() < until)
        val latencies = ArrayList<Long>()
        collect(latencies, seconds, least, query)
        return Timed(after ?: warm.size, after != null, latencies.toLongArray())
    }

    /** Queries until both the number and the time are reached; nothing else happens between the two clocks. */
    private fun collect(into: MutableList<Long>, seconds: Double, least: Int, query: () -> Unit) {
        val end = clockNs() + (seconds * 1e9).toLong()
        var left = least
        while (true) {
            val begin = clockNs()
            query()
            val done = clockNs()
            into += done - begin
            left--
            if (stopped()) throw StoppedError()
            if (left <= 0 && done >= end) return
        }
    }
}

/** What repeated runs say together. */
fun seriesOf(runs: List<Timed>, threads: Int): Series {
    val together = runs.flatMap { it.latenciesNs.asList() }.map { it / 1e6 }.toDoubleArray().sortedArray()
    return Series(
        threads = threads,
        runs = runs.map(::inShort),
        queries = together.size,
        p50Ms = rounded(median(together)),
        p90Ms = percentileEstimate(together, 0.9)?.let(::rounded),
        p99Ms = percentileEstimate(together, 0.99)?.let(::rounded),
        quantilesMs = QUANTILES.map { rounded(quantile(together, it)) },
    )
}

private fun inShort(run: Timed): Run {
    val latencies = run.latenciesNs.map { it / 1e6 }.toDoubleArray()
    return Run(
        queries = latencies.size,
        seconds = rounded(latencies.sum() / 1e3, 3),
        warmUpQueries = run.warmUpQueries,
        settled = run.settled,
        p50Ms = rounded(median(latencies.sortedArray())),
        slowestMs = rounded(latencies.max()),
        traceMs = bunches(latencies).map { rounded(median(it.sortedArray())) },
    )
}

/** At most [TRACE] pieces, the first of which are longer by one where it does not come out even. */
private fun bunches(latencies: DoubleArray): List<DoubleArray> {
    val pieces = minOf(TRACE, latencies.size)
    val size = latencies.size / pieces
    val longer = latencies.size % pieces
    return List(pieces) {
        val start = it * size + minOf(it, longer)
        latencies.copyOfRange(start, start + size + if (it < longer) 1 else 0)
    }
}

/** The median of values in order. */
internal fun median(ordered: DoubleArray): Double {
    val middle = ordered.size / 2
    return if (ordered.size % 2 == 1) ordered[middle] else (ordered[middle - 1] + ordered[middle]) / 2
}

/** The quantile of values in order, by a straight line between neighbours. */
private fun quantile(ordered: DoubleArray, share: Double): Double {
    val place = (ordered.size - 1) * share
    val below = floor(place).toInt().coerceIn(0, ordered.size - 1)
    val above = minOf(below + 1, ordered.size - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
}

/** As Python rounds: by the number's exact value, a half to the even side. */
internal fun rounded(value: Double, digits: Int = 6): Double =
    BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).toDouble()

/** The median of nanoseconds, in milliseconds. */
fun medianMs(ns: List<Long>): Double = rounded(median(ns.map { it / 1e6 }.toDoubleArray().sortedArray()), 4)
