package edgemelanoma.app.page

import edgemelanoma.app.R
import edgemelanoma.core.BundleFault
import edgemelanoma.core.PictureFault
import edgemelanoma.core.capture.Reason
import edgemelanoma.core.decision.Decision
import java.text.NumberFormat

private const val MOST_DIGITS = 12
private const val NEARLY = 0.999

/** What a person reads of a picture that is not taken. */
fun words(fault: PictureFault): Int = when (fault) {
    PictureFault.UNREADABLE -> R.string.picture_unreadable
    PictureFault.EMPTY -> R.string.picture_empty
    PictureFault.FORMAT -> R.string.picture_format
    PictureFault.DAMAGED -> R.string.picture_damaged
    PictureFault.SIZE -> R.string.picture_size
    PictureFault.CMYK -> R.string.picture_cmyk
    PictureFault.SIXTEEN_BIT -> R.string.picture_sixteen_bit
    PictureFault.TRANSPARENT -> R.string.picture_transparent
    PictureFault.CODING -> R.string.picture_coding
}

/** What a person reads of a bundle that is not used. */
fun words(fault: BundleFault): Int = when (fault) {
    BundleFault.NO_BUNDLE -> R.string.bundle_no_bundle
    BundleFault.CUT -> R.string.bundle_cut
    BundleFault.TOO_LARGE -> R.string.bundle_too_large
    BundleFault.DAMAGED -> R.string.bundle_damaged
    BundleFault.EDITED -> R.string.bundle_edited
    BundleFault.NEWER -> R.string.bundle_newer
    BundleFault.OTHER_RESULTS -> R.string.bundle_other_results
}

/** Why a picture is not judged, and what to do about it. */
fun words(reason: Reason): Int = when (reason) {
    Reason.TOO_SMALL -> R.string.reason_too_small
    Reason.MOSTLY_BLACK -> R.string.reason_mostly_black
    Reason.TOO_DARK -> R.string.reason_too_dark
    Reason.TOO_BRIGHT -> R.string.reason_too_bright
    Reason.OVEREXPOSED -> R.string.reason_overexposed
    Reason.GLARE -> R.string.reason_glare
    Reason.BLURRED -> R.string.reason_blurred
    Reason.NOT_SKIN -> R.string.reason_not_skin
    Reason.NO_LESION -> R.string.reason_no_lesion
    Reason.LESION_TOO_SMALL -> R.string.reason_lesion_too_small
    Reason.LESION_TOO_LARGE -> R.string.reason_lesion_too_large
    Reason.OFF_CENTRE -> R.string.reason_off_centre
    Reason.SCATTERED -> R.string.reason_scattered
    Reason.BETWEEN -> R.string.reason_between
}

/** How a decision is shown: a word, a sentence, a shape, and last a colour. */
enum class Shown(val word: Int, val meaning: Int, val shape: Int, val colour: Int) {
    LOW(R.string.low, R.string.low_meaning, R.drawable.low, R.color.low),
    UNCERTAIN(R.string.uncertain, R.string.uncertain_meaning, R.drawable.uncertain, R.color.uncertain),
    REFER(R.string.refer, R.string.refer_meaning, R.drawable.refer, R.color.refer),
    ;

    companion object {
        /** How this decision is shown. */
        fun of(decision: Decision): Shown = when (decision) {
            Decision.LOW -> LOW
            Decision.UNCERTAIN -> UNCERTAIN
            Decision.REFER -> REFER
        }
    }
}

/** A share as the reader's language writes it; small ones keep their digits, because thresholds lie near 1 %. */
fun percent(share: Double): String = percent(share, if (share < 0.1) 2 else 1)

/** A share with as many digits as it takes to see on which side of the limits it lies; never a certain 0 or 1. */
fun percentApart(share: Double, limits: List<Double>): String {
    if (share > NEARLY && limits.all { it <= NEARLY }) return "> ${percent(NEARLY)}"
    if (share < 1 - NEARLY && limits.all { it >= 1 - NEARLY }) return "< ${percent(1 - NEARLY)}"
    return (1..MOST_DIGITS).map { digits -> percent(share, digits) to limits.map { percent(it, digits) } }
        .firstOrNull { (shown, others) -> limits.indices.none { others[it] == shown && limits[it] != share } }
        ?.first ?: percent(share, MOST_DIGITS)
}

private fun percent(share: Double, digits: Int): String =
    NumberFormat.getPercentInstance().apply { maximumFractionDigits = digits }.format(share)

/** Milliseconds with three digits that count. */
fun milliseconds(value: Double): String = NumberFormat.getNumberInstance().apply {
    maximumFractionDigits = if (value >= 100) 0 else if (value >= 10) 1 else if (value >= 1) 2 else 3
}.format(value)
