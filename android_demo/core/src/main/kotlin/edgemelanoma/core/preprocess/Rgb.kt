package edgemelanoma.core.preprocess

/** A picture or tensor: three bytes a pixel, red first, row by row from the top, without padding. */
class Rgb(val width: Int, val height: Int, val pixels: ByteArray) {
    init {
        require(width > 0 && height > 0 && pixels.size.toLong() == 3L * width * height) {
            "${pixels.size} bytes are no RGB picture of ${width}x$height"
        }
    }
}

/** What EXIF asks for: the picture as a person sees it, by the table of section 5 of the contract. */
fun upright(stored: Rgb, orientation: Int): Rgb {
    if (orientation == 1) return stored
    val w = stored.width
    val h = stored.height
    // where U(0, 0) lies in S, and how many pixels one step to the right and one down in U are in S
    val (first, right, down) = when (orientation) {
        2 -> Triple(w - 1, -1, w)
        3 -> Triple(w * h - 1, -1, -w)
        4 -> Triple(w * (h - 1), 1, -w)
        5 -> Triple(0, w, 1)
        6 -> Triple(w * (h - 1), -w, 1)
        7 -> Triple(w * h - 1, -w, -1)
        8 -> Triple(w - 1, w, -1)
        else -> throw IllegalArgumentException("orientation $orientation; 1 to 8 exist")
    }
    val turned = orientation >= 5
    val width = if (turned) h else w
    val height = if (turned) w else h
    val from = stored.pixels
    val pixels = ByteArray(from.size)
    var to = 0
    for (y in 0 until height) {
        var pixel = first + y * down
        for (x in 0 until width) {
            val place = 3 * pixel
            pixels[to] = from[place]
            pixels[to + 1] = from[place + 1]
            pixels[to + 2] = from[place + 2]
            to += 3
            pixel += right
        }
    }
    return Rgb(width, height, pixels)
}
