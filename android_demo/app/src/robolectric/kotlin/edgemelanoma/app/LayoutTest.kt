package edgemelanoma.app

import android.graphics.Rect
import android.view.View
import android.view.ViewGroup
import android.widget.ScrollView
import android.widget.TextView
import edgemelanoma.core.decision.Decision
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

private const val LANDSCAPE = "w800dp-h360dp-land"
private const val SMALL = "w320dp-h480dp-port"
private val WINDOWS = listOf("w411dp-h891dp-port", LANDSCAPE, SMALL)
private val FONT_SCALES = listOf(1f, 2f) // 2 is the largest that Android 14 offers
private val MOST_NEEDED = mapOf("en" to "Not a medical device", "de-rDE" to "Kein Medizinprodukt")
private const val LONGEST_WORD = 32 // what is longer has no place to break, such as a SHA-256

/** Whether everything can be read: in both languages, upright, on its side, on a small phone, in the largest font. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(application = TestApplication::class, sdk = [35])
class LayoutTest {
    @After
    fun reset() = TestApplication.reset()

    @Test
    fun `nothing is cut, covered or out of reach, and the notice is in sight, on every page and in every state`() {
        var looked = 0
        // German is the longer one: where it has room, English has
        val all = WINDOWS.map { "de-rDE" to it } + ("en" to WINDOWS.first())
        for ((language, window) in all) for (scale in FONT_SCALES) {
            onReadyScreen("$language-$window-notnight", scale) {
                inEveryState(measure = window == SMALL && scale == FONT_SCALES.last()) { state ->
                    val problems = unreadable(MOST_NEEDED.getValue(language))
                    assertEquals("$language $window font $scale, $state", emptyList<String>(), problems)
                    looked++
                }
            }
        }
        note("windows, fonts, languages and states in which all can be read", looked)
    }

    @Test
    fun `what is new is in sight, wherever its button was scrolled to, and a page opens at its beginning`() {
        for (window in WINDOWS) for (scale in FONT_SCALES) {
            onReadyScreen("de-rDE-$window-notnight", scale) {
                for (decision in Decision.values()) {
                    scrollTo(R.id.show_latency)
                    judge(decision)
                    assertInSight(R.id.decision_word, "$window font $scale")
                }
                scrollTo(R.id.show_latency)
                pick { given("golden").resolve("pictures/refused_rgb16.png").inputStream() }
                assertInSight(R.id.trouble_words, "$window font $scale")
                scrollTo(R.id.show_card)
                click(R.id.show_card)
                laidOut()
                assertEquals("$window font $scale: the card", 0, view<ScrollView>(R.id.scroll).scrollY)
                if (window != SMALL || scale != FONT_SCALES.last()) return@onReadyScreen
                click(R.id.back)
                click(R.id.show_latency)
                scrollTo(R.id.measure)
                click(R.id.measure)
                assertInSight(R.id.latency_progress, "$window font $scale")
            }
        }
    }

    @Test
    fun `the screens of the README, on their side and in large text`() {
        onReadyScreen("de-rDE-$LANDSCAPE-night", 1f) {
            judge(Decision.UNCERTAIN)
            save("landscape-dark-de")
        }
        onReadyScreen("de-rDE-$LANDSCAPE-notnight", 2f) {
            judge(Decision.REFER)
            save("landscape-large-de")
        }
        onReadyScreen("de-rDE-$SMALL-notnight", 2f) {
            judge(Decision.REFER)
            save("small-large-de")
        }
    }

    /** What of the text shown cannot be read whole. */
    private fun Screen.unreadable(mostNeeded: String): List<String> {
        laidOut()
        val window = activity.window.decorView
        val notice = view<TextView>(R.id.notice)
        val frame = notice.parent.parent as View
        val line = notice.layout.getLineForOffset(notice.text.indexOf(mostNeeded) + mostNeeded.length)
        val needed = notice.top + notice.totalPaddingTop + notice.layout.getLineBottom(line)
        val problems = mutableListOf<String>()
        if (!isInSight(frame)) problems += "the notice is out of sight"
        if (frame.height < needed) problems += "'$mostNeeded' is not in sight"
        if (frame.height > window.height * 0.4) problems += "the notice takes ${frame.height} of ${window.height}"
        for (one in shown(window)) {
            if (one is TextView && one.text.isNotEmpty()) problems += cut(one)
            if (one is ViewGroup && one !is ScrollView) problems += covered(one)
            if (one is ScrollView && one.getChildAt(0).width > one.width) problems += "$one holds what is wider"
        }
        return problems
    }

    private fun cut(one: TextView): List<String> {
        val layout = checkNotNull(one.layout) { "${one.text}: is not laid out" }
        val width = one.width - one.compoundPaddingLeft - one.compoundPaddingRight
        val height = one.height - one.compoundPaddingTop - one.compoundPaddingBottom
        val lines = 0 until layout.lineCount
        val isCut = layout.height > height ||
            lines.any { layout.getEllipsisCount(it) > 0 || layout.getLineMax(it) > width + 1 }
        val broken = (1 until layout.lineCount).filter { layout.getEndHyphenEdit(it - 1) == 0 }
            .map(layout::getLineStart).filter { isInWord(one.text, it) }
        return listOf("cut: ${one.text}").filter { isCut } + broken.map { "broken in a word at $it: ${one.text}" }
    }

    /** Would a line that begins here, after one without a hyphen, begin in the middle of a word? */
    private fun isInWord(text: CharSequence, at: Int): Boolean {
        if (!text[at - 1].isLetterOrDigit() || !text[at].isLetterOrDigit()) return false
        val before = text.substring(0, at).takeLastWhile { !it.isWhitespace() }
        val after = text.substring(at).takeWhile { !it.isWhitespace() }
        return before.length + after.length <= LONGEST_WORD
    }

    private fun covered(group: ViewGroup): List<String> {
        val children = children(group).filter { it.isShown }
        val places = children.map { Rect(it.left, it.top, it.right, it.bottom) }
        val all = Rect(0, 0, group.width, group.height)
        val outside = children.indices.filter { !all.contains(places[it]) }.map { "${children[it]} is not in $group" }
        return outside + children.indices.flatMap { i ->
            val under = (0 until i).filter { Rect.intersects(places[i], places[it]) }
            under.map { "${children[i]} covers ${children[it]}" }
        }
    }

    private fun Screen.assertInSight(id: Int, where: String) {
        laidOut()
        val name = activity.resources.getResourceEntryName(id)
        assertTrue("$where: $name is not in sight", isInSight(view(id)))
    }

    /** Where a person has scrolled and put the focus to press this button. */
    private fun Screen.scrollTo(id: Int) {
        button(id).requestFocus()
        view<ScrollView>(R.id.scroll).fullScroll(View.FOCUS_DOWN)
        laidOut()
    }
}
