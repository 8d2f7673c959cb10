package edgemelanoma.core.picture

import edgemelanoma.core.pictureDamaged
import edgemelanoma.core.pictureTransparent
import edgemelanoma.core.preprocess.Rgb
import edgemelanoma.core.u16be
import edgemelanoma.core.u8
import java.util.zip.DataFormatException
import java.util.zip.Inflater
import kotlin.math.abs

/** One pass of an interlaced picture: where it begins and how far its pixels are apart. */
private class Pass(val x: Int, val y: Int, val stepX: Int, val stepY: Int)

private val WHOLE = listOf(Pass(0, 0, 1, 1))
private val ADAM7 = listOf(
    Pass(0, 0, 8, 8), Pass(4, 0, 8, 8), Pass(0, 4, 4, 8), Pass(2, 0, 4, 4),
    Pass(0, 2, 2, 4), Pass(1, 0, 2, 2), Pass(0, 1, 1, 2),
)

/**
 * The picture in RGB, by the rules of sections 1 and 4 of the contract.
 *
 * An own decoder, because Android's returns colours multiplied by alpha and hides the indices of a palette.
 */
internal fun decodePng(file: PictureFile): Rgb {
    val parts = file.png ?: error("no PNG")
    val width = file.facts.width
    val height = file.facts.height
    val pixels = ByteArray(3 * width * height)
    val colours = PngColours(parts)
    val rows = InflatedRows(file.essential, parts.pixels)
    try {
        for (pass in if (parts.interlaced) ADAM7 else WHOLE) {
            val across = (width - pass.x + pass.stepX - 1) / pass.stepX
            val down = (height - pass.y + pass.stepY - 1) / pass.stepY
            if (across < 1 || down < 1) continue
            val filtered = FilteredRows(rows, (across * colours.bitsPerPixel + 7) / 8, (colours.bitsPerPixel + 7) / 8)
            for (row in 0 until down) {
                val to = 3 * ((pass.y + row * pass.stepY) * width + pass.x)
                colours.write(filtered.next(), across, pixels, to, 3 * pass.stepX)
            }
        }
    } finally {
        rows.close()
    }
    // only now, because a file that is damaged too is called damaged
    if (colours.transparent) throw pictureTransparent()
    return Rgb(width, height, pixels)
}

/** The bytes of all IDAT chunks, inflated piece by piece. */
private class InflatedRows(private val data: ByteArray, chunks: List<Chunk>) {
    private val inflater = Inflater()
    private val rest = chunks.iterator()

    fun read(into: ByteArray) {
        var place = 0
        while (place < into.size) {
            val got = try {
                inflater.inflate(into, place, into.size - place)
            } catch (error: DataFormatException) {
                throw pictureDamaged("its pixels cannot be unpacked", error)
            }
            place += got
            if (got > 0) continue
            if (inflater.finished() || inflater.needsDictionary() || !rest.hasNext()) {
                throw pictureDamaged("its pixels end too early")
            }
            val chunk = rest.next()
            inflater.setInput(data, chunk.start, chunk.end - chunk.start)
        }
    }

    fun close() = inflater.end()
}

/** The rows of one pass with their filters undone. */
private class FilteredRows(private val source: InflatedRows, length: Int, private val step: Int) {
    private var above = ByteArray(length)
    private var row = ByteArray(length)
    private val kind = ByteArray(1)

    /** The next row; it is valid until the row after the one that follows. */
    fun next(): ByteArray {
        val recycled = above
        above = row
        row = recycled
        source.read(kind)
        source.read(row)
        when (kind[0].toInt()) {
            0 -> {}
            1 -> for (i in step until row.size) row[i] = (row[i] + row[i - step]).toByte()
            2 -> for (i in row.indices) row[i] = (row[i] + above[i]).toByte()
            3 -> for (i in row.indices) row[i] = (row[i] + (left(i) + above.u8(i)) / 2).toByte()
            4 -> for (i in row.indices) row[i] = (row[i] + paeth(i)).toByte()
            else -> throw pictureDamaged("a row has the unknown filter ${kind.u8(0)}")
        }
        return row
    }

    private fun left(i: Int) = if (i < step) 0 else row.u8(i - step)

    private fun paeth(i: Int): Int {
        val left = left(i)
        val up = above.u8(i)
        val corner = if (i < step) 0 else above.u8(i - step)
        val guess = left + up - corner
        val fromLeft = abs(guess - left)
        val fromUp = abs(guess - up)
        val fromCorner = abs(guess - corner)
        return if (fromLeft <= fromUp && fromLeft <= fromCorner) left else if (fromUp <= fromCorner) up else corner
    }
}

/** Rows of a PNG as RGB, and whether all of its pixels are opaque. */
private class PngColours(private val parts: PngParts) {
    private val bits = parts.bits
    private val entries = parts.palette.size / 3
    private val samples = when (parts.colourType) {
        2 -> 3
        4 -> 2
        6 -> 4
        else -> 1
    }
    private val clear: IntArray = transparentColour()

    val bitsPerPixel = samples * bits

    /** Was a pixel met that is not opaque? */
    var transparent = false
        private set

    fun write(row: ByteArray, count: Int, pixels: ByteArray, begin: Int, step: Int) {
        for (x in 0 until count) {
            val to = begin + x * step
            when (parts.colourType) {
                0 -> gray(row, x, pixels, to)
                3 -> palette(row, x, pixels, to)
                else -> whole(row, x * samples, pixels, to)
            }
        }
    }

    private fun packed(row: ByteArray, x: Int): Int {
        val bit = x * bits
        return row.u8(bit / 8) shr (8 - bits - bit % 8) and (1 shl bits) - 1
    }

    private fun gray(row: ByteArray, x: Int, pixels: ByteArray, to: Int) {
        val stored = packed(row, x)
        if (clear.isNotEmpty() && stored == clear[0]) transparent = true
        val value = (stored * (255 / ((1 shl bits) - 1))).toByte()
        pixels[to] = value
        pixels[to + 1] = value
        pixels[to + 2] = value
    }

    private fun palette(row: ByteArray, x: Int, pixels: ByteArray, to: Int) {
        val index = packed(row, x)
        if (index >= entries) throw pictureDamaged("a pixel has a colour that its palette lacks")
        if (index < parts.transparency.size && parts.transparency.u8(index) < 255) transparent = true
        parts.palette.copyInto(pixels, to, 3 * index, 3 * index + 3)
    }

    /** Gray with alpha, RGB and RGBA, all of 8 bits. */
    private fun whole(row: ByteArray, from: Int, pixels: ByteArray, to: Int) {
        val colours = if (samples < 3) 1 else 3
        if (samples != 3 && row.u8(from + samples - 1) != 255) transparent = true
        pixels[to] = row[from]
        pixels[to + 1] = row[from + if (colours == 3) 1 else 0]
        pixels[to + 2] = row[from + if (colours == 3) 2 else 0]
        if (clear.size == 3 && (0..2).all { row.u8(from + it) == clear[it] }) transparent = true
    }

    private fun transparentColour(): IntArray {
        if (parts.colourType != 0 && parts.colourType != 2) return IntArray(0)
        val largest = (1 shl bits) - 1
        return IntArray(parts.transparency.size / 2) { parts.transparency.u16be(2 * it) and largest }
    }
}
