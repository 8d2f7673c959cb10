package edgemelanoma.app.page

import android.graphics.Rect
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.ScrollView
import android.widget.TextView
import edgemelanoma.app.R

/** Headings and paragraphs below each other, as many as there are. */
class Rows(private val into: ViewGroup) {
    private val inflater = LayoutInflater.from(into.context)

    init {
        into.removeAllViews()
    }

    fun heading(words: Int) = heading(into.resources.getString(words))

    fun heading(words: String) = add(R.layout.row_heading, words)

    fun row(words: Int, vararg arguments: Any) = row(into.resources.getString(words, *arguments))

    fun row(words: String) = add(R.layout.row_words, words)

    fun rowToCopy(words: String) = add(R.layout.row_to_copy, words)

    private fun add(layout: Int, words: String) {
        val view = inflater.inflate(layout, into, false) as TextView
        view.text = words
        into.addView(view)
    }
}

/** A view of a layout that is known to hold it. */
internal fun <V : View> View.part(id: Int): V =
    checkNotNull(findViewById<V>(id)) { "no view ${resources.getResourceName(id)}" }

/** Is it there, or does it take no room? */
internal var View.visible: Boolean
    get() = visibility == View.VISIBLE
    set(value) {
        visibility = if (value) View.VISIBLE else View.GONE
    }

/** Sets words, where they are others: a screen reader reads a live one again each time that it is set. */
internal fun TextView.say(words: CharSequence?) {
    if (text.toString() != words?.toString().orEmpty()) text = words
}

/** Scrolls to a view as soon as it has its place; Android itself scrolls to what has the focus, often a button. */
internal fun ScrollView.bringIntoSight(wanted: View) {
    val scroll = this
    addOnLayoutChangeListener(object : View.OnLayoutChangeListener {
        override fun onLayoutChange(v: View, l: Int, t: Int, r: Int, b: Int, ol: Int, ot: Int, or: Int, ob: Int) {
            scroll.removeOnLayoutChangeListener(this)
            if (!wanted.isAttachedToWindow) return
            val place = Rect()
            scroll.offsetDescendantRectToMyCoords(wanted, place)
            scroll.scrollTo(0, place.top - (wanted.layoutParams as ViewGroup.MarginLayoutParams).topMargin)
        }
    })
    requestLayout()
}
