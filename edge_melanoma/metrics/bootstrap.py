"""Intervals by drawing whole groups (patients, lesions) with replacement, never single pictures.

Drawing is weighting: a round is a row of weights that says how often each picture was drawn, so that all rounds of all
metrics are counted at once, and two models measured under the same weights are compared on the same draws.

Groups are drawn apart for each class (a group belongs to the rarest class it holds), so that every round has as many
positive groups as the data. `bootstrap` gives percentile intervals and BCa; the acceleration comes from a jackknife
that leaves out blocks of groups, which estimates the same skewness as leaving out one group at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_melanoma.errors import DataError
from edge_melanoma.metrics.estimate import Estimate, Floats, Statistic, checked, one_round

Ints = NDArray[np.int64]
Measures = Callable[[Floats], Mapping[str, Floats]]
"""weights (round, row) -> for every name a value, or a row of values, for each round; NaN where there is none."""

_CELLS_AT_ONCE = 4_000_000  # of the weight matrix: 32 MB
_MOST_BLOCKS = 200  # of the jackknife, for each class: the acceleration is then known to 0.002
_normal = NormalDist()


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """Every metric on the data, in every round, and with every block of groups left out."""

    point: Mapping[str, Floats]  # name -> value(s)
    drawn: Mapping[str, Floats]  # name -> (round, …)
    left_out: Mapping[str, Floats]  # name -> (block, …)
    blocks: Ints  # the stratum of each block
    level: float
    groups: int

    def estimate(self, name: str) -> Estimate:
        """A metric with its intervals."""
        return self._estimate(self.point[name], self.drawn[name], self.left_out[name])

    def difference(self, name: str, minus: str) -> Estimate:
        """One metric less another, both under the same draws."""
        parts = (self.point, self.drawn, self.left_out)
        with np.errstate(invalid="ignore"):
            return self._estimate(*(part[name] - part[minus] for part in parts))

    def band(self, name: str) -> tuple[Floats, Floats]:
        """The percentile interval of every value of a metric that is a curve."""
        low, high = np.nanquantile(self.drawn[name], [(1 - self.level) / 2, (1 + self.level) / 2], axis=0)
        return low, high

    def _estimate(self, point: Floats, drawn: Floats, left_out: Floats) -> Estimate:
        known, value = drawn[~np.isnan(drawn)], float(point)
        low, high = _quantiles(known, [(1 - self.level) / 2, (1 + self.level) / 2])
        low_bca, high_bca = _bca(value, known, _acceleration(left_out, self.blocks), self.level) or (None, None)
        return Estimate(
            value=value,
            low=low,
            high=high,
            level=self.level,
            groups=self.groups,
            rounds=len(known),
            low_bca=low_bca,
            high_bca=high_bca,
        )


def bootstrap(
    measures: Measures,
    classes: ArrayLike,
    groups: ArrayLike,
    *,
    rng: np.random.Generator,
    rounds: int = 2000,
    level: float = 0.95,
    cells_at_once: int = 1_000_000,
) -> Bootstrap:
    """All `measures` under draws of whole groups; `classes` (row) are the answers that the draws keep the shares of."""
    names, group_of_row = np.unique(np.asarray(groups), return_inverse=True)
    answers = np.asarray(classes)
    if group_of_row.shape != answers.shape:
        raise DataError(f"{len(answers):,} rows have {len(group_of_row):,} groups; every row needs one")
    strata = _strata(answers, group_of_row)
    at_once = max(1, cells_at_once // max(len(answers), 1))
    drawn = [
        measures(_drawn(strata, min(at_once, rounds - done), rng)[:, group_of_row])
        for done in range(0, rounds, at_once)
    ]
    times, blocks = _blocks_left_out(strata)
    left_out = [
        measures(times[start : start + at_once, group_of_row]) for start in range(0, max(len(times), 1), at_once)
    ]
    return Bootstrap(
        point={name: values[0] for name, values in measures(one_round(len(answers))).items()},
        drawn=_joined(drawn),
        left_out=_joined(left_out),
        blocks=blocks,
        level=level,
        groups=len(names),
    )


def together(*parts: Measures) -> Measures:
    """Several sets of metrics as one, so that all see the same draws."""

    def measures(weights: Floats) -> dict[str, Floats]:
        return {name: values for part in parts for name, values in part(weights).items()}

    return measures


def prefixed(prefix: str, measures: Measures) -> Measures:
    """The same metrics under longer names: those of one model among several."""

    def measures_of_it(weights: Floats) -> dict[str, Floats]:
        return {prefix + name: values for name, values in measures(weights).items()}

    return measures_of_it


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
    answers, scores = checked(y, score)
    names, group_of_row = np.unique(np.asarray(groups), return_inverse=True)
    if group_of_row.shape != scores.shape:
        raise DataError(f"{len(scores):,} scores have {len(group_of_row):,} groups; every row needs one")
    strata = (np.bincount(group_of_row, weights=answers) == 0).astype(np.int64)
    at_once = max(1, _CELLS_AT_ONCE // max(len(names), len(scores)))
    values = [
        statistic(answers, scores, _drawn(strata, min(at_once, rounds - done), rng)[:, group_of_row])
        for done in range(0, rounds, at_once)
    ]
    found = np.concatenate(values)
    found = found[np.isfinite(found)]
    if not len(found):
        raise DataError("no bootstrap round had both classes: too few groups for an interval")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    value = float(statistic(answers, scores, one_round(len(scores)))[0])
    return Estimate(value=value, low=float(low), high=float(high), level=level, groups=len(names), rounds=len(found))


def _strata(answers: NDArray[np.generic], group_of_row: Ints) -> Ints:
    """The stratum of every group: the rarest class it holds."""
    _, class_of_row, counts = np.unique(answers, return_inverse=True, return_counts=True)
    rarity = np.argsort(np.lexsort((-np.arange(len(counts)), counts)))  # 0: the rarest, of equals the later one
    strata = np.full(group_of_row.max(initial=-1) + 1, len(counts), np.int64)
    np.minimum.at(strata, group_of_row, rarity[class_of_row])
    return strata


def _drawn(strata: Ints, rounds: int, rng: np.random.Generator) -> Floats:
    """How often each round drew each group (round, group)."""
    times = np.zeros((rounds, len(strata)))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        drawn = rng.integers(0, len(members), size=(rounds, len(members)))
        drawn += np.arange(rounds)[:, None] * len(members)
        times[:, members] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
    return times


def _blocks_left_out(strata: Ints) -> tuple[Floats, Ints]:
    """Weights (block, group) with one block at a time left out, the rest of its stratum weighing as much as before."""
    rows, of_stratum = [], []
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        count = min(len(members), _MOST_BLOCKS)
        if count < 2:
            continue  # a class with one group has no spread that the draws could show
        block = np.arange(len(members)) % count
        sizes = np.bincount(block)
        weights = np.ones((count, len(strata)))
        weights[:, members] = len(members) / (len(members) - sizes[:, None])
        weights[block, members] = 0.0
        rows.append(weights)
        of_stratum += [stratum] * count
    return np.concatenate(rows) if rows else np.empty((0, len(strata))), np.array(of_stratum, np.int64)


def _joined(parts: list[Mapping[str, Floats]]) -> dict[str, Floats]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _acceleration(left_out: Floats, blocks: Ints) -> float:
    """How much the spread changes with the value: the skewness of the groups' influence, by stratum."""
    cubes = squares = 0.0
    for stratum in np.unique(blocks):
        values = left_out[blocks == stratum]
        with np.errstate(invalid="ignore"):
            influence = (len(values) - 1) / len(values) * (values.mean() - values)
        cubes += float((influence**3).sum())
        squares += float((influence**2).sum())
    return cubes / (6 * squares**1.5) if np.isfinite(squares) and squares > 0 else 0.0


def _bca(value: float, drawn: Floats, acceleration: float, level: float) -> tuple[float, float] | None:
    """The bias-corrected and accelerated interval (Efron 1987), or None where the draws cannot tell their bias."""
    if not np.isfinite(value) or not len(drawn):
        return None
    below = (np.count_nonzero(drawn < value) + np.count_nonzero(drawn == value) / 2) / len(drawn)
    if not 0 < below < 1:
        return None
    bias = _normal.inv_cdf(below)
    places = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        shifted = bias + _normal.inv_cdf(tail)
        places.append(_normal.cdf(bias + shifted / (1 - acceleration * shifted)))
    return _quantiles(drawn, places)


def _quantiles(drawn: Floats, places: list[float]) -> tuple[float, float]:
    if not len(drawn):
        return float("nan"), float("nan")
    if np.isfinite(drawn).all():
        low, high = np.quantile(drawn, places)
    else:  # between infinite values there is nothing to interpolate
        low, high = np.quantile(drawn, places, method="inverted_cdf")
    return float(low), float(high)
