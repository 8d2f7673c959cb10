package edgemelanoma.app

import android.content.Intent
import android.content.res.Configuration
import android.provider.MediaStore
import android.view.View
import android.view.WindowManager
import android.widget.ImageView
import edgemelanoma.app.page.Shown
import edgemelanoma.app.page.words
import edgemelanoma.app.picture.AndroidJpegDecoder
import edgemelanoma.app.picture.CaptureProvider
import edgemelanoma.app.picture.Decoding
import edgemelanoma.core.PictureError
import edgemelanoma.core.PictureFault
import edgemelanoma.core.decision.Decision
import edgemelanoma.core.picture.openPicture
import edgemelanoma.core.picture.reducedSide
import org.junit.After
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.FileNotFoundException

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(application = TestApplication::class, sdk = [35], qualifiers = "en-w411dp-h891dp-xhdpi")
class PicturesOnScreenTest {
    private val expectations = given("expectations")
    private val golden = given("golden")
    private val predictions by lazy { edgemelanoma.app.predictions() }

    @After
    fun reset() = TestApplication.reset()

    private fun picture(name: String) = expectations.resolve("pictures/$name")

    private fun one(decision: Decision) = predictions.first { it.text("decision") == decision.word }

    @Test
    fun `what Python decides stands on the screen, with word, shape and reasons`() = onReadyScreen {
        for (decision in Decision.values()) {
            val expected = one(decision)
            pick { picture(expected.text("picture")).inputStream() }
            val found = (session.judging as Judging.Answered).prediction
            assertEquals(decision, found.decision)
            assertEquals(expected.texts("reasons"), found.reasons.map { it.code })
            val shown = Shown.of(decision)
            assertEquals(activity.getString(shown.word), text(R.id.decision_word))
            assertEquals(activity.getString(shown.meaning), text(R.id.decision_meaning))
            assertNotNull(view<ImageView>(R.id.decision_shape).drawable)
            for (reason in found.reasons) assertTrue(activity.getString(words(reason)) in text(R.id.reasons))
            assertEquals(found.reasons.isNotEmpty(), isShown(R.id.reasons))
            assertTrue(isShown(R.id.notice))
        }
    }

    @Test
    fun `a rotation keeps the result, and the same session`() = onReadyScreen {
        pick { picture(one(Decision.REFER).text("picture")).inputStream() }
        val (before, kept, word) = Triple(activity, session, text(R.id.decision_word))
        controller.configurationChange(
            Configuration(activity.resources.configuration).apply { orientation = Configuration.ORIENTATION_LANDSCAPE },
        )
        if (activity === before) controller.recreate()
        assertNotSame(before, activity)
        assertSame(kept, session)
        assertEquals(word, text(R.id.decision_word))
        assertEquals(View.VISIBLE, view<View>(R.id.result).visibility)
        pick { picture(one(Decision.LOW).text("picture")).inputStream() }
        assertEquals(activity.getString(R.string.low), text(R.id.decision_word))
    }

    @Test
    fun `every refused golden picture gets a sentence, and the app goes on`() = onReadyScreen {
        val refused = golden.resolve("pictures").listFiles { file -> file.name.startsWith("refused_") }!!.sorted()
        for (file in refused) {
            val fault = faultOf(file.readBytes())
            pick { file.inputStream() }
            assertEquals(file.name, activity.getString(words(fault)), text(R.id.trouble_words))
            assertTrue(isShown(R.id.trouble))
            assertFalse(isShown(R.id.result))
        }
        note("refused golden pictures that get their sentence", refused.size)
        pick { picture(one(Decision.LOW).text("picture")).inputStream() }
        assertFalse(isShown(R.id.trouble))
    }

    private fun faultOf(data: ByteArray): PictureFault = try {
        edgemelanoma.core.picture.decodePicture(openPicture(data), 1, AndroidJpegDecoder())
        error("is taken")
    } catch (error: PictureError) {
        error.fault
    }

    @Test
    fun `an app that gives nothing, takes its right back or dies is told of`() = onReadyScreen {
        val ways = listOf<() -> java.io.InputStream?>(
            { null },
            { throw SecurityException("revoked") },
            { throw FileNotFoundException("gone") },
            { throw IllegalStateException("the provider died") },
        )
        for (way in ways) {
            pick { way() }
            assertEquals(activity.getString(R.string.picture_unreadable), text(R.id.trouble_words))
        }
        click(R.id.pick)
        answer(Intent()) // a picker that names no picture
        assertEquals(activity.getString(R.string.picture_unreadable), text(R.id.trouble_words))
    }

    @Test
    fun `the camera writes to the app's own place, which is empty again afterwards`() = onReadyScreen {
        click(R.id.take)
        val asked = shadowOf(activity).peekNextStartedActivityForResult().intent
        assertEquals(MediaStore.ACTION_IMAGE_CAPTURE, asked.action)
        @Suppress("DEPRECATION")
        assertEquals(CaptureProvider.URI, asked.getParcelableExtra(MediaStore.EXTRA_OUTPUT))
        val jpeg = golden.resolve("pictures/orientation_6_large.jpg").readBytes()
        activity.contentResolver.openOutputStream(CaptureProvider.URI)!!.use { it.write(jpeg) }
        assertTrue(CaptureProvider.file(activity).length() > 0)
        answer(null)
        settled()
        assertTrue(session.judging is Judging.Answered)
        assertFalse(CaptureProvider.file(activity).exists())
        click(R.id.take)
        answer(null)
        settled()
        assertEquals(activity.getString(R.string.camera_gave_nothing), text(R.id.trouble_words))
    }

    @Test
    fun `Android's decoder gives Pillow's bytes for every golden JPEG at every reduction`() = onReadyScreen {
        assertEquals(Decoding.Equal, (session.opening as Opening.Done).ready.decoding)
        val decoder = AndroidJpegDecoder()
        val files = expectations.resolve("decoded").listFiles()!!.sorted()
        for (file in files) {
            val told = file.nameWithoutExtension
            val (name, reduction) = told.substringBeforeLast('-') to told.substringAfterLast('-').toInt()
            val opened = openPicture(golden.resolve("pictures/$name").readBytes())
            val found = decoder.decode(opened.essential, reduction)
            assertEquals(file.name, reducedSide(opened.facts.width, reduction), found.width)
            assertArrayEquals(file.name, file.readBytes(), found.pixels)
        }
        note("golden JPEGs and reductions that Robolectric's Skia decodes to Pillow's bytes", files.size)
    }

    @Test
    fun `what is shown of a picture is the tensor, and the window is kept out of recent apps meanwhile`() = onReadyScreen {
        assertFalse(isSecure())
        pick { picture(one(Decision.LOW).text("picture")).inputStream() }
        val seen = (session.judging as Judging.Answered).seen
        val contract = (session.opening as Opening.Done).ready.bundle.manifest.contract
        assertEquals(contract.width to contract.height, seen.width to seen.height)
        assertTrue(isSecure())
        click(R.id.show_card)
        assertFalse(isSecure())
    }

    private fun Screen.isSecure() =
        activity.window.attributes.flags and WindowManager.LayoutParams.FLAG_SECURE != 0
}
