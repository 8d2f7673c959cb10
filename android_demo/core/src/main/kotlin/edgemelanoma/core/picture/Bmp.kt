package edgemelanoma.core.picture

import edgemelanoma.core.PictureError
import edgemelanoma.core.PictureFault
import edgemelanoma.core.i32le
import edgemelanoma.core.pictureDamaged
import edgemelanoma.core.pictureTransparent
import edgemelanoma.core.pictureTruncated
import edgemelanoma.core.preprocess.Rgb
import edgemelanoma.core.u16le
import edgemelanoma.core.u32le
import edgemelanoma.core.u8
import kotlin.math.abs

private val HEADER_SIZES = setOf(40L, 52L, 56L, 108L, 124L)
private val OTHER_HEADER_SIZES = setOf(12L, 16L, 64L)
private val PALETTE_BITS = setOf(1, 4, 8)
private const val OLD_HEADER = 12L

internal val BMP_SIGNATURE = byteArrayOf('B'.code.toByte(), 'M'.code.toByte())

/** Takes a BMP apart. */
internal fun parseBmp(data: ByteArray): PictureFile {
    val headerSize = data.u32le(14)
    if (headerSize !in HEADER_SIZES && headerSize !in OTHER_HEADER_SIZES) {
        throw PictureError(
            PictureFault.FORMAT,
            "begins like a BMP but has none of its headers; a JPEG, PNG or BMP is needed",
        )
    }
    val old = headerSize == OLD_HEADER
    val width = if (old) data.u16le(18).toLong() else data.i32le(18).toLong()
    val height = abs(if (old) data.u16le(20).toLong() else data.i32le(22).toLong())
    val bits = if (old) data.u16le(24) else data.u16le(28)
    val compression = if (old) 0L else data.u32le(30)
    fun coding(what: String) =
        Refusal(PictureFault.CODING, "is a BMP $what; save it as an ordinary 24-bit BMP or as PNG")
    val size = tooLarge(width, height)
    val refusal = when {
        headerSize !in HEADER_SIZES -> coding("of OS/2")
        compression != 0L -> coding("with compression $compression")
        bits !in PALETTE_BITS && bits != 24 && bits != 32 -> coding("with $bits bits per pixel")
        else -> size
    }
    val facts = PictureFacts(
        format = PictureFormat.BMP,
        width = width.toInt(),
        height = height.toInt(),
        mode = if (bits in PALETTE_BITS) ColourMode.PALETTE else ColourMode.RGB,
        bits = if (bits in PALETTE_BITS) bits else 8,
        refusal = refusal,
    )
    return PictureFile(facts, data)
}

/** The picture in RGB; a fourth byte of 32 bits that looks like transparency is refused. */
internal fun decodeBmp(file: PictureFile): Rgb {
    val data = file.essential
    val width = file.facts.width
    val height = file.facts.height
    val bits = data.u16le(28)
    val stride = (width.toLong() * bits + 31) / 32 * 4
    val offset = data.u32le(10)
    if (offset < 54 || offset + stride * height > data.size) throw pictureTruncated()
    val bottomUp = data.i32le(22) > 0
    val palette = if (bits <= 8) Palette(data, bits) else null
    if (bits == 32) requireOneAlpha(data, offset.toInt(), width * height)
    val pixels = ByteArray(3 * width * height)
    for (y in 0 until height) {
        val row = (offset + stride * (if (bottomUp) height - 1 - y else y)).toInt()
        val to = 3 * y * width
        if (palette != null) palette.row(row, width, pixels, to) else colourRow(data, row, bits / 8, width, pixels, to)
    }
    return Rgb(width, height, pixels)
}

private fun requireOneAlpha(data: ByteArray, offset: Int, count: Int) {
    val first = data.u8(offset + 3)
    val same = (0 until count).all { data.u8(offset + 4 * it + 3) == first }
    if (!same || first != 0 && first != 255) throw pictureTransparent()
}

private fun colourRow(data: ByteArray, row: Int, step: Int, width: Int, pixels: ByteArray, begin: Int) {
    for (x in 0 until width) {
        val from = row + step * x
        val to = begin + 3 * x
        pixels[to] = data[from + 2]
        pixels[to + 1] = data[from + 1]
        pixels[to + 2] = data[from]
    }
}

/** The colours behind the header, and rows of indices into them. */
private class Palette(private val data: ByteArray, private val bits: Int) {
    private val start = 14 + data.u32le(14)
    private val colours = data.u32le(46).let { if (it == 0L) 1L shl bits else it }

    init {
        if (colours > 1L shl bits || start + 4 * colours > data.size) {
            throw pictureDamaged("its palette has $colours colours")
        }
    }

    fun row(row: Int, width: Int, pixels: ByteArray, begin: Int) {
        for (x in 0 until width) {
            val bit = x * bits
            val index = data.u8(row + bit / 8) shr (8 - bits - bit % 8) and (1 shl bits) - 1
            if (index >= colours) throw pictureDamaged("a pixel has a colour that its palette lacks")
            val from = start.toInt() + 4 * index
            val to = begin + 3 * x
            pixels[to] = data[from + 2]
            pixels[to + 1] = data[from + 1]
            pixels[to + 2] = data[from]
        }
    }
}
