package edgemelanoma.core

import edgemelanoma.core.json.JsonNull
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.picture.decodePicture
import edgemelanoma.core.picture.openPicture
import edgemelanoma.core.preprocess.Rgb
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class GoldenPicturesTest {
    private val golden = Given.golden("golden.json").json() as JsonObject
    private val vectors = golden["vectors"].objects()

    @Test
    fun `the pictures are the committed ones, byte for byte`() {
        for ((name, sum) in golden.obj("pictures").members) {
            assertEquals(sum.word(), sha256(Given.golden("pictures/$name").readBytes()), name)
        }
    }

    @Test
    fun `every PNG and BMP gives the golden tensor without any decoder of the platform`() {
        val own = vectors.filterNot { it.text("picture").endsWith(".jpg") }
        assertEquals(emptyList<String>(), own.mapNotNull(::problem))
        Given.note("PNG and BMP vectors equal to the byte, from the file to the tensor", own.size)
    }

    @Test
    fun `every JPEG gives the golden tensor from the pixels that Pillow decodes`() {
        Given.expected("decoded")
        val jpegs = vectors.filter { it.text("picture").endsWith(".jpg") }
        assertEquals(emptyList<String>(), jpegs.mapNotNull(::problem))
        Given.note("JPEG vectors equal to the byte, from Pillow's decoded pixels to the tensor", jpegs.size)
    }

    @Test
    fun `every picture that must not be taken is refused for the right reason`() {
        val refusals = golden["refusals"].objects()
        for (refusal in refusals) {
            val name = refusal.text("picture")
            assertEquals(refusal.text("refused"), refused(Given.golden("pictures/$name").readBytes()), name)
        }
        Given.note("refused pictures, each for its reason", refusals.size)
    }

    @Test
    fun `a tensor with swapped colours, sides or places is not taken for the golden one`() {
        assertTrue(vectors.all { sha256(tensor(it).pixels) == it.text("sha256") }, "a right tensor is not taken")
        for ((fault, change) in Faults.all) {
            val caught = vectors.count { sha256(change(tensor(it)).pixels) != it.text("sha256") }
            assertTrue(caught > vectors.size / 3, "$fault shows in $caught vectors only")
            Given.note("negative control, caught by the vectors", "$fault: $caught of ${vectors.size}")
        }
    }

    private fun problem(vector: JsonObject): String? {
        val name = vector.text("picture")
        val contract = vector.contract()
        val file = openPicture(Given.golden("pictures/$name").readBytes())
        val reduction = contract.reduction(file.facts)
        if (reduction.toLong() != vector.long("reduction")) return "$name: reduction $reduction"
        val decoded = decodePicture(file, reduction, Given.pillow(name, file))
        val wanted = vector.obj("decoded")
        if (decoded.width != wanted.int("width") || decoded.height != wanted.int("height")) return "$name: upright size"
        if (sha256(decoded.pixels) != wanted.text("sha256")) return "$name: decoded and upright pixels"
        val tensor = contract.toTensor(decoded)
        if (listOf(tensor.height, tensor.width, 3) != vector.ints("shape")) return "$name: shape"
        if (sha256(tensor.pixels) != vector.text("sha256")) return "$name ${contract.geometry}: tensor"
        val stored = if (vector["tensor"] === JsonNull) null else Given.golden(vector.text("tensor")).readBytes()
        return if (stored != null && !stored.contentEquals(tensor.pixels)) "$name: stored tensor" else null
    }

    private fun tensor(vector: JsonObject): Rgb = tensors.getOrPut(vector) {
        val name = vector.text("picture")
        val file = openPicture(Given.golden("pictures/$name").readBytes())
        val contract = vector.contract()
        Given.expected("decoded")
        contract.toTensor(decodePicture(file, contract.reduction(file.facts), Given.pillow(name, file)))
    }

    private val tensors = HashMap<JsonObject, Rgb>()
}

/** The word for which a picture is refused, or null. */
internal fun refused(data: ByteArray): String? = try {
    decodePicture(openPicture(data), 1) { _, _ -> throw IllegalStateException("no decoder is needed for a refusal") }
    null
} catch (error: PictureError) {
    error.fault.word
}
