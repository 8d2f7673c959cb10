"""The tables of a parity page: decisions, pictures, subgroups, and what the output can say."""

from __future__ import annotations

from edge_melanoma.decision import DECISIONS, Decision
from edge_melanoma.evaluation.subgroups import FEWEST, TITLES
from edge_melanoma.parity.gate import MINUS, points, share, signed
from edge_melanoma.parity.report import ParityReport
from edge_melanoma.parity.view import Change, SubgroupChange, ViewResult
from edge_melanoma.report import Cell, Page

_MOST_FLIPS = 20  # shown unfolded
_TITLES = {
    "auc": "ROC-AUC",
    "pauc80": "pAUC80",
    "sensitivity": "sensitivity of refer",
    "specificity": "specificity of refer",
    "ece": "calibration error (ECE)",
}


def add_decisions(page: Page, report: ParityReport) -> None:
    """Who went from which answer to which, and every figure before and after."""
    noun = report.facts.positive_name
    page.heading("Decisions")
    page.paragraph(
        f"Rows are the answers before, columns those after; the first number counts {noun}s, the second the rest."
    )
    with page.columns():
        for name, view in report.views.items():
            rows: list[list[Cell]] = [
                [f"`{before}`", *(_crossing(view, before, after) for after in DECISIONS)] for before in DECISIONS
            ]
            page.table(["", *(f"`{after}`" for after in DECISIONS)], rows, caption=name)
    _add_figures(page, report)
    _add_lesions(page, report)
    refitted = report.views["refitted"]
    page.paragraph(
        "McNemar's test on who is right, as it ships, by whole patients (else lesions): "
        f"{refitted.mcnemar.only_first:,} right before only, "
        f"{refitted.mcnemar.only_second:,} right after only, p = {refitted.mcnemar.p:.3g}. DeLong's interval of the "
        f"AUC's change, which shares nothing with the bootstrap: {signed(refitted.delong.value)} "
        f"({signed(refitted.delong.low)} to {signed(refitted.delong.high)})."
    )


def _add_figures(page: Page, report: ParityReport) -> None:
    rows: list[list[Cell]] = []
    for name, title in _TITLES.items():
        changes = [getattr(view, name) for view in report.views.values()]
        cells: list[Cell] = [title, f"{changes[0].before:.4f}"]
        for change in changes:
            cells += [f"{change.after:.4f}", signed(change.difference) + interval(change)]
        rows.append(cells)
    headers = ["", "before", *(header for name in report.views for header in (name, "change"))]
    page.table(headers, rows, caption="By picture")


def _add_lesions(page: Page, report: ParityReport) -> None:
    rows: list[list[Cell]] = []
    for name, view in report.views.items():
        lesion = view.lesion
        if lesion is None:
            return
        rows.append(
            [
                name,
                lesion.lesions,
                signed(lesion.auc.difference) + interval(lesion.auc),
                f"{lesion.found.before:,} → {lesion.found.after:,} of {lesion.found.positives:,}",
                f"{lesion.flips.successes:,} ({share(lesion.flips.value, 2)})",
                lesion.refer_flips.successes,
            ]
        )
    noun = report.facts.positive_name
    headers = ["", "lesions", "change of ROC-AUC", f"{noun}s referred", "changed decisions", "into or out of refer"]
    page.table(headers, rows, caption="By lesion, from the mean logits of its pictures; shown, not judged")


def add_flips(page: Page, report: ParityReport) -> None:
    """Every picture whose decision changed, with its id."""
    page.heading("Pictures that changed their answer")
    page.paragraph(
        f"{report.facts.positive_name.capitalize()}s first, then the greatest changes of the score. The distance is "
        "that of the score before from the nearest threshold, in log-odds: a flip near it is a rounding, one far from "
        "any threshold a fault."
    )
    headers = ["picture", "lesion", "diagnosis", "probability before", "after", "decision", "distance"]
    for name, view in report.views.items():
        page.heading(f"{name} ({len(view.flips):,})", level=3)
        rows: list[list[Cell]] = [
            [
                flip.image_id,
                flip.lesion_id,
                flip.dx,
                shown(flip.p_before),
                shown(flip.p_after),
                f"{flip.before} → {flip.after}",
                f"{flip.distance:.3f}",
            ]
            for flip in view.flips
        ]
        if not rows:
            page.paragraph("None.")
            continue
        page.table(headers, rows[:_MOST_FLIPS])
        if len(rows) > _MOST_FLIPS:
            with page.details(f"{len(rows) - _MOST_FLIPS:,} more"):
                page.table(headers, rows[_MOST_FLIPS:])


def add_subgroups(page: Page, report: ParityReport) -> None:
    """Whom the change hits."""
    page.heading("Subgroups")
    noun = report.facts.positive_name
    page.paragraph(
        f"A conversion can harm one group and spare the rest. Groups with fewer than {FEWEST} {noun}s, and what is not "
        "told, are counted and not judged. The worst of many groups looks bad by chance alone."
    )
    rows: list[list[Cell]] = []
    for frozen, refitted in zip(report.views["frozen"].subgroups, report.views["refitted"].subgroups, strict=True):
        cells: list[Cell] = [TITLES[frozen.attribute], frozen.value, frozen.rows, frozen.found.positives]
        for group in (frozen, refitted):
            cells += [_lost(group), share(group.flips / group.rows)]
        rows.append([*cells, "yes" if frozen.judged else "no"])
    if not rows:
        page.paragraph("The index tells nothing that would make subgroups.")
        return
    headers = ["", "group", "pictures", f"{noun}s"]
    headers += [f"{name}: {what}" for name in report.views for what in ("sensitivity", "flips")]
    caption = "Change of the sensitivity of refer, with the cases lost and gained, and changed decisions"
    page.table([*headers, "judged"], rows, caption=caption)


def add_output(page: Page, report: ParityReport) -> None:
    """What the output can say, and how far the logits moved."""
    page.heading("The output")
    output, levels, moved = report.output, report.facts.levels, report.logits
    kind = f"`{output.dtype}`"
    if output.scale is not None:
        low, high = output.span
        kind += f", scale {output.scale:.5g}, zero point {output.zero_point}: logits from {low:.3g} to {high:.3g}"
    page.items(
        [
            f"{kind}; {levels.seen:,} distinct values seen among {levels.values:,}.",
            f"Logits moved by {moved.mean:.3g} on average, by more than {moved.p99:.3g} for one in a hundred, by "
            f"{moved.largest:.3g} at most; {share(moved.same_class, 2)} of the pictures keep their highest class.",
            *(
                f"{row.title.capitalize()}, {name}: {row.findings[name].words}."
                for row in report.rows
                if row.name in ("threshold_inside", "step")
                for name in report.views
            ),
        ]
    )


def interval(change: Change) -> str:
    """The interval of a change in brackets, where there is one."""
    return "" if change.low is None or change.high is None else f" ({signed(change.low)} to {signed(change.high)})"


def shown(p: float) -> str:
    """A probability in per cent."""
    return f"{100 * p:.3g} %"


def _crossing(view: ViewResult, before: Decision, after: Decision) -> str:
    positives, negatives = view.crossings[before, after]
    return f"{positives:,} / {negatives:,}"


def _lost(group: SubgroupChange) -> str:
    found = group.found
    if not found.positives:
        return "–"
    cases = f" ({MINUS}{found.lost}, +{found.gained})" if found.lost or found.gained else ""
    return points(found.change) + cases
