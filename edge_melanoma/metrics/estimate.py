"""A measured value with its interval, and the check that scores can be measured at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_melanoma.errors import DataError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Statistic = Callable[[Bools, Floats, Floats], Floats]
"""(answers (row), scores (row), weights (round, row)) -> one value a round; NaN where a round cannot have one."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value and its interval; NaN where there is none, infinite where a ratio is."""

    value: float
    low: float
    high: float
    level: float  # of the interval
    groups: int  # that were drawn from
    rounds: int  # that had a value
    low_bca: float | None = None  # bias-corrected and accelerated: where a metric's spread is skewed, the better one
    high_bca: float | None = None

    def __str__(self) -> str:
        return f"{shown(self.value)} ({span(self.low, self.high)})"

    def to_json(self) -> dict[str, Any]:
        """The estimate in numbers; null where there is none."""
        bca = {} if self.low_bca is None else {"low_bca": number(self.low_bca), "high_bca": number(self.high_bca)}
        return {
            "value": number(self.value),
            "low": number(self.low),
            "high": number(self.high),
            **bca,
            "level": self.level,
            "groups": self.groups,
            "rounds": self.rounds,
        }


def number(value: float | None) -> float | None:
    """As JSON has it: no NaN, no infinity, no digits that mean nothing."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6)


def shown(value: float, digits: int = 3) -> str:
    """As a table shows it."""
    if math.isnan(value):
        return "–"
    return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else "∞" if value > 0 else "−∞"


def span(low: float, high: float) -> str:
    """An interval as a table shows it."""
    return f"{shown(low)} to {shown(high)}" if low < 0 else f"{shown(low)}–{shown(high)}"


def checked(y: ArrayLike, score: ArrayLike) -> tuple[Bools, Floats]:
    """Answers and finite scores of as many rows, both classes among them."""
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


def one_round(rows: int) -> Floats:
    """The weights of the data themselves: every row once."""
    return np.ones((1, rows))
