package edgemelanoma.core.picture

import edgemelanoma.core.ascii
import edgemelanoma.core.startsWith
import edgemelanoma.core.u16be
import edgemelanoma.core.u16le
import edgemelanoma.core.u32be
import edgemelanoma.core.u32le

private const val ORIENTATION = 0x0112
private const val SHORT = 3
private const val LONG = 4
private const val ENTRY_BYTES = 12

/**
 * The orientation that an EXIF block (what follows `Exif\0\0`) asks for, 1 to 8; 1 where it says nothing.
 *
 * An own reader, because Android's and Pillow's differ in what they make of two entries, of XMP and of broken blocks.
 */
fun exifOrientation(tiff: ByteArray): Int {
    val little = tiff.startsWith(byteArrayOf(0x49, 0x49, 0x2A, 0))
    if (tiff.size < 8 || !little && !tiff.startsWith(ascii("MM\u0000*"))) return 1
    fun short(at: Int) = if (little) tiff.u16le(at) else tiff.u16be(at)
    fun long(at: Int) = if (little) tiff.u32le(at) else tiff.u32be(at)
    val directory = long(4)
    if (directory + 2 > tiff.size) return 1
    val first = directory.toInt() + 2
    for (entry in 0 until short(first - 2)) {
        val start = first + ENTRY_BYTES * entry
        if (start + ENTRY_BYTES > tiff.size) return 1
        val kind = short(start + 2)
        if (short(start) != ORIENTATION || long(start + 4) != 1L || kind != SHORT && kind != LONG) continue
        val value = if (kind == SHORT) short(start + 8).toLong() else long(start + 8)
        return if (value in 1L..8L) value.toInt() else 1
    }
    return 1
}
