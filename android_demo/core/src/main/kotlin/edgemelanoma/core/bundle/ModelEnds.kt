package edgemelanoma.core.bundle

import edgemelanoma.core.BundleError
import edgemelanoma.core.BundleFault
import edgemelanoma.core.ascii
import edgemelanoma.core.bundleDamaged
import edgemelanoma.core.i32le
import edgemelanoma.core.startsWith
import edgemelanoma.core.u16le
import edgemelanoma.core.u32le

private const val SCHEMA_VERSION = 3
private val TYPES = mapOf(
    0 to ElementType.FLOAT32,
    3 to ElementType.UINT8,
    7 to ElementType.INT16,
    9 to ElementType.INT8,
)

/**
 * The input and output of a .tflite, read from its tables.
 *
 * Only these are looked at: that the rest is what it was is for the SHA-256 to say, and whether it was sound when it
 * was made was for Python's `convert` and `verify`.
 */
internal fun modelEnds(model: ByteArray, name: String): Pair<TensorFacts, TensorFacts> {
    if (!model.startsWith(ascii("TFL3"), 4)) {
        throw BundleError(BundleFault.NO_BUNDLE, "$name: is neither a bundle nor a .tflite")
    }
    try {
        val root = Table(model, follow(model, 0))
        if (root.int(0) != SCHEMA_VERSION) throw bundleDamaged("$name: has an unknown schema version")
        val graph = root.tables(2).first()
        val tensors = graph.tables(0)
        val ends = listOf(graph.ints(1), graph.ints(2)).map { numbers ->
            if (numbers.size != 1) throw bundleDamaged("$name: has ${numbers.size} inputs or outputs; one is needed")
            facts(tensors[numbers.single()])
        }
        return ends[0] to ends[1]
    } catch (error: RuntimeException) { // an offset that leads nowhere, a value that cannot be
        throw bundleDamaged("$name: the tables of its model are broken", error)
    }
}

private fun facts(tensor: Table): TensorFacts {
    val type = TYPES.getValue(tensor.byte(1))
    val shape = tensor.ints(0)
    if (type == ElementType.FLOAT32) return TensorFacts(type, shape, null, null)
    val quantisation = requireNotNull(tensor.table(4)) { "no quantisation" }
    val scale = java.lang.Float.intBitsToFloat(quantisation.ints(2).single())
    return TensorFacts(type, shape, scale, quantisation.lowWords(3).single())
}

private fun follow(data: ByteArray, at: Int): Int = Math.addExact(at, Math.toIntExact(data.u32le(at)))

/** A table of a FlatBuffer; what lies outside the file throws. */
private class Table(private val data: ByteArray, private val at: Int) {
    private val fields = Math.subtractExact(at, data.i32le(at))

    private fun place(field: Int): Int? {
        val slot = 4 + 2 * field
        val offset = if (slot + 2 <= data.u16le(fields)) data.u16le(fields + slot) else 0
        return if (offset == 0) null else Math.addExact(at, offset)
    }

    fun int(field: Int): Int = place(field)?.let(data::i32le) ?: 0

    fun byte(field: Int): Int = place(field)?.let { data[it].toInt() } ?: 0

    fun table(field: Int): Table? = place(field)?.let { Table(data, follow(data, it)) }

    fun tables(field: Int): List<Table> = vector(field, 4) { Table(data, follow(data, it)) }

    fun ints(field: Int): List<Int> = vector(field, 4, data::i32le)

    /** The lower halves of 64-bit numbers; zero points need no more. */
    fun lowWords(field: Int): List<Int> = vector(field, 8, data::i32le)

    private fun <T> vector(field: Int, step: Int, read: (Int) -> T): List<T> {
        val start = follow(data, place(field) ?: return emptyList())
        val count = data.u32le(start)
        require(count * step <= data.size) { "a vector longer than the file" }
        return List(count.toInt()) { read(start + 4 + step * it) }
    }
}
