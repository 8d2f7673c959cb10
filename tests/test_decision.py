"""From logits to a decision: against a softmax written out, at the edges, and through JSON and back."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from edge_melanoma.decision import (
    DecisionRule,
    Interval,
    Threshold,
    positive_classes,
    positive_log_odds,
    probability_of,
)
from edge_melanoma.errors import ArtifactError, DataError, RecipeError
from edge_melanoma.labels import TASKS, task


def threshold(value: float) -> Threshold:
    return Threshold(
        value=value,
        low=value / 2,
        high=min(1.0, value * 2),
        chosen_for="sensitivity of at least 0.95",
        sensitivity=Interval(value=0.96, low=0.9, high=0.99),
        specificity=Interval(value=0.6, low=0.5, high=0.7),
    )


def rule(**changes: Any) -> DecisionRule:
    given: dict[str, Any] = {
        "task": "mel",
        "classes": ("other", "melanoma"),
        "positive": (1,),
        "temperature": Interval(value=1.5, low=1.2, high=1.8),
        "shares_train": (0.5, 0.5),
        "shares_deploy": (0.98, 0.02),
        "threshold_low": threshold(0.004),
        "threshold_refer": threshold(0.01),
        "fitted_on": {"split": "calibration", "rows": 500, "positives": 55, "prevalence": 0.11},
    }
    return DecisionRule(**{**given, **changes})


SEVEN = task("dx7").classes


def test_probability_is_the_softmax_at_the_temperature_with_the_odds_of_the_prior() -> None:
    logits = np.random.default_rng(0).normal(0, 4, (50, 7))
    shares = {
        "shares_train": (1 / 7,) * 7,
        "shares_deploy": (0.98 / 5, 0.01) + (0.98 / 5,) * 2 + (0.01,) + (0.98 / 5,) * 2,
    }
    found = rule(task="dx7", classes=SEVEN, positive=(1, 4), **shares).probability(logits)
    for z, p in zip(logits, found, strict=True):
        exponents = [math.exp(value / 1.5) for value in z]
        plain = (exponents[1] + exponents[4]) / sum(exponents)
        odds = plain / (1 - plain) * (0.02 / 0.98) / ((2 / 7) / (5 / 7))
        assert p == pytest.approx(odds / (1 + odds), rel=1e-12)


def test_every_class_is_moved_from_its_share_in_training_to_its_share_where_it_is_used() -> None:
    rng = np.random.default_rng(5)
    train, deploy = rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(7))
    answers = {"shares_train": tuple(map(float, train)), "shares_deploy": tuple(map(float, deploy))}
    one = Interval(value=1, low=1, high=1)
    for likelihood in rng.dirichlet(np.ones(7), 20):  # of what the picture shows, given each class
        learned = likelihood * train / (likelihood * train).sum()  # Bayes, where training took place
        wanted = likelihood * deploy / (likelihood * deploy).sum()  # and where the model is used
        found = rule(task="dx7", classes=SEVEN, positive=(4,), temperature=one, **answers).probability(np.log(learned))
        assert found == pytest.approx(wanted[4], rel=1e-9)


@pytest.mark.parametrize(("prior", "shown"), [(0.5, 0.9), (0.01, 0.083), (0.02, 0.155)])
def test_ninety_per_cent_at_one_in_two_is_a_few_per_cent_where_melanoma_is_rare(prior: float, shown: float) -> None:
    even = rule(temperature=Interval(value=1, low=1, high=1), shares_deploy=(1 - prior, prior))
    assert even.probability([0.0, math.log(9)]) == pytest.approx(shown, abs=6e-4)


def test_logits_of_any_size_give_a_probability_and_keep_their_order() -> None:
    differences = np.array([-1e6, -800.0, -40.0, 0.0, 30.0])
    found = rule().probability(np.stack([-differences, differences], axis=1))
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()
    assert probability_of([-1e300, 1e300]).tolist() == [0.0, 1.0]
    log_odds = positive_log_odds(np.stack([-differences, differences], axis=1), (1,))
    assert log_odds == pytest.approx(2 * differences)


def test_a_common_offset_of_all_logits_changes_nothing() -> None:
    logits = np.random.default_rng(1).normal(size=(20, 2))
    assert rule().probability(logits + 1000) == pytest.approx(rule().probability(logits))


@pytest.mark.parametrize("shape", [(2,), (3, 2), (4, 3, 2)])
def test_one_picture_a_batch_and_a_batch_of_views_are_taken_alike(shape: tuple[int, ...]) -> None:
    logits = np.random.default_rng(2).normal(size=shape)
    found = rule().probability(logits)
    assert found.shape == shape[:-1]
    assert found.ravel()[0] == pytest.approx(float(rule().probability(logits.reshape(-1, 2)[0])))


@pytest.mark.parametrize(
    ("p", "said"), [(0.0, "low"), (0.00399, "low"), (0.004, "uncertain"), (0.00999, "uncertain"), (0.01, "refer")]
)
def test_a_threshold_belongs_to_the_more_careful_answer(p: float, said: str) -> None:
    assert rule().decide(p) == said
    assert rule().decisions([p, 1.0]) == [said, "refer"]


def test_what_is_not_a_number_never_passes_for_low() -> None:
    with pytest.raises(DataError, match="probability nan"):
        rule().decide(float("nan"))
    with pytest.raises(DataError, match="1 of 2 logits are not finite; the model is broken"):
        rule().probability([0.0, float("nan")])
    with pytest.raises(DataError, match=r"logits of the shape \(3,\); 2 of them"):
        rule().probability([0.0, 1.0, 2.0])


@pytest.mark.parametrize("prior", [0.001, 0.3, 0.9])
def test_another_prevalence_changes_the_probability_but_no_decision(prior: float) -> None:
    logits = np.random.default_rng(3).normal(0, 3, (400, 2))
    here, there = rule(), rule().at_prior(prior)
    assert here.decisions(here.probability(logits)) == there.decisions(there.probability(logits))
    assert not np.allclose(here.probability(logits), there.probability(logits))
    back = there.at_prior(here.prior_deploy)
    assert back.threshold_refer.value == pytest.approx(here.threshold_refer.value)


def test_a_rule_survives_json_to_the_last_digit() -> None:
    odd = rule(shares_deploy=(0.7, 0.1 + 0.2), threshold_refer=threshold(1 / 3))
    assert DecisionRule.from_json(json.loads(json.dumps(odd.to_json(), allow_nan=False))) == odd


def _without(value: dict[str, Any], *path: str) -> None:
    for key in path[:-1]:
        value = value[key]
    del value[path[-1]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r.update(colour=1), "unknown key colour"),
        (lambda r: _without(r, "temperature"), "lacks temperature"),
        (lambda r: _without(r, "threshold_low", "sensitivity", "high"), "threshold_low.sensitivity: lacks high"),
        (lambda r: r.update(shares_train=["0.5", 0.5]), "shares_train: is '0.5', not float"),
        (lambda r: r.update(shares_train=[True, 0.5]), "shares_train: is True, not float"),
        (lambda r: r.update(positive=[1.0]), "positive: is 1.0, not int"),
        (lambda r: r.update(positive=[2]), "some, not all, of 0 to 1"),
        (lambda r: r.update(positive=[0, 1]), "some, not all"),
        (lambda r: r.update(version=2), "this program knows version 1"),
        (lambda r: r.update(shares_deploy=[0, 1]), r"shares_deploy \(0.0, 1.0\): a share between 0 and 1"),
        (lambda r: r.update(shares_deploy=[0.5, 0.6]), "add up to 1.1, not 1"),
        (lambda r: r.update(shares_deploy=[1.0]), "needed for each class"),
        (lambda r: r["temperature"].update(value=-1), "above 0 is needed"),
        (lambda r: r["temperature"].update(value=float("nan")), "finite"),
        (lambda r: r["threshold_low"].update(value=0.015, low=0.0, high=1.0), "lies above threshold_refer"),
        (lambda r: r["threshold_low"].update(value=7), "a probability inside its interval"),
        (lambda r: r.update(threshold_refer=0.5), "threshold_refer: is float, not an object"),
        (lambda r: r.update(classes=["a", "a"]), "none twice"),
    ],
)
def test_a_rule_that_is_not_right_is_refused_in_words(change: Any, says: str) -> None:
    value = copy.deepcopy(rule().to_json())
    change(value)
    with pytest.raises(ArtifactError, match=says):
        DecisionRule.from_json(value)


def test_a_rule_is_expressed_for_what_it_was_chosen_on_where_that_is_told() -> None:
    assert rule(fitted_on={"prevalence": 0.2}).as_calibrated().prior_deploy == pytest.approx(0.2)
    assert rule(fitted_on={}).as_calibrated().threshold_refer.value == pytest.approx(rule().threshold_refer.value)


def test_a_rule_that_is_no_object_is_refused() -> None:
    with pytest.raises(ArtifactError, match="decision rule: is list"):
        DecisionRule.from_json([1])


def test_every_task_has_a_class_to_refer_for() -> None:
    found = {name: [task(name).classes[i] for i in positive_classes(task(name).classes)] for name in TASKS}
    assert found["mel"] == ["melanoma"]
    assert found["mal"] == ["malignant"]
    assert found["dx7"] == found["dx8"] == ["mel"]
    with pytest.raises(RecipeError, match="none is called mel"):
        positive_classes(("a", "b", "c"))


def test_the_rule_needs_numpy_and_nothing_heavier() -> None:
    code = (
        "import sys, edge_melanoma.decision, edge_melanoma.metrics\n"
        "print([m for m in ('polars', 'sklearn', 'scipy', 'matplotlib', 'tensorflow') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
