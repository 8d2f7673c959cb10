"""Whether a probability means what it says: of the pictures given 10 %, is a tenth positive?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_melanoma.decision import probability_of
from edge_melanoma.errors import DataError
from edge_melanoma.metrics.bootstrap import Measures
from edge_melanoma.metrics.decisions import Rate, grouped_wilson
from edge_melanoma.metrics.estimate import Bools, Floats, checked, number, one_round

BINS = 15
_MOST_STEPS = 30  # of Newton's method; a fit that exists takes six
_NO_CHANGE = np.array([0.0, 1.0])  # intercept and slope of log-odds that need no calibration
_STEEPEST = 50.0  # a slope beyond this is that of classes which do not overlap: there is none


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Pictures of about the same probability."""

    mean_probability: float
    observed: Rate

    def to_json(self) -> dict[str, Any]:
        """The bin in numbers."""
        return {"mean_probability": number(self.mean_probability), "observed": self.observed.to_json()}


def brier(y: ArrayLike, probability: ArrayLike) -> float:
    """The mean squared distance of the probability from the answer."""
    return float(_alone(y, probability)["brier"][0])


def calibration_error(y: ArrayLike, probability: ArrayLike, *, bins: int = BINS) -> float:
    """The mean distance of said and observed share over bins of equally many pictures (ECE)."""
    answers, p = _probabilities(y, probability)
    return float(_binned_error(answers, p, bins, one_round(len(p)))[0])


def calibration_error_floor(probability: ArrayLike, *, rng: np.random.Generator, bins: int = BINS) -> float:
    """The calibration error that perfect probabilities would show on so few pictures, by chance alone."""
    p = np.asarray(probability, np.float64)
    place = equal_mass_bins(p, bins)
    apart = np.stack([np.bincount(place, weights=p - (rng.random(len(p)) < p), minlength=bins) for _ in range(300)])
    return float(np.abs(apart).sum(axis=1).mean() / len(p))


def calibration_line(y: ArrayLike, log_odds: ArrayLike) -> tuple[float, float]:
    """Intercept (at slope 1: are they too high on the whole?) and slope (are they too extreme?); ideal: 0 and 1."""
    answers, x = checked(y, log_odds)
    alone = one_round(len(x))
    intercept, line = _intercepts(answers, x, alone, _NO_CHANGE[:1]), _lines(answers, x, alone, _NO_CHANGE)
    return float(intercept[0]), float(line[0, 1])


def equal_mass_bins(values: Floats, bins: int) -> NDArray[np.int64]:
    """The bin of each value, by rank: equally many in each; equal values share one."""
    _, run, sizes = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - sizes / 2
    return np.minimum((middle * bins / len(values)).astype(np.int64), bins - 1)[run]


def reliability(
    y: ArrayLike, probability: ArrayLike, groups: ArrayLike, *, bins: int = BINS, level: float = 0.95
) -> tuple[Bin, ...]:
    """What was said and what was observed, bin by bin."""
    answers, p = _probabilities(y, probability)
    place, names = equal_mass_bins(p, bins), np.asarray(groups)
    return tuple(
        Bin(
            mean_probability=float(p[place == at].mean()),
            observed=grouped_wilson(answers[place == at], names[place == at], level=level),
        )
        for at in np.unique(place)
    )


def probability_measures(y: ArrayLike, log_odds: ArrayLike) -> Measures:
    """All metrics of this file, by name, for `bootstrap`."""
    answers, x = checked(y, log_odds)
    p = probability_of(x)
    alone = one_round(len(x))
    # rounds resemble the data, so Newton's method starts from the data's own fit
    intercept = np.nan_to_num(_intercepts(answers, x, alone, _NO_CHANGE[:1]))
    line = np.nan_to_num(_lines(answers, x, alone, _NO_CHANGE)[0])

    def measures(weights: Floats) -> dict[str, Floats]:
        return {
            **_squares(answers, p, weights),
            "ece": _binned_error(answers, p, BINS, weights),
            "calibration_intercept": _intercepts(answers, x, weights, intercept),
            "calibration_slope": _lines(answers, x, weights, line)[:, 1],
        }

    return measures


def _alone(y: ArrayLike, probability: ArrayLike) -> dict[str, Floats]:
    answers, p = _probabilities(y, probability)
    return _squares(answers, p, one_round(len(p)))


def _probabilities(y: ArrayLike, probability: ArrayLike) -> tuple[Bools, Floats]:
    answers, p = checked(y, probability)
    if p.min() < 0 or p.max() > 1:
        raise DataError(f"probabilities between {p.min():g} and {p.max():g}; they lie between 0 and 1")
    return answers, p


def _squares(y: Bools, p: Floats, weights: Floats) -> dict[str, Floats]:
    """The Brier score, and its gain over always saying the prevalence."""
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        score, prevalence = weights @ (p - y) ** 2 / total, weights @ y.astype(np.float64) / total
        return {"brier": score, "brier_skill": 1 - score / (prevalence * (1 - prevalence))}


def _binned_error(y: Bools, p: Floats, bins: int, weights: Floats) -> Floats:
    apart = np.zeros((len(p), bins))
    apart[np.arange(len(p)), equal_mass_bins(p, bins)] = p - y
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(weights @ apart).sum(axis=1) / weights.sum(axis=1))


def _intercepts(y: Bools, x: Floats, weights: Floats, start: Floats) -> Floats:
    """What has to be added to the log-odds of each round, their slope left as it is."""
    at = np.tile(start, (len(weights), 1))
    return _newton(y, weights, at, np.ones((1, len(x))), offset=x)[:, 0]


def _lines(y: Bools, x: Floats, weights: Floats, start: Floats) -> Floats:
    """Intercept and slope of the line through the log-odds of each round (round, 2)."""
    at = np.tile(start, (len(weights), 1))
    lines = _newton(y, weights, at, np.stack([np.ones_like(x), x]), offset=np.zeros_like(x))
    return np.where(np.abs(lines[:, 1:]) < _STEEPEST, lines, np.nan)


def _newton(y: Bools, weights: Floats, at: Floats, inputs: Floats, *, offset: Floats) -> Floats:
    """Logistic regression of every round: (round, coefficient); NaN where it does not settle."""
    pairs = (inputs[:, None, :] * inputs[None, :, :]).reshape(-1, inputs.shape[1])
    size, step = len(inputs), np.full_like(at, np.inf)
    with np.errstate(all="ignore"):
        for _ in range(_MOST_STEPS):
            p = probability_of(at @ inputs + offset)
            gradient = (weights * (y - p)) @ inputs.T
            curvature = ((weights * p * (1 - p)) @ pairs.T).reshape(-1, size, size)
            step = _solved(curvature, gradient)
            at = at + np.clip(step, -2.0, 2.0)  # a wild first step of an extreme round stays in reach
            if not (np.abs(step) > 1e-6).any():  # the next step would be the square of that
                break
    return np.where((np.abs(step) < 1e-5).all(axis=1, keepdims=True), at, np.nan)


def _solved(matrix: Floats, right: Floats) -> Floats:
    """One or two equations of every round; no exception for a round without a solution."""
    if matrix.shape[1] == 1:
        return np.asarray(right / matrix[:, :, 0])
    (a, b), (c, d) = matrix[:, 0].T, matrix[:, 1].T
    first, second = d * right[:, 0] - b * right[:, 1], a * right[:, 1] - c * right[:, 0]
    return np.asarray(np.stack([first, second], axis=1) / (a * d - b * c)[:, None])
