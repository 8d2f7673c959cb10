package edgemelanoma.core.picture

import edgemelanoma.core.PictureFault
import edgemelanoma.core.pictureDamaged
import edgemelanoma.core.pictureTruncated
import edgemelanoma.core.u32be
import edgemelanoma.core.u8
import java.util.zip.CRC32

internal val PNG_SIGNATURE = byteArrayOf(0x89.toByte(), 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A)
private val CHECKED = setOf("IHDR", "PLTE", "IDAT", "IEND", "tRNS")
private const val AROUND = 12 // length, type and checksum of a chunk

/** Where a chunk's content begins and ends in the file. */
internal class Chunk(val kind: String, val start: Int, val end: Int)

/** What the pixels of a PNG are made of. */
internal class PngParts(
    val colourType: Int,
    val bits: Int,
    val interlaced: Boolean,
    val palette: ByteArray,
    val transparency: ByteArray,
    val pixels: List<Chunk>,
)

/** Takes a PNG apart. */
internal fun parsePng(data: ByteArray): PictureFile {
    val chunks = chunks(data)
    val header = chunks.first()
    val pixels = chunks.filter { it.kind == "IDAT" }
    if (pixels.isEmpty() || header.end - header.start != 13) {
        throw pictureDamaged("it has no pixels or a broken header")
    }
    // of two equal chunks, the first counts
    fun content(kind: String): ByteArray {
        val chunk = chunks.find { it.kind == kind } ?: return ByteArray(0)
        return data.copyOfRange(chunk.start, chunk.end)
    }

    val animated = chunks.any { it.kind == "acTL" }
    val colourType = data.u8(header.start + 9)
    val facts = facts(data, header.start, colourType, animated)
    val palette = content("PLTE")
    val transparency = content("tRNS")
    checkColours(facts, palette.size / 3, transparency.size)
    val interlaced = data.u8(header.start + 12) == 1
    return PictureFile(facts, data, PngParts(colourType, facts.bits, interlaced, palette, transparency, pixels))
}

/** Every chunk up to IEND; the checksums of those that make the pixels are verified. */
private fun chunks(data: ByteArray): List<Chunk> {
    val found = ArrayList<Chunk>()
    var position = PNG_SIGNATURE.size
    do {
        val length = data.u32be(position)
        if (position + 8 > data.size) throw pictureTruncated()
        val kind = String(data, position + 4, 4, Charsets.ISO_8859_1)
        val end = position + length + AROUND
        if (end > data.size) throw pictureTruncated()
        if (kind in CHECKED) {
            val sum = CRC32().apply { update(data, position + 4, length.toInt() + 4) }.value
            if (sum != data.u32be(end.toInt() - 4)) throw pictureDamaged("the checksum of its $kind chunk is wrong")
        }
        found += Chunk(kind, position + 8, end.toInt() - 4)
        if (found.size == 1 && kind != "IHDR") throw pictureDamaged("its header is not its first chunk")
        position = end.toInt()
    } while (kind != "IEND")
    return found
}

private fun facts(data: ByteArray, at: Int, colourType: Int, animated: Boolean): PictureFacts {
    val width = data.u32be(at)
    val height = data.u32be(at + 4)
    val bits = data.u8(at + 8)
    val (mode, depths) = when (colourType) {
        0 -> ColourMode.GRAY to setOf(1, 2, 4, 8, 16)
        2 -> ColourMode.RGB to setOf(8, 16)
        3 -> ColourMode.PALETTE to setOf(1, 2, 4, 8)
        4 -> ColourMode.GRAY_ALPHA to setOf(8, 16)
        6 -> ColourMode.RGBA to setOf(8, 16)
        else -> ColourMode.OTHER to emptySet()
    }
    val plain = data.u8(at + 10) == 0 && data.u8(at + 11) == 0 && data.u8(at + 12) <= 1
    if (bits !in depths || !plain) throw pictureDamaged("its header makes no sense")
    val size = tooLarge(width, height)
    val refusal = when {
        bits == 16 -> Refusal(
            PictureFault.SIXTEEN_BIT,
            "has 16 bits per sample, which platforms round differently; save it with 8 first",
        )
        animated -> Refusal(PictureFault.CODING, "is an animated PNG; save the one picture that is meant")
        else -> size
    }
    // a width above 2^31 is refused for its size already; what stands here then is only shown
    return PictureFacts(PictureFormat.PNG, clamped(width), clamped(height), mode, bits, refusal = refusal)
}

private fun clamped(side: Long): Int = minOf(side, Int.MAX_VALUE.toLong()).toInt()

private fun checkColours(facts: PictureFacts, entries: Int, transparencyBytes: Int) {
    if (facts.mode == ColourMode.PALETTE && entries !in 1..(1 shl facts.bits)) {
        throw pictureDamaged("its palette has $entries colours")
    }
    val right = when (facts.mode) {
        ColourMode.GRAY -> 2
        ColourMode.RGB -> 6
        else -> transparencyBytes
    }
    if (transparencyBytes != 0 && transparencyBytes != right) {
        throw pictureDamaged("its transparent colour has a wrong length")
    }
}
