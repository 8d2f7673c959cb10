package edgemelanoma.app.picture

import edgemelanoma.core.picture.JpegDecoder
import edgemelanoma.core.picture.reducedSide
import edgemelanoma.core.preprocess.Rgb
import java.io.InputStream
import kotlin.math.abs

/** How a phone's JPEG decoder compares with the one that the model was measured with. */
sealed class Decoding {
    /** The same bytes. */
    object Equal : Decoding()

    /** Rounded otherwise, by up to so many of 255 levels. */
    data class Close(val levels: Int) : Decoding()

    /** Something else; JPEGs must not be judged. */
    object Other : Decoding()
}

/**
 * A small JPEG and its pixels as Pillow decodes them at each reduction, to compare with what this phone makes of it.
 *
 * The bundle's golden vectors begin behind the decoder, so that nothing else would notice a decoder that differs.
 */
class DecodeCheck(
    private val jpeg: ByteArray,
    private val width: Int,
    private val height: Int,
    private val pixels: ByteArray,
) {
    /** Decodes the JPEG at every reduction and says how far the pixels are away. */
    fun check(decoder: JpegDecoder): Decoding {
        var at = 0
        var worst = 0
        for (reduction in REDUCTIONS) {
            val (w, h) = reducedSide(width, reduction) to reducedSide(height, reduction)
            val size = 3 * w * h
            val expected = Rgb(w, h, pixels.copyOfRange(at, at + size))
            worst = maxOf(worst, apart(decode(decoder, reduction) ?: return Decoding.Other, expected))
            at += size
        }
        return if (worst == 0) Decoding.Equal else if (worst <= MOST_LEVELS) Decoding.Close(worst) else Decoding.Other
    }

    private fun decode(decoder: JpegDecoder, reduction: Int): Rgb? = try {
        decoder.decode(jpeg, reduction)
    } catch (error: Exception) { // whatever a decoder throws, it does not decode this
        null
    }

    private fun apart(found: Rgb, expected: Rgb): Int {
        if (found.width != expected.width || found.height != expected.height) return Int.MAX_VALUE
        return found.pixels.indices.maxOf { abs(level(found, it) - level(expected, it)) }
    }

    private fun level(of: Rgb, at: Int) = of.pixels[at].toInt() and 0xFF

    companion object {
        /** The reductions that the contract knows, in the order of the pixels. */
        val REDUCTIONS = listOf(1, 2, 4, 8)

        /** libjpeg's other inverse transforms are that close; another chroma upsampling or colour conversion is not. */
        const val MOST_LEVELS = 2

        /** The check that the app carries; tooling/decode_check.py draws it. */
        fun read(open: (String) -> InputStream): DecodeCheck {
            val jpeg = open("decode_check.jpg").use { it.readBytes() }
            return DecodeCheck(jpeg, 45, 30, open("decode_check.rgb").use { it.readBytes() })
        }
    }
}
