"""The variance of an AUC in closed form: a check on the bootstrap that shares nothing with it.

DeLong, DeLong and Clarke-Pearson 1988; with groups, Obuchowski 1997, which lets the pictures of a patient resemble each
other. With one picture a group the second is the first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_melanoma.errors import DataError
from edge_melanoma.metrics.estimate import Bools, Floats, checked, number, shown, span


@dataclass(frozen=True, kw_only=True)
class DeLong:
    """An AUC, or a difference of two on the same pictures, with its normal interval and the test against none."""

    value: float
    standard_error: float
    low: float
    high: float
    p: float  # two-sided: that the AUC is 0.5, or the difference 0

    def __str__(self) -> str:
        return f"{shown(self.value)} ({span(self.low, self.high)})"

    def to_json(self) -> dict[str, Any]:
        """The interval in numbers."""
        return {
            "value": number(self.value),
            "low": number(self.low),
            "high": number(self.high),
            "standard_error": number(self.standard_error),
            "p": float(f"{self.p:.4g}"),
        }


def delong(y: ArrayLike, score: ArrayLike, groups: ArrayLike | None = None, *, level: float = 0.95) -> DeLong:
    """The AUC and its interval."""
    answers, scores = checked(y, score)
    auc, positive, negative = _components(answers, scores)
    return _tested(auc, 0.5, _variance(answers, positive, negative, groups), level, lowest=0.0)


def delong_difference(
    y: ArrayLike, score: ArrayLike, minus: ArrayLike, groups: ArrayLike | None = None, *, level: float = 0.95
) -> DeLong:
    """The AUC of `score` less that of `minus` on the same rows."""
    answers, scores = checked(y, score)
    _, others = checked(y, minus)
    (auc, positive, negative), (other_auc, other_p, other_n) = (_components(answers, s) for s in (scores, others))
    variance = _variance(answers, positive - other_p, negative - other_n, groups)
    return _tested(auc - other_auc, 0.0, variance, level, lowest=-1.0)


def _components(y: Bools, score: Floats) -> tuple[float, Floats, Floats]:
    """The AUC, and how far above it lies the share of pairs won by every positive, and of every negative."""
    all_ranks, in_positive, in_negative = _midranks(score), _midranks(score[y]), _midranks(score[~y])
    won = (all_ranks[y] - in_positive) / len(in_negative)
    lost = 1 - (all_ranks[~y] - in_negative) / len(in_positive)
    auc = float(won.mean())
    return auc, won - auc, lost - auc


def _midranks(values: Floats) -> Floats:
    _, run, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(sizes) - (sizes - 1) / 2)[run])


def _variance(y: Bools, positive: Floats, negative: Floats, groups: ArrayLike | None) -> float:
    names = np.arange(len(y)) if groups is None else np.asarray(groups)
    if names.shape != y.shape:
        raise DataError(f"{len(y):,} rows have {len(names):,} groups; every row needs one")
    _, group = np.unique(names, return_inverse=True)
    count = int(group.max()) + 1
    of_positive = np.bincount(group[y], weights=positive, minlength=count) / len(positive)
    of_negative = np.bincount(group[~y], weights=negative, minlength=count) / len(negative)
    return (
        _unbiased(group[y]) * float((of_positive**2).sum())
        + _unbiased(group[~y]) * float((of_negative**2).sum())
        + 2 * _unbiased(group) * float((of_positive * of_negative).sum())
    )


def _unbiased(groups: NDArray[np.int64]) -> float:
    count = len(np.unique(groups))
    return count / (count - 1) if count > 1 else math.nan


def _tested(value: float, null: float, variance: float, level: float, *, lowest: float) -> DeLong:
    error = math.sqrt(max(variance, 0.0)) if variance == variance else math.nan
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    if error > 0:
        p = math.erfc(abs(value - null) / error / math.sqrt(2))
    else:
        p = 1.0 if value == null or math.isnan(error) else 0.0
    return DeLong(
        value=value,
        standard_error=error,
        low=max(lowest, value - half),
        high=min(1.0, value + half),
        p=p,
    )
