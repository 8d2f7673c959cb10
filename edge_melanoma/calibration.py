"""Temperature and thresholds, chosen on the calibration part and nowhere else, then frozen with their intervals.

`refer` begins at the highest threshold that still finds the wanted share of positives; `low` ends at the highest that
misses almost none. Between two neighbouring scores every threshold does the same here, and the middle one is taken, so
that a rounding error does not turn round the very picture that set it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from edge_melanoma.decision import (
    DecisionRule,
    Interval,
    Threshold,
    logit,
    positive_classes,
    positive_log_odds,
    probability_of,
    shares_moved,
    with_prevalence,
)
from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.evaluation.rows import Floats, Ints, Rows, select_rows
from edge_melanoma.labels import Task
from edge_melanoma.metrics import Estimate, Rate, bootstrap, grouped_wilson
from edge_melanoma.metrics.ranking import Ranking, Roc
from edge_melanoma.recipe import make_recipe
from edge_melanoma.temperature import fit_temperature

FEWEST_POSITIVES = 10
_ROUNDING = 1e-9
_NEVER_SET = (("refer_by", "value"), ("low_npv", None))


@dataclass(frozen=True, kw_only=True)
class CalibrationRecipe:
    """What the thresholds are for."""

    refer_sensitivity: float = 0.95
    low_sensitivity: float = 0.99
    prior_deploy: float | None = None  # share of positives where it will be used; as in the calibration part if None
    # the other classes there: as `found` in the calibration part, or as training was `balanced` to, which says less
    # where nobody knows them: held out of HAM10000, one centre lost .04 of AUC by `found`, another gained as much
    class_mix: Literal["found", "balanced"] = "found"
    allow_few: bool = False  # fewer than ten positives
    rounds: int = 2000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        shares = {"refer_sensitivity": self.refer_sensitivity, "low_sensitivity": self.low_sensitivity}
        shares |= {"prior_deploy": self.prior_deploy or 0.5, "level": self.level}
        for name, share in shares.items():
            if not 0 < share < 1:
                raise RecipeError(f"{name} {share}: a share between 0 and 1 is needed")
        if self.low_sensitivity < self.refer_sensitivity:
            raise RecipeError(
                f"low_sensitivity {self.low_sensitivity} is below refer_sensitivity {self.refer_sensitivity}; `low` "
                "must miss fewer than `refer` does"
            )
        if self.class_mix not in ("found", "balanced"):
            raise RecipeError(f"class_mix {self.class_mix!r}: 'found' or 'balanced'")


def recipe_of(rule: DecisionRule, *, where: str) -> CalibrationRecipe:
    """What a rule was chosen for; rules of earlier versions tell two wishes more, which nothing could set."""
    told = {key: value for key, value in rule.fitted_on["recipe"].items() if (key, value) not in _NEVER_SET}
    return make_recipe(told, CalibrationRecipe, where=where)


def fit_rule(
    predictions: pl.DataFrame,
    table: pl.DataFrame,
    task: Task,
    recipe: CalibrationRecipe,
    *,
    class_shares_train: Sequence[float],
    split: str = "calibration",
) -> DecisionRule:
    """The rule for a task; `class_shares_train` are the shares of the classes that training was balanced to."""
    shares = _checked_shares(class_shares_train, task)
    rows = _calibration_rows(predictions, table, task, recipe, split)
    positive = positive_classes(task.classes)
    prevalence = float(rows.positive.mean())
    mix = _found_shares(rows) if recipe.class_mix == "found" else [float(share) for share in shares]
    deploy = with_prevalence(mix, positive, recipe.prior_deploy or prevalence)
    temperature, remarks = fit_temperature(
        rows.logits,
        rows.answers,
        rows.groups,
        class_shares_train=shares,
        rng=np.random.default_rng(recipe.seed),
        rounds=recipe.rounds,
        level=recipe.level,
    )
    moved = shares_moved(shares, deploy)
    score = positive_log_odds(rows.logits, positive, temperature=temperature.value, moved=moved)
    refer, low, more = choose_thresholds(rows.positive, score, rows.groups, recipe)
    more += _off_on_the_whole(
        rows, probability_of(score + logit(prevalence) - logit(recipe.prior_deploy or prevalence))
    )
    few = int(rows.positive.sum())
    if few < FEWEST_POSITIVES:
        remarks.insert(0, f"only {few} positives in {split}: temperature and thresholds are little better than a guess")
    return DecisionRule(
        task=task.name,
        classes=task.classes,
        positive=positive,
        temperature=temperature,
        shares_train=tuple(float(share) for share in shares),
        shares_deploy=deploy,
        threshold_low=low,
        threshold_refer=refer,
        fitted_on=_facts(rows, recipe, prevalence, [*remarks, *more]),
    )


def _found_shares(rows: Rows) -> list[float]:
    """The class shares of the calibration part, half a picture added to each."""
    counts = np.bincount(rows.answers, minlength=len(rows.task.classes)) + 0.5
    return [float(share) for share in counts / counts.sum()]


def choose_thresholds(
    y: Any, score: Floats, groups: Any, recipe: CalibrationRecipe
) -> tuple[Threshold, Threshold, list[str]]:
    """`refer` and `low` for scores that are log-odds, as probabilities, and what is to be said of them."""
    ranking = Ranking(y, score)
    # below the lowest score nothing has been seen: a threshold there calls nothing low
    middles = np.append((ranking.thresholds[1:] + ranking.thresholds[:-1]) / 2, -np.inf)

    def measures(weights: Floats) -> Mapping[str, Floats]:
        refer_at, low_at = _places(ranking.roc(weights), recipe)
        return {"refer": middles[refer_at], "low": middles[low_at]}

    rng = np.random.default_rng(recipe.seed)
    drawn = bootstrap(measures, y, groups, rng=rng, rounds=recipe.rounds, level=recipe.level)
    chosen_for = {
        "refer": f"sensitivity of at least {recipe.refer_sensitivity:g}",
        "low": f"sensitivity of at least {recipe.low_sensitivity:g}",
    }
    measured = np.asarray(y, bool), score, np.asarray(groups)
    refer, low = (_threshold(drawn.estimate(name), chosen_for[name], *measured) for name in ("refer", "low"))
    remarks = []
    if low.value == 0:
        remarks.append(f"no threshold above zero has a {low.chosen_for} here: nothing is ever called low")
    elif low.value == refer.value:
        remarks.append("`low` ends where `refer` begins: so few positives leave no room for `uncertain`")
    return refer, low, remarks


def _places(roc: Roc, recipe: CalibrationRecipe) -> tuple[Ints, Ints]:
    """The last score that is referred, and the last that is not low, of each round."""
    found = roc.true_positive[:, 1:]
    refer, low = (
        np.argmax(found >= (share - _ROUNDING) * found[:, -1:], axis=1)
        for share in (recipe.refer_sensitivity, recipe.low_sensitivity)
    )
    return refer, low


def _off_on_the_whole(rows: Rows, p: Floats) -> list[str]:
    """A temperature cannot mend probabilities that are too high or too low everywhere."""
    group = np.unique(rows.groups, return_inverse=True)[1]
    apart = np.bincount(group, weights=rows.positive - p)
    if abs(apart.sum()) <= 3 * float(np.sqrt((apart**2).sum())):
        return []
    return [
        f"the mean probability is {p.mean():.3f} where {rows.positive.mean():.3f} are positive: the class shares of "
        "training are probably not what the model learned from"
    ]


def _calibration_rows(
    predictions: pl.DataFrame, table: pl.DataFrame, task: Task, recipe: CalibrationRecipe, split: str
) -> Rows:
    if split in ("test", "train"):
        raise RecipeError(f"thresholds are never chosen on {split}; use the calibration part, val, or out-of-fold rows")
    if split not in predictions["split"].to_list() and split != "oof":
        raise DataError(
            f"predictions have no part {split!r}; temperature and thresholds need one of their own: "
            "edge-melanoma data split INDEX --calibration 0.05"
        )
    rows = select_rows(predictions, table, task, split)
    positives = int(rows.positive.sum())
    if positives < FEWEST_POSITIVES and not recipe.allow_few:
        raise DataError(
            f"part {split}: {positives} positives in {len(rows):,} pictures; thresholds need {FEWEST_POSITIVES}, and "
            "fifty are better: give the part a larger share, use out-of-fold rows, or give --allow-few"
        )
    return rows


def _checked_shares(shares: Sequence[float], task: Task) -> Floats:
    found = np.asarray(shares, np.float64)
    if found.shape != (len(task.classes),) or not (found > 0).all() or abs(found.sum() - 1) > 1e-6:
        raise RecipeError(
            f"class shares of training {list(shares)}: one above 0 for each of {', '.join(task.classes)}, with sum 1"
        )
    return found


def _threshold(drawn: Estimate, chosen_for: str, positive: Any, score: Floats, groups: Any) -> Threshold:
    """The threshold as a probability, with its interval and what it does to the rows it was chosen on."""
    value, low, high = (
        float(probability_of(x)) for x in (drawn.value, min(drawn.low, drawn.value), max(drawn.high, drawn.value))
    )
    referred = score >= drawn.value
    return Threshold(
        value=value,
        low=low,
        high=high,
        chosen_for=chosen_for,
        sensitivity=_interval(grouped_wilson(referred[positive], groups[positive], level=drawn.level)),
        specificity=_interval(grouped_wilson(~referred[~positive], groups[~positive], level=drawn.level)),
    )


def _interval(rate: Rate) -> Interval:
    return Interval(value=rate.value, low=rate.low, high=rate.high)


def _facts(rows: Rows, recipe: CalibrationRecipe, prevalence: float, remarks: list[str]) -> dict[str, Any]:
    return {
        "split": rows.split,
        "rows": len(rows),
        "positives": int(rows.positive.sum()),
        "groups": len(np.unique(rows.groups)),
        "prevalence": prevalence,
        "recipe": asdict(recipe),
        "remarks": remarks,
    }
