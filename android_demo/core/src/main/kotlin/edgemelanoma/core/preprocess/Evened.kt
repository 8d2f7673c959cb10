package edgemelanoma.core.preprocess

import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

// The norm is the fourth root of the mean fourth power, in 128ths.
private const val FRACTION_BITS = 7

// A channel is multiplied by at most that, and by its inverse at least.
private const val MOST = 2L

/** The tensor as under a grey light: section 8 of the contract, all in integers; a new one. */
fun evened(tensor: Rgb): Rgb {
    val norms = LongArray(3) { norm(tensor.pixels, it) }
    val grey = root(norms.sumOf { it * it } / 3)
    if (grey == 0L) return Rgb(tensor.width, tensor.height, tensor.pixels.copyOf())
    val tables = norms.map { table(min(max(it, (grey + MOST - 1) / MOST), grey * MOST), grey) }
    val pixels = ByteArray(tensor.pixels.size) { tables[it % 3][tensor.pixels[it].toInt() and 255] }
    return Rgb(tensor.width, tensor.height, pixels)
}

private fun norm(pixels: ByteArray, channel: Int): Long {
    var sum = 0L // of fourth powers: below 2^57 for the largest tensor
    for (place in channel until pixels.size step 3) {
        val square = (pixels[place].toInt() and 255).let { (it * it).toLong() }
        sum += square * square
    }
    val count = (pixels.size / 3).toLong()
    val shift = 4 * FRACTION_BITS
    val mean = ((sum / count) shl shift) + ((sum % count) shl shift) / count
    return root(root(mean))
}

/** The largest whole number whose square is at most [square]. */
private fun root(square: Long): Long {
    var found = sqrt(square.toDouble()).toLong()
    while (found * found > square) found--
    while ((found + 1) * (found + 1) <= square) found++
    return found
}

private fun table(norm: Long, grey: Long) =
    ByteArray(256) { min((2 * it * grey + norm) / (2 * norm), 255L).toByte() }
