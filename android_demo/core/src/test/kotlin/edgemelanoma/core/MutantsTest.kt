package edgemelanoma.core

import edgemelanoma.core.json.JsonList
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.json.JsonText
import edgemelanoma.core.picture.PictureFormat
import edgemelanoma.core.picture.decodePicture
import edgemelanoma.core.picture.openPicture
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class MutantsTest {
    @Test
    fun `broken pictures are refused for Python's reason, or give Python's facts and pixels`() {
        val mutants = Given.expected("mutants.json").json().objects()
        val differing = mutants.mapNotNull { mutant ->
            val expected = (mutant.members["refused"] as? JsonText)?.value ?: facts(mutant)
            val found = verdict(broken(mutant))
            val which = "${mutant.text("picture")} ${mutant["edits"].canonical()}"
            if (found == expected) null else "$which: $found, not $expected"
        }
        assertEquals(emptyList<String>(), differing.take(20), "${differing.size} of ${mutants.size}")
        Given.note("broken pictures judged as by Python", mutants.size)
    }

    private fun broken(mutant: JsonObject): ByteArray {
        val data = Given.golden("pictures/${mutant.text("picture")}").readBytes().copyOf(mutant.int("length"))
        for (edit in (mutant["edits"] as JsonList).items) {
            val (at, value) = edit.numbers().map(Double::toInt)
            data[at] = value.toByte()
        }
        return data
    }

    private fun facts(mutant: JsonObject): String {
        val sum = (mutant.members["pixels"] ?: mutant["essential"]).word()
        return "${mutant.ints("size").joinToString("x")}, ${mutant.int("orientation")}, $sum"
    }

    private fun verdict(data: ByteArray): String = try {
        val file = openPicture(data)
        val facts = file.facts
        val refusal = facts.refusal
        if (refusal != null) {
            refusal.fault.word
        } else {
            val jpeg = facts.format == PictureFormat.JPEG
            val content = if (jpeg) file.essential else decodePicture(file, 1) { _, _ -> error("no JPEG") }.pixels
            "${facts.width}x${facts.height}, ${facts.orientation}, ${sha256(content)}"
        }
    } catch (error: PictureError) {
        error.fault.word
    }
}
