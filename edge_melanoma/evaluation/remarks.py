"""What a reader must not overlook: figures that are too good, too few positives, choices made on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from edge_melanoma.decision import DecisionRule
from edge_melanoma.evaluation.baseline import Baseline
from edge_melanoma.evaluation.leaks import OF_HAM10000, WITH_HAM10000
from edge_melanoma.evaluation.level import Level
from edge_melanoma.evaluation.rows import OUT_OF_FOLD, Rows
from edge_melanoma.evaluation.tone import COLUMN as TONE
from edge_melanoma.evaluation.tone import REMARK as ABOUT_TONE

# what small networks reach on HAM10000 when lesions are kept apart lies below
HIGHEST_AUC, HIGHEST_ACCURACY = 0.96, 0.93
HAM_LIKE = OF_HAM10000 | WITH_HAM10000 - {"isic9"}  # whose classes are others
FEW_POSITIVES = 30
_ADVICE = "check grouping and balancing"


@dataclass(frozen=True, kw_only=True)
class Remark:
    """One sentence, and how loud."""

    tone: Literal["info", "warn", "fail"]
    text: str

    def to_json(self) -> dict[str, Any]:
        """The remark as it is."""
        return {"tone": self.tone, "text": self.text}


def remarks_on(
    rows: Rows,
    image: Level,
    rule: DecisionRule | None,
    baseline: Baseline | None,
    *,
    ceiling: float | None,
    leaks: tuple[str, ...],
    other_index: bool = False,
) -> tuple[Remark, ...]:
    """All remarks, the loudest first."""
    found = [Remark(tone="fail" if "learned" in leak or "leak" in leak else "warn", text=leak) for leak in leaks]
    found += _too_good(rows, image, ceiling)
    if baseline is not None and baseline.difference is not None and baseline.difference.low <= 0:
        best = baseline.auc[baseline.best or ""]
        found.append(
            Remark(
                tone="warn",
                text=f"the model (AUC {image.metrics['roc_auc']}) is not clearly better than {baseline.best} without a "
                f"single pixel ({best}): the interval of the difference, {baseline.difference}, holds 0",
            )
        )
    if image.positives < FEW_POSITIVES:
        found.append(
            Remark(
                tone="warn",
                text=f"only {image.positives} positive pictures: look at the intervals, not at the values; "
                "out-of-fold predictions would use all of them",
            )
        )
    found += _about_the_rule(rows, image, rule, other_index=other_index)
    if TONE in rows.table.columns:
        found.append(Remark(tone="info", text=ABOUT_TONE))
    for why, count in rows.left_out.items():
        loud = "without a prediction" in why
        found.append(Remark(tone="warn" if loud else "info", text=f"left out: {count:,} ({why})"))
    order = {"fail": 0, "warn": 1, "info": 2}
    return tuple(sorted(found, key=lambda remark: order[remark.tone]))


def _too_good(rows: Rows, image: Level, ceiling: float | None) -> list[Remark]:
    auc, found = image.metrics["roc_auc"], []
    # both intervals: with few patients, one alone would cry wolf
    if ceiling is not None and min(auc.low, image.delong.low) > ceiling:
        found.append(
            f"AUC {auc} lies above {ceiling:.3f}, the best that any model of these synthetic pictures can reach: "
            f"something leaks; {_ADVICE}"
        )
    if set(rows.table["source"].unique().drop_nulls()) & HAM_LIKE and rows.split != "train":
        if auc.value > HIGHEST_AUC and _asks_for_melanoma(rows):
            found.append(f"AUC {auc.value:.3f} is above {HIGHEST_AUC}, more than pictures like these allow; {_ADVICE}")
        accuracy = image.metrics.get("classes.accuracy")
        if accuracy is not None and rows.task.name == "dx7" and accuracy.value > HIGHEST_ACCURACY:
            found.append(
                f"accuracy {accuracy.value:.3f} over seven classes is above {HIGHEST_ACCURACY}, more than pictures "
                f"like these allow; {_ADVICE}"
            )
    return [Remark(tone="fail", text=text) for text in found]


def _asks_for_melanoma(rows: Rows) -> bool:
    """Against everything else, which is what the plausible figures are known for."""
    return rows.task.name in ("mel", "dx7", "dx8")


def _about_the_rule(rows: Rows, image: Level, rule: DecisionRule | None, *, other_index: bool) -> list[Remark]:
    if rule is None:
        return [
            Remark(
                tone="warn",
                text="no decision rule: probabilities are not calibrated and no threshold has been chosen, so only "
                "figures without a threshold are given",
            )
        ]
    found = [Remark(tone="warn", text=f"decision rule: {text}") for text in rule.fitted_on.get("remarks", [])]
    if not other_index:  # another's parts have another meaning
        found += _about_the_part(rows, rule)
    prevalence = rule.fitted_on.get("prevalence")
    if isinstance(prevalence, float) and not 0.5 < prevalence / image.prevalence < 2:
        found.append(
            Remark(
                tone="warn",
                text=f"{100 * image.prevalence:.1f} % of these pictures are positive, but {100 * prevalence:.1f} % "
                "where the model was calibrated: probabilities cannot be right here, whatever the model is worth",
            )
        )
    return found


def _about_the_part(rows: Rows, rule: DecisionRule) -> list[Remark]:
    if rule.fitted_on.get("split") == rows.split:
        same = "the out-of-fold rows" if rows.split == OUT_OF_FOLD else f"the rows of {rows.split}"
        text = (
            f"temperature and thresholds were chosen on {same} that are measured here: what depends on them "
            "is somewhat too good; AUC and what else needs no threshold is not touched"
        )
        return [Remark(tone="warn", text=text)]
    if rows.split == OUT_OF_FOLD and rule.fitted_on.get("split") == "calibration":
        text = (
            f"temperature and thresholds were chosen on {rule.fitted_on.get('rows', 'some')} of these pictures, judged "
            "by other models than here"
        )
        return [Remark(tone="info", text=text)]
    if rows.split == "val":
        return [Remark(tone="info", text="training stopped by these rows: their figures are somewhat too good")]
    return []


def is_synthetic(table: pl.DataFrame) -> bool:
    """Does any row come from a generator?"""
    return bool((table["modality"] == "synthetic").any())
