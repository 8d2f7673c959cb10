package edgemelanoma.core.preprocess

import edgemelanoma.core.bundleEdited
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.picture.PictureFacts
import edgemelanoma.core.picture.PictureFormat
import edgemelanoma.core.picture.reducedSide
import edgemelanoma.core.sha256
import kotlin.math.max

private const val CONTRACT_VERSION = 1L
private const val MAX_TENSOR_SIDE = 4096L

// After a reduced decode, what is resized keeps at least this many times the size that it gets.
private const val SPARE = 2

/** How a picture is fitted into a tensor of another shape. */
enum class GeometryName(val word: String) { CROP("crop"), PAD("pad"), SQUASH("squash") }

/** What becomes of a picture of one size: [region] is resized to [width] x [height] and put at ([x], [y]). */
data class Geometry(val region: Region, val width: Int, val height: Int, val x: Int, val y: Int)

/** How every picture becomes the input of one model: the preprocessing contract, version 1. */
data class Contract(
    val width: Int,
    val height: Int,
    val geometry: GeometryName = GeometryName.CROP,
    val padRgb: List<Int> = listOf(0, 0, 0),
) {
    init {
        require(width in 1..MAX_TENSOR_SIDE && height in 1..MAX_TENSOR_SIDE) { "a tensor of ${width}x$height" }
        require(padRgb.size == 3 && padRgb.all { it in 0..255 }) { "pad_rgb is $padRgb" }
        require(geometry == GeometryName.PAD || padRgb.all { it == 0 }) { "pad_rgb has no effect with $geometry" }
    }

    /** The identity of the contract, equal exactly where every tensor is. */
    val sha256: String
        get() = sha256(
            (
                "{\"geometry\":\"${geometry.word}\",\"height\":$height,\"pad_rgb\":[${padRgb.joinToString(",")}]," +
                    "\"version\":$CONTRACT_VERSION,\"width\":$width}"
                ).toByteArray(),
        )

    /** The largest of 8, 4, 2, 1 by which a JPEG can shrink while decoding without the tensor losing detail. */
    fun reduction(facts: PictureFacts): Int {
        if (facts.format != PictureFormat.JPEG) return 1
        for (reduction in intArrayOf(8, 4, 2)) {
            val shrunk = geometryOf(
                reducedSide(facts.uprightWidth, reduction),
                reducedSide(facts.uprightHeight, reduction),
            )
            val region = shrunk.region
            if (region.width >= SPARE * shrunk.width && region.height >= SPARE * shrunk.height) return reduction
        }
        return 1
    }

    /** What becomes of an upright picture of this size; all in integers. */
    fun geometryOf(pictureWidth: Int, pictureHeight: Int): Geometry {
        val w = pictureWidth.toLong()
        val h = pictureHeight.toLong()
        val wider = w * height > h * width
        val whole = Region(0, 0, pictureWidth, pictureHeight)
        return when (geometry) {
            GeometryName.SQUASH -> Geometry(whole, width, height, 0, 0)
            GeometryName.CROP -> {
                val cw = if (wider) max(1L, h * width / height).toInt() else pictureWidth
                val ch = if (wider) pictureHeight else max(1L, w * height / width).toInt()
                val region = Region((pictureWidth - cw) / 2, (pictureHeight - ch) / 2, cw, ch)
                Geometry(region, width, height, 0, 0)
            }
            GeometryName.PAD -> {
                val fw = if (wider) width else max(1L, (2 * w * height + h) / (2 * h)).toInt()
                val fh = if (wider) max(1L, (2 * h * width + w) / (2 * w)).toInt() else height
                Geometry(whole, fw, fh, (width - fw) / 2, (height - fh) / 2)
            }
        }
    }

    /** The tensor of a picture that is decoded and upright already. */
    fun toTensor(picture: Rgb): Rgb {
        val geometry = geometryOf(picture.width, picture.height)
        val resized = resize(picture, geometry.region, geometry.width, geometry.height)
        return if (resized.width == width && resized.height == height) resized else onBorder(resized, geometry)
    }

    private fun onBorder(resized: Rgb, geometry: Geometry): Rgb {
        val pixels = ByteArray(3 * width * height) { padRgb[it % 3].toByte() }
        for (y in 0 until resized.height) {
            val to = 3 * ((geometry.y + y) * width + geometry.x)
            resized.pixels.copyInto(pixels, to, 3 * y * resized.width, 3 * (y + 1) * resized.width)
        }
        return Rgb(width, height, pixels)
    }

    companion object {
        /** The contract that a bundle carries; every key must be there and none other. */
        fun fromJson(json: JsonObject): Contract {
            json.requireKeys("geometry", "height", "pad_rgb", "version", "width")
            json.requireVersion(CONTRACT_VERSION)
            val word = json.text("geometry")
            val geometry = GeometryName.values().find { it.word == word }
                ?: throw bundleEdited("${json.where}: geometry \"$word\" is unknown; known: crop, pad, squash")
            try {
                return Contract(json.int("width"), json.int("height"), geometry, json.ints("pad_rgb"))
            } catch (error: IllegalArgumentException) {
                throw bundleEdited("${json.where}: ${error.message}", error)
            }
        }
    }
}
