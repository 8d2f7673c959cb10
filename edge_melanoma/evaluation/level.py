"""Every metric of one unit, image or lesion, with its intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import metrics
from edge_melanoma.decision import (
    DECISIONS,
    Decision,
    DecisionRule,
    called,
    logit,
    positive_classes,
    positive_log_odds,
    probability_of,
)
from edge_melanoma.evaluation.rows import Bools, Floats, Rows
from edge_melanoma.metrics import Bin, Bootstrap, DeLong, Estimate, Measures, NetBenefit, Rate
from edge_melanoma.metrics.estimate import number

CURVE_AT = np.linspace(0, 1, 101)  # false positive rates at which the ROC curve gets its band


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """What one threshold does to these rows: counted, with Wilson intervals that respect the groups."""

    name: str  # refer: p' >= threshold_refer; low: anything but `low`
    threshold: float
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    sensitivity: Rate
    specificity: Rate
    ppv: Rate
    npv: Rate

    def to_json(self) -> dict[str, Any]:
        """The point in numbers."""
        rates = {name: getattr(self, name).to_json() for name in ("sensitivity", "specificity", "ppv", "npv")}
        return {**vars(self), **rates}


@dataclass(frozen=True, kw_only=True)
class Level:
    """What was found for one unit."""

    unit: str
    rows: int
    positives: int
    groups: int
    metrics: Mapping[str, Estimate]
    delong: DeLong
    operating_points: tuple[OperatingPoint, ...]
    decisions: Mapping[str, tuple[int, int]]  # decision -> positives, negatives
    reliability: tuple[Bin, ...]
    ece_floor: float
    net_benefit: NetBenefit
    classes: tuple[str, ...]
    confusion: NDArray[np.int64] | None  # (answer, called); for more than two classes
    y: Bools = field(repr=False)
    log_odds: Floats = field(repr=False)  # at the prevalence of the calibration part
    roc_band: tuple[Floats, Floats] = field(repr=False)
    risk_coverage: tuple[Floats, Floats] | None = field(repr=False)

    @property
    def prevalence(self) -> float:
        """The share of positives."""
        return self.positives / self.rows

    def to_json(self) -> dict[str, Any]:
        """The level in numbers."""
        roc = metrics.Ranking(self.y, self.log_odds).roc()
        tpr = roc.sensitivity_over(CURVE_AT)[0]
        return {
            "unit": self.unit,
            "rows": self.rows,
            "positives": self.positives,
            "prevalence": number(self.prevalence),
            "groups": self.groups,
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
            "delong": self.delong.to_json(),
            "operating_points": {point.name: point.to_json() for point in self.operating_points},
            "decisions": {
                name: {"positives": counts[0], "negatives": counts[1]} for name, counts in self.decisions.items()
            },
            "reliability": [found.to_json() for found in self.reliability],
            "ece_floor": number(self.ece_floor),
            "net_benefit": self.net_benefit.to_json(),
            "roc": {
                "false_positive_rate": _numbers(CURVE_AT),
                "sensitivity": _numbers(tpr),
                "low": _numbers(self.roc_band[0]),
                "high": _numbers(self.roc_band[1]),
            },
            "confusion": None
            if self.confusion is None
            else {"classes": list(self.classes), "counts": self.confusion.tolist()},
        }


def measure(
    rows: Rows, rule: DecisionRule | None, *, rng: np.random.Generator, rounds: int, level: float, extra: Measures
) -> tuple[Level, Bootstrap]:
    """All metrics of the rows; `extra` is measured under the same draws."""
    y, score = rows.positive, log_odds_of(rows, rule)
    drawn = metrics.bootstrap(
        metrics.together(*_parts(rows, rule, score), extra),
        rows.answers,
        rows.groups,
        rng=rng,
        rounds=rounds,
        level=level,
    )
    p = probability_of(score)
    found = Level(
        unit=rows.unit,
        rows=len(rows),
        positives=int(y.sum()),
        groups=drawn.groups,
        metrics={name: drawn.estimate(name) for name, value in drawn.point.items() if _is_metric(name, value)},
        delong=metrics.delong(y, score, rows.groups, level=level),
        operating_points=_operating_points(rows, rule, level),
        decisions=_decisions(rows, rule),
        reliability=metrics.reliability(y, p, rows.groups, level=level),
        ece_floor=metrics.calibration_error_floor(p, rng=np.random.default_rng(0)),
        net_benefit=metrics.net_benefit(y, p),
        classes=rows.task.classes,
        confusion=metrics.confusion_matrix(rows.answers, called(rows.logits, rule), len(rows.task.classes))
        if len(rows.task.classes) > 2
        else None,
        y=y,
        log_odds=score,
        roc_band=drawn.band("curve.roc"),
        risk_coverage=_risk_coverage(rows, rule),
    )
    return found, drawn


def log_odds_of(rows: Rows, rule: DecisionRule | None) -> Floats:
    """The score of every row: calibrated for the prevalence of the calibration part; plain without a rule.

    Calibration can only be measured at a prevalence like the rows' own, so `prior_deploy` does not enter here.
    """
    if rule is None:
        return positive_log_odds(rows.logits, positive_classes(rows.task.classes))
    return rule.as_calibrated().log_odds(rows.logits)


def decided(rows: Rows, rule: DecisionRule) -> list[Decision]:
    """What the rule says of every row."""
    return rule.decisions(rule.probability(rows.logits))


def _parts(rows: Rows, rule: DecisionRule | None, score: Floats) -> list[Measures]:
    y = rows.positive
    ranking = metrics.Ranking(y, score)
    parts = [
        metrics.ranking_measures(y, score),
        lambda weights: {"curve.roc": ranking.roc(weights).sensitivity_over(CURVE_AT)},
        metrics.probability_measures(y, score),
    ]
    if rule is not None:
        p, prior = rule.probability(rows.logits), rule.prior_deploy
        refer, not_low = p >= rule.threshold_refer.value, p >= rule.threshold_low.value
        parts.append(metrics.decision_measures(y, refer, prefix="refer.", prevalence=prior))
        parts.append(metrics.decision_measures(y, not_low, prefix="low.", prevalence=prior))
        parts.append(metrics.selective_measures(y, refer, _confidence(rows, rule)))
    if len(rows.task.classes) > 2:
        parts.append(metrics.class_measures(rows.answers, called(rows.logits, rule), rows.task.classes))
        parts.append(_one_against_rest(rows))
    return parts


def _one_against_rest(rows: Rows) -> Measures:
    """The AUC of each class that occurs, and their mean."""
    names = {i: name for i, name in enumerate(rows.task.classes) if 0 < (rows.answers == i).sum() < len(rows)}
    scores = {i: positive_log_odds(rows.logits, (i,)) for i in names}

    def measures(weights: Floats) -> dict[str, Floats]:
        found = {
            f"classes.auc.{name}": metrics.weighted_roc_auc(rows.answers == i, scores[i], weights)
            for i, name in names.items()
        }
        return {**found, "classes.macro_auc": np.mean(list(found.values()), axis=0)}

    return measures


def _is_metric(name: str, value: Floats) -> bool:
    return value.ndim == 0 and not name.startswith(("subgroup.", "no_pixel."))


def _confidence(rows: Rows, rule: DecisionRule) -> Floats:
    """How far from the refer threshold, in log-odds."""
    threshold = logit(rule.threshold_refer.value)
    return np.abs(rule.log_odds(rows.logits) - threshold) if np.isfinite(threshold) else np.ones(len(rows))


def _operating_points(rows: Rows, rule: DecisionRule | None, level: float) -> tuple[OperatingPoint, ...]:
    if rule is None:
        return ()
    y, groups, p = rows.positive, rows.groups, rule.probability(rows.logits)
    points = []
    for name, threshold in (("refer", rule.threshold_refer.value), ("low", rule.threshold_low.value)):
        over = p >= threshold
        tp, fp, fn, tn = (int((part & side).sum()) for part in (over, ~over) for side in (y, ~y))
        rate = {
            key: metrics.grouped_wilson(hit[of], groups[of], level=level)
            for key, hit, of in (
                ("sensitivity", over, y), ("specificity", ~over, ~y), ("ppv", y, over), ("npv", ~y, ~over)
            )
        }  # fmt: skip
        points.append(
            OperatingPoint(
                name=name,
                threshold=threshold,
                true_positive=tp,
                false_positive=fp,
                false_negative=fn,
                true_negative=tn,
                **rate,
            )
        )
    return tuple(points)


def _decisions(rows: Rows, rule: DecisionRule | None) -> dict[str, tuple[int, int]]:
    if rule is None:
        return {}
    taken, y = np.array(decided(rows, rule)), rows.positive
    return {name: (int((y & (taken == name)).sum()), int((~y & (taken == name)).sum())) for name in DECISIONS}


def _risk_coverage(rows: Rows, rule: DecisionRule | None) -> tuple[Floats, Floats] | None:
    if rule is None:
        return None
    refer = rule.probability(rows.logits) >= rule.threshold_refer.value
    covered, risk, _ = metrics.risk_coverage(refer != rows.positive, _confidence(rows, rule))
    return covered, risk


def _numbers(values: Floats) -> list[float | None]:
    return [number(value) for value in values]
