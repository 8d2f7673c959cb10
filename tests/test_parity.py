"""The gate: what is equal passes with zeros, and every planted harm is caught by its own row and no other."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pl = pytest.importorskip("polars")
pytest.importorskip("matplotlib")

from edge_melanoma.calibration import CalibrationRecipe, fit_rule  # noqa: E402
from edge_melanoma.decision import logit  # noqa: E402
from edge_melanoma.errors import ArtifactError, DataError, RecipeError  # noqa: E402
from edge_melanoma.evaluation import logit_columns, select_rows  # noqa: E402
from edge_melanoma.labels import task  # noqa: E402
from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER  # noqa: E402
from edge_melanoma.parity import GateRecipe, Output, Section, draw, judge, write_parity  # noqa: E402
from edge_melanoma.parity.checks import NAMES, gate_rows  # noqa: E402
from edge_melanoma.parity.gate import points, signed  # noqa: E402
from edge_melanoma.parity.view import Found, SubgroupChange  # noqa: E402
from edge_melanoma.recipe import make_recipe  # noqa: E402

_spec = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up: Any = importlib.util.module_from_spec(_spec)  # type: ignore[arg-type]
_spec.loader.exec_module(made_up)  # type: ignore[union-attr]

MEL, SEVEN = task("mel"), task("dx7")
AS_IT_SHIPS = {f"{name}_view": "refitted" for name in ("sensitivity", "subgroup", "flips", "abstain", "threshold")}


class World:
    """A table, a float model and its rule; `judge` puts other logits against it."""

    def __init__(self, of: Any, lesions: int = 1500, *, mel: float = 0.25, seed: int = 0, **columns: Any) -> None:
        rest = (1 - mel) / 0.86
        shares = [mel if dx == "MEL" else s * rest for dx, s in zip(made_up.DIAGNOSES, made_up.SHARES, strict=True)]
        self.table = made_up.index_table(lesions, seed=seed, shares=shares, parts=(0, 0, 0.35, 0.65), **columns)
        self.task = of
        self.reference = made_up.predict(self.table, of, seed=seed + 1)
        self.z = self.reference.select(logit_columns(of)).to_numpy()
        self.rule = self.fit(self.z)
        self.rows = select_rows(self.reference, self.table, of, "test")
        ids = {name: row for row, name in enumerate(self.reference["image_id"])}
        self.place = np.array([ids[name] for name in self.rows.table["image_id"]])  # of a test row in z

    def frame(self, z: Any) -> Any:
        columns = {name: z[:, i] for i, name in enumerate(logit_columns(self.task))}
        return self.reference.with_columns(**columns)

    def fit(self, z: Any) -> Any:
        size = len(self.task.classes)
        recipe = CalibrationRecipe(rounds=20)
        return fit_rule(self.frame(z), self.table, self.task, recipe, class_shares_train=[1 / size] * size)

    def judge(self, z: Any, *, rule: Any = None, output: Any = None, recipe: Any = None, **given: Any) -> Any:
        given = {"rounds": 0, "split": "test", **given}
        return judge(
            self.reference, self.frame(z), self.table, self.task,
            reference_rule=self.rule, candidate_rule=rule or self.fit(z),
            output=output or Output(), recipe=recipe, **given,
        )  # fmt: skip

    def moved_to(self, rows: Any, score: Any) -> Any:
        """The logits (of two classes) with these test rows at these log-odds."""
        z = self.z.copy()
        shift = logit(self.rule.prior_deploy) - logit(self.rule.prior_train)
        raw = (np.asarray(score) - shift) * self.rule.temperature.value
        z[self.place[rows]] = np.stack([-raw / 2, raw / 2], axis=-1)
        return z

    @property
    def score(self) -> Any:
        return self.rule.log_odds(self.rows.logits)

    @property
    def refer_at(self) -> float:
        return logit(self.rule.threshold_refer.value)


def quantised(z: Any, *, scale: float | None = None, low: float | None = None) -> tuple[Any, Output]:
    """The logits as an int8 output has them; its range is that of the logits unless told."""
    low = float(z.min()) if low is None else low
    scale = float(z.max() - low) / 255 if scale is None else scale
    zero = int(np.rint(-128 - low / scale))
    codes = np.clip(np.rint(z / scale) + zero, -128, 127)
    return (codes - zero) * scale, Output(dtype="int8", scale=scale, zero_point=zero)


def failed(report: Any) -> set[str]:
    return {row.name for row in report.failed_rows}


def row(report: Any, name: str) -> Any:
    return next(found for found in report.rows if found.name == name)


@pytest.fixture(scope="module")
def mel() -> World:
    return World(MEL)


@pytest.fixture(scope="module")
def seven() -> World:
    return World(SEVEN)


@pytest.fixture(scope="module")
def noisy(mel: World) -> Any:
    """A middling conversion, judged in full."""
    z, output = quantised(mel.z + np.random.default_rng(3).normal(0, 0.15, mel.z.shape))
    about = {"index_sha256": "0123abcd"}
    return mel.judge(z, output=output, rounds=200, tflite_float=mel.frame(mel.z + 2e-5), about=about)


@pytest.mark.parametrize("name", ["mel", "seven"])
@pytest.mark.parametrize("rounds", [0, 100])
def test_the_same_logits_pass_every_row_and_change_exactly_nothing(name: str, rounds: int, request: Any) -> None:
    world = request.getfixturevalue(name)
    report = world.judge(world.z, rounds=rounds, tflite_float=world.reference)
    assert report.passed
    assert report.failed_rows == ()
    assert [found.name for found in report.rows] == list(NAMES)
    for view in report.views.values():
        assert view.flips == ()
        for change in (view.auc, view.pauc80, view.ece):
            assert change.difference == 0
            assert change.low in (None, 0.0)
        for change in (view.sensitivity, view.specificity):
            assert change.difference == 0
            assert -0.05 < change.low < 0 < change.high < 0.05  # so many pictures cannot show less
        assert view.max_probability_change == 0
        assert (view.found.lost, view.found.gained, view.mcnemar.p) == (0, 0, 1)
        assert view.lesion.flips.successes == 0
    assert row(report, "temperature").decisive.value == 1


def test_an_int8_output_as_fine_as_the_logits_passes(mel: World) -> None:
    z, output = quantised(mel.z)
    assert mel.judge(z, output=output).passed


def test_flips_are_those_that_a_loop_over_the_pictures_counts(mel: World, noisy: Any) -> None:
    after = select_rows(mel.frame(quantised(mel.z + np.random.default_rng(3).normal(0, 0.15, mel.z.shape))[0]),
                        mel.table, MEL, "test")  # fmt: skip
    for view, rule in (("frozen", mel.rule), ("refitted", noisy.rules[1])):
        changed, into_or_out, of_low, near, lost, crossings = [], 0, 0, [], 0, {}
        for i, name in enumerate(mel.rows.table["image_id"]):
            words, distances = [], []
            for its_rule, z in ((mel.rule, mel.rows.logits[i]), (rule, after.logits[i])):
                p = 1 / (1 + math.exp(-(z[1] - z[0]) / its_rule.temperature.value))
                odds = p / (1 - p) * its_rule.prior_deploy / (1 - its_rule.prior_deploy)
                odds *= (1 - its_rule.prior_train) / its_rule.prior_train
                p = odds / (1 + odds)
                low, refer = its_rule.threshold_low.value, its_rule.threshold_refer.value
                words.append("refer" if p >= refer else "low" if p < low else "uncertain")
                distances.append(min(abs(math.log(odds) - math.log(t / (1 - t))) for t in (low, refer)))
            positive = bool(mel.rows.positive[i])
            key = (*words, positive)
            crossings[key] = crossings.get(key, 0) + 1
            near.append((distances[0], words[0] != words[1]))
            if words[0] != words[1]:
                changed.append(name)
            of_low += (words[0] == "low") != (words[1] == "low")
            into_or_out += (words[0] == "refer") != (words[1] == "refer")
            lost += positive and words[0] == "refer" != words[1]
        found = noisy.views[view]
        assert changed
        assert sorted(flip.image_id for flip in found.flips) == sorted(changed)
        assert found.flip_rates["any change"].successes == len(changed)
        assert found.flip_rates["refer or not"].successes == into_or_out
        assert found.flip_rates["low or not"].successes == of_low
        assert found.found.lost == lost
        tenth = sorted(near)[: math.ceil(len(near) / 10)]
        assert found.near_rates["any change"].successes == sum(flipped for _, flipped in tenth)
        for (before, then), (positives, negatives) in found.crossings.items():
            assert positives == crossings.get((before, then, True), 0)
            assert negatives == crossings.get((before, then, False), 0)
        worse = sum(n for (a, b, positive), n in crossings.items() if positive and a != "low" == b)
        assert found.positives_moved("low") == worse
        assert found.positives_moved("uncertain") == crossings.get(("refer", "uncertain", True), 0)
        agree = sum(n for (a, b, _), n in crossings.items() if (a == "uncertain") == (b == "uncertain"))
        assert found.abstain_agreement.successes == agree


def test_a_flip_tells_its_picture_probabilities_and_distance(mel: World, noisy: Any) -> None:
    positives = [flip.positive for flip in noisy.views["frozen"].flips]
    assert positives == sorted(positives, reverse=True)
    p = dict(zip(mel.rows.table["image_id"], mel.rule.probability(mel.rows.logits), strict=True))
    for flip in noisy.views["frozen"].flips:
        assert flip.p_before == pytest.approx(p[flip.image_id])
        assert mel.rule.decide(flip.p_before) == flip.before
        assert mel.rule.decide(flip.p_after) == flip.after
        assert (flip.answer == "melanoma") == flip.positive == (flip.dx == "MEL")
        assert flip.distance <= abs(logit(flip.p_before) - logit(flip.p_after)) + 1e-9


def test_auc_before_and_after_are_those_of_scikit_learn(mel: World, noisy: Any) -> None:
    roc_auc_score = pytest.importorskip("sklearn.metrics").roc_auc_score
    y = mel.rows.positive
    for view in noisy.views.values():
        assert view.auc.before == pytest.approx(roc_auc_score(y, mel.score), abs=1e-12)
        # on a grid, ties are ties: floats must not break them
        steps = np.rint((view.after.rows.logits[:, 1] - view.after.rows.logits[:, 0]) / noisy.output.scale)
        assert len(np.unique(steps)) < len(steps) / 2
        assert view.auc.after == pytest.approx(roc_auc_score(y, steps), abs=1e-12)


def test_lesions_are_judged_by_the_mean_of_their_logits(mel: World, noisy: Any) -> None:
    found = noisy.views["frozen"]
    lesions = mel.rows.table["lesion_id"].to_numpy()
    changed = 0
    for lesion in np.unique(lesions):
        means = [rows[lesions == lesion].mean(axis=0) for rows in (mel.rows.logits, found.after.rows.logits)]
        first, second = mel.rule.decisions([float(mel.rule.probability(mean)) for mean in means])
        changed += first != second
    assert found.lesion.lesions == len(np.unique(lesions))
    assert found.lesion.flips.successes == changed


def test_intervals_of_the_auc_cover_none_about_as_often_as_they_say() -> None:
    """Two models that differ by chance alone: reference and candidate are the same score with other noise."""
    covered = {0: 0, 150: 0}
    for seed in range(20):
        world = World(MEL, 160, mel=0.4, seed=10 * seed)
        other = made_up.predict(world.table, MEL, seed=10 * seed + 5).select(logit_columns(MEL)).to_numpy()
        for rounds in covered:
            change = world.judge(other, rule=world.rule, rounds=rounds).views["frozen"].auc
            covered[rounds] += change.low <= 0 <= change.high
    assert all(count >= 17 for count in covered.values()), covered


def test_the_verdict_is_the_same_for_the_same_seed(mel: World, noisy: Any) -> None:
    z = quantised(mel.z + np.random.default_rng(3).normal(0, 0.15, mel.z.shape))
    again, other = (
        mel.judge(z[0], output=z[1], rounds=200, seed=seed, tflite_float=mel.frame(mel.z + 2e-5), about=noisy.about)
        for seed in (0, 1)
    )
    assert json.dumps(again.to_json()) == json.dumps(noisy.to_json())
    assert again.views["frozen"].auc.low != other.views["frozen"].auc.low


def test_an_output_that_cuts_the_threshold_off_fails_hard_although_nothing_is_missed(mel: World) -> None:
    """The case that an AUC does not show: everything is referred, so no melanoma is lost, and nothing is decided."""
    cut = (mel.refer_at - logit(mel.rule.prior_deploy) + logit(mel.rule.prior_train)) * mel.rule.temperature.value / 2
    z, output = quantised(mel.z, low=cut + 0.05, scale=2 * abs(cut + 0.05) / 255)
    report = mel.judge(z, output=output)
    frozen = report.views["frozen"]
    assert (frozen.specificity.after, frozen.found.after) == (0, frozen.found.positives)
    found = row(report, "threshold_inside")
    assert found.hard
    assert "refer" in found.findings["frozen"].text
    assert found.findings["refitted"].passed == (not report.views["refitted"].grid.outside)
    assert row(report, "sensitivity").findings["frozen"].passed
    assert not row(report, "levels").hard


def test_clipping_inside_a_float_model_is_seen_by_its_scores(mel: World) -> None:
    everything = np.arange(len(mel.rows))
    report = mel.judge(mel.moved_to(everything, np.maximum(mel.score, mel.refer_at + 0.01)), rule=mel.rule)
    found = row(report, "threshold_inside")
    assert found.hard
    assert "no longer on both sides of refer and low" in found.words


def test_a_shifted_class_costs_melanomas_and_no_rank(seven: World) -> None:
    z = seven.z - 0.9 * (np.array(SEVEN.classes) == "mel")
    report = seven.judge(z)
    assert {"sensitivity", "flips"} <= failed(report)
    assert row(report, "sensitivity").hard
    assert not {"auc", "pauc80", "temperature", "threshold_inside", "levels", "float_logits"} & failed(report)
    lost = [flip.image_id for flip in report.views["frozen"].flips if flip.positive and flip.before == "refer"]
    assert lost[0] in row(report, "sensitivity").findings["frozen"].words
    assert row(report, "sensitivity").findings["refitted"].passed  # a threshold fitted anew makes up for it


def test_logits_three_times_too_large_fail_by_their_temperature_alone_once_refitted(mel: World) -> None:
    report = mel.judge(3 * mel.z, recipe=GateRecipe(**AS_IT_SHIPS))
    assert failed(report) == {"temperature"}
    assert row(report, "temperature").decisive.value == pytest.approx(3, rel=0.01)
    assert "flips" in failed(mel.judge(3 * mel.z))  # the frozen rule takes them for surer than they are


@pytest.mark.parametrize(("share", "hard"), [(0.035, True), (0.025, False)])
def test_flips_of_benign_pictures_fail_as_flips(mel: World, share: float, hard: bool) -> None:
    score, y, at = mel.score, mel.rows.positive, mel.refer_at
    half = round(share * len(score) / 2)
    above = np.flatnonzero(~y & (score >= at))
    below = np.flatnonzero(~y & (score < at) & (score >= logit(mel.rule.threshold_low.value)))
    rows = np.concatenate([above[np.argsort(score[above])[:half]], below[np.argsort(-score[below])[:half]]])
    report = mel.judge(mel.moved_to(rows, 2 * at - score[rows]), rule=mel.rule)
    assert failed(report) == {"flips", "flips_near", *(["abstain"] if hard else [])}
    assert row(report, "flips").hard == hard
    assert row(report, "flips").decisive.value == pytest.approx(share, rel=0.02)


def test_flips_are_counted_at_the_threshold_that_is_crossed_by_more(mel: World) -> None:
    score, y = mel.score, mel.rows.positive
    refer, low = mel.refer_at, logit(mel.rule.threshold_low.value)
    few, more = round(0.01 * len(score)), round(0.013 * len(score))
    above = np.flatnonzero(~y & (score >= refer))
    below = np.flatnonzero(~y & (score < low))
    from_refer, from_low = above[np.argsort(score[above])[:few]], below[np.argsort(-score[below])[:more]]
    between = (refer + low) / 2
    z = mel.moved_to(np.concatenate([from_refer, from_low]), np.full(few + more, between))
    report = mel.judge(z, rule=mel.rule)
    rates = report.views["frozen"].flip_rates
    counts = {kind: rates[kind].successes for kind in ("refer or not", "low or not", "any change")}
    assert counts == {"refer or not": few, "low or not": more, "any change": few + more}
    assert row(report, "flips").decisive.value == more / len(score)
    assert row(report, "flips").passed
    assert row(report, "abstain").passed
    assert row(report, "abstain").decisive.value == 1 - (few + more) / len(score)
    together = mel.judge(z, rule=mel.rule, recipe=GateRecipe(flips_are="any change"))
    assert not row(together, "flips").passed


def test_a_loss_of_rank_without_a_flip_fails_as_rank(mel: World) -> None:
    score = mel.score
    referred = np.flatnonzero(score >= mel.refer_at)
    drawn = np.random.default_rng(0).permutation(score[referred])
    swapped = referred[: len(referred) // 2]
    report = mel.judge(mel.moved_to(swapped, drawn[: len(swapped)]), rule=mel.rule, rounds=100)
    assert report.views["frozen"].auc.difference < -0.03
    assert row(report, "auc").hard
    assert not row(report, "pauc80").passed
    assert report.views["frozen"].flips == ()
    assert failed(report) <= {"auc", "pauc80", "probability", "calibration"}


def test_harm_to_one_subgroup_fails_as_that_subgroup(mel: World) -> None:
    score, y = mel.score, mel.rows.positive
    young = (mel.rows.table["age"] < 30).to_numpy()
    found = np.flatnonzero(y & young & (score >= mel.refer_at))
    lost = found[np.argsort(score[found])[:4]]
    assert 0.03 * (y & young).sum() < len(lost) <= 0.01 * y.sum()
    report = mel.judge(mel.moved_to(lost, mel.refer_at - 0.01), rule=mel.rule)
    assert failed(report) == {"subgroup"}
    assert "under 30: 4 lost, 0 gained" in row(report, "subgroup").words
    harmed = [group for group in report.views["frozen"].subgroups if group.value == "under 30"]
    assert harmed[0].found.lost == 4


def test_the_subgroup_that_fails_is_named_before_a_smaller_one_that_loses_a_greater_share(noisy: Any) -> None:
    def group(value: str, positives: int, lost: int) -> SubgroupChange:
        found = Found(positives=positives, before=positives, after=positives - lost, lost=lost, gained=0)
        return SubgroupChange(attribute="age", value=value, rows=500, flips=lost, found=found, judged=True)

    view = replace(noisy.views["frozen"], subgroups=(group("small", 10, 1), group("large", 100, 4)))
    views = {"frozen": view, "refitted": view}
    rows = {found.name: found for found in gate_rows(GateRecipe(), views, noisy.facts)}
    assert not rows["subgroup"].passed
    assert rows["subgroup"].found == "−4.0 pp, age large"
    lenient = {found.name: found for found in gate_rows(GateRecipe(max_subgroup_drop=0.05), views, noisy.facts)}
    assert lenient["subgroup"].passed
    assert "one melanoma of 10 is 10.0 %, more than the limit of 5 %" in lenient["subgroup"].words


def test_melanomas_lost_and_as_many_gained_leave_the_sensitivity_but_are_told(mel: World) -> None:
    score, y, at = mel.score, mel.rows.positive, mel.refer_at
    found, missed = np.flatnonzero(y & (score >= at)), np.flatnonzero(y & (score < at))
    rows = np.concatenate([found[np.argsort(score[found])[:8]], missed[np.argsort(-score[missed])[:8]]])
    report = mel.judge(mel.moved_to(rows, 2 * at - score[rows]), rule=mel.rule)
    assert row(report, "sensitivity").passed
    assert "8 lost" in row(report, "sensitivity").words
    assert (report.views["frozen"].found.lost, report.views["frozen"].found.gained) == (8, 8)


def test_an_auc_is_judged_by_what_so_few_pictures_can_show() -> None:
    world = World(MEL, 200, mel=0.2)
    z = world.z + np.random.default_rng(5).normal(0, 0.3, world.z.shape)
    for rounds in (0, 100):
        report = world.judge(z, rule=world.rule, rounds=rounds)
        change = report.views["refitted"].auc
        assert change.low < -0.01 < change.difference
        assert not row(report, "auc").passed
        assert not row(report, "auc").hard
        assert "the value would do, but so few pictures cannot show it" in row(report, "auc").words


def test_probabilities_that_overstate_fail_as_probabilities(mel: World) -> None:
    """Scores stretched above the threshold: no rank is lost and no answer changes, but 60 % has become 90 %."""
    at = mel.refer_at
    report = mel.judge(
        mel.moved_to(slice(None), np.where(mel.score > at, 2 * mel.score - at, mel.score)), rule=mel.rule
    )
    assert failed(report) == {"probability", "calibration"}
    view = report.views["refitted"]
    p, q = (1 / (1 + np.exp(-score)) for score in (mel.score, view.after.score))
    moved = np.sort(np.abs(q - p))
    assert moved[int(0.989 * len(moved))] <= view.p99_probability_change <= moved[math.ceil(0.991 * len(moved))]
    bins = np.array_split(np.argsort(q), 15)
    apart = sum(abs(q[rows].sum() - mel.rows.positive[rows].sum()) for rows in bins) / len(q)
    assert view.ece.after == pytest.approx(apart, abs=0.003)


def test_calibration_is_measured_where_it_can_be_whatever_the_prevalence_of_use(mel: World) -> None:
    z, rare = 1.2 * mel.z, mel.rule.at_prior(0.005)
    here = mel.judge(z, rule=mel.rule).views["refitted"]
    report = judge(mel.reference, mel.frame(z), mel.table, MEL, split="test", reference_rule=rare, candidate_rule=rare,
                   output=Output(), rounds=0)  # fmt: skip
    there = report.views["refitted"]
    assert there.ece.after == pytest.approx(here.ece.after)
    assert there.p99_probability_change != here.p99_probability_change  # shown probabilities are those of use
    assert [flip.image_id for flip in there.flips] == [flip.image_id for flip in here.flips]


def test_forty_levels_fail_hard_as_levels(mel: World) -> None:
    z, output = quantised(mel.z, scale=float(np.ptp(mel.z)) / 39)
    report = mel.judge(z, output=output)
    assert row(report, "levels").hard
    assert report.facts.levels.seen <= 40
    assert report.facts.levels.available == 256
    assert row(report, "levels").found == str(report.facts.levels.seen)


def test_few_pictures_are_judged_by_the_levels_they_span(mel: World) -> None:
    few = World(MEL, 150, mel=0.4)
    z, output = quantised(few.z)
    report = few.judge(z, output=output)
    assert report.facts.levels.seen < report.facts.levels.spanned
    assert row(report, "levels").decisive.value == report.facts.levels.spanned
    assert "are judged" in row(report, "levels").words
    assert row(few.judge(few.z), "levels").found == "too few to tell"


def test_a_limit_finer_than_one_melanoma_is_decided_on_cases() -> None:
    world = World(MEL, 400, mel=0.12)
    y, score = world.rows.positive, world.score
    assert 30 < y.sum() < 100
    found = np.flatnonzero(y & (score >= world.refer_at))
    for lost, passes in ((1, True), (2, False)):
        rows = found[np.argsort(score[found])[:lost]]
        report = world.judge(world.moved_to(rows, world.refer_at - 0.01), rule=world.rule)
        assert row(report, "sensitivity").passed == passes
        assert f"decided on cases: one melanoma of {y.sum()} is" in row(report, "sensitivity").words
        assert report.views["frozen"].found.lost == lost
    strict = GateRecipe(max_positives_to_low=0)
    to_low = world.moved_to(found[:1], logit(world.rule.threshold_low.value) - 1)
    assert row(world.judge(to_low, rule=world.rule, recipe=strict), "positives_to_low").verdict == "fail"
    assert row(world.judge(to_low, rule=world.rule), "positives_to_low").verdict == "listed"


def test_none_lost_and_none_flipped_are_not_called_never(mel: World) -> None:
    report = mel.judge(mel.z, rule=mel.rule)
    n = len(mel.rows)
    assert f"none in {n:,} only shows a rate below" in row(report, "flips").words
    assert "0 lost, 0 gained; interval −1.7 pp to +1.7 pp" in row(report, "sensitivity").words


def test_too_few_positives_are_not_enough_to_pass() -> None:
    world = World(MEL, 400, mel=0.2)
    few = world.rows.table.filter(pl.Series(world.rows.positive))["image_id"][:8]
    kept = pl.col("image_id").is_in(few.to_list()) | (pl.col("dx") != "MEL")
    table = world.table.filter(kept)
    predictions = world.reference.filter(pl.col("image_id").is_in(table["image_id"].to_list()))
    report = judge(predictions, predictions, table, MEL, split="test", reference_rule=world.rule,
                   candidate_rule=world.rule, output=Output(), rounds=0)  # fmt: skip
    assert failed(report) == {"positives"}


@pytest.mark.parametrize(("off", "verdict"), [(5e-5, "pass"), (5e-4, "fail"), (2e-3, "hard fail")])
def test_a_float_tflite_model_must_be_the_same_graph(mel: World, off: float, verdict: str) -> None:
    report = mel.judge(mel.z, rule=mel.rule, tflite_float=mel.frame(mel.z + off))
    assert row(report, "float_logits").verdict == verdict
    assert failed(report) <= {"float_logits"}


def test_without_float_tflite_logits_there_is_no_such_row(mel: World) -> None:
    assert "float_logits" not in {found.name for found in mel.judge(mel.z, rule=mel.rule).rows}


@pytest.mark.parametrize("name", ["mel", "seven"])
def test_the_step_is_what_one_level_changes_at_the_threshold(name: str, request: Any) -> None:
    world = request.getfixturevalue(name)
    z, output = quantised(world.z)
    grid = world.judge(z, output=output, rule=world.rule).views["refitted"].grid
    place, changes, others = world.rule.positive[0], [], []
    for threshold in (world.rule.threshold_refer.value, world.rule.threshold_low.value):
        at = world.rows.logits[:50].copy()
        at[:, place] += world.rule.temperature.value * (logit(threshold) - world.rule.log_odds(at))
        assert world.rule.probability(at) == pytest.approx(threshold)
        for column, sign in itertools.product(range(z.shape[1]), (-1, 1)):
            moved = at.copy()
            moved[:, column] += sign * output.scale
            change = np.abs(world.rule.probability(moved) - threshold).max()
            (changes if column == place else others).append(change)
    assert grid.probability_step == pytest.approx(max(changes))
    assert max(others) <= grid.probability_step + 1e-12


def test_what_an_output_can_say_is_between_the_corners_of_its_range(seven: World) -> None:
    z, output = quantised(seven.z)
    grid = seven.judge(z, output=output, rule=seven.rule).views["refitted"].grid
    corners = seven.rule.log_odds(list(itertools.product(output.span, repeat=7)))
    assert grid.reachable == pytest.approx((corners.min(), corners.max()))
    assert output.span == pytest.approx((z.min(), z.max()))


def test_a_coarse_scale_fails_by_its_step(mel: World) -> None:
    z, output = quantised(mel.z, scale=0.5)
    assert not row(mel.judge(z, output=output, rule=mel.rule), "step").passed


def test_a_quick_look_says_that_it_is_one_and_agrees_on_the_auc(mel: World, noisy: Any) -> None:
    z, output = quantised(mel.z + np.random.default_rng(3).normal(0, 0.15, mel.z.shape))
    quick = mel.judge(z, output=output)
    assert quick.quick
    assert "quick look" in quick.remarks[0].text
    short, long = quick.views["frozen"].auc, noisy.views["frozen"].auc
    assert (short.difference, short.interval_by) == (long.difference, "DeLong")
    assert short.high - short.low == pytest.approx(long.high - long.low, rel=0.3)
    assert quick.views["frozen"].flips == noisy.views["frozen"].flips


def test_views_decide_as_the_recipe_says(mel: World) -> None:
    shifted = mel.z + np.array([0.4, -0.4])
    frozen, refitted = (
        mel.judge(shifted, recipe=GateRecipe(**{**AS_IT_SHIPS, "sensitivity_view": view}))
        for view in ("frozen", "refitted")
    )
    assert not row(frozen, "sensitivity").passed
    assert row(refitted, "sensitivity").passed
    assert row(refitted, "sensitivity").findings["frozen"] == row(frozen, "sensitivity").findings["frozen"]
    assert [cell.endswith(" *") for cell in frozen.gate_table()[1][3][2:4]] == [True, False]


def test_a_model_that_says_the_same_of_all_fails_and_is_told_in_full(mel: World) -> None:
    report = mel.judge(np.zeros_like(mel.z), rounds=50)
    assert {"auc", "flips", "threshold_inside"} <= failed(report)
    json.dumps(report.to_json(), allow_nan=False)
    assert draw(report)


def test_the_report_goes_through_json_and_holds_no_nan(noisy: Any) -> None:
    value = json.loads(json.dumps(noisy.to_json(), allow_nan=False))
    assert value["passed"] is noisy.passed is False
    assert value["failed"] == [found.name for found in noisy.failed_rows]
    assert len(value["views"]["frozen"]["flips"]) == len(noisy.views["frozen"].flips)
    assert value["notice"] == NOTICE
    assert value["banner"] is None
    assert make_recipe(value["recipe"], GateRecipe) == GateRecipe()


def test_hard_failures_come_first_and_are_called_so(mel: World) -> None:
    z, output = quantised(mel.z + np.random.default_rng(3).normal(0, 0.3, mel.z.shape))
    noisy = mel.judge(z, output=output, tflite_float=mel.reference)
    hard = [found.hard for found in noisy.failed_rows]
    assert hard == sorted(hard, reverse=True)
    assert hard[0]
    assert not hard[-1]
    lines = noisy.summary()
    assert lines[0].startswith("FAILED: ")
    assert any(line.startswith("HARD changed decisions: ") for line in lines)
    assert "| hard fail" in noisy.to_markdown()
    assert noisy.to_markdown().endswith(NOTICE + "\n")


def test_the_page_tells_verdict_pictures_and_what_the_caller_adds(mel: World, noisy: Any, tmp_path: Path) -> None:
    ladder = Section(heading="The ladder", paragraphs=["Cheapest first."], headers=["rung"], rows=[["int8 <all>"]])
    write_parity(noisy, tmp_path / "out", sections=[ladder])
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<strong>Fail.</strong> T" + noisy.verdict[1:] in html
    assert html.index("does not decide as") < html.index("The gate</h2>") < html.index("The ladder</h2>")
    assert "int8 &lt;all&gt;" in html
    assert "index sha256: <code>0123abcd</code>" in html
    assert all(flip.image_id in html for view in noisy.views.values() for flip in view.flips)
    assert NOTICE.replace("'", "&#x27;") in html
    assert SYNTHETIC_BANNER not in html
    assert json.loads((tmp_path / "out" / "parity.json").read_text())["verdict"] == noisy.verdict
    assert (tmp_path / "out" / "parity.md").read_text(encoding="utf-8") == noisy.to_markdown()
    with pytest.raises(ArtifactError, match="exists"):
        write_parity(noisy, tmp_path / "out")


def test_synthetic_pictures_say_so_everywhere() -> None:
    world = World(MEL, 300, modality="synthetic")
    report = world.judge(world.z, rule=world.rule)
    assert SYNTHETIC_BANNER in draw(report)
    assert SYNTHETIC_BANNER in report.to_markdown()
    assert report.summary()[0] == report.to_json()["banner"] == SYNTHETIC_BANNER


def test_other_pictures_other_rules_and_other_scales_are_refused(mel: World, seven: World) -> None:
    given = {"table": mel.table, "task": MEL, "split": "test", "reference_rule": mel.rule, "candidate_rule": mel.rule,
             "output": Output(), "rounds": 0}  # fmt: skip
    fewer = mel.reference.filter(pl.col("image_id") != mel.rows.table["image_id"][0])
    with pytest.raises(DataError, match=r"different pictures: only in the reference P0\d+; only in the candidate none"):
        judge(mel.reference, fewer, **given)
    with pytest.raises(DataError, match="only in the float TFLite model none"):
        judge(mel.reference, mel.reference, tflite_float=fewer, **given)
    with pytest.raises(DataError, match=r"the candidate's decision rule is for dx7 .*, not for mel"):
        judge(mel.reference, mel.reference, **{**given, "candidate_rule": seven.rule})
    with pytest.raises(DataError, match="different prevalences"):
        judge(mel.reference, mel.reference, **{**given, "candidate_rule": mel.rule.at_prior(0.01)})
    z, output = quantised(mel.z)
    with pytest.raises(DataError, match="is not a value of an int8 output with scale"):
        judge(mel.reference, mel.frame(z), **{**given, "output": replace(output, scale=output.scale * 1.01)})
    with pytest.raises(DataError, match="is not a value of an int8 output"):
        judge(mel.reference, mel.frame(z), **{**given, "output": replace(output, zero_point=output.zero_point + 9)})
    with pytest.raises(RecipeError, match="rounds -1: 0 for a quick look"):
        judge(mel.reference, mel.reference, **{**given, "rounds": -1})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"dtype": "int4", "scale": 1.0, "zero_point": 0}, "'int4'; known: float32, float16, int8"),
        ({"dtype": "int8"}, "an int8 output needs a scale above 0 and a zero point"),
        ({"dtype": "int8", "scale": 0.0, "zero_point": 0}, "needs a scale above 0"),
        ({"scale": 0.1}, "a float32 output has no scale"),
    ],
)
def test_an_output_that_cannot_be_is_refused(given: Any, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        Output(**given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"max_flips": 0.05}, "max_flips 0.05 lies above hard_flips 0.03"),
        ({"aim_auc_drop": 0.5}, "aim_auc_drop 0.5 lies above max_auc_drop"),
        ({"min_levels": 32}, "hard_levels 64 lies above min_levels 32"),
        ({"max_step": 1.5}, "max_step 1.5: a share between 0 and 1"),
        ({"max_ece_rise": math.nan}, "max_ece_rise nan: a share"),
        ({"flips_view": "best"}, "flips_view 'best': 'frozen', 'refitted' or 'both'"),
        ({"flips_are": "all"}, "flips_are 'all'"),
        ({"min_positives": 0}, "min_positives 0: a whole number"),
        ({"max_positives_to_low": -1}, "max_positives_to_low -1: a whole number"),
        ({"min_temperature_ratio": 1.1}, "temperature ratio 1.1 to 1.25: 1 must lie between"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(given: Any, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        GateRecipe(**given)


def test_an_unknown_limit_is_refused_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean max_flips"):
        make_recipe({"max_flip": 0.01}, GateRecipe)


def test_the_gate_needs_no_tensorflow_and_draws_only_when_asked() -> None:
    code = (
        "import sys, edge_melanoma.parity\n"
        "print([m for m in ('sklearn', 'scipy', 'matplotlib', 'tensorflow', 'tf_keras') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((0.0, "0"), (3e-17, "0"), (-8.9e-16, "0"), (9e-10, "0")),  # what the order of additions makes of nothing
        *((2e-9, "+2e−09"), (-3e-5, "−3e−05"), (0.00005, "+0.0001"), (-0.0123, "−0.0123")),
    ],
)
def test_a_difference_has_its_sign_and_rounding_noise_is_none(value: float, said: str) -> None:
    assert signed(value) == said


def test_points_of_rounding_noise_are_none() -> None:
    assert points(-2e-17) == "0 pp"
