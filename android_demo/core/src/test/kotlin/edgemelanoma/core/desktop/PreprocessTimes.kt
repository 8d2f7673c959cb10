package edgemelanoma.core.desktop

import edgemelanoma.core.preprocess.Contract
import edgemelanoma.core.preprocess.Rgb
import edgemelanoma.core.preprocess.upright
import java.io.File
import java.lang.management.ManagementFactory

/**
 * Times the steps behind decoding, one run for each line of its input, so that Python's can be timed in between.
 *
 * Arguments: a file of RGB bytes, its width and height, and the side of the tensor. A line is an orientation, 1 to 8;
 * the answer is the time on the clock and on the processor in nanoseconds, and the first bytes of the tensor.
 */
fun main(arguments: Array<String>) {
    val (path, width, height, side) = arguments
    val picture = Rgb(width.toInt(), height.toInt(), File(path).readBytes())
    val contract = Contract(side.toInt(), side.toInt())
    val threads = ManagementFactory.getThreadMXBean()
    generateSequence(::readLine).forEach { line ->
        val begun = System.nanoTime()
        val spent = threads.currentThreadCpuTime
        val tensor = contract.toTensor(upright(picture, line.toInt()))
        val cpu = threads.currentThreadCpuTime - spent
        println("${System.nanoTime() - begun} $cpu ${tensor.pixels.take(8).joinToString("") { "%02x".format(it) }}")
    }
}
