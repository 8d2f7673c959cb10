"""A card tells how models of the same recipe did out of fold and without a centre; no other figures are carried."""

import json

import pytest

from edge_melanoma.bundle.card_evaluations import evaluation_sections
from edge_melanoma.convert.evaluations import evaluations_of
from edge_melanoma.errors import ArtifactError
from edge_melanoma.evaluation.summary import comparable, summarise
from edge_melanoma.run_folder import Run


def estimate(value):
    return {"value": value, "low": value - 0.05, "high": value + 0.05, "low_bca": None, "rounds": 2000}


def metrics(**about):
    group = {"attribute": "sex", "value": "female", "rows": 40, "positives": 4, "auc": estimate(0.8)}
    level = {"rows": 100, "positives": 10, "groups": 80, "metrics": {"roc_auc": estimate(0.9)}}
    return {
        "split": "oof",
        "about": {"index_sha256": "a" * 64, "models": 5, "held_out_centres": [], "recipe": comparable(RECIPE), **about},
        "headline": {"roc_auc": estimate(0.9), "refer.sensitivity": estimate(0.85)},
        "image": level,
        "lesion": level,
        "histology_confirmed_auc": None,
        "worst_group": None,
        "subgroups": [
            {**group, "sensitivity": estimate(0.75), "specificity": estimate(0.6)},
            {**group, "value": "male", "sensitivity": None, "specificity": estimate(0.7)},
        ],
        "remarks": [{"tone": "warn", "text": "only 10 positive pictures"}],
        "no_pixel_baseline": {"auc": {"age": estimate(0.66)}, "best": "age"},
        "rule": {"fitted_on": {"split": "calibration", "rows": 5008, "positives": 557, "recipe": {"seed": 0}}},
    }


RECIPE = {"seed": 0, "fit": {"epochs": 5}, "teacher": {"runs": ["/somewhere/folds"], "share": 0.7}}


@pytest.fixture
def written(tmp_path):
    def write(name="evaluation", kind="evaluation", **about):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "edge-melanoma.json").write_text(json.dumps({"kind": kind}))
        (folder / "metrics.json").write_text(json.dumps(metrics(**about)))
        return folder

    return write


def run(tmp_path, **recipe):
    return Run(folder=tmp_path / "run", about={"recipe": {**RECIPE, **recipe}})


def sections(found):
    return list(evaluation_sections({"evaluations": found}))


def test_the_card_shows_figures_groups_and_the_baseline_without_a_pixel(tmp_path, written):
    figures, groups = sections(evaluations_of(run(tmp_path), [written()]))
    assert figures.title.startswith("Out of fold: 5 models by the same recipe")
    assert ("AUC", "0.900 (0.850–0.950)") in figures.rows
    assert ("sensitivity where it refers", "0.850 (0.800–0.900)") in figures.rows
    assert ("AUC without a pixel, from age", "0.660 (0.610–0.710)") in figures.rows
    assert (
        "thresholds set on",
        "5,008 pictures, 557 of them positive: of the same, judged by other models",
    ) in figures.rows
    assert groups.rows[0][:4] == ("sex", "female", "40", "4")
    assert groups.rows[1][:2] == ("", "male")
    assert groups.rows[1][5] == "–"


def test_a_held_out_centre_is_named_where_it_is_the_test_part(tmp_path, written):
    folder = written(models=1, held_out_centres=["rosendahl"])
    document = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps({**document, "split": "test"}))
    figures, _ = sections(evaluations_of(run(tmp_path), [folder]))
    chosen = ("thresholds set on", "5,008 pictures, 557 of them positive (no interval holds that)")
    assert chosen in figures.rows
    assert figures.title == "On rosendahl, by a model of the same recipe that was trained without it"
    (folder / "metrics.json").write_text(json.dumps({**document, "split": "val"}))
    figures, _ = sections(evaluations_of(run(tmp_path), [folder]))
    assert figures.title == "By a model of the same recipe, part val"


def test_where_the_teachers_lie_is_not_another_recipe_and_anything_else_is(tmp_path, written):
    folder = written()
    assert evaluations_of(run(tmp_path, description="In other words."), [folder])
    assert evaluations_of(run(tmp_path, teacher={"runs": ["/elsewhere/run"], "share": 0.7}), [folder])
    with pytest.raises(ArtifactError, match="they differ in fit, seed"):
        evaluations_of(run(tmp_path, seed=1, fit={"epochs": 6}), [folder])
    with pytest.raises(ArtifactError, match="they differ in teacher"):
        evaluations_of(run(tmp_path, teacher={"runs": [], "share": 0.5}), [folder])


def test_what_is_no_evaluation_of_a_run_is_refused(tmp_path, written):
    for folder, message in (
        (written("of a bundle", recipe=None), "does not say by which recipe"),
        (written("a run", kind="run"), "holds run; give the folder"),
        (tmp_path / "nothing", "is not an evaluation"),
    ):
        with pytest.raises(ArtifactError, match=message):
            evaluations_of(run(tmp_path), [folder])
    broken = written("broken")
    (broken / "metrics.json").write_text('{"split": "oof"}')
    with pytest.raises(ArtifactError, match=r"metrics\.json: lacks about, headline"):
        evaluations_of(run(tmp_path), [broken])


def test_an_evaluation_that_is_not_to_be_believed_is_not_carried(tmp_path, written):
    folder = written()
    leak = {"tone": "fail", "text": "leak, allowed by request: 3 lesions"}
    document = metrics()
    (folder / "metrics.json").write_text(json.dumps({**document, "remarks": [leak, *document["remarks"]]}))
    with pytest.raises(ArtifactError, match=r"not to be believed \(leak, allowed by request: 3 lesions\); give an"):
        evaluations_of(run(tmp_path), [folder])


def test_no_path_of_a_machine_is_carried():
    assert "/somewhere" not in json.dumps([summarise(metrics()), comparable(RECIPE)])


@pytest.mark.parametrize("odd", ["text", 7, None, [None], [{}], [{"subgroups": 3, "figures": [1]}], {"a": 1}])
def test_a_card_of_an_odd_manifest_is_still_a_card(odd):
    for section in evaluation_sections({"evaluations": odd}):
        assert section.title
        assert all(isinstance(cell, str) for row in section.rows for cell in row)
