package edgemelanoma.core.preprocess

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min

private const val COEFFICIENT_BITS = 22
private const val ONE = 1 shl COEFFICIENT_BITS
private const val HALF = 1 shl (COEFFICIENT_BITS - 1)

/** The part of a picture that is resized; what lies outside is never seen by the filter. */
data class Region(val x: Int, val y: Int, val width: Int, val height: Int)

/** Pillow's antialiased bilinear resize of a region, to the byte: across first, then down, as section 7 says. */
fun resize(picture: Rgb, region: Region, width: Int, height: Int): Rgb {
    val across = horizontal(picture, region, width)
    return Rgb(width, height, vertical(across, width, region.height, height))
}

/** The filter of one pass: for each output where its inputs begin, how many there are, and what each counts. */
internal class Filter(val first: IntArray, val count: IntArray, val coefficients: Array<IntArray>)

/** The filter from [n] to [m] samples, in the order of operations that the contract fixes. */
internal fun filter(n: Int, m: Int): Filter {
    val scale = n.toDouble() / m
    val reach = max(scale, 1.0)
    val perStep = 1.0 / reach
    val firsts = IntArray(m)
    val counts = IntArray(m)
    val coefficients = Array(m) { i ->
        val center = (i + 0.5) * scale
        val first = max(0, (center - reach + 0.5).toInt())
        val count = min(n, (center + reach + 0.5).toInt()) - first
        val weights = DoubleArray(count) { j -> max(0.0, 1.0 - abs(((j + first) - center + 0.5) * perStep)) }
        var total = 0.0
        for (weight in weights) total += weight
        firsts[i] = first
        counts[i] = count
        IntArray(count) { j -> (0.5 + weights[j] / total * ONE).toInt() }
    }
    return Filter(firsts, counts, coefficients)
}

private fun clamp(sum: Int): Byte {
    val value = sum shr COEFFICIENT_BITS
    return (if (value < 0) 0 else if (value > 255) 255 else value).toByte()
}

private fun horizontal(picture: Rgb, region: Region, width: Int): ByteArray {
    val filter = filter(region.width, width)
    val out = ByteArray(3 * width * region.height)
    for (y in 0 until region.height) {
        val row = 3 * ((region.y + y) * picture.width + region.x)
        horizontalRow(picture.pixels, row, filter, out, 3 * y * width)
    }
    return out
}

// One row a call: the compiler of every virtual machine takes a small loop better than a deep nest of them.
private fun horizontalRow(from: ByteArray, row: Int, filter: Filter, out: ByteArray, begin: Int) {
    var to = begin
    for (i in filter.first.indices) {
        val weights = filter.coefficients[i]
        var place = row + 3 * filter.first[i]
        var red = HALF
        var green = HALF
        var blue = HALF
        for (weight in weights) {
            red += (from[place].toInt() and 0xFF) * weight
            green += (from[place + 1].toInt() and 0xFF) * weight
            blue += (from[place + 2].toInt() and 0xFF) * weight
            place += 3
        }
        out[to] = clamp(red)
        out[to + 1] = clamp(green)
        out[to + 2] = clamp(blue)
        to += 3
    }
}

private fun vertical(rows: ByteArray, width: Int, n: Int, m: Int): ByteArray {
    val filter = filter(n, m)
    val stride = 3 * width
    val out = ByteArray(stride * m)
    val sums = IntArray(stride)
    for (i in 0 until m) {
        sums.fill(HALF)
        for (j in 0 until filter.count[i]) {
            addRow(rows, (filter.first[i] + j) * stride, filter.coefficients[i][j], sums)
        }
        for (x in 0 until stride) out[i * stride + x] = clamp(sums[x])
    }
    return out
}

private fun addRow(rows: ByteArray, row: Int, weight: Int, sums: IntArray) {
    for (x in sums.indices) sums[x] += (rows[row + x].toInt() and 0xFF) * weight
}
