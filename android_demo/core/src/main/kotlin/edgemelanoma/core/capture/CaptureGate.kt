package edgemelanoma.core.capture

import edgemelanoma.core.bundleEdited
import edgemelanoma.core.json.JsonObject

private const val GATE_VERSION = 1L

/** Why a picture is not judged; the app has the words for each. */
enum class Reason(val code: String) {
    TOO_SMALL("too_small"),
    MOSTLY_BLACK("mostly_black"),
    TOO_DARK("too_dark"),
    TOO_BRIGHT("too_bright"),
    OVEREXPOSED("overexposed"),
    GLARE("glare"),
    BLURRED("blurred"),
    NOT_SKIN("not_skin"),
    NO_LESION("no_lesion"),
    LESION_TOO_SMALL("lesion_too_small"),
    LESION_TOO_LARGE("lesion_too_large"),
    OFF_CENTRE("off_centre"),
    SCATTERED("scattered"),

    /** The picture is fit, and its probability lies between the thresholds. */
    BETWEEN("between"),
}

/** A limit for one measure, in the order in which reasons are given. */
private enum class Limit(val key: String, val reason: Reason, val measure: (CaptureMeasures) -> Double) {
    WIDTH("min_width_px", Reason.TOO_SMALL, { it.widthPx.toDouble() }),
    HEIGHT("min_height_px", Reason.TOO_SMALL, { it.heightPx.toDouble() }),
    BLACK("max_black_share", Reason.MOSTLY_BLACK, { it.blackShare }),
    DARK("min_mean_luma", Reason.TOO_DARK, { it.meanLuma }),
    BRIGHT("max_mean_luma", Reason.TOO_BRIGHT, { it.meanLuma }),
    CLIPPED("max_clipped_share", Reason.OVEREXPOSED, { it.clippedShare }),
    GLARE("max_glare_share", Reason.GLARE, { it.glareShare }),
    SHARPNESS("min_sharpness", Reason.BLURRED, { it.sharpness }),
    SKIN("min_skin_share", Reason.NOT_SKIN, { it.skinShare }),
    CONTRAST("min_contrast", Reason.NO_LESION, { it.contrast }),
    LESION_LEAST("min_lesion_share", Reason.LESION_TOO_SMALL, { it.lesionShare }),
    LESION_MOST("max_lesion_share", Reason.LESION_TOO_LARGE, { it.lesionShare }),
    CENTRE("min_centre_share", Reason.OFF_CENTRE, { it.centreShare }),
    SCATTER("max_scatter_share", Reason.SCATTERED, { it.scatterShare }),
    ;

    fun breaks(limit: Double, measures: CaptureMeasures): Boolean =
        if (key.startsWith("min_")) measure(measures) < limit else measure(measures) > limit
}

/** The capture gate that a bundle carries: what a picture has to be like before a model is asked about it. */
class CaptureGate private constructor(private val limits: Map<Limit, Double>) {
    /** Why the picture should not be judged, each reason once and in their order; none: it may be. */
    fun reasons(measures: CaptureMeasures): List<Reason> =
        Limit.values().filter { it.breaks(limits.getValue(it), measures) }.map { it.reason }.distinct()

    companion object {
        /** The gate in a manifest; every key must be there and none other. */
        fun fromJson(json: JsonObject): CaptureGate {
            json.requireVersion(GATE_VERSION)
            json.requireKeys("fitted_on", "limits", "version")
            json.obj("fitted_on")
            val limits = json.obj("limits")
            limits.requireKeys(*Limit.values().map { it.key }.toTypedArray())
            for (measure in listOf("mean_luma", "lesion_share")) {
                val (least, most) = listOf("min", "max").map { limit(limits, "${it}_$measure") }
                if (least > most) throw bundleEdited("${limits.where}: $measure from $least to $most takes nothing")
            }
            return CaptureGate(Limit.values().associateWith { limit(limits, it.key) })
        }

        private fun limit(limits: JsonObject, key: String): Double {
            val value = if (key.endsWith("_px")) limits.long(key).toDouble() else limits.double(key)
            if (value < 0 || key.endsWith("_share") && value > 1) throw bundleEdited("${limits.where}: $key is $value")
            return value
        }
    }
}
