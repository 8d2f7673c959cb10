package edgemelanoma.app.page

import android.content.Context
import android.util.AttributeSet
import android.widget.ScrollView

private const val MOST_OF_WINDOW = 0.4

/** A frame that grows with its text up to two fifths of the window, and scrolls beyond: large text must leave room. */
class NoticeFrame(context: Context, attributes: AttributeSet?) : ScrollView(context, attributes) {
    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val most = (MeasureSpec.getSize(heightMeasureSpec) * MOST_OF_WINDOW).toInt()
        super.onMeasure(widthMeasureSpec, MeasureSpec.makeMeasureSpec(most, MeasureSpec.AT_MOST))
    }
}
