"""What is gained by letting the model abstain where it is least sure: risk against coverage."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_melanoma.errors import DataError
from edge_melanoma.metrics.bootstrap import Measures
from edge_melanoma.metrics.estimate import Floats

COVERAGES = (0.80, 0.90)
_ROUNDING = 1e-9


def selective_measures(y: ArrayLike, referred: ArrayLike, confidence: ArrayLike) -> Measures:
    """The area under the risk-coverage curve, and sensitivity and specificity of the surest 80 and 90 %."""
    answers, called, sure = np.asarray(y, bool), np.asarray(referred, bool), np.asarray(confidence, np.float64)
    if not answers.shape == called.shape == sure.shape:
        raise DataError("answers, decisions and confidences differ in length; every row needs all three")
    order, ends = _surest_first(sure)
    answers, called = answers[order], called[order]
    parts: dict[str, Floats] = {
        "all": np.ones(len(answers)),
        "wrong": (answers != called).astype(np.float64),
        "positive": answers.astype(np.float64),
        "negative": (~answers).astype(np.float64),
        "true_positive": (answers & called).astype(np.float64),
        "true_negative": (~answers & ~called).astype(np.float64),
    }

    def measures(weights: Floats) -> dict[str, Floats]:
        ordered = weights[:, order]
        so_far: dict[str, Floats] = {n: np.cumsum(ordered * part, axis=1)[:, ends] for n, part in parts.items()}
        found = {"aurc": _area(so_far["all"], so_far["wrong"])}
        with np.errstate(invalid="ignore", divide="ignore"):
            for coverage in COVERAGES:
                least = (coverage - _ROUNDING) * so_far["all"][:, -1:]
                place = np.minimum((so_far["all"] < least).sum(axis=1, keepdims=True), len(ends) - 1)
                at = {name: np.take_along_axis(counts, place, axis=1)[:, 0] for name, counts in so_far.items()}
                found[f"se_at_coverage{round(100 * coverage)}"] = at["true_positive"] / at["positive"]
                found[f"sp_at_coverage{round(100 * coverage)}"] = at["true_negative"] / at["negative"]
        return found

    return measures


def risk_coverage(wrong: ArrayLike, confidence: ArrayLike) -> tuple[Floats, Floats, float]:
    """Coverage, the share of wrong ones among those covered, and the area under that curve."""
    errors, sure = np.asarray(wrong, np.float64), np.asarray(confidence, np.float64)
    order, ends = _surest_first(sure)
    covered: Floats = (ends + 1).astype(np.float64)
    missed: Floats = np.cumsum(errors[order])[ends]
    return covered / len(errors), missed / covered, float(_area(covered[None], missed[None])[0])


def _surest_first(confidence: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The order, and the last place of every run of equal confidence: a run is covered whole or not at all."""
    order = np.argsort(-confidence, kind="stable")
    return order, np.flatnonzero(np.diff(confidence[order], append=np.nan) != 0)


def _area(covered: Floats, missed: Floats) -> Floats:
    """The mean risk over all coverages."""
    with np.errstate(invalid="ignore", divide="ignore"):
        risk = np.where(covered > 0, missed / covered, 0.0)
        return np.asarray((np.diff(covered, axis=1, prepend=0.0) * risk).sum(axis=1) / covered[:, -1])
