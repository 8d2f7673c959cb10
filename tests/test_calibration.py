"""Temperature and thresholds: what was done to the logits is found, the wanted sensitivity kept, test out of reach."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pl = pytest.importorskip("polars")

from edge_melanoma.calibration import (  # noqa: E402
    CalibrationRecipe,
    fit_rule,
    fit_temperature,
    recipe_of,
)
from edge_melanoma.errors import DataError, RecipeError  # noqa: E402
from edge_melanoma.evaluation import select_rows  # noqa: E402
from edge_melanoma.labels import task  # noqa: E402

_spec = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up: Any = importlib.util.module_from_spec(_spec)  # type: ignore[arg-type]
_spec.loader.exec_module(made_up)  # type: ignore[union-attr]

EVEN = [0.5, 0.5]
QUICK = {"rounds": 200}


def fitted(table: Any, predictions: Any, name: str = "mel", **recipe: Any) -> Any:
    shares = [1 / len(task(name).classes)] * len(task(name).classes)
    given = CalibrationRecipe(**{**QUICK, **recipe})
    return fit_rule(predictions, table, task(name), given, class_shares_train=shares)


@pytest.mark.parametrize("name", ["mel", "dx7"])
@pytest.mark.parametrize("done", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_was_done_to_the_logits(name: str, done: float) -> None:
    table = made_up.index_table(3000)
    rule = fitted(table, made_up.predict(table, task(name), temperature=done), name)
    assert rule.temperature.value == pytest.approx(done, rel=0.15)
    assert rule.temperature.low <= done <= rule.temperature.high
    assert rule.fitted_on["remarks"] == []


def test_the_temperature_has_the_least_log_loss_of_all() -> None:
    """Against scikit-learn's log loss on a fine grid, with the class shares moved as the rule moves them."""
    log_loss = pytest.importorskip("sklearn.metrics").log_loss
    table = made_up.index_table(1200)
    rows = select_rows(made_up.predict(table, task("dx7"), temperature=1.7), table, task("dx7"), "calibration")
    shares = np.full(7, 1 / 7)
    found, _ = fit_temperature(
        rows.logits, rows.answers, rows.groups, class_shares_train=shares, rng=np.random.default_rng(0), rounds=50
    )

    def loss(temperature: float) -> float:
        z = rows.logits / temperature + np.log(np.bincount(rows.answers, minlength=7) / len(rows)) - np.log(shares)
        p = np.exp(z - z.max(axis=1, keepdims=True))
        return float(log_loss(rows.answers, p / p.sum(axis=1, keepdims=True), labels=range(7)))

    grid = np.arange(1.4, 2.1, 0.003)
    assert found.value == pytest.approx(grid[np.argmin([loss(t) for t in grid])], abs=0.004)


def test_the_interval_of_the_temperature_covers_it_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(50):
        table = made_up.index_table(400, seed=seed, parts=(0, 0, 1, 0))
        rule = fitted(table, made_up.predict(table, task("mel"), seed=100 + seed), rounds=150)
        covered += rule.temperature.low <= 1.0 <= rule.temperature.high
    assert 0.86 <= covered / 50 <= 1


def test_probabilities_are_right_for_the_prevalence_of_the_calibration_part() -> None:
    table = made_up.index_table(6000, parts=(0, 0, 0.5, 0.5))
    predictions = made_up.predict(table, task("mel"), temperature=2)
    rule = fitted(table, predictions)
    rows = select_rows(predictions, table, task("mel"), "test")
    p = rule.probability(rows.logits)
    assert rule.prior_deploy == pytest.approx(rule.fitted_on["prevalence"])
    assert p.mean() == pytest.approx(rows.positive.mean(), abs=0.015)
    high = p > 0.4
    assert p[high].mean() == pytest.approx(rows.positive[high].mean(), abs=0.04)


def test_refer_is_the_highest_threshold_that_finds_enough_and_low_misses_fewer() -> None:
    table = made_up.index_table(2000)
    predictions = made_up.predict(table, task("mel"))
    rule = fitted(table, predictions, refer_sensitivity=0.9, low_sensitivity=0.98)
    rows = select_rows(predictions, table, task("mel"), "calibration")
    p, y = rule.probability(rows.logits), rows.positive
    for threshold, target in ((rule.threshold_refer, 0.9), (rule.threshold_low, 0.98)):
        assert (p[y] >= threshold.value).mean() >= target
        assert threshold.sensitivity.value == pytest.approx((p[y] >= threshold.value).mean())
        assert threshold.specificity.value == pytest.approx((p[~y] < threshold.value).mean())
        assert threshold.sensitivity.low < threshold.sensitivity.value < threshold.sensitivity.high
        assert threshold.low <= threshold.value <= threshold.high
        higher = p[p > threshold.value].min()  # the next score up, as a threshold, would find too few
        assert (p[y] > higher).mean() < target
    assert rule.threshold_low.value < rule.threshold_refer.value


def test_a_rounding_error_does_not_turn_round_the_picture_that_set_the_threshold() -> None:
    table = made_up.index_table(1500)
    predictions = made_up.predict(table, task("mel"))
    rule = fitted(table, predictions)
    logits = select_rows(predictions, table, task("mel"), "calibration").logits
    exact, rounded = (rule.decisions(rule.probability(z)) for z in (logits, logits * (1 + 1e-9)))
    assert exact == rounded


def test_the_wanted_sensitivity_is_about_kept_on_pictures_not_seen() -> None:
    found = []
    for seed in range(12):
        table = made_up.index_table(1600, seed=seed, parts=(0, 0, 0.4, 0.6))
        predictions = made_up.predict(table, task("mel"), seed=50 + seed)
        rule = fitted(table, predictions, rounds=50)
        rows = select_rows(predictions, table, task("mel"), "test")
        found.append((rule.probability(rows.logits[rows.positive]) >= rule.threshold_refer.value).mean())
    assert np.mean(found) == pytest.approx(0.95, abs=0.02)


def test_what_an_older_rule_was_chosen_for_is_read_less_what_nothing_could_set() -> None:
    table = made_up.index_table(600)
    rule = fitted(table, made_up.predict(table, task("mel")), refer_sensitivity=0.8)
    old = {**rule.fitted_on["recipe"], "refer_by": "value", "low_npv": None}
    assert recipe_of(replace(rule, fitted_on={"recipe": old}), where="decision.json").refer_sensitivity == 0.8
    set_by_hand = replace(rule, fitted_on={"recipe": {**old, "low_npv": 0.99}})
    with pytest.raises(RecipeError, match=r"decision\.json: key 'low_npv' is unknown"):
        recipe_of(set_by_hand, where="decision.json")


def test_a_prevalence_of_deployment_moves_probabilities_and_no_decision() -> None:
    table = made_up.index_table(1500)
    predictions = made_up.predict(table, task("mel"))
    here, rare = fitted(table, predictions), fitted(table, predictions, prior_deploy=0.01)
    logits = select_rows(predictions, table, task("mel"), "test").logits
    assert here.decisions(here.probability(logits)) == rare.decisions(rare.probability(logits))
    assert rare.probability(logits).mean() < here.probability(logits).mean() / 3


def test_a_balanced_mix_ranks_as_training_left_it_and_a_found_one_by_what_is_frequent_here() -> None:
    table = made_up.index_table(3000)
    predictions = made_up.predict(table, task("dx7"))
    logits = predictions.select(pl.selectors.starts_with("logit_")).to_numpy().astype(np.float64)
    mel = task("dx7").classes.index("mel")
    others = np.delete(logits, mel, axis=1)
    balanced, found = (fitted(table, predictions, "dx7", class_mix=mix) for mix in ("balanced", "found"))
    temperature = balanced.temperature.value
    plain = logits[:, mel] / temperature - np.log(np.exp(others / temperature).sum(axis=1))
    assert (np.argsort(balanced.log_odds(logits), kind="stable") == np.argsort(plain, kind="stable")).mean() > 0.99
    assert (np.argsort(found.log_odds(logits), kind="stable") == np.argsort(plain, kind="stable")).mean() < 0.5
    for rule in (balanced, found):
        assert rule.prior_deploy == pytest.approx(rule.fitted_on["positives"] / rule.fitted_on["rows"], rel=0.02)
    negatives = np.delete(balanced.shares_deploy, mel)
    np.testing.assert_allclose(negatives, negatives[0])


def test_the_calibration_part_must_be_there_and_large_enough() -> None:
    table = made_up.index_table(600)
    predictions = made_up.predict(table, task("mel"))
    without = predictions.filter(pl.col("split") != "calibration")
    with pytest.raises(DataError, match=r"no part 'calibration'; .*data split INDEX --calibration"):
        fitted(table, without)
    rare = made_up.index_table(600, shares=(0.75, 0.01, 0.11, 0.05, 0.04, 0.02, 0.02))
    few = made_up.predict(rare, task("mel"))
    with pytest.raises(DataError, match=r"positives in \d+ pictures; thresholds need 10, and fifty are better"):
        fitted(rare, few)
    allowed = fitted(rare, few, allow_few=True)
    assert "little better than a guess" in allowed.fitted_on["remarks"][0]


@pytest.mark.parametrize("split", ["test", "train"])
def test_thresholds_are_never_chosen_on_test_or_train(split: str) -> None:
    table = made_up.index_table(600)
    predictions = made_up.predict(table, task("mel"))
    with pytest.raises(RecipeError, match=f"never chosen on {split}"):
        fit_rule(predictions, table, task("mel"), CalibrationRecipe(**QUICK), class_shares_train=EVEN, split=split)


def test_out_of_fold_rows_can_be_calibrated_on() -> None:
    table = made_up.index_table(800)
    predictions = made_up.predict(table, task("mel"))
    rule = fit_rule(predictions, table, task("mel"), CalibrationRecipe(**QUICK), class_shares_train=EVEN, split="oof")
    assert rule.fitted_on["split"] == "oof"
    assert rule.fitted_on["rows"] == table.height


def test_logits_that_are_all_equal_refer_everything() -> None:
    table = made_up.index_table(600)
    predictions = made_up.predict(table, task("mel")).with_columns(
        pl.lit(0.3).alias("logit_other"), pl.lit(0.1).alias("logit_melanoma")
    )
    rule = fitted(table, predictions)
    assert rule.temperature.value == 1.0
    assert any("same logits" in remark for remark in rule.fitted_on["remarks"])
    assert rule.decide(1e-9) == "refer"


def test_logits_without_a_mistake_keep_their_temperature_and_logits_without_sense_lose_their_say() -> None:
    table = made_up.index_table(600)
    perfect = fitted(table, made_up.predict(table, task("mel"), separation=30.0))
    assert perfect.temperature.value == 1.0
    assert any("without a mistake" in remark for remark in perfect.fitted_on["remarks"])
    # the logits of a good model, the answers turned round
    upside_down = made_up.predict(table, task("mel")).with_columns(-pl.col("logit_other"), -pl.col("logit_melanoma"))
    wrong = fitted(table, upside_down)
    assert any("upper limit" in remark for remark in wrong.fitted_on["remarks"])
    p = wrong.probability(upside_down.select("logit_other", "logit_melanoma").to_numpy())
    assert np.ptp(p) < 0.1


def test_wrong_class_shares_of_training_are_noticed() -> None:
    table = made_up.index_table(3000)
    predictions = made_up.predict(table, task("mel"))
    rule = fit_rule(predictions, table, task("mel"), CalibrationRecipe(**QUICK), class_shares_train=[0.95, 0.05])
    assert any("class shares of training are probably not" in remark for remark in rule.fitted_on["remarks"])


@pytest.mark.parametrize("shares", [[0.5], [0.5, 0.6], [1.0, 0.0]])
def test_impossible_class_shares_are_refused(shares: list[float]) -> None:
    table = made_up.index_table(600)
    with pytest.raises(RecipeError, match="one above 0 for each of other, melanoma, with sum 1"):
        fit_rule(
            made_up.predict(table, task("mel")), table, task("mel"), CalibrationRecipe(), class_shares_train=shares
        )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"refer_sensitivity": 1.0}, "refer_sensitivity 1.0: a share between 0 and 1"),
        ({"refer_sensitivity": 0.95, "low_sensitivity": 0.9}, "must miss fewer"),
        ({"prior_deploy": 1.5}, "prior_deploy 1.5"),
    ],
)
def test_impossible_wishes_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        CalibrationRecipe(**given)


def test_the_same_seed_gives_the_same_rule() -> None:
    table = made_up.index_table(600)
    predictions = made_up.predict(table, task("mel"))
    assert fitted(table, predictions) == fitted(table, predictions.sample(fraction=1, shuffle=True, seed=3))
    assert math.isfinite(fitted(table, predictions, seed=1).temperature.low)
