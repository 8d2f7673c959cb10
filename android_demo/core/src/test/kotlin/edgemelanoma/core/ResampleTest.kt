package edgemelanoma.core

import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.picture.decodePicture
import edgemelanoma.core.picture.openPicture
import edgemelanoma.core.preprocess.Region
import edgemelanoma.core.preprocess.Rgb
import edgemelanoma.core.preprocess.filter
import edgemelanoma.core.preprocess.resize
import edgemelanoma.core.preprocess.upright
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ResampleTest {
    @Test
    fun `the coefficients of every output add up to one, but for rounding`() {
        for (n in listOf(1, 2, 3, 7, 100, 449, 3000)) {
            for (m in listOf(1, 2, 5, 64, 224, 1000)) {
                val filter = filter(n, m)
                for (i in 0 until m) {
                    val sum = filter.coefficients[i].sum()
                    assertTrue(kotlin.math.abs(sum - (1 shl 22)) <= filter.count[i], "$n to $m, output $i: $sum")
                    assertTrue(filter.first[i] >= 0 && filter.first[i] + filter.count[i] <= n, "$n to $m, output $i")
                }
            }
        }
    }

    @Test
    fun `a resize to the same size changes nothing`() {
        val picture = noise(13, 7)
        assertArrayEquals(picture.pixels, resize(picture, Region(0, 0, 13, 7), 13, 7).pixels)
    }

    @Test
    fun `a picture of one colour keeps it, whatever its size becomes`() {
        val gray = Rgb(31, 17, ByteArray(3 * 31 * 17) { 200.toByte() })
        for ((width, height) in listOf(1 to 1, 5 to 40, 224 to 3)) {
            assertTrue(resize(gray, Region(2, 1, 20, 11), width, height).pixels.all { it == 200.toByte() })
        }
    }

    @Test
    fun `turning a picture by each orientation and back gives it again`() {
        val picture = noise(5, 3)
        val back = mapOf(1 to 1, 2 to 2, 3 to 3, 4 to 4, 5 to 5, 6 to 8, 7 to 7, 8 to 6)
        for ((there, again) in back) assertArrayEquals(picture.pixels, upright(upright(picture, there), again).pixels)
    }

    @Test
    fun `the vectors tell a resampler that takes the passes in the other order, or without antialiasing`() {
        val vectors = (Given.golden("golden.json").json() as JsonObject)["vectors"].objects()
            .filter { it.text("picture").endsWith(".png") }
        val others = mapOf("the vertical pass first" to ::verticalFirst, "no antialiasing" to ::nearest)
        for ((fault, resampler) in others) {
            val caught = vectors.count { vector ->
                val data = Given.golden("pictures/${vector.text("picture")}").readBytes()
                val picture = decodePicture(openPicture(data), 1) { _, _ -> error("no JPEG") }
                val geometry = vector.contract().geometryOf(picture.width, picture.height)
                val right = resize(picture, geometry.region, geometry.width, geometry.height)
                !resampler(picture, geometry.region, geometry.width, geometry.height).pixels.contentEquals(right.pixels)
            }
            assertTrue(caught > vectors.size / 4, "$fault: $caught of ${vectors.size}")
            Given.note("another resampler, told by the PNG vectors", "$fault: $caught of ${vectors.size}")
        }
    }

    @Test
    fun `a region outside of which everything differs gives the same pixels`() {
        val picture = noise(40, 30)
        val region = Region(7, 5, 20, 10)
        val other = Rgb(40, 30, ByteArray(picture.pixels.size) { i ->
            val x = i / 3 % 40 - region.x
            val y = i / 120 - region.y
            if (x in 0 until region.width && y in 0 until region.height) picture.pixels[i] else 0
        })
        assertArrayEquals(resize(picture, region, 6, 6).pixels, resize(other, region, 6, 6).pixels)
    }

    @Test
    fun `a picture that its bytes do not fill cannot be made`() {
        val error = runCatching { Rgb(1, 2, ByteArray(5)) }.exceptionOrNull()
        assertEquals("5 bytes are no RGB picture of 1x2", error?.message)
    }

    private fun noise(width: Int, height: Int): Rgb {
        val random = java.util.Random(1)
        return Rgb(width, height, ByteArray(3 * width * height).also(random::nextBytes))
    }

    private fun verticalFirst(picture: Rgb, region: Region, width: Int, height: Int): Rgb {
        val turned = upright(picture, 5)
        val sideways = Region(region.y, region.x, region.height, region.width)
        return upright(resize(turned, sideways, height, width), 5)
    }

    private fun nearest(picture: Rgb, region: Region, width: Int, height: Int) = Rgb(
        width,
        height,
        ByteArray(3 * width * height) {
            val x = region.x + it / 3 % width * region.width / width
            val y = region.y + it / 3 / width * region.height / height
            picture.pixels[3 * (y * picture.width + x) + it % 3]
        },
    )
}
