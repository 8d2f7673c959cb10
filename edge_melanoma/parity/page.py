"""The page of a parity report: the verdict first, then what it rests on, down to the pictures that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_melanoma.output import new_folder, write_file, write_json
from edge_melanoma.parity import drawings
from edge_melanoma.parity.gate import counted, share, signed
from edge_melanoma.parity.page_parts import add_decisions, add_flips, add_output, add_subgroups, interval, shown
from edge_melanoma.parity.report import VIEWS, ParityReport
from edge_melanoma.parity.view import ViewResult
from edge_melanoma.plots import require_matplotlib
from edge_melanoma.report import Cell, Page

KIND = "parity"
RESULT_FILE, MARKDOWN_FILE, PAGE_FILE = "parity.json", "parity.md", "index.html"


@dataclass(frozen=True, kw_only=True)
class Section:
    """What a caller adds to the page: the rungs of a ladder, the errors of layers."""

    heading: str
    paragraphs: Sequence[str] = ()
    headers: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    caption: str = ""
    plot: bytes | None = None  # PNG


def write_parity(report: ParityReport, out: Path, *, sections: Sequence[Section] = (), force: bool = False) -> None:
    """Write the report to a folder of its own: numbers, Markdown and the page."""
    require_matplotlib()
    with new_folder(out, kind=KIND, force=force) as (draft, about):
        write_json(draft / RESULT_FILE, report.to_json())
        write_file(draft / MARKDOWN_FILE, report.to_markdown())
        write_file(draft / PAGE_FILE, draw(report, sections=sections))
        about.update(
            {"task": report.task, "split": report.split, "passed": report.passed, "synthetic": report.synthetic}
        )


def draw(report: ParityReport, *, sections: Sequence[Section] = ()) -> str:
    """The page as HTML; `sections` come after the decisions."""
    page = Page(report.title, synthetic=report.synthetic, lead=_lead(report))
    _add_verdict(page, report)
    _add_gate(page, report)
    _add_plots(page, report)
    add_decisions(page, report)
    for section in sections:
        _add_section(page, section)
    add_flips(page, report)
    add_subgroups(page, report)
    add_output(page, report)
    _add_origin(page, report)
    return page.to_html()


def _lead(report: ParityReport) -> str:
    facts = report.facts
    return (
        f"Task `{report.task}`, {report.split} part: {counted(facts.rows, 'picture')} of {report.groups:,} patients or "
        f"lesions, {counted(facts.positives, facts.positive_name)}. The same pictures went through both."
    )


def _add_verdict(page: Page, report: ParityReport) -> None:
    verdict = report.verdict[:1].upper() + report.verdict[1:] + "."
    page.note(verdict, tone="pass" if report.passed else "fail")
    if report.failed_rows:
        page.items(
            [
                f"{row.title}{' (hard)' if row.hard else ''}: {row.found}, asked {row.asked}"
                for row in report.failed_rows
            ]
        )
    noun, frozen, refitted = report.facts.positive_name, report.views["frozen"], report.views["refitted"]
    page.figures(
        [
            (signed(refitted.auc.difference), "change of ROC-AUC" + interval(refitted.auc)),
            (_flipped(frozen), "decisions changed by the conversion alone"),
            (_flipped(refitted), "decisions changed as it ships"),
            (_net(frozen), f"{noun}s referred, net change by the conversion alone, of {frozen.found.positives:,}"),
            (_net(refitted), f"{noun}s referred, net change as it ships"),
            (f"{refitted.positives_moved('low'):,}", f"{noun}s that became `low` as it ships"),
        ]
    )
    for remark in report.remarks:
        page.note(remark.text[:1].upper() + remark.text[1:] + ".", tone=remark.tone)


def _add_gate(page: Page, report: ParityReport) -> None:
    page.heading("The gate")
    page.paragraph("Every check is looked at in two ways; a star marks the one that decides.")
    page.items([f"`{name}`: {words}." for name, words in VIEWS.items()])
    headers, rows = report.gate_table()
    page.table(headers, rows)
    with page.details("Every finding in words"):
        for name, words in VIEWS.items():
            page.heading(f"{name}: {words}", level=3)
            page.items([f"{row.title}: {row.findings[name].words}." for row in report.rows])


def _add_plots(page: Page, report: ParityReport) -> None:
    page.heading("What moved")
    page.paragraph(
        "Dashed lines are the thresholds: upright those of before, level those of after. Pictures in the upper left or "
        "lower right of a crossing changed their answer. Equal scores in level rows are the steps of a coarse output."
    )
    before, synthetic, level = report.before, report.synthetic, report.level
    after = {name: view.after for name, view in report.views.items()}
    with page.columns():
        for name, side in after.items():
            png = drawings.before_and_after(before, side, title=f"Scores, {name}", synthetic=synthetic)
            page.plot(png, alt=f"score after over score before, {name} view")
        page.plot(
            drawings.shifts(before, after["refitted"], title="How far scores move, refitted", synthetic=synthetic),
            alt="change of the score over the score before, refitted view",
        )
        limit = report.recipe.max_probability_change
        page.plot(
            drawings.probability_changes(before, after, limit=limit, synthetic=synthetic),
            alt="share of pictures whose probability moves further than a given amount",
        )
        page.plot(
            drawings.flips_by_distance(before, after, level=level, synthetic=synthetic),
            alt="share of changed decisions by distance from a threshold",
        )
        page.plot(
            drawings.reliability_before_and_after(
                {"before": before, "refitted": after["refitted"]}, level=level, synthetic=synthetic
            ),
            alt="said and observed share before and after",
        )


def _add_section(page: Page, section: Section) -> None:
    page.heading(section.heading)
    for text in section.paragraphs:
        page.paragraph(text)
    if section.rows:
        page.table(section.headers, section.rows, caption=section.caption)
    if section.plot is not None:
        page.plot(section.plot, alt=section.heading)


def _add_origin(page: Page, report: ParityReport) -> None:
    page.heading("How it was judged")
    drawn = (
        "A quick look: no bootstrap; DeLong's interval for the AUC, none for the partial AUC."
        if report.quick
        else f"{report.rounds:,} paired bootstrap rounds that draw whole patients, or lesions where patients are not "
        "known, apart for each class, the same for before and after; "
        f"{round(100 * report.level)} % percentile intervals, seed {report.seed}."
    )
    page.paragraph(
        f"{drawn} Rates of changed decisions: Wilson intervals over as many independent pictures as the groups are "
        "worth; changes of sensitivity and specificity: those of what was gained and lost, put together. "
        "Probabilities are for the prevalence of use; calibration is measured at that of the calibration part. "
        "Every number, and every picture that changed, is in the JSON beside this page."
    )
    if report.about:
        page.items([f"{name.replace('_', ' ')}: `{what}`" for name, what in report.about.items()])
    rows: list[list[Cell]] = []
    for name, rule in zip(("before, frozen", "refitted"), report.rules, strict=True):
        fitted = rule.fitted_on.get("split", "not told")
        low, refer = shown(rule.threshold_low.value), shown(rule.threshold_refer.value)
        rows.append([name, f"{rule.temperature.value:.3f}", low, refer, share(rule.prior_deploy, 2), str(fitted)])
    page.table(["rule", "temperature", "low below", "refer from", "prevalence of use", "fitted on"], rows)


def _flipped(view: ViewResult) -> str:
    return share(view.flip_rates["any change"].value, 2)


def _net(view: ViewResult) -> str:
    return signed(-view.found.net_lost, 0)
