package edgemelanoma.core

import edgemelanoma.core.preprocess.Rgb

/** What goes wrong on the way to a model, made on purpose: a proof that does not see these proves nothing. */
object Faults {
    val all: List<Pair<String, (Rgb) -> Rgb>> = listOf(
        "BGR instead of RGB" to ::bgr,
        "rows for columns" to ::transposed,
        "one pixel to the right" to { it.moved { x, y -> x - 1 to y } },
        "one pixel down" to { it.moved { x, y -> x to y - 1 } },
        "one level brighter" to { Rgb(it.width, it.height, ByteArray(it.pixels.size) { i -> brighter(it.pixels[i]) }) },
    )

    fun bgr(from: Rgb) =
        Rgb(from.width, from.height, ByteArray(from.pixels.size) { from.pixels[it - it % 3 + 2 - it % 3] })

    private fun brighter(value: Byte): Byte = minOf(255, (value.toInt() and 0xFF) + 1).toByte()

    private fun transposed(from: Rgb) = Rgb(
        from.height,
        from.width,
        ByteArray(from.pixels.size) {
            val pixel = it / 3
            val x = pixel % from.height
            val y = pixel / from.height
            from.pixels[3 * (x * from.width + y) + it % 3]
        },
    )

    private fun Rgb.moved(from: (Int, Int) -> Pair<Int, Int>) = Rgb(
        width,
        height,
        ByteArray(pixels.size) {
            val pixel = it / 3
            val (x, y) = from(pixel % width, pixel / width)
            pixels[3 * (y.coerceIn(0, height - 1) * width + x.coerceIn(0, width - 1)) + it % 3]
        },
    )
}
