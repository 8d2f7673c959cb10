package edgemelanoma.core.bundle

import edgemelanoma.core.ascii
import edgemelanoma.core.bundleEdited
import edgemelanoma.core.startsWith
import java.nio.ByteBuffer
import java.nio.ByteOrder

private const val LONGEST_HEADER = 256
private const val BEGIN = 10
private val MAGIC = byteArrayOf(0x93.toByte()) + ascii("NUMPY") + byteArrayOf(1, 0)
private val HEADER = Regex(
    "\\{'descr': '(\\|u1|\\|i1|<i2|<f4|<f8)', 'fortran_order': False, " +
        "'shape': \\(([0-9]{1,10}(?:,|(?:, [0-9]{1,10}){1,3}))\\), \\} *\n",
)
private val BYTES_OF = mapOf("|u1" to 1, "|i1" to 1, "<i2" to 2, "<f4" to 4, "<f8" to 8)

/** An array in NumPy's format 1.0: its type as NumPy spells it, its sides, and its values. */
class NumpyArray(val type: String, val shape: List<Int>, val values: ByteBuffer)

/** The array in these bytes; its header must be, to the letter, the one that Python would write. */
internal fun readNumpyArray(data: ByteArray, name: String): NumpyArray {
    // latin-1 gives every byte a letter, so that places in text and file are the same
    val begin = String(data, 0, minOf(data.size, LONGEST_HEADER), Charsets.ISO_8859_1)
    val found = if (data.startsWith(MAGIC)) HEADER.find(begin, BEGIN)?.takeIf { it.range.first == BEGIN } else null
    found ?: throw bundleEdited("$name: does not begin as an array of this tool does")
    val type = found.groupValues[1]
    val shape = found.groupValues[2].split(",").map(String::trim).filter(String::isNotEmpty).map(String::toLong)
    val header = header(type, shape)
    if (!data.startsWith(header)) throw bundleEdited("$name: the header of its array is not as this tool writes it")
    var bytes = BYTES_OF.getValue(type).toLong()
    for (side in shape) {
        bytes *= side
        if (bytes > data.size) break
    }
    if (bytes != (data.size - header.size).toLong()) {
        throw bundleEdited("$name: ${data.size - header.size} bytes are no $type of ${shape.joinToString("x")}")
    }
    val values = ByteBuffer.wrap(data, header.size, bytes.toInt()).slice().order(ByteOrder.LITTLE_ENDIAN)
    return NumpyArray(type, shape.map(Long::toInt), values)
}

private fun header(type: String, shape: List<Long>): ByteArray {
    val sides = shape.joinToString(", ") + if (shape.size == 1) "," else ""
    val text = "{'descr': '$type', 'fortran_order': False, 'shape': ($sides), }"
    val whole = (BEGIN + text.length + 1 + 63) / 64 * 64
    val length = whole - BEGIN
    val letters = text.padEnd(length - 1) + "\n"
    return MAGIC + byteArrayOf(length.toByte(), (length shr 8).toByte()) + letters.toByteArray(Charsets.ISO_8859_1)
}
