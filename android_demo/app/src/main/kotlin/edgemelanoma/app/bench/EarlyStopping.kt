package edgemelanoma.app.bench

import kotlin.math.exp
import kotlin.math.ln
import kotlin.math.ln1p
import kotlin.math.max
import kotlin.math.min

/** For the 90th percentile, and MLPerf's minimum for a single stream. */
const val LEAST_QUERIES = 64

private const val CONFIDENCE = 0.99

/** The latency under which the given share of queries lies, with 99 % confidence; null: too few queries. */
fun percentileEstimate(latencies: DoubleArray, percentile: Double): Double? {
    val ordered = latencies.sortedArray()
    val slower = slowerQueries(ordered.size, percentile) ?: return null
    return ordered[ordered.size - slower]
}

/**
 * t: the estimate is the t-th slowest of so many queries; null where not even the slowest is slow enough.
 *
 * MLPerf's early stopping, as benchmarks/device/early_stopping.py explains it.
 */
fun slowerQueries(queries: Int, percentile: Double): Int? {
    val slow = 1 - percentile
    val most = min(queries, (slow * queries).toInt() + 1)
    val enough = ln(1 - CONFIDENCE)
    var logOf = queries * ln(percentile)
    var atMost = logOf
    var found = if (atMost <= enough) 1 else 0
    var sum = 0.0
    for (k in 1..most) {
        sum += ln((queries - k + 1).toDouble() / k) + ln(slow / percentile)
        logOf = queries * ln(percentile) + sum
        atMost = logAddExp(atMost, logOf)
        if (atMost <= enough) found++
    }
    return (found - 1).takeIf { it >= 1 }
}

private fun logAddExp(a: Double, b: Double): Double = max(a, b) + ln1p(exp(-kotlin.math.abs(a - b)))
