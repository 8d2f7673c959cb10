"""Judge a converted model, or a device, by the rows that the model it comes from was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from edge_melanoma import metrics
from edge_melanoma.decision import DecisionRule, positive_classes
from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.evaluation.remarks import FEW_POSITIVES, Remark, is_synthetic
from edge_melanoma.evaluation.rows import OUT_OF_FOLD, Rows, select_rows, told
from edge_melanoma.labels import Task
from edge_melanoma.metrics import Bootstrap
from edge_melanoma.parity.checks import gate_rows
from edge_melanoma.parity.gate import Facts
from edge_melanoma.parity.grid import Output, levels_of
from edge_melanoma.parity.recipe import GateRecipe
from edge_melanoma.parity.report import LogitChange, ParityReport
from edge_melanoma.parity.scoring import Scored, scored
from edge_melanoma.parity.view import ViewResult
from edge_melanoma.parity.viewing import side_measures, view_of

_SAME_PRIOR = 1e-9


def judge(
    reference: pl.DataFrame,
    candidate: pl.DataFrame,
    table: pl.DataFrame,
    task: Task,
    *,
    split: str,
    reference_rule: DecisionRule,
    candidate_rule: DecisionRule,
    output: Output,
    tflite_float: pl.DataFrame | None = None,
    recipe: GateRecipe | None = None,
    seed: int = 0,
    rounds: int = 2000,
    level: float = 0.95,
    names: tuple[str, str] = ("the float model", "the converted model"),
    about: Mapping[str, Any] | None = None,
) -> ParityReport:
    """Compare two prediction tables of the same pictures of one part of an index, decision by decision.

    Args:
        reference: image_id, split, logit_<class> of the model before (Keras, float; or the bundle, for a device).
        candidate: the same of the model after, dequantised.
        table: the rows of the index: groups and subgroups.
        reference_rule: frozen; fitted on the calibration part with the reference's logits.
        candidate_rule: fitted on the calibration part with the candidate's logits; for a device, that of the bundle.
        output: how the candidate's logits are stored.
        tflite_float: the same rows by the unquantised TFLite model, to tell a wrong graph from coarse numbers.
        rounds: of the paired bootstrap; 0 is a quick look for choosing among many: DeLong's interval for the AUC,
            none for the partial AUC.
        about: what the report is to carry along: hashes of index and models, host, engine.
    """
    if rounds < 0:
        raise RecipeError(f"rounds {rounds}: 0 for a quick look, or some hundred and more")
    recipe = recipe or GateRecipe()
    _check_rules(reference_rule, candidate_rule, task)
    rows = select_rows(reference, table, task, split)
    after = _same_rows(rows, select_rows(candidate, table, task, split), "candidate")
    output.check(after.logits)
    sides = {
        "before": scored(rows, reference_rule),
        "frozen": scored(after, reference_rule),
        "refitted": scored(after, candidate_rule),
    }
    views = _views(sides, output, recipe, seed=seed, rounds=rounds, level=level)
    facts = Facts(
        rows=len(rows),
        positives=int(rows.positive.sum()),
        positive_name=_noun(task),
        levels=levels_of(after.logits, output),
        temperature_ratio=candidate_rule.temperature.value / reference_rule.temperature.value,
        float_logit_difference=_float_difference(rows, tflite_float, table, task, split),
    )
    return ParityReport(
        reference=names[0],
        candidate=names[1],
        task=task.name,
        split=split,
        groups=len(np.unique(rows.groups)),
        seed=seed,
        rounds=rounds,
        level=level,
        recipe=recipe,
        output=output,
        facts=facts,
        synthetic=is_synthetic(rows.table),
        logits=_logit_change(rows, after),
        rows=gate_rows(recipe, views, facts),
        views=views,
        remarks=_remarks(rows, facts, (reference_rule, candidate_rule), quick=not rounds),
        about=about or {},
        before=sides["before"],
    )


def _check_rules(reference: DecisionRule, candidate: DecisionRule, task: Task) -> None:
    for name, rule in (("reference", reference), ("candidate", candidate)):
        if (rule.classes, rule.positive) != (task.classes, positive_classes(task.classes)):
            raise DataError(
                f"the {name}'s decision rule is for {rule.task} ({', '.join(rule.classes)}), not for {task.name} "
                f"({', '.join(task.classes)})"
            )
    if abs(reference.prior_deploy - candidate.prior_deploy) > _SAME_PRIOR:
        raise DataError(
            f"the decision rules are for different prevalences, {reference.prior_deploy:g} and "
            f"{candidate.prior_deploy:g}, so their probabilities cannot be compared; fit both with one prior_deploy"
        )


def _same_rows(rows: Rows, others: Rows, name: str) -> Rows:
    """Refuse predictions of other pictures: a parity of different rows is none."""
    first, second = rows.table["image_id"], others.table["image_id"]
    if first.equals(second):
        return others
    only = [told(sorted(set(a) - set(b))) or "none" for a, b in ((first, second), (second, first))]
    raise DataError(
        f"part {rows.split}: reference and {name} have different pictures: only in the reference {only[0]}; only in "
        f"the {name} {only[1]}; both must have predicted the same"
    )


def _views(
    sides: Mapping[str, Scored], output: Output, recipe: GateRecipe, *, seed: int, rounds: int, level: float
) -> dict[str, ViewResult]:
    drawn = _drawn(sides, seed=seed, rounds=rounds, level=level) if rounds else None
    return {
        name: view_of(name, sides["before"], sides[name], output=output, near=recipe.near, level=level, drawn=drawn)
        for name in ("frozen", "refitted")
    }


def _drawn(sides: Mapping[str, Scored], *, seed: int, rounds: int, level: float) -> Bootstrap:
    """All sides under the same draws of whole groups."""
    rows = sides["before"].rows
    return metrics.bootstrap(
        metrics.together(*(metrics.prefixed(f"{name}/", side_measures(side)) for name, side in sides.items())),
        rows.answers,
        rows.groups,
        rng=np.random.default_rng(seed),
        rounds=rounds,
        level=level,
    )


def _float_difference(
    rows: Rows, tflite_float: pl.DataFrame | None, table: pl.DataFrame, task: Task, split: str
) -> float | None:
    if tflite_float is None:
        return None
    others = _same_rows(rows, select_rows(tflite_float, table, task, split), "float TFLite model")
    return float(np.abs(others.logits - rows.logits).max())


def _logit_change(rows: Rows, after: Rows) -> LogitChange:
    moved = np.abs(after.logits - rows.logits)
    return LogitChange(
        mean=float(moved.mean()),
        p99=float(np.quantile(moved, 0.99)),
        largest=float(moved.max()),
        same_class=float((after.logits.argmax(axis=1) == rows.logits.argmax(axis=1)).mean()),
    )


def _noun(task: Task) -> str:
    names = {task.classes[place] for place in positive_classes(task.classes)}
    return "melanoma" if names <= {"mel", "melanoma"} else "positive"


def _remarks(rows: Rows, facts: Facts, rules: tuple[DecisionRule, DecisionRule], *, quick: bool) -> tuple[Remark, ...]:
    found = []
    if quick:
        text = "a quick look without drawn intervals: good for choosing among models, not for shipping one"
        found.append(Remark(tone="warn", text=text))
    if facts.positives < FEW_POSITIVES:
        text = f"only {facts.positives} {facts.positive_name}s: a pass proves little; look at the intervals"
        found.append(Remark(tone="warn", text=text))
    if rows.split == "train":
        text = "judged on pictures that the model learned from: decisions are surer there than anywhere else"
        found.append(Remark(tone="warn", text=text))
    fitted = [rule.fitted_on.get("split") for rule in rules]
    if rows.split in fitted:
        where = "the out-of-fold rows" if rows.split == OUT_OF_FOLD else f"the {rows.split} part"
        text = f"temperature and thresholds were fitted on {where}, which is judged here: the refitted view is too good"
        found.append(Remark(tone="info", text=text))
    for name, rule in zip(("reference", "candidate"), rules, strict=True):
        found += [Remark(tone="warn", text=f"rule of the {name}: {text}") for text in rule.fitted_on.get("remarks", [])]
    found += [Remark(tone="info", text=f"left out: {count:,} ({why})") for why, count in rows.left_out.items()]
    return tuple(found)
