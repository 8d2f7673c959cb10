"""Several classes at once: who is taken for whom, and the mean recall that the ISIC challenges rank by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_melanoma.errors import DataError
from edge_melanoma.metrics.bootstrap import Measures
from edge_melanoma.metrics.estimate import Floats, one_round


def confusion_matrix(y: ArrayLike, called: ArrayLike, classes: int) -> NDArray[np.int64]:
    """How often each class (row) was called each class (column)."""
    answers = np.asarray(y, np.int64)
    counts = _counted(answers, np.asarray(called, np.int64), classes, one_round(len(answers)))
    whole: NDArray[np.int64] = np.rint(counts[0]).astype(np.int64)
    return whole


def macro_recall(y: ArrayLike, called: ArrayLike, classes: int) -> float:
    """The mean recall over the classes that occur: balanced accuracy, the metric of ISIC 2018 and 2019."""
    return float(_rates(confusion_matrix(y, called, classes)[None].astype(np.float64))["balanced_accuracy"][0])


def class_measures(y: ArrayLike, called: ArrayLike, names: Sequence[str], *, prefix: str = "classes.") -> Measures:
    """Accuracy, balanced accuracy, macro F1, and the recall and precision of each class, for `bootstrap`."""
    answers, calls = np.asarray(y, np.int64), np.asarray(called, np.int64)

    def measures(weights: Floats) -> dict[str, Floats]:
        counts = _counted(answers, calls, len(names), weights)
        right = np.diagonal(counts, axis1=1, axis2=2)
        with np.errstate(invalid="ignore"):
            recall, precision = right / counts.sum(axis=2), right / counts.sum(axis=1)
        found = _rates(counts)
        found |= {f"recall.{name}": recall[:, i] for i, name in enumerate(names)}
        found |= {f"precision.{name}": precision[:, i] for i, name in enumerate(names)}
        return {prefix + name: values for name, values in found.items()}

    return measures


def _counted(answers: NDArray[np.int64], calls: NDArray[np.int64], classes: int, weights: Floats) -> Floats:
    """(round, answer, call)"""
    if answers.shape != calls.shape:
        raise DataError(f"{len(answers):,} answers and {len(calls):,} calls; every row needs both")
    if len(answers) and not 0 <= min(answers.min(), calls.min()) <= max(answers.max(), calls.max()) < classes:
        raise DataError(f"a class beyond 0 to {classes - 1}")
    cell = np.zeros((len(answers), classes * classes))
    cell[np.arange(len(answers)), answers * classes + calls] = 1.0
    return (weights @ cell).reshape(-1, classes, classes)


def _rates(counts: Floats) -> dict[str, Floats]:
    """Of (round, answer, call); a class that does not occur has no recall and no share in a mean."""
    right = np.diagonal(counts, axis1=1, axis2=2)
    there, called = counts.sum(axis=2), counts.sum(axis=1)
    occurs = there > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(occurs, right / there, 0.0)
        f1 = np.where(occurs, 2 * right / (there + called), 0.0)
        classes = occurs.sum(axis=1)
        return {
            "accuracy": right.sum(axis=1) / there.sum(axis=1),
            "balanced_accuracy": recall.sum(axis=1) / classes,
            "macro_f1": f1.sum(axis=1) / classes,
        }
