"""The parts of the page that ask for whom the model works, and whether it needs the pictures at all."""

from __future__ import annotations

from edge_melanoma.evaluation import drawings
from edge_melanoma.evaluation.result import Evaluation
from edge_melanoma.evaluation.subgroups import ESTIMATED_TONE, FEWEST, TITLES, Subgroup
from edge_melanoma.evaluation.tone import REMARK as ABOUT_TONE
from edge_melanoma.metrics import Estimate, Rate
from edge_melanoma.report import Cell, Page


def add_subgroups(page: Page, evaluation: Evaluation) -> None:
    """A forest of each figure, and the table."""
    page.heading("Subgroups")
    if not evaluation.subgroups:
        page.paragraph("The index tells nothing that would make subgroups: no age, sex, site, tone or centre.")
        return
    page.paragraph(
        f"Groups with fewer than {FEWEST} positives are counted and not measured. The worst of many groups looks bad "
        "by chance alone: look at the interval before believing in a gap."
    )
    worst = evaluation.worst
    if worst is not None and worst.group.sensitivity is not None:
        page.paragraph(
            f"Of {worst.compared} groups of people, the fewest positives are found for {TITLES[worst.group.attribute]} "
            f"{worst.group.value}: sensitivity {worst.group.sensitivity}, {worst.gap:.3f} below that of all."
        )
    if evaluation.histology is not None:
        page.paragraph(
            f"Confirmed by histology only: AUC {evaluation.histology}. Nevi that were merely followed up are easy and "
            "flatter every other figure on this page; this one is nearer to what a clinic sees."
        )
    if any(group.attribute == ESTIMATED_TONE for group in evaluation.subgroups):
        page.paragraph(
            f"{ABOUT_TONE[:1].upper()}{ABOUT_TONE[1:]}. Each class is one of ITA = atan2(L* − 50, b*), median over the "
            "skin along the border: above 55° very light, 41° light, 28° intermediate, 10° tan, −30° brown, else dark. "
            "`not told`: too little skin is seen, or it looks bluer than any skin is."
        )
    _add_forests(page, evaluation)
    rows: list[list[Cell]] = [
        [TITLES[g.attribute], g.value, g.rows, g.positives, _cell(g.auc), _cell(g.sensitivity), _cell(g.specificity)]
        for g in evaluation.subgroups
    ]
    headers = ["", "group", "pictures", "positive", "AUC", "sensitivity of refer", "specificity of refer"]
    with page.details("All subgroups in numbers"):
        page.table(headers, rows)


def add_baseline(page: Page, evaluation: Evaluation) -> None:
    """What is told without a pixel, beside the model."""
    baseline = evaluation.baseline
    if baseline is None:
        return
    page.heading("Without a pixel")
    if baseline.best is None:
        page.paragraph("What can be told without the picture cannot be measured here.")
    else:
        auc = evaluation.image.metrics["roc_auc"]
        page.paragraph(
            f"Trees that see no picture, only {baseline.best}, reach an AUC of {baseline.auc[baseline.best]} on these "
            f"very rows; the model reaches {auc}. Its lead is {baseline.difference}, both measured under the same "
            "draws. A model can also read the centre off a picture: a lead alone does not prove that it looks at skin."
        )
        rows: list[tuple[str, Estimate | Rate | None]] = [("all: the model", auc)]
        rows += [(inputs, estimate) for inputs, estimate in baseline.auc.items()]
        png = drawings.forest(rows, label="AUC and interval", reference=0.5, synthetic=evaluation.synthetic)
        page.plot(png, alt="the AUC of the model and of each set of inputs without pixels")
    page.items([f"No AUC from {inputs}: {reason}." for inputs, reason in baseline.why_not.items()])


def _add_forests(page: Page, evaluation: Evaluation) -> None:
    image, groups = evaluation.image, evaluation.subgroups
    everyone = image.operating_points[0].sensitivity if image.operating_points else None
    with page.columns():
        for title, overall, figure in (
            ("AUC", image.metrics["roc_auc"], "auc"),
            ("Sensitivity of refer", everyone, "sensitivity"),
        ):
            measured = [g for g in groups if getattr(g, figure) is not None]
            if overall is None or not measured:
                continue
            rows = [("all", overall), *_rows(measured, figure)]
            png = drawings.forest(
                rows, title=title, label="interval", reference=overall.value, synthetic=evaluation.synthetic
            )
            page.plot(png, alt=f"{title} of every subgroup with its interval")


def _rows(groups: list[Subgroup], figure: str) -> list[tuple[str, Estimate | Rate | None]]:
    rows: list[tuple[str, Estimate | Rate | None]] = []
    for i, group in enumerate(groups):
        if i == 0 or groups[i - 1].attribute != group.attribute:
            rows.append((TITLES[group.attribute].upper(), None))
        rows.append((f"{group.value} ({group.positives:,})", getattr(group, figure)))
    return rows


def _cell(found: Estimate | Rate | None) -> str:
    return "–" if found is None else str(found)
