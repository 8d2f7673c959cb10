package edgemelanoma.app.page

import android.view.View
import android.widget.Button
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.TextView
import edgemelanoma.app.Judging
import edgemelanoma.app.Opening
import edgemelanoma.app.R
import edgemelanoma.app.Session
import edgemelanoma.app.model.Ready
import edgemelanoma.app.picture.Decoding
import edgemelanoma.core.capture.Reason

private const val ROOM_FOR_WORD_DP = 200

/** The page that takes a picture and shows what the model makes of it. */
class PicturePage(private val root: View, private val session: Session) {
    private val resources = root.resources

    /** Shows what the session holds. */
    fun show() {
        val opening = session.opening
        showProgress(opening)
        showTrouble(opening)
        val ready = (opening as? Opening.Done)?.ready
        showChecks(ready)
        val answer = session.judging as? Judging.Answered
        // filled before it is shown, and announced after that: a screen reader hears of what changes in sight
        if (answer != null && ready != null) showAnswer(answer, ready)
        root.part<View>(R.id.result).visible = answer != null && ready != null
        announce(answer)
        for (act in listOf(R.id.take, R.id.pick, R.id.show_latency)) {
            root.part<Button>(act).isEnabled = ready != null && !session.busy
        }
        root.part<Button>(R.id.show_card).isEnabled = ready != null
        root.part<Button>(R.id.take).apply {
            val refused = opening is Opening.Refused
            isEnabled = isEnabled || refused
            setText(if (refused) R.string.try_again else R.string.take_picture)
        }
    }

    private fun showProgress(opening: Opening) {
        val words = when {
            opening is Opening.Running && opening.pictures == 0 -> resources.getString(R.string.opening)
            opening is Opening.Running -> resources.getString(R.string.testing, opening.pictures)
            session.judging is Judging.Running -> resources.getString(R.string.deciding)
            else -> null
        }
        root.part<View>(R.id.progress).visible = words != null
        root.part<TextView>(R.id.progress_words).say(words)
    }

    private fun showTrouble(opening: Opening) {
        val words = when (opening) {
            is Opening.Refused -> listOfNotNull(
                resources.getString(opening.words),
                opening.detail?.let { resources.getString(R.string.self_test_failed, it) },
            ).joinToString("\n\n")
            else -> (session.judging as? Judging.Refused)?.let { resources.getString(it.words) }
        }
        root.part<View>(R.id.trouble).visible = words != null
        root.part<TextView>(R.id.trouble_words).say(words)
    }

    private fun showChecks(ready: Ready?) {
        root.part<TextView>(R.id.self_test).apply {
            visible = ready != null
            val test = ready?.selfTest ?: return@apply
            text = resources.getString(R.string.self_test_passed, test.pictures, test.differing, ready.engine.name)
        }
        root.part<TextView>(R.id.decode_check).apply {
            visible = ready != null
            text = when (val decoding = ready?.decoding) {
                null -> null
                Decoding.Equal -> resources.getString(R.string.decode_equal)
                is Decoding.Close -> resources.getString(R.string.decode_close, decoding.levels)
                Decoding.Other -> resources.getString(R.string.decode_other)
            }
        }
    }

    private fun showAnswer(answer: Judging.Answered, ready: Ready) {
        val prediction = answer.prediction
        val rule = ready.bundle.manifest.rule
        val shown = Shown.of(prediction.decision)
        root.part<ImageView>(R.id.decision_shape).setImageResource(shown.shape)
        root.part<LinearLayout>(R.id.decision_row).orientation =
            if (isNarrow()) LinearLayout.VERTICAL else LinearLayout.HORIZONTAL
        root.part<TextView>(R.id.decision_word).apply {
            say(resources.getString(shown.word))
            setTextColor(context.getColor(shown.colour))
        }
        root.part<TextView>(R.id.decision_meaning).say(resources.getString(shown.meaning))
        root.part<View>(R.id.reasons_heading).visible = prediction.reasons.isNotEmpty()
        root.part<TextView>(R.id.reasons).apply {
            visible = prediction.reasons.isNotEmpty()
            text = prediction.reasons.joinToString("\n") { "•  ${resources.getString(words(it))}" }
        }
        val limits = listOf(rule.thresholdLow, rule.thresholdRefer).map { it.value }
        val probability = percentApart(prediction.probability, limits)
        val unfit = prediction.reasons.any { it != Reason.BETWEEN }
        val said = if (unfit) R.string.probability_not_judged else R.string.probability
        root.part<TextView>(R.id.probability).text = resources.getString(said, probability)
        root.part<TextView>(R.id.probability_meaning).apply {
            visible = !unfit
            text = resources.getString(
                R.string.probability_meaning,
                percent(rule.priorDeploy),
                percent(rule.thresholdLow.value),
                percent(rule.thresholdRefer.value),
            )
        }
        root.part<ImageView>(R.id.seen).setImageBitmap(answer.seen)
    }

    /** Lets a screen reader say a decision, once: it hears of this description when it changes, and of nothing else. */
    private fun announce(answer: Judging.Answered?) {
        root.part<View>(R.id.decision_word).contentDescription = answer?.let {
            val shown = Shown.of(it.prediction.decision)
            "${resources.getString(shown.word)}. ${resources.getString(shown.meaning)}"
        }
    }

    /** Is there no room for the longest word of a decision beside its shape? */
    private fun isNarrow(): Boolean {
        val configuration = resources.configuration
        return configuration.screenWidthDp < ROOM_FOR_WORD_DP * configuration.fontScale
    }
}
