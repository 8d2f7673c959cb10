"""A conversion that cannot end well is one line with its code, told before TensorFlow is imported."""

import importlib.util
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

pl = pytest.importorskip("polars", reason="needs the data extra")

from edge_melanoma import backend  # noqa: E402
from edge_melanoma.calibration import CalibrationRecipe, fit_rule  # noqa: E402
from edge_melanoma.cli import main  # noqa: E402
from edge_melanoma.data.index import Index, write_index  # noqa: E402
from edge_melanoma.errors import ArtifactError  # noqa: E402
from edge_melanoma.labels import task  # noqa: E402
from edge_melanoma.preprocess import PreprocessContract  # noqa: E402
from edge_melanoma.run_folder import open_run  # noqa: E402

_spec = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made_up)

TABLE = made_up.index_table(200)


def index_of(table, folder):
    return write_index(Index(table=table, roots={"ham10000": folder}), folder / "index")


def run_of(data, folder, /, **changes):
    """What a training promises to leave, as far as anybody looks before the network is loaded."""
    folder.mkdir()
    note = {
        "kind": "run",
        "recipe": {"seed": 0},
        "recipe_sha256": "0" * 64,
        "versions": {"numpy": "2.0.0"},
        "model": {"backbone": "seedcnn", "parameters": 1, "macs": 1},
        "weights": {"source": "none"},
        "synthetic": False,
        "index": str(data.folder),
        "index_sha256": data.sha256,
        "fold": None,
        "task": task("mel").to_json(),
        "preprocessing": PreprocessContract(width=48, height=48).to_json(),
        "prior_train": [0.5, 0.5],
    }
    (folder / "edge-melanoma.json").write_text(json.dumps({**note, **changes}))
    (folder / "weights.weights.h5").touch()
    return folder


@pytest.fixture
def run(tmp_path):
    return run_of(index_of(TABLE, tmp_path), tmp_path / "run")


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Gives the command, and asserts how it is refused."""

    def no_tensorflow():
        raise AssertionError("TensorFlow is imported before the mistake is told")

    def command(message, *argv, code):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        monkeypatch.setattr(sys, "argv", ["edge-melanoma", "convert", *map(str, argv)])
        stdout, stderr = io.StringIO(), io.StringIO()
        with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as end:
            main()
        assert message in stderr.getvalue()
        assert end.value.code == code
        assert stderr.getvalue().startswith("error: ")
        assert stderr.getvalue().count("\n") == 1
        assert stdout.getvalue() == ""
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before

    monkeypatch.setattr(backend, "tensorflow", no_tensorflow)
    monkeypatch.chdir(tmp_path)
    return command


def test_a_run_that_is_not_there_is_refused(refused):
    refused("does not exist; a run is the folder that", "nowhere", "--out", "m.tflite", code=4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "training"}, "is a training that has not finished; give its command again with --resume"),
        ({"kind": "folds", "folds": 3}, "holds folds; name one of its runs, for example"),
        ({"kind": "evaluation"}, "holds evaluation, not a run that"),
        ({"index": "/nowhere/index"}, "the index that it was trained on cannot be read; name it with --data"),
    ],
)
def test_what_is_no_finished_run_or_has_lost_its_index_is_refused(refused, tmp_path, changes, message):
    run = run_of(index_of(TABLE, tmp_path), tmp_path / "run", **changes)
    refused(message, run, "--out", "m.tflite", code=4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": None}, "edge-melanoma.json.task: is None; an object is needed"),
        ({"prior_train": None}, "prior_train: is None; a list is needed"),
        ({"prior_train": ["a"]}, "prior_train[0]: is 'a'; a number is needed"),
        ({"index": 5}, "edge-melanoma.json.index: is 5"),
        ({"fold": "x"}, "edge-melanoma.json.fold: is 'x'"),
        ({"recipe": {}}, "edge-melanoma.json: lacks seed"),
        ({"model": {"backbone": "seedcnn"}}, "edge-melanoma.json: lacks parameters, macs"),
        ({"synthetic": "no"}, "edge-melanoma.json.synthetic: is 'no'"),
    ],
)
def test_a_note_that_was_edited_is_refused_with_the_key(refused, tmp_path, changes, message):
    run = run_of(index_of(TABLE, tmp_path), tmp_path / "run", **changes)
    refused(message, run, "--out", "m.tflite", code=4)
    refused("train again", run, "--out", "m.tflite", code=4)


@pytest.mark.parametrize("key", ["task", "preprocessing", "prior_train", "index", "versions", "weights", "synthetic"])
def test_a_note_that_lacks_something_is_refused_with_the_key(refused, run, key):
    note = json.loads((run / "edge-melanoma.json").read_text())
    del note[key]
    (run / "edge-melanoma.json").write_text(json.dumps(note))
    refused(f"edge-melanoma.json: lacks {key}", run, "--out", "m.tflite", code=4)


def rule_of(run, **changes):
    """The thresholds of a run, as an evaluation keeps them, with these changes."""
    recipe = CalibrationRecipe(rounds=100)
    predictions = made_up.predict(TABLE, task("mel"))
    rule = fit_rule(predictions, TABLE, task("mel"), recipe, class_shares_train=[0.5, 0.5]).to_json()
    (run / "decision.json").write_text(json.dumps({**rule, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "mal"}, "decision.json: is for mal (other, melanoma)"),
        ({"classes": ["melanoma", "other"], "positive": [0]}, "decision.json: is for mel (melanoma, other)"),
        ({"fitted_on": {"split": "calibration"}}, "decision.json: does not say how it was chosen"),
        ({"temperature": {"value": -1.0, "low": 0.5, "high": 2.0}}, "decision.json: is broken"),
    ],
)
def test_thresholds_that_are_not_the_runs_are_refused(refused, run, changes, message):
    rule_of(run, **changes)
    refused(message, run, "--out", "m.tflite", code=4)


def test_too_few_positives_for_thresholds_are_told_with_the_way_out(refused, tmp_path):
    rare = (pl.col("split") == "calibration") & (pl.col("dx") == "MEL")
    few = TABLE.filter(~rare | (pl.int_range(pl.len()).over(rare) < 3))
    run = run_of(index_of(few, tmp_path), tmp_path / "run")
    refused("has only 3 positives among ", run, "--out", "m.tflite", code=3)
    refused("--allow-few`, which keeps them with the run", run, "--out", "m.tflite", code=3)


def test_a_run_without_its_weights_is_refused(refused, run):
    (run / "weights.weights.h5").unlink()
    refused("not a run that `edge-melanoma train` wrote", run, "--out", "m.tflite", code=4)


def test_another_index_than_that_of_the_training_is_refused(refused, run, tmp_path):
    (tmp_path / "other").mkdir()
    index_of(TABLE[1:], tmp_path / "other")
    refused("is not the index that", run, "--out", "m.tflite", "--data", "other/index", code=3)


@pytest.mark.parametrize("part", ["calibration", "val", "test"])
def test_an_index_without_one_of_the_parts_is_refused(refused, tmp_path, part):
    run = run_of(index_of(TABLE.filter(pl.col("split") != part), tmp_path), tmp_path / "run")
    refused(f"the {part} part has no picture", run, "--out", "m.tflite", code=3)


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["--out", "m.bin"], 2, "a bundle is a .tflite file; name it so"),
        (["--out", "m"], 2, "a bundle is a .tflite file; name it so"),
        (["--out", "m.tflite", "--int8", "--float16"], 2, "--float16 and --int8: give one of them"),
        (["--out", "m.tflite", "--ptq", "--qat"], 2, "--ptq and --qat: give one of them"),
        (["--out", "m.tflite", "--ptq", "--float16"], 2, "rungs post-training: float16 has none"),
        (["--out", "m.tflite", "--qat", "--set", "format=dynamic"], 2, "dynamic has none; they are those of int8"),
        (["--out", "m.tflite", "--gate", "max_flip=0.1"], 2, "did you mean max_flips?"),
        (["--out", "m.tflite", "--gate", "max_flips=0.5"], 2, "max_flips 0.5 lies above hard_flips 0.03"),
        (["--out", "m.tflite", "--gate", "max_flips"], 2, "max_flips"),
        (["--out", "m.tflite", "--set", "calibration.pictures=5"], 2, "calibration.pictures"),
        (["--out", "m.tflite", "--set", "format=int4"], 2, "format"),
        (["--out", "m.tflite", "--set", 'rungs=["magic"]'], 2, "rungs magic; known: post-training"),
        (["--out", "m.tflite", "--set", "rungs=[]"], 2, "rungs are none; known: post-training"),
        (["--out", "m.tflite", "--prune", "1.5"], 2, "prune.sparsity"),
        (["--out", "m.tflite", "--prune", "half"], 2, "--prune half: give a share above 0 and below 1"),
        (["--out", "m.tflite", "--prune", "nan"], 2, "--prune nan: give a share above 0 and below 1"),
        (["--out", "m.tflite", "--prune=-inf"], 2, "--prune -inf: give a share above 0 and below 1"),
        (["--out", "m.tflite", "--gate", "max_flips=nan"], 2, "--gate max_flips=nan: finite numbers are taken"),
        (["--out", "m.tflite", "--gate", "near=inf"], 2, "numbers are taken, for example --gate max_flips=0.01"),
        (["--out", "m.tflite", "--set", "tune.epochs=[1, nan]"], 2, "--set tune.epochs=[1, nan]: finite numbers"),
        (["--out", "m.tflite", "--prune", "4:8"], 2, "for example 0.5, or 2:4"),
        (["--out", "m.tflite", "--prune", "2:4", "--set", "prune.sparsity=0.7"], 2, "both say what prune.sparsity is"),
        (["--out", "m.tflite", "--prune", "0.7", "--set", "prune.pattern=2:4"], 2, "with prune.pattern 2:4 it is 0.5"),
        (["--out", "m.tflite", "--cluster", "1"], 2, "cluster.clusters is 1; it must be 2 to 256"),
        (
            ["--out", "m.tflite", "--cluster", "8", "--set", "cluster.clusters=4"],
            2,
            "both say what cluster.clusters is",
        ),
        (["--out", "m.tflite", "--int8", "--set", "format=float16"], 2, "--set format=float16 and --int8: both say"),
        (["--out", "m.tflite", "--qat", "--set", 'rungs=["post-training"]'], 2, "and --qat: both say what rungs is"),
        (["--out", "m.tflite", "--gate", "near=0.1", "--set", "gate.near=0.2"], 2, "both say what gate.near is"),
        (
            ["--out", "m.tflite", "--gate", "near"],
            2,
            "--gate near: give it as KEY=VALUE, for example --gate max_flips=",
        ),
        (["--out", "m.tflite", "--set", "=3"], 2, "--set =3: give it as KEY=VALUE, for example --set tune.epochs=2"),
        (["--out", "m.tflite", "--root", "ham10000"], 2, "--root ham10000: give it as SOURCE=DIR"),
        (["--out", "m.tflite", "--root", "ph2=/data"], 2, "the index has no such source; it has: "),
        (["--out", "/proc/m.tflite"], 4, "/proc/m.tflite: cannot be written"),
        (["--out", "m.tflite", "--recipe", "nowhere.toml"], 2, "nowhere.toml"),
    ],
)
def test_a_wrong_request_is_refused(refused, run, argv, code, message):
    refused(message, run, *argv, code=code)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--out", "kept.tflite"], "kept.tflite: exists already; give --force to replace it"),
        (["--out", "kept.tflite", "--force"], "is no bundle of this tool, so --force does not replace it"),
        (["--out", "reported.tflite"], "reported.report: exists already; give --force to replace it"),
        (["--out", "reported.tflite", "--force"], "was not written by this tool, so --force does not replace it"),
        (["--out", "folder.tflite", "--force"], "is no file"),
    ],
)
def test_what_exists_already_is_kept(refused, run, tmp_path, argv, message):
    (tmp_path / "kept.tflite").write_text("somebody's notes")
    for folder in ("reported.report", "folder.tflite"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "index.html").write_text("a page")
    refused(message, run, *argv, code=4)


def test_evaluate_refuses_an_edited_note_like_convert(run):
    note = json.loads((run / "edge-melanoma.json").read_text())
    (run / "edge-melanoma.json").write_text(json.dumps({**note, "prior_train": "often"}))
    with pytest.raises(ArtifactError, match=r"prior_train.*the note of a run is not to be edited, so train again"):
        open_run(run)
