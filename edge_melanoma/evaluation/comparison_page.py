"""A comparison as HTML, Markdown and JSON: one table, the differences to the first, and what each model costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_melanoma.evaluation import drawings
from edge_melanoma.evaluation.comparing import COSTS, Comparison, Standing
from edge_melanoma.evaluation.rows import OUT_OF_FOLD
from edge_melanoma.evaluation.words import whole
from edge_melanoma.metrics import Estimate, McNemar, Rate
from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER
from edge_melanoma.output import new_folder, write_file, write_json
from edge_melanoma.plots import require_matplotlib
from edge_melanoma.report import Cell, Page, markdown_table

KIND = "comparison"
RESULT_FILE, MARKDOWN_FILE, PAGE_FILE = "compare.json", "compare.md", "index.html"
TITLES = {
    "roc_auc": "ROC-AUC",
    "pauc80": "pAUC80",
    "average_precision": "average precision",
    "se_at_sp90": "Se at Sp 90 %",
    "classes.balanced_accuracy": "balanced accuracy, all classes",
    "refer.sensitivity": "sensitivity of refer",
    "refer.specificity": "specificity of refer",
    "brier": "Brier score (lower is better)",
}


def write_comparison(comparison: Comparison, out: Path, *, force: bool = False) -> None:
    """Write the comparison to a folder of its own."""
    require_matplotlib()
    with new_folder(out, kind=KIND, force=force) as (draft, about):
        write_json(draft / RESULT_FILE, {"notice": NOTICE, **comparison.to_json()})
        write_file(draft / MARKDOWN_FILE, to_markdown(comparison))
        write_file(draft / PAGE_FILE, draw(comparison))
        about.update(
            {"task": comparison.task, "split": comparison.split, "rows": comparison.rows, "seed": comparison.seed}
        )


def to_markdown(comparison: Comparison) -> str:
    """The tables, for a README or a pull request."""
    failures = [f"**Fail.** {text}." for text in comparison.failures]
    parts = [f"# {_title(comparison)}", *failures, _in_short(comparison)]
    if comparison.synthetic:
        parts.insert(1, f"**{SYNTHETIC_BANNER}**")
    parts.append(markdown_table(*_metric_table(comparison)))
    parts += [text for text in (_without_rule(comparison),) if text]
    parts.append("Differences to the first, under the same draws:")
    parts.append(markdown_table(*_difference_table(comparison)))
    costs = _cost_table(comparison)
    if costs:
        parts.append(markdown_table(*costs))
    return "\n\n".join(part.rstrip("\n") for part in (*parts, NOTICE)) + "\n"


def draw(comparison: Comparison) -> str:
    """The page as HTML."""
    first = comparison.standings[0]
    page = Page(_title(comparison), synthetic=comparison.synthetic, lead=_in_short(comparison))
    for text in comparison.failures:
        page.note(f"{text}.", tone="fail")
    page.heading("Side by side")
    aucs = [(standing.name, standing.metrics["roc_auc"]) for standing in comparison.standings]
    reference = first.metrics["roc_auc"].value
    png = drawings.forest(aucs, label="ROC-AUC, interval", reference=reference, synthetic=comparison.synthetic)
    page.plot(png, alt="the AUC of each model with its interval; a dashed line at the first")
    page.table(*_metric_table(comparison))
    if lacking := _without_rule(comparison):
        page.note(lacking, tone="warn")
    page.heading("Differences to the first")
    page.paragraph(
        f"Each model less `{first.name}`. Both are measured under the same draws, so these intervals are narrower than "
        "those above: two models can differ clearly although their own intervals overlap. An interval that holds 0 is "
        "no proof that they are equal."
    )
    page.table(*_difference_table(comparison))
    mcnemar = (
        " McNemar: the same for the number of right decisions, from the pictures on which exactly one of the two is "
        "right, whole patients (else lesions) taken together; each model decides by its own threshold."
        if any(standing.mcnemar for standing in comparison.standings)
        else ""
    )
    page.paragraph(
        f"DeLong: the chance of so large a difference in AUC between equal models.{mcnemar} The p-values are not "
        "corrected for the number of models."
    )
    _add_costs(page, comparison)
    with page.details("How it was measured"):
        page.paragraph(
            f"{comparison.rounds:,} bootstrap rounds that draw {comparison.groups:,} whole patients (else lesions), "
            f"apart for each class, the same for all models; {round(100 * comparison.level)} % percentile intervals; "
            "for sensitivity and specificity, Wilson's over as many independent pictures as the groups are worth; "
            f"seed {comparison.seed}. Every number is in `{RESULT_FILE}`, the tables also in `{MARKDOWN_FILE}`."
        )
    return page.to_html()


def _add_costs(page: Page, comparison: Comparison) -> None:
    costs = _cost_table(comparison)
    if costs is None:
        return
    page.heading("What they cost")
    page.paragraph("The grey line joins the models that no cheaper one beats.")
    page.table(*costs)
    with page.columns():
        for key in ("macs", "size_bytes"):
            known = {
                s.name: (float(s.model[key]), s.metrics["roc_auc"]) for s in comparison.standings if s.model.get(key)
            }
            if len(known) > 1:
                label = f"{COSTS[key]}, logarithmic"
                png = drawings.scatter(known, label=label, synthetic=comparison.synthetic, frontier=frontier(known))
                page.plot(png, alt=f"AUC against {COSTS[key]}")


def frontier(points: dict[str, tuple[float, Estimate | Rate]]) -> list[str]:
    """The models that none of at most the same cost is better than (Pareto)."""
    kept: list[str] = []
    best = float("-inf")
    for name in sorted(points, key=lambda n: (points[n][0], -points[n][1].value)):
        if points[name][1].value > best:
            kept.append(name)
            best = points[name][1].value
    return kept


def _title(comparison: Comparison) -> str:
    where = "out-of-fold predictions" if comparison.split == OUT_OF_FOLD else f"the {comparison.split} part"
    return f"{len(comparison.standings)} models on {where}"


def _in_short(comparison: Comparison) -> str:
    left = f" {comparison.left_out:,} pictures that not all of them have are left out." if comparison.left_out else ""
    return (
        f"Task `{comparison.task}`, the same {comparison.rows:,} pictures for all, {comparison.positives:,} of them "
        f"positive.{left}"
    )


def _metric_table(comparison: Comparison) -> tuple[list[str], list[list[Cell]]]:
    standings = comparison.standings
    rows: list[list[Cell]] = [
        [TITLES[name], *(whole(standing.metrics.get(name)) for standing in standings)] for name in _shown(standings)
    ]
    return ["", *(standing.name for standing in standings)], rows


def _difference_table(comparison: Comparison) -> tuple[list[str], list[list[Cell]]]:
    others = comparison.standings[1:]
    rows: list[list[Cell]] = [
        [f"Δ {TITLES[name]}", *(whole(standing.differences.get(name)) for standing in others)]
        for name in _shown(comparison.standings)
        if any(name in standing.differences for standing in others)
    ]
    rows.append(["DeLong, AUC: p", *("–" if s.delong is None else _p(s.delong.p) for s in others)])
    if any(standing.mcnemar for standing in others):
        rows.append(["McNemar, decisions: p (only it right : only the first)", *(_test(s.mcnemar) for s in others)])
        rows.append(["McNemar, decisions on positives", *(_test(s.mcnemar_positive) for s in others)])
    return ["", *(standing.name for standing in others)], rows


def _without_rule(comparison: Comparison) -> str:
    """Who decides nothing, so that its decisions cannot be compared; empty where all do."""
    names = [f"`{s.name}`" for s in comparison.standings if "refer.sensitivity" not in s.metrics]
    if not names:
        return ""
    return f"{' and '.join(names)}: no decision rule, so decisions and probabilities are not compared with it."


def _test(found: McNemar | None) -> str:
    return "–" if found is None else f"{_p(found.p)} ({found.only_first} : {found.only_second})"


def _cost_table(comparison: Comparison) -> tuple[list[str], list[list[Cell]]] | None:
    there = [key for key in COSTS if any(standing.model.get(key) for standing in comparison.standings)]
    if not there:
        return None
    rows: list[list[Cell]] = [
        [s.name, whole(s.metrics["roc_auc"]), *(s.model.get(key) for key in there)] for s in comparison.standings
    ]
    return ["model", "ROC-AUC", *(COSTS[key] for key in there)], rows


def _shown(standings: Sequence[Standing]) -> list[str]:
    return [name for name in TITLES if any(name in standing.metrics for standing in standings)]


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"
