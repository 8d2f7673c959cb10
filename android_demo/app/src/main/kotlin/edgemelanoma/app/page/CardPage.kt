package edgemelanoma.app.page

import android.content.res.Resources
import android.view.View
import edgemelanoma.app.R
import edgemelanoma.core.bundle.Bundle
import edgemelanoma.core.bundle.Manifest
import edgemelanoma.core.decision.Interval
import edgemelanoma.core.decision.Threshold
import edgemelanoma.core.json.Json
import edgemelanoma.core.json.JsonNull
import edgemelanoma.core.json.JsonNumber
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.json.JsonText

/** The model card: what the bundle says of itself, read from its manifest. */
class CardPage(root: View) {
    private val resources: Resources = root.resources
    private val rows = Rows(root.part(R.id.rows))

    /** Shows the card of a bundle. */
    fun show(bundle: Bundle) {
        val manifest = bundle.manifest
        rows.row(R.string.card_in_english)
        rows.heading(R.string.card_model)
        val backbone = manifest.json.obj("model").text("backbone")
        rows.row("${manifest.modelName} · ${manifest.format} · $backbone · ${manifest.taskName}")
        rows.heading(R.string.card_use)
        rows.row(manifest.intendedUse)
        rows.heading(R.string.card_out_of_scope)
        rows.row(manifest.outOfScope)
        rows.heading(R.string.card_input)
        rows.row("${manifest.contract.width} × ${manifest.contract.height}, ${manifest.contract.geometry.word}")
        thresholds(manifest)
        metrics(manifest.json.obj("metrics"))
        gate(manifest.json.obj("gate"))
        data(manifest)
        rows.heading(R.string.card_identity)
        rows.rowToCopy(resources.getString(R.string.card_sha256, bundle.sha256))
    }

    private fun thresholds(manifest: Manifest) {
        val rule = manifest.rule
        rows.heading(R.string.card_thresholds)
        threshold(R.string.card_threshold_low, rule.thresholdLow)
        threshold(R.string.card_threshold_refer, rule.thresholdRefer)
        rows.row(R.string.card_prior, percent(rule.priorDeploy))
    }

    private fun threshold(words: Int, threshold: Threshold) {
        rows.row(words, percent(threshold.value), percent(threshold.low), percent(threshold.high), threshold.chosenFor)
        rows.row(R.string.card_threshold_did, span(threshold.sensitivity), span(threshold.specificity))
    }

    private fun metrics(metrics: JsonObject) {
        rows.heading(resources.getString(R.string.card_metrics, plain(metrics["pictures"]), plain(metrics["split"])))
        val kinds = listOf("converted" to R.string.card_metrics_converted, "float" to R.string.card_metrics_float)
        for ((key, words) in kinds) {
            val measures = metrics.members[key] as? JsonObject ?: continue
            val lines = measures.members.keys.sorted().map { measure(it, measures[it]) }
            rows.row("${resources.getString(words)}:\n${lines.joinToString("\n")}")
        }
    }

    /** A measure with its interval, where it has one. */
    private fun measure(name: String, value: Json): String {
        val interval = value as? JsonObject
        val ends = listOf("value", "low", "high").map { (interval?.members?.get(it) as? JsonNumber)?.text?.toDouble() }
        val (middle, low, high) = ends
        if (middle == null || low == null || high == null) return "$name ${plain(value)}"
        return "$name %.3f (%.3f – %.3f)".format(middle, low, high)
    }

    private fun gate(gate: JsonObject) {
        rows.heading(R.string.card_gate)
        for (row in gate.objects("rows")) {
            val passed = if (row.truth("passed")) R.string.card_gate_passed else R.string.card_gate_not_met
            val (asked, found) = listOf("asked", "found").map { plain(row[it]) }
            rows.row(R.string.card_gate_row, row.text("name"), asked, found, resources.getString(passed))
        }
    }

    private fun data(manifest: Manifest) {
        rows.heading(R.string.card_data)
        for (source in manifest.json.obj("data").objects("sources")) {
            val (modalities, licences) = listOf("modalities", "licences").map { source.texts(it).joinToString() }
            rows.row(R.string.card_data_row, source.text("name"), source.long("pictures"), modalities, licences)
        }
        val licence = manifest.json.obj("licence")
        rows.heading(R.string.card_licence)
        rows.row(licence.text("model"))
        if (manifest.commercial) rows.row(R.string.card_commercial)
        else rows.row(R.string.card_not_commercial, licence.texts("reasons").joinToString("; "))
    }

    private fun span(interval: Interval): String {
        val (value, low, high) = listOf(interval.value, interval.low, interval.high).map(::percent)
        return "$value ($low – $high)"
    }

    private fun plain(value: Json): String = when (value) {
        is JsonText -> value.value
        JsonNull -> "–"
        else -> value.canonical()
    }
}
