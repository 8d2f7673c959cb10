"""An evaluation says what is true of scores whose truth is known, and refuses what would make it lie."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

pl = pytest.importorskip("polars")
pytest.importorskip("matplotlib")

from edge_melanoma.calibration import CalibrationRecipe, fit_rule  # noqa: E402
from edge_melanoma.data.index import Index, write_index  # noqa: E402
from edge_melanoma.data.parts import with_fold  # noqa: E402
from edge_melanoma.errors import ArtifactError, DataError, RecipeError  # noqa: E402
from edge_melanoma.evaluation import (  # noqa: E402
    ceiling_of,
    evaluate,
    log_test_opening,
    looks_at_test,
    select_rows,
    write_evaluation,
)
from edge_melanoma.evaluation import run as stage  # noqa: E402
from edge_melanoma.evaluation.bundle_parts import fold_of  # noqa: E402
from edge_melanoma.evaluation.leaks import known_to  # noqa: E402
from edge_melanoma.evaluation.subgroups import TITLES  # noqa: E402
from edge_melanoma.evaluation.words import whole  # noqa: E402
from edge_melanoma.labels import task  # noqa: E402
from edge_melanoma.metrics import wilson  # noqa: E402
from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER  # noqa: E402
from edge_melanoma.output import write_json  # noqa: E402
from edge_melanoma.preprocess import PreprocessContract  # noqa: E402
from edge_melanoma.run_folder import Run  # noqa: E402

_spec = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up: Any = importlib.util.module_from_spec(_spec)  # type: ignore[arg-type]
_spec.loader.exec_module(made_up)  # type: ignore[union-attr]

MEL, DX7 = task("mel"), task("dx7")


def rule_for(table: Any, predictions: Any, of: Any = MEL, *, shares: Any = None) -> Any:
    alike = [1 / len(of.classes)] * len(of.classes)
    return fit_rule(predictions, table, of, CalibrationRecipe(rounds=50), class_shares_train=shares or alike)


def evaluated(
    table: Any, predictions: Any, of: Any = MEL, *, split: str = "test", shares: Any = None, **options: Any
) -> Any:
    given = {"rounds": 200, "without_pixels": False, **options}
    return evaluate(predictions, table, of, rule_for(table, predictions, of, shares=shares), split=split, **given)


@pytest.fixture(scope="module")
def table() -> Any:
    return made_up.index_table(900)


@pytest.fixture(scope="module")
def predictions(table: Any) -> Any:
    return made_up.predict(table, MEL)


@pytest.fixture(scope="module")
def evaluation(table: Any, predictions: Any) -> Any:
    return evaluated(
        table,
        predictions,
        without_pixels=True,
        model={"name": "a <b>model</b>", "parameters": 1000, "sha256": "ab" * 32},
        about={"index_sha256": "cd" * 32},
    )


# --- the figures ---


def test_figures_equal_those_of_independent_judges(evaluation: Any, table: Any, predictions: Any) -> None:
    judge = pytest.importorskip("sklearn.metrics")
    rows = table.filter(pl.col("split") == "test").join(predictions, on="image_id", maintain_order="left")
    y = (rows["dx"] == "MEL").to_numpy()
    score = (rows["logit_melanoma"] - rows["logit_other"]).to_numpy()
    image = evaluation.image
    assert (image.rows, image.positives) == (len(y), y.sum())
    assert image.groups == rows["lesion_id"].n_unique()
    assert image.metrics["roc_auc"].value == pytest.approx(judge.roc_auc_score(y, score))
    assert image.metrics["average_precision"].value == pytest.approx(judge.average_precision_score(y, score))
    p = evaluation.rule.probability(np.stack([rows["logit_other"], rows["logit_melanoma"]], axis=1))
    referred = p >= evaluation.rule.threshold_refer.value
    tn, fp, fn, tp = judge.confusion_matrix(y, referred).ravel()
    point = image.operating_points[0]
    assert (point.true_positive, point.false_positive) == (tp, fp)
    assert (point.false_negative, point.true_negative) == (fn, tn)
    assert image.metrics["refer.sensitivity"].value == pytest.approx(tp / (tp + fn))
    assert point.npv.value == pytest.approx(tn / (tn + fn))
    assert image.metrics["brier"].value == pytest.approx(judge.brier_score_loss(y, p))


def test_every_picture_is_counted_once_among_the_three_decisions(evaluation: Any) -> None:
    decisions = evaluation.image.decisions
    assert list(decisions) == ["low", "uncertain", "refer"]
    assert sum(positives for positives, _ in decisions.values()) == evaluation.image.positives
    assert sum(map(sum, decisions.values())) == evaluation.image.rows
    kept = evaluation.predictions["decision"].value_counts(sort=True)
    assert dict(kept.iter_rows()) == {name: sum(counts) for name, counts in decisions.items() if sum(counts)}


def test_intervals_of_image_and_lesion_cover_the_truth_about_as_often_as_they_say() -> None:
    """By lesion the truth is another: the mean of k alike pictures is less noisy than one, so its AUC is higher."""
    covered, truth = 0, made_up.true_auc(1.5)
    for seed in range(40):
        table = made_up.index_table(160, seed=seed, parts=(0, 0, 0.3, 0.7), shares=(0.5, 0.3, 0.1, 0.05, 0.05, 0, 0))
        predictions = made_up.predict(table, MEL, separation=1.5, seed=500 + seed)
        found = evaluate(predictions, table, MEL, None, split="test", rounds=100, without_pixels=False)
        auc = found.image.metrics["roc_auc"]
        covered += auc.low <= truth <= auc.high
        assert found.lesion is not None
    assert 0.85 <= covered / 40 <= 1


def test_the_headline_says_how_little_a_handful_of_right_answers_proves(table: Any, predictions: Any) -> None:
    """Draws of eight right answers are always all right."""
    positive = table.filter((pl.col("split") == "test") & (pl.col("y_mel") == 1))["image_id"].to_list()
    logit = pl.when(pl.col("image_id").is_in(positive)).then(50.0).otherwise(pl.col("logit_melanoma"))
    left_out = pl.col("image_id").is_in(positive[8:])
    few = table.with_columns(split=pl.when(left_out).then(None).otherwise(pl.col("split")))
    sure = predictions.with_columns(logit_melanoma=logit, split=few["split"])
    found = evaluated(few, sure)
    first = found.headline()["refer.sensitivity"]
    assert (first.value, first.successes, first.trials) == (1, 8, 8)
    assert 0.3 < first.low < 0.68  # Wilson of 8 of 8 begins at .676; of fewer lesions lower
    assert first == found.image.operating_points[0].sensitivity


def test_lesions_are_measured_by_the_mean_of_their_logits(evaluation: Any, table: Any, predictions: Any) -> None:
    judge = pytest.importorskip("sklearn.metrics").roc_auc_score
    joined = table.filter(pl.col("split") == "test").join(predictions, on="image_id")
    lesions = joined.group_by("lesion_id").agg(
        (pl.col("logit_melanoma") - pl.col("logit_other")).mean().alias("score"), pl.col("y_mel").first()
    )
    assert evaluation.lesion.rows == lesions.height
    assert evaluation.lesion.metrics["roc_auc"].value == pytest.approx(judge(lesions["y_mel"], lesions["score"]))


def test_seven_classes_are_judged_as_classes_and_melanoma_is_read_from_them(table: Any) -> None:
    judge = pytest.importorskip("sklearn.metrics")
    shares = [0.05, 0.1, 0.15, 0.05, 0.15, 0.45, 0.05]  # as a training may have shown the classes
    learned = [pl.col(f"logit_{name}") + np.log(share) for name, share in zip(DX7.classes, shares, strict=True)]
    predictions = made_up.predict(table, DX7).with_columns(learned)
    found = evaluated(table, predictions, DX7, shares=shares)
    rows = select_rows(predictions, table, DX7, "test")
    once_alike = np.exp(rows.logits / found.rule.temperature.value) / shares  # Bayes
    called = once_alike.argmax(axis=1)
    assert (called != rows.logits.argmax(axis=1)).any()
    assert (found.image.confusion == judge.confusion_matrix(rows.answers, called, labels=range(7))).all()
    metrics = found.image.metrics
    assert metrics["classes.balanced_accuracy"].value == pytest.approx(
        judge.balanced_accuracy_score(rows.answers, called)
    )
    assert metrics["classes.recall.mel"].value == pytest.approx((called == 4)[rows.answers == 4].mean())
    p = found.rule.probability(rows.logits)
    assert metrics["roc_auc"].value == pytest.approx(judge.roc_auc_score(rows.answers == 4, p))
    one = metrics["classes.auc.nv"]
    z = rows.logits
    against = z[:, 5] - np.log(np.exp(np.delete(z, 5, axis=1)).sum(axis=1))
    assert one.value == pytest.approx(judge.roc_auc_score(rows.answers == 5, against))


def test_the_same_seed_gives_the_same_numbers_whatever_the_order_of_rows(table: Any, predictions: Any) -> None:
    first = evaluated(table, predictions).to_json()
    second = evaluated(table.sample(fraction=1, shuffle=True, seed=1), predictions[::-1]).to_json()
    assert json.dumps(first) == json.dumps(second)


# --- for whom ---


def test_small_groups_are_counted_and_not_measured(evaluation: Any) -> None:
    by_name = {(group.attribute, group.value): group for group in evaluation.subgroups}
    nevi = by_name["dx_confirm", "follow_up"]
    assert nevi.positives == 0
    assert nevi.rows > 50
    assert nevi.auc is nevi.sensitivity is nevi.specificity is None
    for group in evaluation.subgroups:
        assert (group.auc is None) == (min(group.positives, group.rows - group.positives) < 10)
    ages = [group.value for group in evaluation.subgroups if group.attribute == "age"]
    assert ages == ["under 30", "30–44", "45–59", "60–74", "75 and over"]
    assert "tone" not in {group.attribute for group in evaluation.subgroups}  # the index tells none
    assert evaluation.histology == by_name["dx_confirm", "histo"].auc


def test_a_group_that_the_model_fails_is_the_worst_one(table: Any, predictions: Any) -> None:
    head = table.filter((pl.col("site_group") == "head/neck") & (pl.col("dx") == "MEL"))["image_id"].implode()
    blind = predictions.with_columns(
        pl.when(pl.col("image_id").is_in(head)).then(-5.0).otherwise(pl.col("logit_melanoma")).alias("logit_melanoma")
    )
    found = evaluate(blind, table, MEL, rule_for(table, predictions), split="test", rounds=50, without_pixels=False)
    assert (found.worst.group.attribute, found.worst.group.value) == ("site", "head/neck")
    assert found.worst.group.sensitivity.value == 0
    assert found.worst.gap == pytest.approx(found.image.metrics["refer.sensitivity"].value)
    assert found.to_json()["worst_group"]["value"] == "head/neck"


def test_skin_tone_is_a_subgroup_where_the_index_tells_it() -> None:
    rng = np.random.default_rng(0)
    table = made_up.index_table(700)
    table = table.with_columns(pl.Series("ita", rng.choice([60.0, 5.0], table.height)))
    found = evaluated(table, made_up.predict(table, MEL))
    assert [group.value for group in found.subgroups if group.attribute == "tone"] == ["very light", "brown"]


# --- without a pixel ---


def test_the_baseline_is_measured_on_the_same_rows_and_the_lead_is_paired(evaluation: Any) -> None:
    baseline = evaluation.baseline
    assert set(baseline.auc) == {"centre", "age, sex, site", "age, sex, site, centre"}
    best = baseline.auc[baseline.best]
    assert baseline.difference.value == pytest.approx(evaluation.image.metrics["roc_auc"].value - best.value)
    assert best.low <= 0.5 <= best.high  # age, sex, site and centre are random here
    assert best.groups == evaluation.image.groups


def test_a_model_that_only_knows_the_centre_does_not_beat_the_baseline() -> None:
    rng = np.random.default_rng(0)
    table = made_up.index_table(900)
    melanoma = (table["dx"] == "MEL").to_numpy()
    centre = np.where(rng.random(len(melanoma)) < np.where(melanoma, 0.8, 0.3), "clinic", "screening")
    of_lesion = dict(zip(table["lesion_id"], centre, strict=True))
    table = table.with_columns(pl.col("lesion_id").replace_strict(of_lesion).alias("centre"))
    noise = rng.normal(0, 0.01, table.height)
    log_odds = pl.Series(np.where(table["centre"].to_numpy() == "clinic", 1.0, -1.0) + noise)
    predictions = table.select("image_id", "split").with_columns(
        logit_other=pl.Series(np.zeros(table.height)), logit_melanoma=log_odds
    )
    found = evaluated(table, predictions, without_pixels=True)
    assert found.baseline.auc["centre"].value > 0.65
    assert any("not clearly better than" in remark.text for remark in found.remarks)


def test_out_of_fold_rows_are_all_measured_and_the_baseline_too(table: Any, predictions: Any) -> None:
    found = evaluated(table, predictions, split="oof", without_pixels=True)
    assert found.image.rows == table.height
    assert found.baseline is not None
    assert found.baseline.best is not None
    assert "out-of-fold predictions" in found.title
    assert any("chosen on" in remark.text and "judged by other models" in remark.text for remark in found.remarks)
    with pytest.raises(DataError, match="need a column `fold`"):
        evaluated(table, predictions.drop("fold"), split="oof")


def test_what_only_one_fold_tells_does_not_stop_the_baseline(table: Any, predictions: Any) -> None:
    """The trees refuse a column without two values, which is what the other folds' rows have to offer here."""
    sparse = table.with_columns(
        age=pl.when(pl.col("fold") == 0).then("age"), sex=pl.lit(None, pl.String), site=pl.lit(None, pl.String)
    )
    found = evaluated(sparse, predictions, split="oof", without_pixels=True)
    assert "age, sex, site" in found.baseline.auc


# --- what must not pass ---


@pytest.mark.parametrize(
    ("column", "name"), [("lesion_id", "lesions"), ("patient_id", "patients"), ("sha256", "equal")]
)
def test_what_training_has_seen_is_refused_and_allowed_only_aloud(
    table: Any, predictions: Any, column: str, name: str
) -> None:
    train, test = (table.filter(pl.col("split") == part)["image_id"][0] for part in ("train", "test"))
    leaking = table.with_columns(
        pl.when(pl.col("image_id").is_in([train, test])).then(pl.lit("SAME")).otherwise(pl.col(column)).alias(column)
    )
    with pytest.raises(DataError, match=rf"1 {name}.*both in the rows that the model learned from and in test"):
        evaluated(leaking, predictions)
    found = evaluated(leaking, predictions, allow_leaks=True)
    assert found.remarks[0].tone == "fail"
    assert "Every figure here is too good" in found.remarks[0].text


@pytest.mark.parametrize("split", ["test", "oof"])
def test_an_augmented_copy_of_a_judged_picture_in_training_is_a_leak(table: Any, predictions: Any, split: str) -> None:
    judged = table.filter(pl.col("split") == "test").head(1)
    other = (int(judged["fold"][0]) + 1) % 5
    own = {"image_id": pl.lit("copy"), "split": pl.lit("train"), "fold": pl.lit(other)}
    copy = judged.with_columns(parent_id="image_id", lesion_id=None, sha256=None, **own)
    rule = rule_for(table, predictions)
    leaking = pl.concat([table, copy], how="vertical_relaxed")
    with pytest.raises(DataError, match=rf"1 pictures \({judged['image_id'][0]}\)"):
        evaluate(predictions, leaking, MEL, rule, split=split, rounds=50)


def test_a_lesion_in_two_folds_is_a_leak_out_of_fold(table: Any, predictions: Any) -> None:
    several = table.filter(pl.col("lesion_id").is_duplicated())["image_id"][0]
    torn = predictions.with_columns(
        pl.when(pl.col("image_id") == several).then((pl.col("fold") + 1) % 5).otherwise(pl.col("fold")).alias("fold")
    )
    rule = rule_for(table, predictions)
    with pytest.raises(DataError, match=r"1 lesions .*in more than one fold"):
        evaluate(torn, table, MEL, rule, split="oof", rounds=50)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda p: p.drop("logit_melanoma"), "predictions lack logit_melanoma"),
        (lambda p: p.with_columns(logit_nevus=0.0), "predictions have logit_nevus"),
        (lambda p: p.with_columns(logit_other=float("nan")), r"logit_other: not a finite number for P00000, P00001"),
        (lambda p: pl.concat([p, p]), "more than one prediction for P0"),
        (lambda p: p.with_columns(pl.lit("test").alias("split")), "in another part; predict on the index"),
        (lambda p: p.with_columns(image_id="X" + pl.col("image_id")), r"the index has no XP0\d+.* and [\d,]+ more"),
        (lambda p: p.filter(pl.col("split") == "val"), "part test: has no predictions; there are predictions of val"),
    ],
)
def test_predictions_that_do_not_fit_the_index_are_refused(table: Any, predictions: Any, spoil: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        evaluate(spoil(predictions), table, MEL, None, split="test", rounds=10)


def test_one_class_alone_and_an_unknown_part_are_refused(table: Any, predictions: Any) -> None:
    no_melanoma = table.filter((pl.col("dx") != "MEL") | (pl.col("split") != "test"))
    kept = predictions.filter(pl.col("image_id").is_in(no_melanoma["image_id"].implode()))
    with pytest.raises(DataError, match=r"part test: 0 of \d+ pictures are positive"):
        evaluate(kept, no_melanoma, MEL, None, split="test")
    with pytest.raises(RecipeError, match="part 'tset' is unknown; known: train, val, calibration, test, oof"):
        evaluate(predictions, table, MEL, None, split="tset")


def test_a_rule_of_another_task_is_refused(table: Any, predictions: Any) -> None:
    with pytest.raises(DataError, match=r"the decision rule is for mel .* the predictions are for melnv"):
        evaluate(predictions, table, task("melnv"), rule_for(table, predictions), split="test")


def test_pictures_without_an_answer_or_a_prediction_are_said_aloud(table: Any) -> None:
    unknown = table.with_columns(pl.when(pl.col("dx") == "DF").then(pl.lit("IND")).otherwise(pl.col("dx")).alias("dx"))
    predictions = made_up.predict(table, MEL)
    test = unknown.filter((pl.col("split") == "test") & (pl.col("dx") != "IND"))["image_id"]
    found = evaluated(unknown, predictions.filter(pl.col("image_id") != test[0]))
    texts = [remark.text for remark in found.remarks]
    assert any(re.fullmatch(r"left out: \d+ \(no answer in the task mel\)", text) for text in texts)
    assert "left out: 1 (pictures of the part without a prediction)" in texts
    assert found.image.rows == len(test) - 1


def test_too_good_to_be_true_is_said_first(table: Any) -> None:
    brilliant = evaluated(table, made_up.predict(table, MEL, separation=4))
    assert brilliant.remarks[0].tone == "fail"
    assert "check grouping and balancing" in brilliant.remarks[0].text
    elsewhere = made_up.index_table(900, source="a clinic's own")
    assert not [
        r for r in evaluated(elsewhere, made_up.predict(elsewhere, MEL, separation=4)).remarks if "check" in r.text
    ]
    accurate = evaluated(table, made_up.predict(table, DX7, separation=5), DX7)
    assert any("over seven classes" in remark.text for remark in accurate.remarks)


@pytest.mark.parametrize(("separation", "above"), [(1.8, False), (3.5, True)])
def test_a_result_above_the_ceiling_of_synthetic_pictures_is_a_leak(separation: float, above: bool) -> None:
    table = made_up.index_table(900, source="synth", modality="synthetic")
    predictions = made_up.predict(table, MEL, separation=separation)
    found = evaluated(table, predictions, synthetic_ceiling=made_up.true_auc(1.8))
    assert found.synthetic
    assert any("something leaks" in remark.text for remark in found.remarks) is above


def test_figures_on_rows_that_set_the_thresholds_say_so(table: Any, predictions: Any) -> None:
    found = evaluated(table, predictions, split="calibration")
    assert any("chosen on the rows of calibration" in remark.text for remark in found.remarks)
    trained = evaluated(table, predictions, split="train")
    assert trained.remarks[0].tone == "fail"
    assert "say nothing about new pictures" in trained.remarks[0].text


def test_without_a_rule_there_are_no_decisions(table: Any, predictions: Any) -> None:
    found = evaluate(predictions, table, MEL, None, split="test", rounds=50, without_pixels=False)
    assert found.image.operating_points == ()
    assert not [name for name in found.image.metrics if name.startswith(("refer.", "low."))]
    assert found.predictions["decision"].null_count() == found.image.rows
    assert "no decision rule" in found.remarks[0].text


# --- on disk ---


class _Reader(HTMLParser):
    """The text and the sources of pictures; fails on a tag left open."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.text, self.open, self.sources = "", [], []
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.sources += [value for name, value in attrs if name == "src"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def written(evaluation: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the third look at the test part."""
    run = tmp_path_factory.mktemp("run")
    same = {"index_sha256": evaluation.about["index_sha256"]}
    for _ in range(2):
        log_test_opening(run, {**same, "seen": {}})
    assert write_evaluation(evaluation, run / "evaluation-test", home=run) == 3
    return run / "evaluation-test"


def test_what_cannot_be_measured_is_one_dash() -> None:
    of_none = wilson(0, 0)  # the predictive value where nobody is called negative
    assert str(of_none.value) == "nan"
    assert whole(of_none) == whole(None) == "–"
    assert whole(wilson(1, 2)).startswith("0.500 (")


def test_an_evaluation_is_a_folder_with_page_numbers_and_predictions(evaluation: Any, written: Path) -> None:
    assert sorted(path.name for path in written.iterdir()) == [
        "edge-melanoma.json",
        "index.html",
        "metrics.json",
        "predictions.parquet",
    ]
    said = json.loads((written / "metrics.json").read_text(), parse_constant=lambda word: pytest.fail(word))
    auc = evaluation.image.metrics["roc_auc"].value
    assert said["image"]["metrics"]["roc_auc"]["value"] == pytest.approx(auc, abs=1e-6)
    assert said["rule"]["threshold_refer"]["sensitivity"]["low"] < 1
    assert said["model"]["parameters"] == 1000
    assert said["test_look"] == 3


def test_the_page_stands_alone_and_says_what_it_must(written: Path) -> None:
    page = _Reader((written / "index.html").read_text())
    assert NOTICE in page.text
    assert SYNTHETIC_BANNER not in page.text
    assert "a <b>model</b>" in page.text
    assert "look number 3 at this test part by this model" in page.text
    told = json.loads((written / "metrics.json").read_text())
    worst, best = told["worst_group"], told["no_pixel_baseline"]["best"]
    assert re.findall(r"AUC of ([^(]*?) without a pixel", page.text) == [best]
    assert f"group of people ({TITLES[worst['attribute']]} {worst['value']})" in page.text
    assert len(page.sources) >= 8
    assert all(source.startswith("data:image/") for source in page.sources)


def test_predictions_on_disk_hold_ids_and_no_paths(written: Path) -> None:
    kept = pl.read_parquet(written / "predictions.parquet")
    assert kept.columns == [
        *("image_id", "lesion_id", "group", "answer"),
        *("logit_other", "logit_melanoma", "probability", "decision"),
    ]
    assert b".jpg" not in (written / "predictions.parquet").read_bytes()


def test_every_look_at_the_test_part_is_logged_and_no_other(evaluation: Any, written: Path, tmp_path: Path) -> None:
    looks = looks_at_test(written.parent)
    assert len(looks) == 3
    assert set(looks[2]) == {"when", "who", "host", "index_sha256", "model_sha256", "task", "rows", "seen"}
    assert looks[2]["seen"]["roc_auc"] == pytest.approx(evaluation.image.metrics["roc_auc"].value, abs=1e-6)
    elsewhere = replace(evaluation, split="val")
    assert write_evaluation(elsewhere, tmp_path / "evaluation-val", home=tmp_path) is None
    assert looks_at_test(tmp_path) == []


def test_looks_are_counted_for_each_index(tmp_path: Path) -> None:
    """A look at other pictures makes no choice that is fitted to these."""
    numbers = [log_test_opening(tmp_path, {"index_sha256": data}) for data in ("ab", "cd", "ab", "ab", "cd")]
    assert numbers == [1, 1, 2, 3, 2]
    assert len(looks_at_test(tmp_path)) == 5


def test_a_leak_that_is_known_and_allowed_is_the_first_thing_said(table: Any, predictions: Any) -> None:
    found = evaluated(table, predictions, known_leaks=("leak, allowed by request: all of it",))
    assert (found.remarks[0].tone, found.remarks[0].text) == ("fail", "leak, allowed by request: all of it")


def test_the_parts_of_another_index_mean_nothing_to_a_model(table: Any, predictions: Any) -> None:
    def warned(split: str, **options: bool) -> bool:
        found = evaluated(table, predictions, split=split, **options)
        return any("chosen on" in remark.text or "stopped by" in remark.text for remark in found.remarks)

    for split in ("val", "calibration"):
        assert warned(split)
        assert not warned(split, other_index=True)


@pytest.mark.parametrize(
    ("sources", "images", "trained_on", "synthetic", "known"),
    [
        (["ham10000"], ["a", "b"], ["ham10000"], False, "2 of these pictures are of ham10000"),
        (
            ["folder"],
            ["mel/ISIC_0024306", "nv/more/ISIC_0034320", "nv/ISIC_0034321"],
            ["ham10000"],
            False,
            "2 of these",
        ),
        (["csv"], ["ISIC_0024306", "ISIC_0034320"], ["ham10000"], False, "2 of these"),
        (
            ["isic2019"],
            ["ISIC_0024305", "ISIC_0034321", "ISIC_0030000", "ISIC_0030000_x"],
            ["ham10000"],
            False,
            "1 of these",
        ),
        (["dermamnist"], ["0"], ["isic2018"], False, "1 of these"),
        (["ph2"], ["IMD003"], ["ham10000"], False, None),
        (["folder"], ["a"], ["folder"], False, None),
        (["ham10000"], ["ISIC_0030000"], ["ph2"], False, None),
        (["folder"], ["calibrated", "nv/other"], ["ph2"], False, "1 of these pictures a model was calibrated with"),
        (["folder"], ["nv/calibrated", "nv/other"], ["ph2"], False, "1 of these pictures a model was calibrated with"),
        (["synth"], ["a"], ["synth"], True, None),
    ],
)
def test_what_shows_that_a_bundle_has_seen_pictures_is_found(
    sources: Any, images: Any, trained_on: Any, synthetic: bool, known: str | None
) -> None:
    manifest = SimpleNamespace(
        model=SimpleNamespace(name="a model"),
        data=SimpleNamespace(sources=[SimpleNamespace(name=name) for name in trained_on], synthetic=synthetic),
        quantisation=SimpleNamespace(calibration_ids=("calibrated",)),
    )
    rows = pl.DataFrame({"image_id": images, "source": sources * len(images)})
    found = known_to(cast(Any, manifest), rows)
    assert found is None if known is None else known in str(found)


# --- the model of one fold ---


SAMPLE = {"rounds": 20, "calibration": CalibrationRecipe(rounds=20)}


def run_of(folder: Path, index: Any, *, fold: int | None) -> Any:
    about = {
        "fold": fold,
        "index": str(index.folder),
        "index_sha256": index.sha256,
        "prior_train": [0.5, 0.5],
        "recipe": {"seed": 0, "model": {}},
        "task": MEL.to_json(),
        "preprocessing": PreprocessContract(width=32, height=32).to_json(),
        "model": {"backbone": "seedcnn", "size": 32, "parameters": 9, "macs": 9},
    }
    folder.mkdir(exist_ok=True)
    (folder / "weights.weights.h5").write_bytes(b"weights")
    write_json(folder / "edge-melanoma.json", {"kind": "run"})
    return Run(folder=folder, about=about)


@pytest.fixture
def index(tmp_path: Path, table: Any) -> Any:
    return write_index(Index(table=table, roots={"ham10000": tmp_path}), tmp_path / "index")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, predictions: Any) -> Any:
    """Evaluations of runs whose networks answer from a table."""

    def answers(forward: Any, contract: Any, of: Any, index: Any, rows: Any, **options: Any) -> Any:
        return rows.select("image_id", "split").join(predictions.drop("split", "fold"), on="image_id")

    def of(run: Any, index: Any, out: str, split: str = "test", **options: Any) -> Any:
        monkeypatch.setattr(stage, "open_run", lambda folder: run)
        given = {**SAMPLE, **options}
        return stage.run(run.folder, index, run.folder / out, split=split, **given).evaluation

    monkeypatch.setattr(stage, "predict_rows", answers)
    monkeypatch.setattr(stage, "_forward", lambda run: None)
    return of


def test_the_run_of_a_fold_is_judged_on_that_fold_and_not_on_what_it_learned_from(
    tmp_path: Path, index: Any, asked: Any
) -> None:
    run = run_of(tmp_path / "fold1", index, fold=1)
    found, parts = asked(run, index, "out"), with_fold(index, 1, seed=0).table
    assert set(found.predictions["image_id"]) == set(index.table.filter(pl.col("fold") == 1)["image_id"])
    assert (found.about["fold"], found.about["held_out_centres"]) == (1, [])
    assert found.about["index_sha256"] == index.sha256
    val = asked(run, index, "val", split="val")
    assert set(val.predictions["image_id"]) == set(parts.filter(pl.col("split") == "val")["image_id"])
    whole = asked(run_of(tmp_path / "whole", index, fold=None), index, "out")
    assert whole.image.rows == index.table.filter(pl.col("split") == "test").height


def test_what_the_run_of_a_fold_learned_from_is_a_leak_in_another_index_too(
    tmp_path: Path, index: Any, asked: Any
) -> None:
    run = run_of(tmp_path / "fold1", index, fold=1)
    asked(run, index, "out")
    parts = with_fold(index, 1, seed=0).table
    held_out = index.with_table(parts.filter(pl.col("split") == "test"))
    assert asked(run, held_out, "held").image.rows == held_out.table.height
    learned = index.with_table(parts.with_columns(split=pl.lit("test")))
    with pytest.raises(DataError, match="both in the rows that the model learned from and in test"):
        asked(run, learned, "learned")
    write_index(learned, index.folder, force=True)  # another now lies where it was
    with pytest.raises(DataError, match="is no longer the index that it was trained on, so that a leak"):
        asked(run, held_out, "replaced")


def test_thresholds_of_folds_are_frozen_as_those_of_a_run_are(tmp_path: Path, index: Any, asked: Any) -> None:
    home = tmp_path / "folds"
    home.mkdir()
    write_json(home / "edge-melanoma.json", {"kind": "folds", "folds": 5})
    runs = tuple(run_of(home / f"fold{fold}", index, fold=fold) for fold in range(5))

    def judged(out: str, **options: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage, "open_folds", lambda folder: runs)
            return stage.run(home, index, tmp_path / out, split="oof", **{**SAMPLE, **options}).evaluation

    first = judged("oof")
    page = _Reader((tmp_path / "oof" / "index.html").read_text())
    assert "on the calibration parts of the folds (pictures that are measured here too" in page.text
    kept = (home / "decision.json").read_bytes()
    found = judged("again", calibration=CalibrationRecipe(rounds=20, refer_sensitivity=0.8))
    assert found.rule.to_json() == first.rule.to_json()
    assert found.to_json()["image"] == first.to_json()["image"]
    for name in ("oof2", "oof3"):
        with pytest.raises(
            RecipeError, match=r"folds: its decision rule is frozen in decision\.json .*0\.95, not 0\.8"
        ):
            judged(name, asked={"refer_sensitivity": 0.8})
    assert (home / "decision.json").read_bytes() == kept


def test_a_bundle_of_a_fold_is_known_by_what_its_parts_held(index: Any) -> None:
    def manifest(parts: Any, *, calibrated: Any = (), **more: int) -> Any:
        counts = {**dict(parts["split"].value_counts().iter_rows()), **more}
        return SimpleNamespace(
            model=SimpleNamespace(name="a model"),
            data=SimpleNamespace(pictures=counts),
            run=SimpleNamespace(seed=0),
            quantisation=SimpleNamespace(calibration_ids=calibrated),
        )

    parts = with_fold(index, 3, seed=0).table
    learned = parts.filter(pl.col("split") == "train")["image_id"].to_list()
    tested = parts.filter(pl.col("split") == "test")["image_id"].to_list()
    assert fold_of(manifest(index.table), index, MEL) is None
    assert fold_of(manifest(parts, calibrated=learned[:60]), index, MEL) == 3
    for unlike in (manifest(parts, test=1), manifest(parts, calibrated=tested[:1])):
        with pytest.raises(DataError, match=r"none of its divisions .*evaluate the run that it was converted from"):
            fold_of(unlike, index, MEL)


@pytest.mark.parametrize(("split", "says"), [("nosuch", "is train, val, calibration, test or oof"), ("oof", "--folds")])
def test_a_part_that_a_bundle_cannot_have_is_the_request_that_is_wrong(tmp_path: Path, split: str, says: str) -> None:
    index = SimpleNamespace(folder=tmp_path, sha256="ab", table=None)
    bundle = Path(__file__).parent / "golden" / "tiny" / "tiny_bundle.tflite"
    with pytest.raises(RecipeError, match=says):
        stage.run(
            bundle, cast(Any, index), tmp_path / "out", split=split, calibration=CalibrationRecipe(), rounds=10, seed=0
        )


def test_an_existing_folder_is_refused_before_the_test_part_is_opened(evaluation: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="exists already"):
        write_evaluation(evaluation, tmp_path / "out", home=tmp_path)
    assert looks_at_test(tmp_path) == []


def test_a_broken_log_of_test_looks_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "test_opened.json").write_text("{")
    with pytest.raises(ArtifactError, match="must not be lost"):
        log_test_opening(tmp_path, {})
    assert (tmp_path / "test_opened.json").read_text() == "{"


def test_no_look_is_lost_when_two_processes_look_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from edge_melanoma.evaluation import log_test_opening\n"
        "for _ in range(8): log_test_opening(Path(sys.argv[1]), {})"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(looks_at_test(tmp_path)) == 16


def test_synthetic_pictures_say_so_on_the_page_and_in_the_numbers(tmp_path: Path) -> None:
    table = made_up.index_table(500, source="synth", modality="synthetic")
    found = evaluated(table, made_up.predict(table, DX7), DX7, synthetic_ceiling=0.9)
    write_evaluation(found, tmp_path / "out")
    said = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert said["banner"] == SYNTHETIC_BANNER
    assert said["synthetic_ceiling"] == 0.9
    assert SYNTHETIC_BANNER in _Reader((tmp_path / "out" / "index.html").read_text()).text
    assert found.summary()[0] == SYNTHETIC_BANNER


@pytest.mark.parametrize(
    ("name", "policy", "expected"),
    [
        ("mel", "mixed", 0.92),
        ("melnv", "mixed", 0.9),
        ("mal", "mixed", 0.95),
        ("mal", "benign", None),
        ("dx8", "mixed", None),
    ],
)
def test_the_ceiling_is_that_of_the_task(tmp_path: Path, name: str, policy: Any, expected: float | None) -> None:
    facts = {"ceiling": {"mel_auc": 0.92, "melnv_auc": 0.9, "mal_auc": 0.95}, "confound": None}
    (tmp_path / "synth.json").write_text(json.dumps(facts))
    of = task(name, ak_policy=policy)
    assert ceiling_of(of, {"synth": tmp_path}) == expected
    assert ceiling_of(of, {"ham10000": tmp_path}) is None
    (tmp_path / "synth.json").write_text(json.dumps({**facts, "confound": {"artefact": "patch"}}))
    assert ceiling_of(of, {"synth": tmp_path}) is None


def test_an_evaluation_never_imports_tensorflow() -> None:
    code = (
        "import sys, edge_melanoma.evaluation, edge_melanoma.calibration\n"
        "print([m for m in ('tensorflow', 'tf_keras', 'keras', 'matplotlib', 'sklearn') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
