package edgemelanoma.core.picture

import edgemelanoma.core.PictureError
import edgemelanoma.core.PictureFault
import edgemelanoma.core.ascii
import edgemelanoma.core.pictureDamaged
import edgemelanoma.core.pictureTruncated
import edgemelanoma.core.preprocess.Rgb
import edgemelanoma.core.preprocess.upright
import edgemelanoma.core.startsWith
import edgemelanoma.core.u8

/** The largest file that is read. */
const val MAX_PICTURE_BYTES = 1L shl 30

/** One picture file, taken apart; [essential] is what a decoder gets, without metadata. */
class PictureFile internal constructor(
    val facts: PictureFacts,
    val essential: ByteArray,
    internal val png: PngParts? = null,
)

/**
 * The platform's JPEG decoder, the only part of preprocessing that is not in this module.
 *
 * It gets a JPEG without metadata and returns its pixels as stored, at 1/reduction of their size rounded up, decoded as
 * libjpeg-turbo does by default. On Android that is BitmapFactory with `inSampleSize = reduction` and
 * `inPreferredConfig = ARGB_8888`. What it throws is taken for a damaged picture.
 */
fun interface JpegDecoder {
    fun decode(jpeg: ByteArray, reduction: Int): Rgb
}

/** Takes a picture file apart without decoding it; PictureError where it is no JPEG, PNG or BMP, or is broken. */
fun openPicture(data: ByteArray): PictureFile {
    if (data.isEmpty()) {
        throw PictureError(PictureFault.EMPTY, "is empty (0 bytes); a JPEG, PNG or BMP picture is needed")
    }
    try {
        if (data.startsWith(JPEG_SIGNATURE)) return parseJpeg(data)
        if (data.startsWith(PNG_SIGNATURE)) return parsePng(data)
        if (data.startsWith(BMP_SIGNATURE)) return parseBmp(data)
    } catch (error: IndexOutOfBoundsException) { // a header reaches beyond the end
        throw pictureTruncated(error)
    }
    throw PictureError(PictureFault.FORMAT, "is ${foreign(data)}; accepted are JPEG, PNG and BMP")
}

/** The picture, upright and in RGB; a JPEG at 1/[reduction] of its size, rounded up. */
fun decodePicture(file: PictureFile, reduction: Int, jpegDecoder: JpegDecoder): Rgb {
    val facts = file.facts
    facts.refusal?.let { throw PictureError(it.fault, it.problem) }
    try {
        val stored = when (facts.format) {
            PictureFormat.JPEG -> decodeJpeg(file, reduction, jpegDecoder)
            PictureFormat.PNG -> decodePng(file)
            PictureFormat.BMP -> decodeBmp(file)
        }
        return upright(stored, facts.orientation)
    } catch (error: OutOfMemoryError) {
        val problem = "has ${facts.width}x${facts.height} pixels, for which the memory of this device is not enough"
        throw PictureError(PictureFault.SIZE, problem, error)
    } catch (error: IndexOutOfBoundsException) {
        throw pictureTruncated(error)
    }
}

private fun decodeJpeg(file: PictureFile, reduction: Int, decoder: JpegDecoder): Rgb {
    val stored = try {
        decoder.decode(file.essential, reduction)
    } catch (error: PictureError) {
        throw error
    } catch (error: Exception) { // what decoders throw on hostile bytes is no closed list
        throw pictureDamaged(error.message ?: error.javaClass.simpleName, error)
    }
    val width = reducedSide(file.facts.width, reduction)
    val height = reducedSide(file.facts.height, reduction)
    if (stored.width != width || stored.height != height) {
        throw pictureDamaged("it was decoded to ${stored.width}x${stored.height} instead of ${width}x$height")
    }
    return stored
}

/** What people hand in by mistake, by its first bytes. */
private fun foreign(data: ByteArray): String {
    val known = listOf(
        Triple(0, "GIF8", "a GIF"),
        Triple(0, "II*\u0000", "a TIFF or a camera's raw file"),
        Triple(0, "MM\u0000*", "a TIFF or a camera's raw file"),
        Triple(8, "WEBP", "a WebP"),
        Triple(4, "ftypavi", "an AVIF"),
        Triple(4, "ftyp", "a HEIC or another file of the MP4 family"),
        Triple(128, "DICM", "a DICOM file"),
        Triple(0, "%PDF", "a PDF"),
        Triple(0, "PK\u0003\u0004", "a ZIP archive"),
        Triple(0, "<", "a web page or other markup"),
    )
    known.find { (at, magic, _) -> data.startsWith(ascii(magic), at) }?.let { return it.third }
    val printable = (0 until minOf(256, data.size)).all { data.u8(it) in 32..126 || data.u8(it).toChar() in "\t\r\n" }
    return if (printable) "a text file" else "not a picture of a known kind"
}
