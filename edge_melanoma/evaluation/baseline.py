"""The figure to beat: what age, sex, site and centre tell without a pixel, measured on the same rows as the model.

The trees of data/no_pixel.py learn from the rows that the model learned from, and answer for the rows that it is
measured on; out of fold, both learn from the same other folds. So model and baseline can be compared row by row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from edge_melanoma.data.no_pixel import INPUTS, TREES, answers_of_trees, nothing_to_learn
from edge_melanoma.decision import positive_classes
from edge_melanoma.evaluation.rows import OUT_OF_FOLD, Bools, Floats, Rows
from edge_melanoma.labels import Task
from edge_melanoma.metrics import Bootstrap, Estimate, Measures, weighted_roc_auc

FEWEST = 10  # positives to learn from


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What the trees answer for every row, by the names of INPUTS; or why they do not."""

    of: Mapping[str, Floats]
    why_not: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The AUC without pixels beside that of the model."""

    auc: Mapping[str, Estimate]  # by the names of INPUTS
    best: str | None
    difference: Estimate | None  # the model's AUC less that of the best, under the same draws
    why_not: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The baseline in numbers."""
        return {
            "auc": {inputs: estimate.to_json() for inputs, estimate in self.auc.items()},
            "best": self.best,
            "model_less_best": self.difference and self.difference.to_json(),
            "trees": dict(TREES),
            "why_not": dict(self.why_not),
        }


def baseline_scores(rows: Rows, fitted_on: pl.DataFrame, *, seed: int) -> Scores:
    """Let the trees learn and answer."""
    answer = [rows.task.answer(dx) for dx in fitted_on["dx"].to_list()]
    usable = pl.Series([a is not None for a in answer], dtype=pl.Boolean) & fitted_on["parent_id"].is_null()
    learned_from = rows.table if rows.split == OUT_OF_FOLD else fitted_on.filter(usable)
    y = rows.positive if rows.split == OUT_OF_FOLD else _positive(learned_from, rows.task)
    scores: dict[str, Floats] = {}
    why_not: dict[str, str] = {}
    for inputs, columns in INPUTS.items():
        reason = _too_few(y) or nothing_to_learn(learned_from, columns)
        if reason:
            why_not[inputs] = reason
        elif rows.split == OUT_OF_FOLD:
            scores[inputs] = _out_of_fold(rows, columns, seed=seed)
        else:
            scores[inputs] = answers_of_trees(learned_from, y, rows.table, columns, seed=seed)
    return Scores(of=scores, why_not=why_not)


def baseline_measures(rows: Rows, scores: Scores) -> Measures:
    """The AUC of each set of inputs, under the same draws as the model's."""
    y = rows.positive
    return lambda weights: {f"no_pixel.{name}": weighted_roc_auc(y, s, weights) for name, s in scores.of.items()}


def baseline_of(scores: Scores, drawn: Bootstrap) -> Baseline:
    """The baseline with its intervals, and the model's lead over it."""
    auc = {inputs: drawn.estimate(f"no_pixel.{inputs}") for inputs in scores.of}
    best = max(auc, key=lambda inputs: auc[inputs].value, default=None)
    difference = None if best is None else drawn.difference("roc_auc", f"no_pixel.{best}")
    return Baseline(auc=auc, best=best, difference=difference, why_not=scores.why_not)


def _positive(table: pl.DataFrame, task: Task) -> Bools:
    positive = positive_classes(task.classes)
    return np.array([task.answer(dx) in positive for dx in table["dx"].to_list()], bool)


def _too_few(y: Bools) -> str:
    positives, negatives = int(y.sum()), int((~y).sum())
    if min(positives, negatives) >= FEWEST:
        return ""
    return f"{positives:,} positives and {negatives:,} negatives to learn from; {FEWEST} of each are needed"


def _out_of_fold(rows: Rows, columns: tuple[str, ...], *, seed: int) -> Floats:
    score = np.empty(len(rows))
    fold = rows.table["fold"].to_numpy()
    for held_out in np.unique(fold):
        inside = fold == held_out
        learned_from, asked = rows.table.filter(~inside), rows.table.filter(inside)
        score[inside] = answers_of_trees(learned_from, rows.positive[~inside], asked, columns, seed=seed)
    return score
