package edgemelanoma.app

import android.content.Intent
import android.net.Uri
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import edgemelanoma.app.page.percentApart
import edgemelanoma.core.Engine
import edgemelanoma.core.Language
import edgemelanoma.core.Notice
import edgemelanoma.core.decision.Decision
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.json.parseJson
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.ByteArrayOutputStream
import java.io.FileNotFoundException
import java.io.IOException

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(application = TestApplication::class, sdk = [35], qualifiers = "en-w411dp-h891dp-xhdpi")
class PagesTest {
    @After
    fun reset() = TestApplication.reset()

    @Test
    fun `a bundle that is missing, cut, edited, newer or computes otherwise is told of, and nothing is judged`() {
        val whole = TestApplication.wholeBundle()
        val ways = mapOf<Int, () -> ByteArray>(
            R.string.bundle_no_bundle to { throw FileNotFoundException("model.tflite") },
            R.string.bundle_cut to { whole.copyOf(whole.size - 1) },
            R.string.bundle_damaged to { throw IOException("bad sector") },
            R.string.bundle_edited to { broken("key_too_many") },
            R.string.bundle_newer to { broken("newer_schema") },
            R.string.bundle_memory to { throw OutOfMemoryError() },
        )
        for ((words, way) in ways) {
            TestApplication.bundle = way
            onScreen { refusedWith(words) }
        }
        TestApplication.reset()
        TestApplication.engine = { Off(it) }
        onScreen {
            refusedWith(R.string.bundle_other_results)
            TestApplication.reset()
            click(R.id.take) // says: try again
            opened()
            assertTrue(session.opening is Opening.Done)
            assertTrue(button(R.id.pick).isEnabled)
        }
        TestApplication.engine = { throw UnsatisfiedLinkError("no library for this processor") }
        onScreen { refusedWith(R.string.bundle_engine) }
    }

    private fun Screen.refusedWith(words: Int) {
        assertTrue(text(R.id.trouble_words), text(R.id.trouble_words).startsWith(activity.getString(words)))
        assertFalse(button(R.id.pick).isEnabled)
        assertEquals(activity.getString(R.string.try_again), button(R.id.take).text.toString())
        assertTrue(isShown(R.id.notice))
    }

    /** A bundle that Python made wrong on purpose. */
    private fun broken(how: String): ByteArray = given("expectations").resolve("bundles/$how.tflite").readBytes()

    @Test
    fun `the model card says what the manifest says`() = onReadyScreen {
        click(R.id.show_card)
        val manifest = (session.opening as Opening.Done).ready.bundle.manifest
        val card = words(view(R.id.rows))
        val chosenFor = manifest.rule.thresholdLow.chosenFor
        for (said in listOf(manifest.intendedUse, manifest.outOfScope, manifest.modelName, chosenFor)) {
            assertTrue(said, said in card)
        }
        assertTrue((session.opening as Opening.Done).ready.bundle.sha256 in card)
        assertTrue(isShown(R.id.notice))
        assertEquals(manifest.synthetic, isShown(R.id.synthetic))
        click(R.id.back)
        assertTrue(isShown(R.id.pick))
    }

    @Test
    fun `the latency is measured, shown and saved as JSON`() = onReadyScreen {
        click(R.id.show_latency)
        click(R.id.measure)
        assertTrue(isShown(R.id.stop))
        await("the latency is measured") { session.timing !is Timing.Running }
        val found = (session.timing as Timing.Done).measurement
        assertTrue(found.model.queries >= 3 * 64)
        assertTrue("p50" in words(view(R.id.rows)))
        val (uri, saved) = Uri.parse("content://elsewhere/bench.json") to ByteArrayOutputStream()
        shadowOf(activity.contentResolver).registerOutputStreamSupplier(uri) { saved }
        click(R.id.save)
        answer(Intent().setData(uri))
        await("it is saved") { (session.timing as? Timing.Done)?.words != null }
        assertEquals(activity.getString(R.string.latency_saved), text(R.id.latency_progress))
        val json = parseJson(saved.toByteArray(), "bench") as JsonObject
        assertEquals("bench", json.text("kind"))
        given("bench-report").writeBytes(saved.toByteArray())
    }

    @Test
    fun `a measurement can be stopped, and pictures are judged afterwards`() = onReadyScreen {
        click(R.id.show_latency)
        click(R.id.measure)
        click(R.id.stop)
        await("it has stopped") { session.timing !is Timing.Running }
        assertFalse(session.busy)
        click(R.id.back)
        assertTrue(button(R.id.pick).isEnabled)
    }

    @Test
    @Config(qualifiers = "de-rDE-w411dp-h891dp-xhdpi")
    fun `German readers get German, notice and reasons too`() = onReadyScreen {
        assertEquals(Notice.text(Language.GERMAN), text(R.id.notice))
        assertEquals("Bild aufnehmen", button(R.id.take).text.toString())
        judge(Decision.UNCERTAIN)
        assertEquals("Unsicher", text(R.id.decision_word))
        save("de")
    }

    @Test
    fun `a probability is never shown as a limit that it does not reach, nor as certain`() {
        assertEquals("29.96%", percentApart(0.2996, listOf(0.3, 0.6)))
        assertEquals("30%", percentApart(0.3, listOf(0.3, 0.6)))
        assertEquals("1.5%", percentApart(0.015, listOf(0.01, 0.02)))
        assertEquals("> 99.9%", percentApart(1 - 1e-9, listOf(0.3, 0.6)))
        assertEquals("< 0.1%", percentApart(1e-9, listOf(0.3, 0.6)))
    }

    @Test
    fun `the English screen`() = onReadyScreen {
        assertEquals(Notice.text(Language.ENGLISH), text(R.id.notice))
        judge(Decision.REFER)
        save("en")
    }

    @Test
    @Config(qualifiers = "en-w411dp-h891dp-night-xhdpi")
    fun `the dark screen, with text twice as large, leaves room below the notice`() {
        RuntimeEnvironment.setFontScale(2f)
        onReadyScreen {
            judge(Decision.LOW)
            val notice = view<View>(R.id.notice).parent.parent as View
            assertTrue("the notice takes ${notice.height}", notice.height <= activity.window.decorView.height * 0.4 + 1)
            val word = view<TextView>(R.id.decision_word)
            assertEquals(activity.getColor(R.color.low), word.currentTextColor)
            save("dark-large")
        }
    }

    private fun words(group: ViewGroup): String =
        (0 until group.childCount).joinToString("\n") { (group.getChildAt(it) as TextView).text }
}

/** An engine that is a few levels off. */
private class Off(private val engine: Engine) : Engine by engine {
    override fun run(input: ByteArray) = engine.run(input).map { (it + 9).toByte() }.toByteArray()
}
