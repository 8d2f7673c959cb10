"""How well scores rank positives above negatives, with no threshold chosen: ROC, precision-recall, and their areas.

Everything is read off one sort: for each distinct score, how many positives and negatives have at least that score, in
every bootstrap round at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from edge_melanoma.metrics.bootstrap import Measures
from edge_melanoma.metrics.estimate import Bools, Floats, checked, one_round

SPECIFICITIES = (0.80, 0.90, 0.95)
SENSITIVITIES = (0.90, 0.95)
_PAUC_FROM = 0.80  # the sensitivity from which ISIC 2024 counts the area
_ROUNDING = 1e-9  # a specificity of .9 over ten negatives is one false positive, whatever floats make of 1 - .9


@dataclass(frozen=True)
class Roc:
    """True and false positives (round, threshold): first at a threshold above all scores, then at each score."""

    true_positive: Floats
    false_positive: Floats
    thresholds: Floats  # the distinct scores, falling; refer what is at least the threshold

    @cached_property
    def sensitivity(self) -> Floats:
        """(round, threshold)"""
        with np.errstate(invalid="ignore"):
            return self.true_positive / self.true_positive[:, -1:]

    @cached_property
    def false_positive_rate(self) -> Floats:
        """(round, threshold)"""
        with np.errstate(invalid="ignore"):
            return self.false_positive / self.false_positive[:, -1:]

    def auc(self) -> Floats:
        """The chance that a positive has a higher score than a negative; a tie counts half."""
        tp, fp = self.true_positive, self.false_positive
        area = (np.diff(fp, axis=1) * (tp[:, 1:] + tp[:, :-1])).sum(axis=1) / 2
        with np.errstate(invalid="ignore"):
            return np.asarray(area / (tp[:, -1] * fp[:, -1]))

    def average_precision(self) -> Floats:
        """The precision at each score, weighted by the positives it adds; for random scores it is the prevalence."""
        tp, fp = self.true_positive, self.false_positive
        with np.errstate(invalid="ignore"):
            precision = tp[:, 1:] / (tp[:, 1:] + fp[:, 1:])
            added = np.diff(tp, axis=1)
            return np.asarray(np.where(added > 0, precision * added, 0.0).sum(axis=1) / tp[:, -1])

    def pauc80(self) -> Floats:
        """The area above a sensitivity of 0.8, as ISIC 2024 scores it: 0.2 at best, 0.02 by chance."""
        over = np.maximum(self.sensitivity - _PAUC_FROM, 0.0)
        width, rise = np.diff(self.false_positive_rate, axis=1), np.diff(self.sensitivity, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            # of a slanting piece of the curve, the part that lies above 0.8
            part = np.where(rise > 0, (over[:, 1:] - over[:, :-1]) / rise, over[:, :-1] > 0)
        return np.asarray((width * part * (over[:, 1:] + over[:, :-1]) / 2).sum(axis=1))

    def sensitivity_at(self, specificity: float) -> Floats:
        """The highest sensitivity among thresholds with at least this specificity."""
        most = (1 - specificity + _ROUNDING) * self.false_positive[:, -1]
        place = np.count_nonzero(self.false_positive <= most[:, None], axis=1) - 1
        return self._picked(self.sensitivity, place)

    def specificity_at(self, sensitivity: float) -> Floats:
        """The highest specificity among thresholds with at least this sensitivity."""
        least = (sensitivity - _ROUNDING) * self.true_positive[:, -1]
        place = np.count_nonzero(self.true_positive < least[:, None], axis=1)
        return 1 - self._picked(self.false_positive_rate, place)

    def sensitivity_over(self, false_positive_rates: Floats) -> Floats:
        """The highest sensitivity with at most each of these false positive rates (round, rate): the ROC curve."""
        at = false_positive_rates + _ROUNDING
        place = [np.searchsorted(rates, at, side="right") - 1 for rates in self.false_positive_rate]
        places = np.array(place, np.int64).reshape(-1, len(at))
        return np.asarray(np.take_along_axis(self.sensitivity, np.maximum(places, 0), axis=1))

    def _picked(self, values: Floats, place: Floats) -> Floats:
        last = values.shape[1] - 1
        return np.asarray(np.take_along_axis(values, np.minimum(place, last)[:, None], axis=1)[:, 0])


class Ranking:
    """Rows sorted once by falling score, to be counted under any weights."""

    def __init__(self, y: ArrayLike, score: ArrayLike) -> None:
        answers, scores = checked(y, score)
        order = np.argsort(-scores, kind="stable")
        ends = np.flatnonzero(np.diff(scores[order], append=np.nan) != 0)  # the last row of every run of equal scores
        self.rows = len(scores)
        self.thresholds: Floats = scores[order][ends]
        self._positive, self._negative = order[answers[order]], order[~answers[order]]
        self._positives = np.concatenate([[0], np.cumsum(answers[order])[ends]])  # with at least that score
        self._negatives = np.concatenate([[0], np.cumsum(~answers[order])[ends]])

    def roc(self, weights: Floats | None = None) -> Roc:
        """The counts under each row of weights (round, row); one round of the rows as they are, unless given."""
        weights = one_round(self.rows) if weights is None else weights
        return Roc(
            true_positive=_totals(weights[:, self._positive])[:, self._positives],
            false_positive=_totals(weights[:, self._negative])[:, self._negatives],
            thresholds=self.thresholds,
        )


def _totals(weights: Floats) -> Floats:
    """The sum of the first 0, 1, 2 … weights of each round."""
    totals = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=totals[:, 1:])
    return totals


def ranking_measures(y: ArrayLike, score: ArrayLike) -> Measures:
    """All metrics of this file, by name, for `bootstrap`."""
    ranking = Ranking(y, score)

    def measures(weights: Floats) -> dict[str, Floats]:
        roc = ranking.roc(weights)
        return {
            "roc_auc": roc.auc(),
            "average_precision": roc.average_precision(),
            "pauc80": roc.pauc80(),
            **{f"se_at_sp{round(100 * x)}": roc.sensitivity_at(x) for x in SPECIFICITIES},
            **{f"sp_at_se{round(100 * x)}": roc.specificity_at(x) for x in SENSITIVITIES},
        }

    return measures


def roc_auc(y: ArrayLike, score: ArrayLike) -> float:
    """The chance that a positive has a higher score than a negative; a tie counts half."""
    return float(Ranking(y, score).roc().auc()[0])


def average_precision(y: ArrayLike, score: ArrayLike) -> float:
    """The mean precision over the positives; for random scores it is the prevalence."""
    return float(Ranking(y, score).roc().average_precision()[0])


def pauc80(y: ArrayLike, score: ArrayLike) -> float:
    """The area of the ROC curve above a sensitivity of 0.8: 0.2 at best, 0.02 by chance."""
    return float(Ranking(y, score).roc().pauc80()[0])


def sensitivity_at_specificity(y: ArrayLike, score: ArrayLike, specificity: float) -> float:
    """The highest sensitivity among thresholds with at least this specificity."""
    return float(Ranking(y, score).roc().sensitivity_at(specificity)[0])


def specificity_at_sensitivity(y: ArrayLike, score: ArrayLike, sensitivity: float) -> float:
    """The highest specificity among thresholds with at least this sensitivity."""
    return float(Ranking(y, score).roc().specificity_at(sensitivity)[0])


def weighted_roc_auc(y: Bools, score: Floats, weights: Floats) -> Floats:
    """The AUC of every round."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.nan) != 0)  # of the runs of equal scores
    negative = order[~y[order]]
    below = _totals(weights[:, negative])  # negatives that lie before each place
    before = np.concatenate([[0], np.cumsum(~y[order])])
    run = np.searchsorted(starts, np.flatnonzero(y[order]), side="right") - 1  # of each positive
    ends = np.append(starts[1:], len(score))
    wins = (below[:, before[starts[run]]] + below[:, before[ends[run]]]) / 2
    positive = weights[:, order[y[order]]]
    with np.errstate(invalid="ignore"):
        return np.asarray((positive * wins).sum(axis=1) / (positive.sum(axis=1) * below[:, -1]))
