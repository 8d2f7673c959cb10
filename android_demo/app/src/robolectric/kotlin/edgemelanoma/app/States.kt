package edgemelanoma.app

import android.graphics.Rect
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import edgemelanoma.core.decision.Decision
import org.robolectric.Shadows.shadowOf

/** Brings a ready app into each of its states, and acts there; the name says which it is. Measuring takes a while. */
fun Screen.inEveryState(measure: Boolean, act: (String) -> Unit) {
    act("empty")
    for (decision in Decision.values()) {
        judge(decision)
        act(decision.word)
    }
    pick { given("golden").resolve("pictures/refused_rgb16.png").inputStream() }
    act("refused")
    click(R.id.show_card)
    act("card")
    click(R.id.back)
    click(R.id.show_latency)
    act("latency")
    if (measure) {
        click(R.id.measure)
        act("measuring")
        await("the latency is measured") { session.timing !is Timing.Running }
        act("measured")
    }
    click(R.id.back)
}

/** Lets the window measure and place everything that has changed. */
fun Screen.laidOut() = shadowOf(Looper.getMainLooper()).idle()

/** A view and everything below it that takes part in the window, in the order of the tree. */
fun shown(view: View): List<View> = when {
    view.visibility != View.VISIBLE -> emptyList()
    view is ViewGroup -> listOf(view) + children(view).flatMap(::shown)
    else -> listOf(view)
}

fun children(group: ViewGroup): List<View> = List(group.childCount, group::getChildAt)

/** Is all of it on the screen now? */
fun isInSight(view: View): Boolean {
    val seen = Rect()
    return view.isShown && view.getGlobalVisibleRect(seen) && seen.height() == view.height && seen.width() == view.width
}
