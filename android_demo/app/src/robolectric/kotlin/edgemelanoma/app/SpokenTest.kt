package edgemelanoma.app

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.view.View
import android.view.ViewGroup
import android.view.accessibility.AccessibilityEvent
import android.view.accessibility.AccessibilityManager
import edgemelanoma.app.page.Shown
import edgemelanoma.core.decision.Decision
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadow.api.Shadow
import org.robolectric.shadows.ShadowAccessibilityRecord
import java.io.FileNotFoundException

private const val PHONE = "w411dp-h891dp-port-notnight"
private const val FINGER_DP = 48

/** What a screen reader is given, by the nodes and events that Android's own views make for it; no TalkBack is here. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(application = TestApplication::class, sdk = [35])
class SpokenTest {
    private val manager by lazy {
        RuntimeEnvironment.getApplication().getSystemService(Context.ACCESSIBILITY_SERVICE) as AccessibilityManager
    }

    @Before
    fun listen() = shadowOf(manager).setEnabled(true)

    @After
    fun reset() = TestApplication.reset()

    @Test
    fun `whatever can be acted on has a name and room for a finger, and all is read from top to bottom`() {
        var looked = 0
        for (language in listOf("en", "de-rDE")) onReadyScreen("$language-$PHONE") {
            inEveryState(measure = language == "en") { state ->
                assertEquals("$language, $state", emptyList<String>(), unspoken())
                looked++
            }
        }
        TestApplication.bundle = { throw FileNotFoundException("model.tflite") }
        RuntimeEnvironment.setQualifiers("de-rDE-$PHONE-xhdpi")
        onScreen { assertEquals("refused bundle", emptyList<String>(), unspoken()) }
        note("languages and states in which a screen reader finds a name for everything", looked)
    }

    @Test
    fun `a German reader hears no English sentence of the app`() {
        val english = texts("en")
        onReadyScreen("de-rDE-$PHONE") {
            val german = texts("de-rDE").values.toSet()
            inEveryState(measure = false) { state ->
                laidOut()
                val heard = shown(activity.window.decorView).mapNotNull { said(it) }
                for (text in english.values - german) assertFalse("$state: $text", text in heard)
            }
        }
    }

    /** Every text of the app without an argument, as a language has it. */
    private fun texts(language: String): Map<String, String> {
        RuntimeEnvironment.setQualifiers("$language-$PHONE-xhdpi")
        val resources = RuntimeEnvironment.getApplication().resources
        return R.string::class.java.fields.filter { it.type == Int::class.java }
            .associate { it.name to resources.getString(it.getInt(null)) }
            .filterValues { '%' !in it }
    }

    @Test
    fun `a decision is announced once, with its word and what it means, and again for the next picture`() =
        onReadyScreen("en-$PHONE") {
            for (decision in listOf(Decision.REFER, Decision.REFER, Decision.LOW, Decision.UNCERTAIN)) {
                val heard = listening { judge(decision) }
                val shown = Shown.of(decision)
                val expected = "${activity.getString(shown.word)}. ${activity.getString(shown.meaning)}"
                assertEquals(listOf(activity.getString(R.string.deciding), expected), heard)
                assertEquals(emptyList<String>(), listening { session.onChange() }) // whatever else happens
            }
        }

    @Test
    fun `what goes wrong is announced once`() = onReadyScreen("en-$PHONE") {
        val heard = listening { pick { given("golden").resolve("pictures/refused_rgb16.png").inputStream() } }
        assertEquals(listOf(R.string.deciding, R.string.picture_sixteen_bit).map(activity::getString), heard)
    }

    @Test
    fun `another page is announced by its title`() = onReadyScreen("en-$PHONE") {
        val pages = listOf(
            R.id.show_card to R.string.model_card,
            R.id.back to R.string.app_name,
            R.id.show_latency to R.string.latency,
        )
        for ((button, title) in pages) {
            assertEquals(listOf(activity.getString(title)), listening { click(button) })
        }
    }

    @Test
    fun `the three decisions differ without any colour, by their words and by their shapes`() =
        onReadyScreen("en-$PHONE") {
            val words = Decision.values().map { activity.getString(Shown.of(it).word) }
            assertEquals(3, words.toSet().size)
            val drawn = Decision.values().map { alpha(Shown.of(it).shape) }
            for (i in drawn.indices) for (j in 0 until i) {
                val differing = drawn[i].indices.count { drawn[i][it] != drawn[j][it] }
                assertTrue("$i and $j differ in $differing pixels", differing > drawn[i].size / 10)
            }
        }

    /** Where a shape is drawn, whatever its colour. */
    private fun Screen.alpha(shape: Int): List<Boolean> {
        val side = 64
        val bitmap = Bitmap.createBitmap(side, side, Bitmap.Config.ARGB_8888)
        checkNotNull(activity.getDrawable(shape)).apply { setBounds(0, 0, side, side) }.draw(Canvas(bitmap))
        return List(side * side) { bitmap.getPixel(it % side, it / side) ushr 24 > 127 }
    }

    private fun Screen.unspoken(): List<String> {
        laidOut()
        view<View>(R.id.scroll).scrollTo(0, 0)
        val problems = mutableListOf<String>()
        val finger = FINGER_DP * activity.resources.displayMetrics.density
        var above = 0
        for (one in shown(activity.window.decorView).filter { it.isImportantForAccessibility }) {
            val node = one.createAccessibilityNodeInfo()
            val name = activity.resources.let { if (one.id > 0) it.getResourceEntryName(one.id) else one.toString() }
            val touched = node.isClickable || node.isLongClickable
            if ((touched || node.isFocusable) && heard(one).isBlank()) problems += "$name has nothing to be read out"
            val tooSmall = one.width < finger || one.height < finger
            if (touched && tooSmall) problems += "$name is ${one.width} x ${one.height} pixels"
            if (said(one) == null) continue
            val place = IntArray(2).also(one::getLocationInWindow)
            if (place[1] < above) problems += "$name is read after what stands below it"
            above = place[1]
        }
        return problems
    }

    /** What a screen reader reads of a view itself. */
    private fun said(view: View): String? {
        if (!view.isImportantForAccessibility) return null
        val node = view.createAccessibilityNodeInfo()
        return (node.contentDescription ?: node.text)?.toString()?.takeIf(String::isNotBlank)
    }

    /** The same with what stands in it, of which it is read in one. */
    private fun heard(view: View): String {
        val inside = if (view is ViewGroup) children(view).filter { it.isShown }.map(::heard) else emptyList()
        return said(view) ?: inside.joinToString(" ").trim()
    }

    /** What a screen reader reads out by itself meanwhile: live views that change, and pages that appear. */
    private fun Screen.listening(act: () -> Unit): List<String> {
        val heard = mutableListOf<String>()
        activity.window.decorView.accessibilityDelegate = object : View.AccessibilityDelegate() {
            override fun onRequestSendAccessibilityEvent(
                host: ViewGroup,
                child: View,
                event: AccessibilityEvent,
            ): Boolean {
                val source = Shadow.extract<ShadowAccessibilityRecord>(event).sourceRoot
                val appears = event.contentChangeTypes and AccessibilityEvent.CONTENT_CHANGE_TYPE_PANE_APPEARED != 0
                if (appears) heard += event.text.joinToString()
                else if (source.accessibilityLiveRegion != View.ACCESSIBILITY_LIVE_REGION_NONE) heard += heard(source)
                return super.onRequestSendAccessibilityEvent(host, child, event)
            }
        }
        act()
        laidOut()
        return heard
    }
}
