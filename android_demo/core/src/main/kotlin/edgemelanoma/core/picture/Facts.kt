package edgemelanoma.core.picture

import edgemelanoma.core.PictureFault
import edgemelanoma.core.pictureDamaged

/** The largest picture that is decoded, in pixels. */
const val MAX_PIXELS = 128_000_000L

/** The longest side that is decoded: libjpeg's limit. */
const val MAX_SIDE = 65_500

/** The three formats that are taken. */
enum class PictureFormat { JPEG, PNG, BMP }

/** How colours are stored. */
enum class ColourMode { RGB, GRAY, PALETTE, RGBA, GRAY_ALPHA, CMYK, OTHER }

/** Why a picture is refused whatever its pixels are. */
data class Refusal(val fault: PictureFault, val problem: String)

/** What a file says of its picture before a pixel is decoded; [width] and [height] are as stored. */
data class PictureFacts(
    val format: PictureFormat,
    val width: Int,
    val height: Int,
    val mode: ColourMode,
    val bits: Int,
    val orientation: Int = 1,
    val refusal: Refusal? = null,
) {
    /** Does upright mean that sides change places? */
    val turned: Boolean get() = orientation >= 5

    /** The width as a person sees the picture. */
    val uprightWidth: Int get() = if (turned) height else width

    /** The height as a person sees the picture. */
    val uprightHeight: Int get() = if (turned) width else height
}

/** The side that libjpeg gives a picture which it decodes at 1/[reduction]: rounded up. */
fun reducedSide(side: Int, reduction: Int): Int = ((side.toLong() + reduction - 1) / reduction).toInt()

/** The refusal of a picture that would fill the memory, or null. */
internal fun tooLarge(width: Long, height: Long): Refusal? {
    if (width < 1 || height < 1) throw pictureDamaged("its header gives no size")
    if (maxOf(width, height) <= MAX_SIDE && width * height <= MAX_PIXELS) return null
    val limit = "at most ${MAX_PIXELS / 1_000_000} megapixels and $MAX_SIDE pixels a side are decoded"
    return Refusal(PictureFault.SIZE, "has ${width}x$height pixels; $limit")
}
