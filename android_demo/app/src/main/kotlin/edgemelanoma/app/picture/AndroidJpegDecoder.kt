package edgemelanoma.app.picture

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import edgemelanoma.core.picture.JpegDecoder
import edgemelanoma.core.preprocess.Rgb
import java.io.IOException

/**
 * Android's own decoder, asked for the stored pixels: no colour conversion, no alpha, no scaling to the screen.
 *
 * The JPEG comes without a colour profile, so that sRGB to sRGB is left, which changes nothing. `inSampleSize` 2, 4 and
 * 8 are done by libjpeg-turbo while it decodes (Skia gives it the scale); that it rounds as elsewhere is what
 * [DecodeCheck] asks when the app starts.
 */
class AndroidJpegDecoder : JpegDecoder {
    override fun decode(jpeg: ByteArray, reduction: Int): Rgb {
        val options = BitmapFactory.Options().apply {
            inSampleSize = reduction
            inPreferredConfig = Bitmap.Config.ARGB_8888
            inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
            inScaled = false
            inMutable = false
        }
        val bitmap = BitmapFactory.decodeByteArray(jpeg, 0, jpeg.size, options)
            ?: throw IOException("no picture came out")
        try {
            if (bitmap.config != Bitmap.Config.ARGB_8888) throw IOException("decoded as ${bitmap.config}")
            return rgb(bitmap)
        } finally {
            bitmap.recycle()
        }
    }

    /** Row by row: a copy of the whole as numbers would take as much memory again. */
    private fun rgb(bitmap: Bitmap): Rgb {
        val pixels = ByteArray(Math.multiplyExact(3, Math.multiplyExact(bitmap.width, bitmap.height)))
        val row = IntArray(bitmap.width)
        var to = 0
        for (y in 0 until bitmap.height) {
            bitmap.getPixels(row, 0, bitmap.width, 0, y, bitmap.width, 1)
            for (pixel in row) {
                if (pixel ushr 24 != 0xFF) throw IOException("a JPEG came out transparent")
                pixels[to] = (pixel shr 16).toByte()
                pixels[to + 1] = (pixel shr 8).toByte()
                pixels[to + 2] = pixel.toByte()
                to += 3
            }
        }
        return Rgb(bitmap.width, bitmap.height, pixels)
    }
}
