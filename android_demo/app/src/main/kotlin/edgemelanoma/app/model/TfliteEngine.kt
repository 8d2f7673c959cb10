package edgemelanoma.app.model

import edgemelanoma.core.BundleError
import edgemelanoma.core.BundleFault
import edgemelanoma.core.Engine
import edgemelanoma.core.bundle.ElementType
import edgemelanoma.core.bundle.TensorFacts
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.Tensor
import org.tensorflow.lite.TensorFlowLite
import java.nio.ByteBuffer
import java.nio.ByteOrder

private val TYPES = mapOf(
    DataType.UINT8 to ElementType.UINT8,
    DataType.INT8 to ElementType.INT8,
    DataType.INT16 to ElementType.INT16,
    DataType.FLOAT32 to ElementType.FLOAT32,
)

/** TensorFlow Lite on the processor with XNNPACK; no GPU and no NNAPI, which round otherwise. */
class TfliteEngine(model: ByteArray, threads: Int) : Engine {
    // the interpreter reads from it as long as it lives
    private val file = direct(model.size).put(model).apply { rewind() }
    private val interpreter = Interpreter(file, Interpreter.Options().setNumThreads(threads).setUseXNNPACK(true))

    override val name = "TensorFlow Lite ${TensorFlowLite.runtimeVersion()}"
    override val input: TensorFacts
    override val output: TensorFacts
    private val given: ByteBuffer
    private val returned: ByteBuffer

    init {
        try {
            interpreter.allocateTensors()
            input = facts(interpreter.getInputTensor(0))
            output = facts(interpreter.getOutputTensor(0))
        } catch (error: RuntimeException) {
            interpreter.close()
            throw BundleError(BundleFault.DAMAGED, "$name does not open the model", error)
        }
        given = direct(input.bytes)
        returned = direct(output.bytes)
    }

    override fun run(input: ByteArray): ByteArray {
        given.rewind()
        given.put(input)
        given.rewind()
        returned.rewind()
        interpreter.run(given, returned)
        returned.rewind()
        return ByteArray(returned.capacity()).also { returned.get(it) }
    }

    override fun close() = interpreter.close()

    private fun facts(tensor: Tensor): TensorFacts {
        val type = requireNotNull(TYPES[tensor.dataType()]) { "type ${tensor.dataType()}" }
        val shape = tensor.shape().toList()
        if (type == ElementType.FLOAT32) return TensorFacts(type, shape, null, null)
        val quantisation = tensor.quantizationParams()
        return TensorFacts(type, shape, quantisation.scale, quantisation.zeroPoint)
    }

    private fun direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())
}
