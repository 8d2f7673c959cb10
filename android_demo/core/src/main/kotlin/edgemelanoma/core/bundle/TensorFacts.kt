package edgemelanoma.core.bundle

import edgemelanoma.core.bundleEdited
import edgemelanoma.core.json.JsonNull
import edgemelanoma.core.json.JsonObject
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The types that a model's input or output may have. */
enum class ElementType(val word: String, val bytes: Int, val lowest: Int, val highest: Int) {
    UINT8("uint8", 1, 0, 255),
    INT8("int8", 1, -128, 127),
    INT16("int16", 2, -32768, 32767),
    FLOAT32("float32", 4, 0, 0),
}

/** The type and shape of a model's input or output; scale and zero point where it holds integers. */
data class TensorFacts(val type: ElementType, val shape: List<Int>, val scale: Float?, val zeroPoint: Int?) {
    init {
        require((type == ElementType.FLOAT32) == (scale == null) && (scale == null) == (zeroPoint == null)) {
            "integers have a scale and a zero point, float32 has neither"
        }
        require(scale == null || scale > 0 && !scale.isInfinite()) { "scale $scale" }
        require(shape.all { it > 0 }) { "shape $shape" }
    }

    /** How many values there are. */
    val count: Int get() = shape.fold(1, Int::times)

    /** How many bytes they take. */
    val bytes: Int get() = count * type.bytes

    /** The bytes that the model is given for a tensor of pixels, little endian. */
    fun encode(pixels: ByteArray): ByteArray {
        require(pixels.size == count) { "${pixels.size} values for a tensor of ${shape.joinToString("x")}" }
        val places = levels()
        if (type == ElementType.UINT8 && places.indices.all { places[it] == it }) return pixels
        val out = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN)
        for (pixel in pixels) {
            val value = pixel.toInt() and 0xFF
            when (type) {
                ElementType.FLOAT32 -> out.putFloat(value.toFloat())
                ElementType.INT16 -> out.putShort(places[value].toShort())
                else -> out.put(places[value].toByte())
            }
        }
        return out.array()
    }

    /** What each of the pixel values 0 to 255 becomes in an input of integers. */
    private fun levels(): IntArray {
        val step = scale?.toDouble() ?: return IntArray(0)
        val range = type.lowest.toDouble()..type.highest.toDouble()
        return IntArray(256) { (Math.rint(it / step) + (zeroPoint ?: 0)).coerceIn(range).toInt() }
    }

    /** The values of an output as whole numbers (floats as their bits). */
    fun values(raw: ByteArray): IntArray {
        require(raw.size % type.bytes == 0) { "${raw.size} bytes are no ${type.word}" }
        val from = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN)
        return IntArray(raw.size / type.bytes) {
            when (type) {
                ElementType.UINT8 -> raw[it].toInt() and 0xFF
                ElementType.INT8 -> raw[it].toInt()
                ElementType.INT16 -> from.getShort(2 * it).toInt()
                ElementType.FLOAT32 -> from.getInt(4 * it)
            }
        }
    }

    /** Outputs as logits: (value − zero point) · scale, rounded once to float32. */
    fun logits(raw: ByteArray): FloatArray {
        val values = values(raw)
        val step = scale ?: return FloatArray(values.size) { java.lang.Float.intBitsToFloat(values[it]) }
        return FloatArray(values.size) { (values[it] - (zeroPoint ?: 0)).toFloat() * step }
    }

    override fun toString(): String = "${type.word} ${shape.joinToString("x")}" +
        if (scale == null) "" else ", scale $scale, zero point $zeroPoint"

    companion object {
        internal fun fromJson(json: JsonObject): TensorFacts {
            json.requireKeys("dtype", "scale", "shape", "zero_point")
            val word = json.text("dtype")
            val type = ElementType.values().find { it.word == word }
                ?: throw bundleEdited("${json.where}: dtype \"$word\" is unknown")
            val scale = if (json["scale"] === JsonNull) null else json.double("scale")
            if (scale != null && scale.toFloat().toDouble() != scale) {
                throw bundleEdited("${json.where}: scale $scale is no float32")
            }
            val zeroPoint = if (json["zero_point"] === JsonNull) null else json.int("zero_point")
            try {
                return TensorFacts(type, json.ints("shape"), scale?.toFloat(), zeroPoint)
            } catch (error: IllegalArgumentException) {
                throw bundleEdited("${json.where}: ${error.message} cannot be", error)
            }
        }
    }
}
