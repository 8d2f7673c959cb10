"""What --force replaces is gone when there is something in its place, and its log of test looks never is."""

import json

import pytest

pytest.importorskip("polars")

import polars as pl

from edge_melanoma.data.index import Index, conform
from edge_melanoma.errors import ArtifactError
from edge_melanoma.fitting.state import CHECKPOINT
from edge_melanoma.output import read_origin, write_json
from edge_melanoma.train import folds as stage
from edge_melanoma.train.folder import begin, check_free, drop_replaced, put_back
from edge_melanoma.train.recipe import TrainRecipe

ABOUT = {"index_sha256": "a" * 64}
LOOKS = [{"index_sha256": "a" * 64}]


@pytest.fixture
def run(tmp_path):
    """A finished run whose test part was looked at."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "weights.weights.h5").write_text("weights")
    write_json(folder / "test_opened.json", LOOKS)
    write_json(folder / "edge-melanoma.json", {"kind": "run"})
    return folder


def test_a_training_that_came_to_nothing_leaves_the_run_that_it_was_to_replace(run):
    assert begin(run, ABOUT, resume=False, force=True) is False
    assert read_origin(run)["kind"] == "training"
    assert not (run / "weights.weights.h5").exists()
    put_back(run)
    assert read_origin(run)["kind"] == "run"
    assert (run / "weights.weights.h5").read_text() == "weights"
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_a_run_goes_when_the_new_training_has_a_state_and_its_log_stays(run):
    begin(run, ABOUT, resume=False, force=True)
    (run / CHECKPOINT).write_text("state")
    put_back(run)
    assert read_origin(run)["kind"] == "training"
    drop_replaced(run)
    assert [path.name for path in run.parent.iterdir()] == ["run"]
    assert json.loads((run / "test_opened.json").read_text()) == LOOKS


def test_a_training_that_was_killed_before_its_first_state_still_replaces_the_run(run):
    begin(run, ABOUT, resume=False, force=True)
    begin(run, ABOUT, resume=False, force=True)
    assert json.loads((run / "test_opened.json").read_text()) == LOOKS
    put_back(run)
    assert read_origin(run)["kind"] == "run"


def test_a_run_is_found_again_after_a_kill_between_two_steps(run):
    run.rename(run.with_name(".run.replaced"))
    with pytest.raises(ArtifactError, match="exists already; give --force"):
        check_free(run, resume=False, force=False)
    assert read_origin(run)["kind"] == "run"


def test_folds_that_replace_others_keep_none_of_their_thresholds_and_figures(tmp_path, monkeypatch):
    def written(name, kind):
        (tmp_path / "folds" / name).mkdir(parents=True)
        write_json(tmp_path / "folds" / name / "edge-melanoma.json", {"kind": kind})

    kinds = {**{f"fold{fold}": "run" for fold in range(5)}, "evaluation-oof": "evaluation", "mine": "comparison"}
    for name, kind in kinds.items():
        written(name, kind)
    write_json(tmp_path / "folds" / "edge-melanoma.json", {"kind": "folds", "folds": 5})
    write_json(tmp_path / "folds" / "decision.json", {})
    trained = []
    monkeypatch.setattr(stage, "run_one", lambda recipe, index, folder, **how: trained.append(folder.name))
    table = conform(pl.DataFrame({"image_id": ["a", "b", "c"], "fold": [0, 1, 2]}))
    given = (TrainRecipe(), Index(table=table, roots={}), tmp_path / "folds")
    stage.run(*given, folds=3, resume=True)
    assert (tmp_path / "folds" / "decision.json").exists()
    stage.run(*given, folds=3, force=True)
    left = sorted(path.name for path in (tmp_path / "folds").iterdir())
    assert left == ["edge-melanoma.json", "fold0", "fold1", "fold2", "mine"]
    assert trained == 2 * ["fold0", "fold1", "fold2"]
