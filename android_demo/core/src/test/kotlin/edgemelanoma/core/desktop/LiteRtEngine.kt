package edgemelanoma.core.desktop

import com.sun.jna.Memory
import com.sun.jna.NativeLibrary
import com.sun.jna.Pointer
import com.sun.jna.ptr.PointerByReference
import edgemelanoma.core.Engine
import edgemelanoma.core.bundle.ElementType
import edgemelanoma.core.bundle.TensorFacts
import java.io.File

private const val CPU = 1
private const val READ = 0
private const val WRITE = 1
private const val RANKED_TYPE_BYTES = 72L // element type, packed rank, eight sides, eight strides
private const val PER_TENSOR = 1
private val TYPES = mapOf(
    1 to ElementType.FLOAT32,
    3 to ElementType.UINT8,
    7 to ElementType.INT16,
    9 to ElementType.INT8,
)

/** LiteRT's own native library on the desktop, by the C functions that libLiteRt.so of ai-edge-litert 2.3 exports. */
class LiteRtEngine(library: File, model: ByteArray) : Engine {
    private val native = NativeLibrary.getInstance(library.path)
    private val released = ArrayList<Pair<String, Pointer>>()

    // LiteRT reads from it as long as the model lives
    private val file = Memory(model.size.toLong()).apply { write(0, model, 0, model.size) }
    private val environment = made("LiteRtCreateEnvironment", 0, null)
    private val loaded = made("LiteRtCreateModelFromBuffer", environment, file, model.size.toLong())
    private val options = made("LiteRtCreateOptions").also { call("LiteRtSetOptionsHardwareAccelerators", it, CPU) }
    private val compiled = made("LiteRtCreateCompiledModel", environment, loaded, options)
    private val signature = pointer("LiteRtGetModelSignature", loaded, 0L)
    private val given = end("Input")
    private val returned = end("Output")

    override val name = "LiteRT, by ${library.name}"
    override val input = given.facts
    override val output = returned.facts

    /** An input or output of the model: what it is, and the engine's memory for it. */
    private class End(val facts: TensorFacts, val buffer: Pointer)

    override fun run(input: ByteArray): ByteArray {
        locked(given.buffer, WRITE) { it.write(0, input, 0, input.size) }
        val buffers = listOf(given, returned).map { end -> Memory(8).apply { setPointer(0, end.buffer) } }
        call("LiteRtRunCompiledModel", compiled, 0L, 1L, buffers[0], 1L, buffers[1])
        var found = ByteArray(0)
        locked(returned.buffer, READ) { found = it.getByteArray(0, output.bytes) }
        return found
    }

    private fun locked(buffer: Pointer, mode: Int, use: (Pointer) -> Unit) {
        use(pointer("LiteRtLockTensorBuffer", buffer, last = mode))
        call("LiteRtUnlockTensorBuffer", buffer)
    }

    private fun end(which: String): End {
        val tensor = pointer("LiteRtGetSignature${which}TensorByIndex", signature, 0L)
        val type = Memory(RANKED_TYPE_BYTES).apply { clear() }
        call("LiteRtGetRankedTensorType", tensor, type)
        val rank = type.getInt(4) and 0x7F
        val shape = List(rank) { type.getInt(8L + 4 * it) }
        val requirements = pointer("LiteRtGetCompiledModel${which}BufferRequirements", compiled, 0L, 0L)
        val buffer = pointer("LiteRtCreateManagedTensorBufferFromRequirements", environment, type, requirements)
        released += "LiteRtDestroyTensorBuffer" to buffer
        return End(facts(tensor, TYPES.getValue(type.getInt(0)), shape), buffer)
    }

    private fun facts(tensor: Pointer, type: ElementType, shape: List<Int>): TensorFacts {
        val kind = Memory(4).apply { clear() }
        call("LiteRtGetQuantizationTypeId", tensor, kind)
        if (kind.getInt(0) != PER_TENSOR) return TensorFacts(type, shape, null, null)
        val quantisation = Memory(16).apply { clear() }
        call("LiteRtGetPerTensorQuantization", tensor, quantisation)
        return TensorFacts(type, shape, quantisation.getFloat(0), quantisation.getLong(8).toInt())
    }

    override fun close() {
        released.asReversed().forEach { (function, what) -> native.getFunction(function).invoke(arrayOf(what)) }
        released.clear()
    }

    /** Something that the library makes and that has to be destroyed. */
    private fun made(function: String, vararg arguments: Any?): Pointer = pointer(function, *arguments).also {
        released += function.replace("LiteRtCreate", "LiteRtDestroy").removeSuffix("FromBuffer") to it
    }

    /** What a function returns in its last argument, or in the one before [last]. */
    private fun pointer(function: String, vararg arguments: Any?, last: Int? = null): Pointer {
        val found = PointerByReference()
        call(function, *arguments, found, *listOfNotNull(last).toTypedArray())
        return found.value ?: error("$function gave nothing")
    }

    private fun call(function: String, vararg arguments: Any?) {
        val status = native.getFunction(function).invokeInt(arguments)
        check(status == 0) { "$function ended with $status" }
    }
}
