"""How well scores tell two classes apart, with the interval that repeated pictures of one lesion leave.

A metric that is to have an interval takes weights: a matrix (round, row) that says how often a bootstrap round drew
each row, so that all rounds are counted at once. Whole groups (patients, lesions) are drawn, never single pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_melanoma.errors import DataError

Floats = NDArray[np.float64]
Statistic = Callable[[NDArray[np.bool_], Floats, Floats], Floats]
"""(answers (row), scores (row), weights (round, row)) -> one value a round; NaN where a round cannot have one."""

_CELLS_AT_ONCE = 4_000_000  # of the weight matrix: 32 MB


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value and its interval."""

    value: float
    low: float
    high: float
    level: float  # of the interval
    groups: int  # that were drawn from
    rounds: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"

    def to_json(self) -> dict[str, Any]:
        """The estimate in numbers."""
        return {
            "value": round(self.value, 6),
            "low": round(self.low, 6),
            "high": round(self.high, 6),
            "level": self.level,
            "groups": self.groups,
            "rounds": self.rounds,
        }


def roc_auc(y: ArrayLike, score: ArrayLike) -> float:
    """The chance that a positive has a higher score than a negative; a tie counts half."""
    answers, scores = _checked(y, score)
    return float(weighted_roc_auc(answers, scores, np.ones((1, len(scores))))[0])


def weighted_roc_auc(y: NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """The AUC of every round."""
    negative = np.flatnonzero(~y)
    negative = negative[np.argsort(score[negative], kind="stable")]
    below, not_above = (np.searchsorted(score[negative], score[y], side) for side in ("left", "right"))
    beaten = np.zeros((len(weights), len(negative) + 1))  # the weight of the n lowest negatives
    np.cumsum(np.take(weights, negative, axis=1), axis=1, out=beaten[:, 1:])
    positive = weights[:, y]
    wins = (positive * (beaten[:, below] + beaten[:, not_above])).sum(axis=1) / 2
    with np.errstate(invalid="ignore"):
        return np.asarray(wins / (positive.sum(axis=1) * beaten[:, -1]))


def cluster_bootstrap(
    statistic: Statistic,
    y: ArrayLike,
    score: ArrayLike,
    groups: ArrayLike,
    *,
    rng: np.random.Generator,
    rounds: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """The statistic and its percentile interval over rounds that draw whole groups with replacement.

    Groups with a positive and groups without are drawn apart, so that every round has as many of each as the data.
    """
    answers, scores = _checked(y, score)
    names, group_of_row = np.unique(np.asarray(groups), return_inverse=True)
    if group_of_row.shape != scores.shape:
        raise DataError(f"{len(scores):,} scores have {len(group_of_row):,} groups; every row needs one")
    strata = np.bincount(group_of_row, weights=answers) > 0
    at_once = max(1, _CELLS_AT_ONCE // max(len(names), len(scores)))
    values = [
        statistic(answers, scores, np.take(_drawn(strata, min(at_once, rounds - done), rng), group_of_row, axis=1))
        for done in range(0, rounds, at_once)
    ]
    found = np.concatenate(values)
    found = found[np.isfinite(found)]
    if not len(found):
        raise DataError("no bootstrap round had both classes: too few groups for an interval")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    value = float(statistic(answers, scores, np.ones((1, len(scores))))[0])
    return Estimate(value=value, low=float(low), high=float(high), level=level, groups=len(names), rounds=len(found))


def _drawn(strata: NDArray[np.bool_], rounds: int, rng: np.random.Generator) -> Floats:
    """How often each round drew each group (round, group)."""
    times = np.zeros((rounds, len(strata)))
    for members in (np.flatnonzero(strata), np.flatnonzero(~strata)):
        if not len(members):
            continue
        drawn = rng.integers(0, len(members), size=(rounds, len(members)))
        drawn += np.arange(rounds)[:, None] * len(members)
        times[:, members] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
    return times


def _checked(y: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    raw, scores = np.asarray(y), np.asarray(score, np.float64)
    if raw.shape != scores.shape or raw.ndim != 1:
        raise DataError(f"answers have the shape {raw.shape} and scores {scores.shape}; one score a row is needed")
    if not np.isin(raw, (0, 1)).all():
        raise DataError("answers other than 0 and 1; leave out the rows that the task has no answer for")
    if not np.isfinite(scores).all():
        raise DataError(f"{(~np.isfinite(scores)).sum():,} of {len(scores):,} scores are not finite; each must be")
    answers = raw.astype(bool)
    if answers.all() or not answers.any():
        raise DataError(f"{answers.sum():,} of {len(answers):,} rows are positive; both classes are needed")
    return answers, scores
