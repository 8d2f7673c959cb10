"""A report for people: Markdown, and a page with plots that needs no library that a small device lacks."""

from __future__ import annotations

from collections.abc import Sequence

from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER
from edge_melanoma.report import Page, markdown_table

from .compare import Comparison
from .drawings import bars, stacks, traces
from .end_to_end import STAGES
from .result import Measurement, Report
from .stream import Series
from .telling import MEMORY, METHOD, host_rows, measured_rows, ms, operator_rows, overview, threads_in_words

CHANGES = ("device", "artefact", "figure", "before", "now", "ratio", "verdict", "remark")


class DrawnPage(Page):
    """The page, with drawings of our own."""

    def drawing(self, svg: str, *, caption: str = "") -> None:
        """An SVG that we made: its texts are escaped already."""
        text = f"<figcaption>{caption}</figcaption>" if caption else ""
        self._body.append(f'<figure><div class="scroll">{svg}</div>{text}</figure>')


def to_markdown(report: Report, comparison: Comparison | None = None) -> str:
    """Everything but the plots."""
    lines = [f"# {_title(report)}", ""]
    if report.synthetic:
        lines += [f"**{SYNTHETIC_BANNER}**", ""]
    lines += [markdown_table(*overview(report)), METHOD, "", MEMORY, ""]
    lines += [f"- **{failure.label}** gave no measurement: {failure.reason}" for failure in report.failures]
    if comparison is not None:
        lines += ["## Against the earlier report", "", markdown_table(CHANGES, change_rows(comparison))]
        lines += [f"- not in the earlier report: {told}" for told in comparison.left_out]
    for found in report.measurements:
        lines += ["", f"## {found.name} on {found.device.name}", ""]
        for rows in (host_rows(found.device, found.settings), measured_rows(found)):
            lines += [*(f"- **{what}**: {told}" for what, told in rows), ""]
        lines += [markdown_table(*operator_rows(found)), f"No times by operator: {found.anatomy.profile}."]
    return "\n".join([*lines, "", f"> {NOTICE}"]).rstrip() + "\n"


def to_html(report: Report, comparison: Comparison | None = None) -> str:
    """The page."""
    page = DrawnPage(_title(report), synthetic=report.synthetic, lead=_lead(report))
    for failure in report.failures:
        page.note(f"{failure.label} gave no measurement: {failure.reason}", tone="fail")
    page.heading("Side by side")
    page.table(*overview(report))
    page.drawing(
        _medians(report.measurements),
        caption="The model alone: bars to p50, marks at p90 (at the edge where that is far out).",
    )
    page.paragraph(METHOD)
    page.paragraph(MEMORY)
    if comparison is not None:
        _draw_comparison(page, comparison)
    for found in report.measurements:
        _draw_measurement(page, found)
    return page.to_html()


def _title(report: Report) -> str:
    names = sorted({found.name for found in report.measurements})
    devices = sorted({found.device.name for found in report.measurements})
    return f"{', '.join(names) or 'Nothing'} on {', '.join(devices) or 'no device'}"


def _lead(report: Report) -> str:
    marked = sum(bool(found.marks) for found in report.measurements)
    total = len(report.measurements)
    told = f"{marked} of {total} are marked: read why before you quote them." if marked else "None of them is marked."
    counted = "1 measurement" if total == 1 else f"{total} measurements, each"
    return f"{counted} of one artefact on one device. {told}"


def _medians(measurements: Sequence[Measurement]) -> str:
    several = len({found.device.name for found in measurements}) > 1
    rows = [
        (
            f"{found.name}, {found.device.name}" if several else found.name,
            found.model.p50_ms,
            found.model.p90_ms,
            p50_and_p90(found.model),
        )
        for found in measurements
    ]
    return bars(rows, title="Latency of the model alone, in milliseconds")


def p50_and_p90(series: Series) -> str:
    """What stands behind a bar."""
    return f"{ms(series.p50_ms)} ms (p90 {ms(series.p90_ms)})"


def _draw_comparison(page: DrawnPage, comparison: Comparison) -> None:
    page.heading("Against the earlier report")
    worse = len(comparison.regressions)
    told = f"{worse} of {len(comparison.changes)} figures are worse" if worse else "no figure is worse"
    page.note(told, tone="fail" if worse else "pass")
    page.table(CHANGES, change_rows(comparison))
    if comparison.left_out:
        page.items([f"not in the earlier report: {told}" for told in comparison.left_out])


def change_rows(comparison: Comparison) -> list[list[str]]:
    """Figure by figure."""
    return [
        [
            one.device,
            one.artefact,
            one.figure,
            ms(one.before),
            ms(one.now),
            f"{one.ratio:.3f}",
            f"WORSE by more than {one.tolerance:.0%}" if one.is_regression else "fine",
            one.remark,
        ]
        for one in comparison.changes
    ]


def _draw_measurement(page: DrawnPage, found: Measurement) -> None:
    page.heading(f"{found.name} on {found.device.name}")
    if found.marks:
        page.note("the latencies are marked: " + "; ".join(found.marks), tone="warn")
    if not found.parity_passed:
        page.note("this device does not give what was promised of the artefact", tone="fail")
    for warning in found.warnings:
        page.note(warning, tone="warn")
    page.table(["device", ""], host_rows(found.device, found.settings))
    page.table(["measured", ""], [row for row in measured_rows(found) if row[0] not in ("mark", "warning")])
    page.drawing(
        traces([run.trace_ms for run in found.model.runs], title=f"{found.name}: latency along the runs"),
        caption="Medians along each run of the model alone: a slope is heat, a step another program.",
    )
    if found.end_to_end:
        page.drawing(_stages(found), caption="From a picture file to a decision, stage by stage (medians).")
    if found.sweep:
        rows = [(_threads(one.threads, found), one.p50_ms, one.p90_ms, p50_and_p90(one)) for one in found.sweep]
        page.drawing(bars(rows, title=f"{found.name}: numbers of threads"), caption="The model alone by threads.")
    with page.details("Operators"):
        page.paragraph(f"No times by operator: {found.anatomy.profile}.")
        page.table(*operator_rows(found))


def _threads(number: int, found: Measurement) -> str:
    return threads_in_words(number) + (" (as predict)" if number == found.predict_threads else "")


def _stages(found: Measurement) -> str:
    names = _stage_names(found)
    rows = [
        (one.picture, [one.stages_ms.get(name, 0.0) for name in names], f"{ms(sum(one.stages_ms.values()))} ms")
        for one in found.end_to_end
    ]
    return stacks(rows, parts_named=names, title=f"{found.name}: stages from a picture to a decision")


def _stage_names(found: Measurement) -> list[str]:
    """In our order, then those that only another program tells apart, as the Android app does."""
    told = dict.fromkeys(name for one in found.end_to_end for name in one.stages_ms)
    return [*(name for name in STAGES if name in told), *(name for name in told if name not in STAGES)]
