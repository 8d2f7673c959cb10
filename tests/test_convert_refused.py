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
from edge_melanoma.cli import main  # noqa: E402
from edge_melanoma.data.index import Index, write_index  # noqa: E402
from edge_melanoma.labels import task  # noqa: E402
from edge_melanoma.preprocess import PreprocessContract  # noqa: E402

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
