package edgemelanoma.core

import edgemelanoma.core.bundle.Bundle
import edgemelanoma.core.bundle.readBundle
import edgemelanoma.core.json.JsonObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class BundlesTest {
    @Test
    fun `the committed bundle opens and says what it is`() {
        val manifest = readBundle(Given.tinyBundle).manifest
        assertEquals("tiny", manifest.modelName)
        assertEquals(listOf("other", "melanoma"), manifest.classes)
        assertEquals("uint8 1x16x16x3, scale 1.0, zero point 0", manifest.input.toString())
        assertEquals(6, readBundle(Given.tinyBundle).golden.size)
    }

    @Test
    fun `every bundle is taken or refused as by Python, though all its sums were repaired`() {
        val asked = Given.expected("bundles.json").json() as JsonObject
        for ((name, python) in asked.members) {
            val data = Given.expected((python as JsonObject).text("file")).readBytes()
            val expected = python.truth("taken")
            assertEquals(expected, taken(data) != null, "$name: ${fault(data)}")
            if (expected) assertEquals(python.text("sha256"), taken(data)?.sha256, name)
        }
        Given.note("forged bundles judged as by Python", asked.members.size)
    }

    @Test
    fun `another value anywhere in what a device uses is taken or refused as by Python`() {
        val asked = Given.expected("forged.json").json() as JsonObject
        val differing = asked.members.mapNotNull { (what, python) ->
            val expected = (python as JsonObject).truth("taken")
            val data = Given.expected(python.text("file")).readBytes()
            if ((taken(data) != null) == expected) null else "$what: Python took it: $expected"
        }
        assertEquals(emptyList<String>(), differing)
        Given.note("manifests with another value in one place, judged as by Python", asked.members.size)
    }

    @Test
    fun `a bundle with several bytes changed near its end is refused, whatever they are`() {
        val random = java.util.Random(23)
        repeat(5000) { round ->
            val changed = Given.tinyBundle.copyOf()
            repeat(1 + random.nextInt(4)) {
                val at = changed.size - 1 - random.nextInt(if (round % 2 == 0) 220 else changed.size)
                changed[at] = random.nextInt(256).toByte()
            }
            if (!changed.contentEquals(Given.tinyBundle)) assertNull(taken(changed), "round $round")
        }
    }

    @Test
    fun `people are told a newer bundle from a broken one`() {
        val faults = listOf("newer_schema", "newer_contract", "newer_rule", "plain_model", "key_too_many")
            .map { fault(Given.expected("bundles/$it.tflite").readBytes()) }
        val newer = BundleFault.NEWER
        assertEquals(listOf(newer, newer, newer, BundleFault.NO_BUNDLE, BundleFault.EDITED), faults)
    }

    @Test
    fun `a bundle with any one byte changed is refused`() {
        val data = Given.tinyBundle
        val taken = data.indices.filter { at ->
            val changed = data.copyOf()
            changed[at] = (changed[at].toInt() xor (1 shl at % 8)).toByte()
            taken(changed) != null
        }
        assertEquals(emptyList<Int>(), taken)
        Given.note("single changed bytes, all refused", data.size)
    }

    @Test
    fun `a bundle cut at any length is refused`() {
        val data = Given.tinyBundle
        assertEquals(emptyList<Int>(), data.indices.filter { taken(data.copyOf(it)) != null })
        Given.note("lengths to cut at, all refused", data.size)
    }

    @Test
    fun `a bundle cut behind its model is called cut, and what is none is called none`() {
        assertEquals(BundleFault.CUT, fault(Given.tinyBundle.copyOf(Given.tinyBundle.size - 1)))
        assertEquals(BundleFault.NO_BUNDLE, fault(ByteArray(0)))
        assertEquals(BundleFault.NO_BUNDLE, fault("hello, this is a letter and no model".toByteArray()))
    }

    @Test
    fun `the notice is Python's, and both languages have one`() {
        val manifest = readBundle(Given.tinyBundle).manifest
        assertEquals(manifest.notice, Notice.text(Language.ENGLISH))
        assertEquals(manifest.syntheticBanner, Notice.synthetic(Language.ENGLISH))
        assertTrue("Kein Medizinprodukt" in Notice.text(Language.of("de-AT")))
        assertEquals(Language.ENGLISH, Language.of("fr"))
    }

    private fun taken(data: ByteArray): Bundle? = try {
        readBundle(data)
    } catch (error: BundleError) {
        null
    }

    private fun fault(data: ByteArray): BundleFault? = try {
        readBundle(data)
        null
    } catch (error: BundleError) {
        error.fault
    }
}
