package edgemelanoma.app.page

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
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
