package edgemelanoma.core.capture

import edgemelanoma.core.preprocess.Region
import edgemelanoma.core.preprocess.Rgb

private const val BLACK_BELOW = 20
private const val NEAR_BLACK = 2
private const val CLIPPED_FROM = 250
private const val WHITE_FROM = 240
private const val SKIN_RED = 25
private const val SKIN_GREEN = 26
private const val LEVELS = 256

/** Sums over the pixels of the ellipse and over those that are seen. */
internal class Light {
    var ellipse = 0L
    var black = 0L
    var seen = 0L
    var luma = 0L
    var clipped = 0L
    var glare = 0L
    var skin = 0L
}

/** What is darker than the threshold, and how it lies. */
internal class Lesion(val contrast: Double, val share: Double, val centreShare: Double, val scatterShare: Double)

/** The part of a tensor that is picture, plane by plane, and which of its pixels are seen; tests/golden/CAPTURE.md. */
internal class View(tensor: Rgb, region: Region) {
    private val w = region.width
    private val h = region.height
    private val red = plane(tensor, region, 0)
    private val green = plane(tensor, region, 1)
    private val blue = plane(tensor, region, 2)
    private val luma = IntArray(w * h) { (19595 * red[it] + 38470 * green[it] + 7471 * blue[it] + 32768) shr 16 }
    private val black = BooleanArray(w * h) { brightest(it) < BLACK_BELOW }
    private val ellipse = BooleanArray(w * h) { inEllipse(it, 1L) }
    private val seen = BooleanArray(w * h) { ellipse[it] && !nearBlack(it) }

    private fun plane(tensor: Rgb, region: Region, channel: Int) = IntArray(w * h) {
        val pixel = (region.y + it / w) * tensor.width + region.x + it % w
        tensor.pixels[3 * pixel + channel].toInt() and 0xFF
    }

    private fun brightest(i: Int) = maxOf(red[i], green[i], blue[i])

    /** Does pixel [i] lie in the largest ellipse of the picture, shrunk so that its area is 1 / [factor]? */
    private fun inEllipse(i: Int, factor: Long): Boolean {
        val x = (2L * (i % w) + 1 - w) * h
        val y = (2L * (i / w) + 1 - h) * w
        val whole = w.toLong() * h
        return factor * (x * x + y * y) <= whole * whole
    }

    private fun nearBlack(i: Int): Boolean {
        for (y in maxOf(0, i / w - NEAR_BLACK)..minOf(h - 1, i / w + NEAR_BLACK)) {
            for (x in maxOf(0, i % w - NEAR_BLACK)..minOf(w - 1, i % w + NEAR_BLACK)) if (black[y * w + x]) return true
        }
        return false
    }

    fun light() = Light().also { sums ->
        for (i in seen.indices) {
            if (ellipse[i]) {
                sums.ellipse++
                if (black[i]) sums.black++
            }
            if (!seen[i]) continue
            sums.seen++
            sums.luma += luma[i]
            val darkest = minOf(red[i], green[i], blue[i])
            if (red[i] + green[i] + blue[i] - brightest(i) - darkest >= CLIPPED_FROM) sums.clipped++
            if (darkest >= WHITE_FROM) sums.glare++
            if (SKIN_RED * red[i] >= SKIN_GREEN * green[i]) sums.skin++
        }
    }

    /** The second differences along the line where there are least of them, over the luma of the same pixels. */
    fun sharpness(): Double {
        // the steps to a neighbour: along the row, the column and the diagonals; the opposite one is as far back
        val steps = intArrayOf(1, w, w + 1, w - 1)
        val squares = LongArray(steps.size)
        var sum = 0L
        for (y in 1 until h - 1) {
            for (i in y * w + 1 until y * w + w - 1) {
                if (!seenAround(i)) continue
                sum += luma[i]
                for (line in steps.indices) {
                    val difference = (luma[i - steps[line]] + luma[i + steps[line]] - 2 * luma[i]).toLong()
                    squares[line] += difference * difference
                }
            }
        }
        return ratio(minOf(minOf(2 * squares[0], 2 * squares[1]), minOf(squares[2], squares[3])), sum)
    }

    private fun seenAround(i: Int): Boolean {
        for (row in i - w..i + w step w) if (!seen[row - 1] || !seen[row] || !seen[row + 1]) return false
        return true
    }

    fun lesion(): Lesion {
        val counts = LongArray(LEVELS)
        for (i in seen.indices) if (seen[i]) counts[blue[i]]++
        val limit = otsuLevel(counts) ?: return Lesion(0.0, 0.0, 0.0, 0.0)
        val darkCount = (0..limit).sumOf { counts[it] }
        val darkSum = (0..limit).sumOf { counts[it] * it }
        val lightCount = counts.sum() - darkCount
        val dark = ratio(darkSum, darkCount)
        val light = ratio(counts.indices.sumOf { counts[it] * it } - darkSum, lightCount)
        return Lesion(
            contrast = (light - dark) / light,
            share = ratio(darkCount, darkCount + lightCount),
            centreShare = centreShare(limit),
            scatterShare = scatterShare(limit),
        )
    }

    private fun centreShare(limit: Int): Double {
        var lesion = 0L
        var middle = 0L
        for (i in seen.indices) {
            if (!seen[i] || !inEllipse(i, 4L)) continue
            middle++
            if (blue[i] <= limit) lesion++
        }
        return ratio(lesion, middle)
    }

    private fun scatterShare(limit: Int): Double {
        var borders = 0L
        var pairs = 0L
        fun look(i: Int, j: Int) {
            if (!seen[i] || !seen[j]) return
            pairs++
            if ((blue[i] <= limit) != (blue[j] <= limit)) borders++
        }
        for (i in seen.indices) {
            if (i % w < w - 1) look(i, i + 1)
            if (i / w < h - 1) look(i, i + w)
        }
        return ratio(borders, pairs)
    }
}

/** The highest level of the darker part by Otsu's criterion, of equally good ones the lowest; null where none is. */
internal fun otsuLevel(counts: LongArray): Int? {
    val n = counts.sum()
    val sum = counts.indices.sumOf { counts[it] * it }
    var best: Int? = null
    var highest = Double.NEGATIVE_INFINITY
    var below = 0L
    var sumBelow = 0L
    for (level in counts.indices) {
        below += counts[level]
        sumBelow += counts[level] * level
        if (below == 0L || below == n) continue
        val difference = (sum * below - n * sumBelow).toDouble()
        val value = difference * difference / (below * (n - below)).toDouble()
        if (value > highest) {
            highest = value
            best = level
        }
    }
    return best
}
