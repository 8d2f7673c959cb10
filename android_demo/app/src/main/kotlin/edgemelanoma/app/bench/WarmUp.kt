package edgemelanoma.app.bench

/** Fewer queries say nothing of whether a stream has settled. */
const val LEAST_WARM_UP = 75

private const val BATCH = 5
private const val FEWEST = 5 // medians that have to be left

/**
 * How many queries at the beginning are warm-up; null where the stream has not settled.
 *
 * MSER-5 on the medians of five queries each, as benchmarks/device/warm_up.py explains it.
 */
fun settledAfter(latenciesNs: List<Long>): Int? {
    if (latenciesNs.size < LEAST_WARM_UP) return null
    val batches = latenciesNs.size / BATCH
    val medians = DoubleArray(batches) { batch ->
        latenciesNs.subList(BATCH * batch, BATCH * (batch + 1)).sorted()[BATCH / 2].toDouble()
    }
    // centred: squares of large numbers lose their digits
    val mean = medians.sum() / batches
    val error = DoubleArray(batches)
    var sum = 0.0
    var squares = 0.0
    for (count in 1..batches) {
        val value = medians[batches - count] - mean
        sum += value
        squares += value * value
        val spread = maxOf(squares - sum * sum / count, 0.0)
        error[batches - count] = spread / (count.toDouble() * count)
    }
    var cut = 0
    for (candidate in 1..batches - FEWEST) if (error[candidate] < error[cut]) cut = candidate
    return if (cut > batches / 2) null else cut * BATCH
}
