package edgemelanoma.core.picture

import edgemelanoma.core.PictureFault
import edgemelanoma.core.ascii
import edgemelanoma.core.pictureDamaged
import edgemelanoma.core.pictureTruncated
import edgemelanoma.core.startsWith
import edgemelanoma.core.u16be
import edgemelanoma.core.u8
import java.io.ByteArrayOutputStream

/** Encoders write about ten scans; a thousand are an attack on the decoder's time. */
private const val MAX_SCANS = 100

private const val PROGRESSIVE = 0xC2
private const val EOI = 0xD9
private const val SOS = 0xDA
private const val APP0 = 0xE0
private const val APP1 = 0xE1
private const val APP14 = 0xEE
private val SOF = (0xC0..0xCF).toSet() - setOf(0xC4, 0xC8, 0xCC)
private val SOF_DECODED = setOf(0xC0, 0xC1, PROGRESSIVE)
private val TABLES = setOf(0xC4, 0xDB, 0xDD)
private val STANDALONE = setOf(0x00, 0x01) + (0xD0..0xD8)
private val EXIF = ascii("Exif\u0000\u0000")
private val JFIF = ascii("JFIF\u0000")
private val ADOBE = ascii("Adobe")

internal val JPEG_SIGNATURE = byteArrayOf(0xFF.toByte(), 0xD8.toByte(), 0xFF.toByte())

/** A piece of the file before its scans: where its marker is, and where its content begins and ends. */
private class Segment(val marker: Int, val start: Int, val body: Int, val end: Int)

/** The frame header (SOF). */
private class Frame(val marker: Int, val bits: Int, val height: Int, val width: Int, val components: Int)

/** Takes a JPEG apart: its facts, and the part of it that every decoder reads alike. */
internal fun parseJpeg(data: ByteArray): PictureFile {
    val kept = ByteArrayOutputStream(data.size)
    kept.write(data, 0, 2)
    var frame: Frame? = null
    var orientation: Int? = null
    var position = 2
    var segment: Segment
    do {
        segment = nextSegment(data, position)
        position = segment.end
        if (segment.marker in SOF) {
            if (frame != null) throw pictureDamaged("it has two frame headers")
            frame = frameAt(data, segment)
        } else if (segment.marker == APP1 && orientation == null && segment.begins(data, EXIF)) {
            orientation = exifOrientation(data.copyOfRange(segment.body + EXIF.size, segment.end))
        }
        val wanted = segment.marker != SOS && decoderNeeds(data, segment)
        if (wanted) kept.write(data, segment.start, segment.end - segment.start)
    } while (segment.marker != SOS)
    frame ?: throw pictureDamaged("it has no frame header")
    if (lastIndexOf(data, EOI) < segment.start) throw pictureTruncated()
    val severalScans = frame.marker == PROGRESSIVE || bodyByte(data, segment, 0) < frame.components
    val tooManyScans = severalScans && count(data, SOS, segment.start) > MAX_SCANS
    kept.write(data, segment.start, data.size - segment.start)
    return PictureFile(facts(frame, orientation ?: 1, tooManyScans), kept.toByteArray())
}

/** The next segment that has a content; what lies between segments is skipped. */
private fun nextSegment(data: ByteArray, from: Int): Segment {
    var position = from
    while (true) {
        while (position < data.size && data.u8(position) != 0xFF) position++
        if (position >= data.size) throw pictureTruncated()
        while (data.u8(position + 1) == 0xFF) position++
        val start = position
        val marker = data.u8(position + 1)
        position += 2
        if (marker in STANDALONE) continue
        if (marker == EOI) throw pictureDamaged("it ends before its picture begins")
        val length = data.u16be(position)
        if (length < 2 || position + length > data.size) throw pictureTruncated()
        return Segment(marker, start, position + 2, position + length)
    }
}

private fun Segment.begins(data: ByteArray, prefix: ByteArray) =
    body + prefix.size <= end && data.startsWith(prefix, body)

/** A byte of a segment's content; one beyond it is a broken file, as where the file itself ends. */
private fun bodyByte(data: ByteArray, segment: Segment, at: Int): Int {
    if (segment.body + at >= segment.end) throw pictureTruncated()
    return data.u8(segment.body + at)
}

private fun frameAt(data: ByteArray, segment: Segment): Frame {
    bodyByte(data, segment, 5)
    val body = segment.body
    return Frame(segment.marker, data.u8(body), data.u16be(body + 1), data.u16be(body + 3), data.u8(body + 5))
}

private fun decoderNeeds(data: ByteArray, segment: Segment): Boolean = when (segment.marker) {
    APP0 -> segment.begins(data, JFIF)
    APP14 -> segment.begins(data, ADOBE) // says whether three components are YCbCr or RGB
    else -> segment.marker in TABLES || segment.marker in SOF_DECODED
}

private fun facts(frame: Frame, orientation: Int, tooManyScans: Boolean) = PictureFacts(
    format = PictureFormat.JPEG,
    width = frame.width,
    height = frame.height,
    mode = when (frame.components) {
        1 -> ColourMode.GRAY
        3 -> ColourMode.RGB
        4 -> ColourMode.CMYK
        else -> ColourMode.OTHER
    },
    bits = frame.bits,
    orientation = orientation,
    refusal = refusal(frame, tooManyScans),
)

private fun refusal(frame: Frame, tooManyScans: Boolean): Refusal? {
    fun coding(what: String) =
        Refusal(PictureFault.CODING, "is a JPEG with $what; save it as an ordinary JPEG or as PNG")
    return when {
        frame.marker !in SOF_DECODED -> coding("arithmetic, lossless or hierarchical coding, unknown to phones")
        frame.bits != 8 -> coding("${frame.bits} bits per sample")
        frame.components == 4 -> Refusal(
            PictureFault.CMYK,
            "is CMYK, whose conversion to RGB differs between platforms; save it as sRGB first",
        )
        frame.components != 1 && frame.components != 3 -> coding("${frame.components} components")
        tooManyScans -> coding("more than $MAX_SCANS scans")
        else -> tooLarge(frame.width.toLong(), frame.height.toLong())
    }
}

private fun lastIndexOf(data: ByteArray, marker: Int): Int {
    for (at in data.size - 2 downTo 0) if (data.u8(at) == 0xFF && data.u8(at + 1) == marker) return at
    return -1
}

private fun count(data: ByteArray, marker: Int, from: Int): Int {
    var found = 0
    for (at in from until data.size - 1) if (data.u8(at) == 0xFF && data.u8(at + 1) == marker) found++
    return found
}
