package edgemelanoma.core

import edgemelanoma.core.capture.CaptureGate
import edgemelanoma.core.capture.CaptureMeasures
import edgemelanoma.core.capture.Reason
import edgemelanoma.core.capture.measure
import edgemelanoma.core.json.JsonNumber
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.picture.decodePicture
import edgemelanoma.core.picture.openPicture
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class CaptureTest {
    private val golden = Given.golden("capture.json").json() as JsonObject
    private val vectors = golden["vectors"].objects()

    @Test
    fun `every measure of every golden picture is Python's to the last bit, and so are the reasons`() {
        Given.expected("decoded")
        val gate = CaptureGate.fromJson(golden.obj("gate"))
        for (vector in vectors) {
            val found = measures(vector)
            val expected = vector.obj("measures").members.mapValues { (it.value as JsonNumber).text.toDouble() }
            val where = "${vector.text("picture")} ${vector["contract"].canonical()}"
            assertEquals(expected, byName(found), where)
            assertEquals(vector.texts("codes"), gate.reasons(found).map { it.code }, where)
        }
        Given.note("pictures with Python's capture measures and reasons", vectors.size)
    }

    @Test
    fun `every reason of the gate occurs in a golden vector`() {
        val known = Reason.values().map { it.code } - Reason.BETWEEN.code
        assertEquals(known.toSet(), vectors.flatMap { it.texts("codes") }.toSet())
    }

    private fun measures(vector: JsonObject): CaptureMeasures {
        val path = vector.text("picture")
        val file = openPicture(Given.golden(path).readBytes())
        val contract = vector.contract()
        val reduction = contract.reduction(file.facts)
        val picture = decodePicture(file, reduction, Given.pillow(path.substringAfterLast('/'), file))
        val (width, height) = vector.ints("upright_size")
        assertEquals(listOf(width, height), listOf(file.facts.uprightWidth, file.facts.uprightHeight), path)
        return measure(contract.toTensor(picture), contract, width, height)
    }

    private fun byName(found: CaptureMeasures) = mapOf(
        "width_px" to found.widthPx.toDouble(),
        "height_px" to found.heightPx.toDouble(),
        "black_share" to found.blackShare,
        "mean_luma" to found.meanLuma,
        "clipped_share" to found.clippedShare,
        "glare_share" to found.glareShare,
        "sharpness" to found.sharpness,
        "skin_share" to found.skinShare,
        "contrast" to found.contrast,
        "lesion_share" to found.lesionShare,
        "centre_share" to found.centreShare,
        "scatter_share" to found.scatterShare,
    )
}
