"""The one number that makes probabilities honest: logits are divided by it before the softmax.

It minimises the log loss over all classes on pictures that training has not seen. A model trained on balanced classes
expects them balanced, so the loss is taken after the class shares are moved from those of training to those of the
pictures; otherwise the temperature would pay for the prior.

A quantised model gets a temperature of its own: how far it lies from the float model's is a cheap alarm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.decision import Interval
from edge_melanoma.metrics import bootstrap

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_LOWEST, _HIGHEST = 0.05, 20.0  # temperatures that are looked for
_GRID = np.geomspace(1 / _HIGHEST, 1 / _LOWEST, 241)  # of 1/temperature, for the interval: steps of 2.5 %
_EQUAL = 1e-9


def fit_temperature(
    logits: Floats,
    answers: Ints,
    groups: Any,
    *,
    class_shares_train: Floats,
    rng: np.random.Generator,
    rounds: int = 2000,
    level: float = 0.95,
) -> tuple[Interval, list[str]]:
    """The temperature with the least log loss, and what is to be said of it."""
    moved = _log(np.bincount(answers, minlength=logits.shape[1]) / len(answers)) - _log(class_shares_train)
    if np.ptp(logits - logits[:, :1], axis=0).max() < _EQUAL:
        return Interval(value=1.0, low=1.0, high=1.0), ["all pictures have the same logits: no temperature to find"]
    if _margin(logits, answers).min() > 0:
        # the loss falls for ever as the temperature does; the interval says that any lower one would do
        said = "the logits separate the classes without a mistake, so no temperature can be found: it stays 1"
        return Interval(value=1.0, low=_LOWEST, high=1.0), [said]
    # in b = 1/temperature the loss is convex, so its slope crosses zero once
    slopes = np.stack([_loss_slope(logits, answers, moved, b) for b in _GRID], axis=1)  # (row, grid)

    def measures(weights: Floats) -> Mapping[str, Floats]:
        return {"temperature": 1 / _zero(weights @ slopes)}

    found = bootstrap(measures, answers, groups, rng=rng, rounds=rounds, level=level).estimate("temperature")
    value = 1 / _bisected(logits, answers, moved)
    remarks = []
    if value >= 0.999 * _HIGHEST:
        remarks.append("the temperature is at its upper limit: the logits tell nothing about the answers")
    return Interval(value=value, low=min(found.low, value), high=max(found.high, value)), remarks


def _margin(logits: Floats, answers: Ints) -> Floats:
    """How far the logit of the answer lies above the highest other one."""
    rows = np.arange(len(answers))
    others = logits.copy()
    others[rows, answers] = -np.inf
    return np.asarray(logits[rows, answers] - others.max(axis=1))


def _loss_slope(logits: Floats, answers: Ints, moved: Floats, b: float) -> Floats:
    """How the log loss of each row changes with b: the expected logit less the one of the answer."""
    z = b * logits + moved
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return np.asarray((p * logits).sum(axis=1) - logits[np.arange(len(answers)), answers])


def _zero(slopes: Floats) -> Floats:
    """Where each round's slope (round, grid) crosses zero, between two points of the grid."""
    right = np.clip(np.count_nonzero(slopes < 0, axis=1), 1, len(_GRID) - 1)
    below, above = (np.take_along_axis(slopes, place[:, None], axis=1)[:, 0] for place in (right - 1, right))
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.clip(np.nan_to_num(-below / (above - below)), 0.0, 1.0)
    return np.asarray(_GRID[right - 1] * (_GRID[right] / _GRID[right - 1]) ** part)


def _bisected(logits: Floats, answers: Ints, moved: Floats) -> float:
    low, high = float(_GRID[0]), float(_GRID[-1])
    for _ in range(80):
        middle = (low * high) ** 0.5
        if _loss_slope(logits, answers, moved, middle).sum() < 0:
            low = middle
        else:
            high = middle
    return float((low * high) ** 0.5)


def _log(shares: Floats) -> Floats:
    with np.errstate(divide="ignore"):  # a class that does not occur in the calibration part is left out of the loss
        return np.asarray(np.log(shares))
