"""From predictions to an Evaluation; TensorFlow has no part in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from edge_melanoma.data.synth.dataset import FACTS_FILE
from edge_melanoma.decision import DecisionRule, positive_classes
from edge_melanoma.errors import DataError
from edge_melanoma.evaluation.baseline import Scores, baseline_measures, baseline_of, baseline_scores
from edge_melanoma.evaluation.leaks import check_leaks
from edge_melanoma.evaluation.level import Level, decided, log_odds_of, measure
from edge_melanoma.evaluation.remarks import is_synthetic, remarks_on
from edge_melanoma.evaluation.result import Evaluation
from edge_melanoma.evaluation.rows import Rows, by_lesion, logit_columns, select_rows
from edge_melanoma.evaluation.subgroups import subgroup_measures, subgroups, worst_of
from edge_melanoma.labels import Task
from edge_melanoma.metrics import together


def evaluate(
    predictions: pl.DataFrame,
    table: pl.DataFrame,
    task: Task,
    rule: DecisionRule | None,
    *,
    split: str,
    seed: int = 0,
    rounds: int = 2000,
    level: float = 0.95,
    fitted_on: pl.DataFrame | None = None,
    synthetic_ceiling: float | None = None,
    allow_leaks: bool = False,
    other_index: bool = False,
    known_leaks: tuple[str, ...] = (),
    without_pixels: bool = True,
    model: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Measure predictions on one part of an index (its rows: `table`), or out of fold with split="oof".

    Args:
        predictions: image_id, split, fold (out of fold only), logit_<class> for each class of the task in order.
        fitted_on: the rows that the model learned from; those of `table` in `train`, unless it is another index.
        synthetic_ceiling: see `ceiling_of`.
        known_leaks: found by who knows more of the model than its rows; they are said as loudly.
        other_index: than the one that the model was trained on, whose parts mean nothing to it.
        without_pixels: measure the baseline that sees no picture on the same rows.
        model: what is known of the model (name, parameters, macs, size_bytes); `compare` shows it.
    """
    _check_rule(rule, task)
    rows = select_rows(predictions, table, task, split)
    learned_from = table.filter(pl.col("split") == "train") if fitted_on is None else fitted_on
    leaks = (*known_leaks, *check_leaks(rows, table, learned_from, allow_leaks=allow_leaks))
    scores = Scores(of={}, why_not={})
    if without_pixels and split != "train":
        scores = baseline_scores(rows, learned_from, seed=seed)
    image, drawn = measure(
        rows,
        rule,
        rng=np.random.default_rng(seed),
        rounds=rounds,
        level=level,
        extra=together(subgroup_measures(rows, log_odds_of(rows, rule)), baseline_measures(rows, scores)),
    )
    groups = subgroups(rows, rule, drawn)
    baseline = baseline_of(scores, drawn) if scores.of or scores.why_not else None
    found = image.metrics.get("refer.sensitivity")
    return Evaluation(
        task=task,
        split=split,
        rule=rule,
        seed=seed,
        rounds=rounds,
        level=level,
        synthetic=is_synthetic(rows.table),
        synthetic_ceiling=synthetic_ceiling,
        image=image,
        lesion=_lesion_level(rows, rule, seed=seed, rounds=rounds, level=level),
        subgroups=groups,
        worst=worst_of(groups, found.value) if found else None,
        baseline=baseline,
        remarks=remarks_on(
            rows, image, rule, baseline, ceiling=synthetic_ceiling, leaks=leaks, other_index=other_index
        ),
        model=model or {},
        about=about or {},
        predictions=_predictions(rows, rule),
    )


def ceiling_of(task: Task, roots: Mapping[str, Path]) -> float | None:
    """The best AUC that any model of a synthetic set can have in a task, as `data synth` wrote it; None otherwise.

    `roots` are those of the index. A set with a deliberate shortcut has no such bound for the pictures in it.
    """
    if set(roots) != {"synth"}:
        return None
    try:
        facts = json.loads((roots["synth"] / FACTS_FILE).read_text(encoding="utf-8"))
        ceiling, confound = facts["ceiling"], facts["confound"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the pictures are no longer there
    key = {"mel": "mel_auc", "dx7": "mel_auc", "melnv": "melnv_auc", "refer": "mal_auc"}.get(task.name)
    if task.name == "mal" and task.ak_policy in ("mixed", "malignant"):
        key = "mal_auc"
    return None if key is None or confound else float(ceiling[key])


def _check_rule(rule: DecisionRule | None, task: Task) -> None:
    if rule is not None and (rule.classes, rule.positive) != (task.classes, positive_classes(task.classes)):
        raise DataError(
            f"the decision rule is for {rule.task} ({', '.join(rule.classes)}), the predictions are for {task.name} "
            f"({', '.join(task.classes)})"
        )


def _lesion_level(rows: Rows, rule: DecisionRule | None, *, seed: int, rounds: int, level: float) -> Level | None:
    lesions = by_lesion(rows)
    if lesions is None:
        return None
    rng = np.random.default_rng(seed)
    return measure(lesions, rule, rng=rng, rounds=rounds, level=level, extra=lambda weights: {})[0]


def _predictions(rows: Rows, rule: DecisionRule | None) -> pl.DataFrame:
    """What is kept of every row: ids, no paths."""
    unknown = [None] * len(rows)
    return rows.table.select("image_id", "lesion_id").with_columns(
        pl.Series("group", rows.groups),
        pl.Series("answer", rows.answers),
        *(pl.Series(name, rows.logits[:, i]) for i, name in enumerate(logit_columns(rows.task))),
        pl.Series("probability", unknown if rule is None else rule.probability(rows.logits), dtype=pl.Float64),
        pl.Series("decision", unknown if rule is None else decided(rows, rule), dtype=pl.String),
    )
