package edgemelanoma.app.model

import android.graphics.Bitmap
import edgemelanoma.app.bench.medianMs
import edgemelanoma.core.capture.measure
import edgemelanoma.core.picture.JpegDecoder
import edgemelanoma.core.picture.decodePicture
import edgemelanoma.core.picture.openPicture
import java.io.ByteArrayOutputStream
import java.util.Random

private const val STAGE_ROUNDS = 16
private const val QUALITY = 90
private const val BLOT = 50 // pixels of a side

// APP1 with one entry: the orientation of a picture that a phone took upright
private val TURNED = intArrayOf(
    0xFF, 0xE1, 0, 34, 'E'.code, 'x'.code, 'i'.code, 'f'.code, 0, 0,
    'M'.code, 'M'.code, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0,
).map(Int::toByte).toByteArray()

/** A JPEG that the phone drew for its own measurement; its size is the upright one. */
class DrawnPicture(val name: String, val width: Int, val height: Int, val jpeg: ByteArray)

/** One as data sets have them, and one as a phone takes it; without the latter where memory is short. */
fun drawnPictures(): List<DrawnPicture> = listOfNotNull(
    DrawnPicture("drawn on the phone, 600x450", 600, 450, drawn(600, 450)),
    try {
        DrawnPicture("drawn on the phone, 12 MP, turned", 3000, 4000, turned(drawn(4000, 3000)))
    } catch (error: OutOfMemoryError) {
        null
    },
)

/**
 * The median milliseconds of each stage, named as by `edge-melanoma bench`, but that the decoder turns the picture
 * too, so that both are one stage here.
 */
fun stageMedians(decoder: JpegDecoder, ready: Ready, jpeg: ByteArray): Map<String, Double> {
    val rounds = List(STAGE_ROUNDS) { stages(decoder, ready, jpeg) }
    return rounds.first().keys.associateWith { stage -> medianMs(rounds.map { it.getValue(stage) }) }
}

private fun stages(decoder: JpegDecoder, ready: Ready, jpeg: ByteArray): Map<String, Long> {
    val manifest = ready.bundle.manifest
    val contract = manifest.contract
    val found = LinkedHashMap<String, Long>()
    fun <T> timed(stage: String, work: () -> T): T {
        val begin = System.nanoTime()
        return work().also { found[stage] = System.nanoTime() - begin }
    }
    val file = timed("read") { openPicture(jpeg) }
    val picture = timed("decode and turn upright") { decodePicture(file, contract.reduction(file.facts), decoder) }
    val tensor = timed("resize") { contract.toTensor(picture) }
    timed("capture gate") {
        manifest.captureGate?.reasons(measure(tensor, contract, file.facts.uprightWidth, file.facts.uprightHeight))
    }
    val logits = timed("infer") { ready.predictor.infer(tensor) }
    timed("decide") { manifest.rule.decide(manifest.rule.probability(logits)) }
    return found
}

/** Skin-coloured, with blots and grain: an empty picture would decode too fast. */
private fun drawn(width: Int, height: Int): ByteArray {
    val random = Random(0)
    val across = width / BLOT + 1
    val blots = IntArray(across * (height / BLOT + 1)) { random.nextInt(60) }
    val bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
    val row = IntArray(width)
    for (y in 0 until height) {
        for (x in 0 until width) {
            val shade = blots[y / BLOT * across + x / BLOT] + random.nextInt(24)
            row[x] = (0xFF shl 24) or (255 - shade shl 16) or (200 - shade shl 8) or (170 - shade)
        }
        bitmap.setPixels(row, 0, width, 0, y, width, 1)
    }
    val out = ByteArrayOutputStream()
    bitmap.compress(Bitmap.CompressFormat.JPEG, QUALITY, out)
    bitmap.recycle()
    return out.toByteArray()
}

private fun turned(jpeg: ByteArray): ByteArray = jpeg.copyOf(2) + TURNED + jpeg.copyOfRange(2, jpeg.size)
