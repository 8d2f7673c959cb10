package edgemelanoma.app.page

import android.view.View
import android.widget.TextView
import edgemelanoma.app.R
import edgemelanoma.app.Session
import edgemelanoma.app.Timing
import edgemelanoma.app.bench.Device
import edgemelanoma.app.bench.Measurement
import edgemelanoma.app.bench.Series

/** The page that measures how long the model takes on this phone. */
class LatencyPage(private val root: View, private val session: Session) {
    private val resources = root.resources

    /** Shows what the session holds. */
    fun show() {
        val timing = session.timing
        root.keepScreenOn = timing is Timing.Running
        val said = when (timing) {
            is Timing.Running -> resources.getString(R.string.latency_progress, timing.step, timing.of)
            is Timing.Nothing -> timing.words?.let(resources::getString)
            is Timing.Done -> timing.words?.let(resources::getString)
        }
        root.part<TextView>(R.id.latency_progress).apply {
            visible = said != null
            say(said)
        }
        root.part<View>(R.id.measure).visible = timing !is Timing.Running
        root.part<View>(R.id.stop).visible = timing is Timing.Running
        root.part<View>(R.id.save).visible = timing is Timing.Done
        val rows = Rows(root.part(R.id.rows))
        if (timing is Timing.Done) show(timing.measurement, rows)
    }

    private fun show(found: Measurement, rows: Rows) {
        rows.heading(R.string.latency_model)
        show(found.model, rows)
        for (one in found.endToEnd) {
            rows.heading(resources.getString(R.string.latency_end_to_end, one.picture))
            show(one.series, rows)
            rows.row(one.stagesMs.entries.joinToString("\n") { (stage, ms) -> "$stage ${milliseconds(ms)} ms" })
        }
        rows.heading(R.string.latency_host)
        rows.row(host(found.device))
        found.device.marks.forEach { rows.row(it) }
    }

    private fun show(series: Series, rows: Rows) {
        val (p90, p99) = listOf(series.p90Ms, series.p99Ms).map {
            it?.let(::milliseconds) ?: resources.getString(R.string.latency_too_few)
        }
        rows.row(
            R.string.latency_series,
            milliseconds(series.p50Ms),
            p90,
            p99,
            series.queries,
            series.runs.size,
            series.threads,
        )
        rows.row(R.string.latency_warm_up, series.runs.maxOf { it.warmUpQueries })
        if (!series.settled) rows.row(R.string.latency_not_settled)
        if (!series.agrees) rows.row(R.string.latency_do_not_agree, percent(series.spread))
    }

    private fun host(device: Device): String {
        val machine = device.machine
        val seen = device.during
        val clock = seen.frequencyMhz?.let { "%.0f MHz".format(it) } ?: "clock unknown"
        return listOf(
            "${machine.board}, ${machine.cpu}, ${machine.architecture}, ${machine.cores} cores",
            machine.system,
            "${device.engine} ${device.engineVersion}",
            "governor ${seen.governor ?: "unknown"}, $clock, " +
                (seen.temperatureC?.let { "battery %.1f °C".format(it) } ?: "temperature unknown"),
        ).joinToString("\n")
    }
}
