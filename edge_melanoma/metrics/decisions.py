"""What a threshold does: of four counts, every rate that is asked for, and how the decisions of two models differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_melanoma.errors import DataError
from edge_melanoma.metrics.bootstrap import Measures
from edge_melanoma.metrics.estimate import Floats, number, one_round, shown, span

NET_BENEFIT_AT = tuple(percent / 100 for percent in range(1, 31))


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share of counted things, with its interval."""

    successes: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.successes / self.trials if self.trials else float("nan")

    def __str__(self) -> str:
        return f"{shown(self.value)} ({span(self.low, self.high)})"

    def to_json(self) -> dict[str, Any]:
        """The rate in numbers."""
        return {
            "value": number(self.value),
            "low": number(self.low),
            "high": number(self.high),
            "successes": self.successes,
            "trials": self.trials,
        }


def wilson(successes: int, trials: int, *, level: float = 0.95) -> Rate:
    """Wilson's score interval: it keeps its level for small counts and for shares near 0 and 1."""
    if not 0 <= successes <= trials:
        raise DataError(f"{successes} of {trials}: counts must be between none and all")
    low, high = _score_interval(successes / trials, trials, level) if trials else (float("nan"), float("nan"))
    return Rate(successes=successes, trials=trials, low=low, high=high)


def grouped_wilson(hit: ArrayLike, groups: ArrayLike, *, level: float = 0.95) -> Rate:
    """Wilson's interval for pictures that come in groups: over as many independent ones as they are worth.

    The worth is the number of pictures divided by the design effect, which is never taken to be below one; where all
    pictures agree, it cannot be estimated, and a group counts as one.
    """
    hits = np.asarray(hit, bool)
    trials, successes = len(hits), int(hits.sum())
    if not trials:
        return wilson(0, 0, level=level)
    share = successes / trials
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(group)
    worth = trials**2 / float((sizes**2).sum())
    if 0 < successes < trials and len(sizes) > 1:
        residual = np.bincount(group, weights=hits - share)
        spread = len(sizes) / (len(sizes) - 1) * float((residual**2).sum()) / trials**2
        # a share next to 0 or 1 rests on a few pictures that happen to be of different groups: hence the lower bound
        # (no spread at all: the groups agree to the last picture, and every picture counts)
        worth = min(float(trials), max(worth, share * (1 - share) / spread)) if spread else float(trials)
    low, high = _score_interval(share, worth, level)
    return Rate(successes=successes, trials=trials, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class RateChange:
    """A share of the same things after less before, with its interval."""

    gained: int
    lost: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The change; NaN of nothing."""
        return (self.gained - self.lost) / self.trials if self.trials else float("nan")

    def __str__(self) -> str:
        return f"{shown(self.value)} ({span(self.low, self.high)})"

    def to_json(self) -> dict[str, Any]:
        """The change in numbers."""
        return {**vars(self), "value": number(self.value), "low": number(self.low), "high": number(self.high)}


def grouped_change(before: ArrayLike, after: ArrayLike, groups: ArrayLike, *, level: float = 0.95) -> RateChange:
    """How a share changed, counted on the same pictures: Wilson's intervals of what was gained and lost, put together.

    By the method of variance estimates recovery (Zou and Donner 2008) with the correlation that two counts of the same
    pictures have. Draws would say that nothing can change where nothing changed; here that leaves about 4 in 100.
    """
    first, second = np.asarray(before, bool), np.asarray(after, bool)
    if first.shape != second.shape:
        raise DataError(f"{len(first):,} decisions before and {len(second):,} after; every row needs both")
    gained, lost = (grouped_wilson(hit, groups, level=level) for hit in (~first & second, first & ~second))
    trials = gained.trials
    if not trials:
        return RateChange(gained=0, lost=0, trials=0, low=float("nan"), high=float("nan"))
    g, k = gained.value, lost.value
    together = -math.sqrt(g * k / ((1 - g) * (1 - k))) if g < 1 and k < 1 else 0.0
    low = g - k - _joint(g - gained.low, lost.high - k, together)
    high = g - k + _joint(gained.high - g, k - lost.low, together)
    return RateChange(
        gained=gained.successes, lost=lost.successes, trials=trials, low=max(-1.0, low), high=min(1.0, high)
    )


def _joint(one: float, other: float, correlation: float) -> float:
    """How far a difference may lie off when its parts may lie off so far."""
    return math.sqrt(max(0.0, one**2 - 2 * correlation * one * other + other**2))


def _score_interval(share: float, trials: float, level: float) -> tuple[float, float]:
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    low = 0.0 if share == 0 else max(0.0, centre - half)  # exactly, not by a rounding error
    high = 1.0 if share == 1 else min(1.0, centre + half)
    return low, high


@dataclass(frozen=True)
class Counts:
    """The four counts of a decision, of one round or of many."""

    true_positive: Floats
    false_positive: Floats
    false_negative: Floats
    true_negative: Floats

    def rates(self, *, prevalence: float | None = None) -> dict[str, Floats]:
        """Every rate by name; with a prevalence, also what the predictive values would be there."""
        tp, fp, fn, tn = self.true_positive, self.false_positive, self.false_negative, self.true_negative
        with np.errstate(invalid="ignore", divide="ignore"):
            se, sp, ppv = tp / (tp + fn), tn / (tn + fp), tp / (tp + fp)
            rates = {
                "sensitivity": se,
                "specificity": sp,
                "balanced_accuracy": (se + sp) / 2,
                "ppv": ppv,
                "npv": tn / (tn + fn),
                "nnb": 1 / ppv,
                "f1": f_beta(tp, fp, fn, beta=1),
                "f2": f_beta(tp, fp, fn, beta=2),
                "mcc": (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)),
                "lr_positive": se / (1 - sp),
                "lr_negative": (1 - se) / sp,
            }
            if prevalence is not None:
                rates["ppv_at_prevalence"] = predictive_value(se, 1 - sp, prevalence)
                rates["npv_at_prevalence"] = predictive_value(sp, 1 - se, 1 - prevalence)
                rates["nnb_at_prevalence"] = 1 / rates["ppv_at_prevalence"]
        return rates


def f_beta(tp: Floats, fp: Floats, fn: Floats, *, beta: float) -> Floats:
    """F1 weighs sensitivity and precision alike; F2 weighs a miss four times as heavily."""
    return np.asarray((1 + beta**2) * tp / ((1 + beta**2) * tp + beta**2 * fn + fp))


def predictive_value(hit: Floats, false_alarm: Floats, prevalence: float) -> Floats:
    """The share of right ones among those called so, where the called-for condition has this prevalence."""
    right = hit * prevalence
    with np.errstate(invalid="ignore"):
        return np.asarray(right / (right + false_alarm * (1 - prevalence)))


def count(y: ArrayLike, referred: ArrayLike, weights: Floats | None = None) -> Counts:
    """The four counts under each row of weights (round, row)."""
    answers, called = np.asarray(y, bool), np.asarray(referred, bool)
    if answers.shape != called.shape:
        raise DataError(f"{len(answers):,} answers and {len(called):,} decisions; every row needs both")
    cells = np.stack([answers & called, ~answers & called, answers & ~called, ~answers & ~called], axis=1)
    return Counts(*((one_round(len(answers)) if weights is None else weights) @ cells.astype(np.float64)).T)


def decision_measures(y: ArrayLike, referred: ArrayLike, *, prefix: str, prevalence: float | None = None) -> Measures:
    """All rates of a decision, by name, for `bootstrap`."""

    def measures(weights: Floats) -> dict[str, Floats]:
        rates = count(y, referred, weights).rates(prevalence=prevalence)
        return {f"{prefix}{name}": values for name, values in rates.items()}

    return measures


@dataclass(frozen=True, kw_only=True)
class McNemar:
    """The rows on which exactly one of two models is right."""

    only_first: int
    only_second: int
    p: float  # two-sided, exact, by groups

    def to_json(self) -> dict[str, Any]:
        """The test in numbers."""
        return {"only_first": self.only_first, "only_second": self.only_second, "p": float(f"{self.p:.4g}")}


def mcnemar(first_right: ArrayLike, second_right: ArrayLike, groups: ArrayLike) -> McNemar:
    """Are two models right equally often? The exact sign-flip test of the groups' net numbers of rows for the first.

    Pictures of one lesion are no independent witnesses, so that a group speaks once, as loudly as its rows: between
    equal models the sign of each net number is a coin's toss. Where no group has two rows on which the models
    disagree, this is the exact binomial test.
    """
    first, second = np.asarray(first_right, bool), np.asarray(second_right, bool)
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    net = np.rint(np.bincount(group, weights=first.astype(float) - second)).astype(np.int64)
    apart = _signed_sums(np.abs(net))
    reached = np.abs(np.arange(len(apart)) - len(apart) // 2) >= abs(net.sum())
    return McNemar(
        only_first=int((first & ~second).sum()),
        only_second=int((~first & second).sum()),
        p=min(1.0, float(apart[reached].sum())),
    )


def _signed_sums(sizes: NDArray[np.int64]) -> Floats:
    """The probability of each sum, from the least to the greatest, where every size is added or taken away."""
    most = int(sizes.sum())
    chances = np.zeros(2 * most + 1)
    chances[most] = 1
    for size in sizes[sizes > 0]:
        chances = (np.roll(chances, size) + np.roll(chances, -size)) / 2  # what rolls round is 0
    return chances


@dataclass(frozen=True, kw_only=True)
class NetBenefit:
    """The gain of referring at each threshold probability, in true positives per picture, against simple policies."""

    thresholds: Floats
    model: Floats
    refer_all: Floats  # referring none gains 0

    def to_json(self) -> Mapping[str, list[float | None]]:
        """The curves in numbers."""
        curves = {"threshold": self.thresholds, "model": self.model, "refer_all": self.refer_all}
        return {name: [number(value) for value in values] for name, values in curves.items()}


def net_benefit(y: ArrayLike, probability: ArrayLike, thresholds: Sequence[float] = NET_BENEFIT_AT) -> NetBenefit:
    """TP/n − FP/n · t/(1−t): a false alarm costs the odds of the probability at which one would refer."""
    answers, p = np.asarray(y, bool), np.asarray(probability, np.float64)
    at = np.asarray(thresholds, np.float64)
    called = p[:, None] >= at[None, :]
    odds = at / (1 - at)
    gain = (called & answers[:, None]).mean(axis=0) - (called & ~answers[:, None]).mean(axis=0) * odds
    return NetBenefit(thresholds=at, model=gain, refer_all=answers.mean() - (~answers).mean() * odds)
