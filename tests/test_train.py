"""A training ends in a run that can be trusted: resumed to the same weights, refused where it would be wrong."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytestmark = pytest.mark.tensorflow

COMMAND = [sys.executable, "-m", "edge_melanoma"]
TINY = ["--set", "model.size=32", "--set", "fit.epochs=3", "--set", "fit.head_epochs=1", "--set", "fit.batch=16"]
PLAIN = [*TINY, "--set", "model.backbone=seedcnn"]  # quicker to trace
TIMING = {"seconds", "pictures_per_s"}


def edge_melanoma(*argv, cwd, code=0, env=None):
    done = subprocess.run(
        [*COMMAND, *map(str, argv)], capture_output=True, text=True, cwd=cwd, env={**os.environ, **(env or {})}
    )
    assert done.returncode == code, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    edge_melanoma(
        "data", "synth", "--out", "pictures", "--lesions", 90, "--size", 48, "--difficulty", "easy", cwd=folder
    )
    edge_melanoma("data", "ingest", "synth", "pictures", "--out", "index", cwd=folder)
    edge_melanoma("data", "split", "index", "--out", "split", "--despite-audit", "--folds", 3, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def whole(data):
    """An uninterrupted training."""
    edge_melanoma("train", "quick", "--data", "split", "--out", "whole", *TINY, cwd=data)
    return data / "whole"


def history(folder):
    with (folder / "history.csv").open(newline="") as stream:
        return [{k: v for k, v in row.items() if k not in TIMING} for row in csv.DictReader(stream)]


def test_a_run_records_what_made_it(whole):
    note = json.loads((whole / "edge-melanoma.json").read_text())
    assert note["kind"] == "run"
    assert note["recipe"]["model"]["size"] == 32
    assert note["recipe"]["fit"]["epochs"] == 3
    assert note["versions"]["tensorflow"]
    assert note["synthetic"] is True
    assert note["prior_train"] == [0.5, 0.5]
    assert note["model"]["parameters"] > 300_000
    assert not (whole / "checkpoint.npz").exists()
    assert [row["phase"] for row in history(whole)] == ["head", "all", "all", "all"]
    assert {path.name for path in whole.iterdir()} >= {"curves.png", "augmentation.png", "tensorboard", "history.csv"}


@pytest.mark.parametrize("moment", ["first epoch", "third epoch"])
def test_killed_at_any_moment_and_resumed_it_ends_with_the_same_weights(data, whole, tmp_path, moment):
    argv = [*COMMAND, "train", "quick", "--data", str(data / "split"), "--out", str(tmp_path / "run"), *TINY]
    wanted = {"first epoch": 0, "third epoch": 2}[moment]
    running = subprocess.Popen(argv, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while _epochs_done(tmp_path / "run") < wanted:
        assert time.monotonic() < deadline, "the training does not get on"
        assert running.poll() is None, "the training ended before it was killed"
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    edge_melanoma(*argv[len(COMMAND) :], "--resume", cwd=data)
    assert history(tmp_path / "run") == history(whole)
    assert (tmp_path / "run" / "weights.weights.h5").read_bytes() == (whole / "weights.weights.h5").read_bytes()


def _epochs_done(folder: Path) -> int:
    if not (folder / "augmentation.png").exists():
        return -1
    try:
        return len((folder / "history.csv").read_text().splitlines()) - 1
    except FileNotFoundError:
        return 0


def test_an_unfinished_training_is_neither_evaluated_nor_overwritten(data, whole, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    note = json.loads((whole / "edge-melanoma.json").read_text())
    (run / "edge-melanoma.json").write_text(json.dumps({**note, "kind": "training"}))
    again = ["train", "quick", "--data", "split", "--out", run, *TINY]
    assert "--resume to go on" in edge_melanoma(*again, cwd=data, code=4).stderr
    changed = edge_melanoma(*again, "--set", "fit.learning_rate=0.5", "--resume", cwd=data, code=2).stderr
    assert "begun with another recipe (fit (learning_rate: 0.002, now 0.5))" in changed


def test_a_finished_run_is_not_overwritten_and_kept_on_resume(data, whole):
    again = ["train", "quick", "--data", "split", "--out", whole, *TINY]
    before = {path: path.stat().st_mtime_ns for path in whole.iterdir()}
    assert "exists already; give --force" in edge_melanoma(*again, cwd=data, code=4).stderr
    words = ["--set", "description=In other words."]
    assert "is finished already, by the same command" in edge_melanoma(*again, *words, "--resume", cwd=data).stderr
    changed = edge_melanoma(*again, "--set", "model.dropout=0.5", "--resume", cwd=data, code=2).stderr
    assert "begun with another recipe (model (dropout: 0.2, now 0.5))" in changed
    assert before == {path: path.stat().st_mtime_ns for path in whole.iterdir()}


def test_a_run_from_before_a_recipe_had_a_key_goes_on_with_its_default(data, whole, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    note = json.loads((whole / "edge-melanoma.json").read_text())
    del note["recipe"]["model"]["dropout"]
    (run / "edge-melanoma.json").write_text(json.dumps({**note, "kind": "training"}))
    again = ["train", "quick", "--data", "split", "--out", run, *TINY, "--resume"]
    changed = edge_melanoma(*again, "--set", "model.dropout=0.5", cwd=data, code=2).stderr
    assert "dropout: 0.2, now 0.5" in changed
    edge_melanoma(*again, cwd=data)
    assert (run / "weights.weights.h5").read_bytes() == (whole / "weights.weights.h5").read_bytes()


def test_a_loss_that_is_no_number_stops_with_what_was_reached(data, tmp_path):
    argv = ["train", "quick", "--data", "split", "--out", tmp_path / "run", *PLAIN]
    wild = ["--set", "fit.learning_rate=10", "--set", "fit.clip_norm=1000000", "--set", "fit.optimizer=sgd"]
    done = edge_melanoma(*argv, *wild, "--set", "fit.warmup_epochs=0", cwd=data, code=2)
    assert "is not a number in epoch" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "checkpoint.npz").exists()  # the head's epoch


def test_a_training_that_is_stopped_in_its_first_epoch_leaves_the_run_that_it_was_to_replace(data, tmp_path):
    from edge_melanoma.data.index import read_index
    from edge_melanoma.recipe import make_recipe
    from edge_melanoma.train.recipe import TrainRecipe
    from edge_melanoma.train.run import Watch, run

    def stop(*_):
        raise KeyboardInterrupt

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "edge-melanoma.json").write_text('{"kind": "run"}')
    recipe = make_recipe({"model": {"backbone": "seedcnn", "size": 32}, "fit": {"batch": 16}}, TrainRecipe)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, read_index(data / "split"), tmp_path / "run", force=True, watch=Watch(on_step=stop))
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "edge-melanoma.json"]
    assert (tmp_path / "run" / "edge-melanoma.json").read_text() == '{"kind": "run"}'


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (
            ["train", "quick", "--data", "index", "--out", "x"],
            3,
            "has no split; make one with: edge-melanoma data split",
        ),
        (["train", "quik", "--data", "split", "--out", "x"], 2, "recipe 'quik' is unknown; did you mean quick?"),
        (["train", "quick", "--data", "split", "--out", "x", "--set", "fit.epoch=3"], 2, "did you mean epochs?"),
        (["train", "quick", "--data", "split", "--out", "x", "--set", "model.backbone=mobilenet"], 2, "mobilenet"),
        (["train", "quick", "--data", "split", "--out", "x", "--weights", "none.h5"], 2, "no such file"),
        (["train", "quick", "--data", "split", "--out", "x", "--set", "task.name=dx7"], 3, "no picture of akiec"),
        (["train", "quick", "--data", "split", "--out", "x", "--folds", "5"], 2, "has 3 folds"),
        (["train", "quick", "--data", "nowhere", "--out", "x"], 4, "does not exist"),
    ],
)
def test_a_mistake_is_one_line_with_its_code_before_any_work(data, argv, code, message):
    done = edge_melanoma(*argv, cwd=data, code=code)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (data / "x").exists()


def test_an_index_that_leaks_is_refused(data, tmp_path):
    import polars as pl

    from edge_melanoma.data.index import read_index, write_index

    index = read_index(data / "split")
    lesion = index.table.group_by("lesion_id").len().filter(pl.col("len") > 1)["lesion_id"].sort()[0]
    first = index.table.filter(pl.col("lesion_id") == lesion)["image_id"][0]
    other = pl.when(pl.col("split") == "train").then(pl.lit("test")).otherwise(pl.lit("train"))
    torn = index.table.with_columns(split=pl.when(pl.col("image_id") == first).then(other).otherwise(pl.col("split")))
    write_index(index.with_table(torn), tmp_path / "torn")
    done = edge_melanoma("train", "quick", "--data", tmp_path / "torn", "--out", tmp_path / "x", cwd=data, code=3)
    assert "leaks between its parts" in done.stderr


def test_folds_train_one_model_each_that_never_saw_its_test_fold(data):
    argv = ["train", "quick", "--data", "split", "--out", "folds", "--folds", 3, *PLAIN, "--set", "fit.epochs=1"]
    edge_melanoma(*argv, cwd=data)
    weights = [(data / "folds" / f"fold{fold}" / "weights.weights.h5").read_bytes() for fold in range(3)]
    assert len(set(weights)) == 3
    from edge_melanoma.data.index import read_index
    from edge_melanoma.data.parts import with_fold

    index = read_index(data / "split")
    for fold in range(3):
        table = with_fold(index, fold, seed=0).table
        assert (table["split"] == "test").sum() == (table["fold"] == fold).sum()
        assert (table["fold"].to_numpy()[table["split"].to_numpy() == "test"] == fold).all()


def test_an_evaluation_has_frozen_thresholds_and_counts_its_looks_at_the_test_part(data, whole):
    argv = ["evaluate", whole, "--data", "split", "--rounds", 200, "--allow-few"]
    first = edge_melanoma(*argv, cwd=data)
    rule = (whole / "decision.json").read_bytes()
    assert "look number 1" in first.stdout
    assert "exists already" in edge_melanoma(*argv, cwd=data, code=4).stderr
    again = edge_melanoma(*argv, "--force", "--json", cwd=data)
    assert json.loads(again.stdout)["split"] == "test"
    assert (whole / "decision.json").read_bytes() == rule
    assert len(json.loads((whole / "test_opened.json").read_text())) == 2
    page = (whole / "evaluation-test" / "index.html").read_text()
    assert "SYNTHETIC" in page
    assert "Not a medical device" in page


def test_folds_are_judged_out_of_fold_on_every_picture(data):
    if not (data / "folds").is_dir():
        pytest.skip("the training of the folds failed")
    done = edge_melanoma(
        *("evaluate", "folds", "--data", "split", "--split", "oof", "--rounds", 200, "--allow-few", "--json"), cwd=data
    )
    from edge_melanoma.data.index import read_index
    from edge_melanoma.data.parts import with_fold

    facts = json.loads(done.stdout)
    assert facts["split"] == "oof"
    index = read_index(data / "split")
    assert facts["image"]["rows"] == index.table.height
    read = int(re.search(r"reading pictures: (\d+) pictures", done.stderr)[1])
    calibrated = sum((with_fold(index, fold, seed=0).table["split"] == "calibration").sum() for fold in range(3))
    assert read == index.table.height + calibrated
    wrong = edge_melanoma("evaluate", "folds", "--data", "split", cwd=data, code=2)
    assert "folds are evaluated with --split oof" in wrong.stderr


def test_folds_of_two_recipes_are_neither_completed_nor_judged(data, tmp_path):
    if not (data / "folds").is_dir():
        pytest.skip("the training of the folds failed")
    folds = tmp_path / "folds"
    shutil.copytree(data / "folds", folds)
    argv = ["train", "quick", "--data", "split", "--out", folds, "--folds", 3, *PLAIN, "--resume"]
    kept = edge_melanoma(*argv, "--set", "fit.epochs=1", cwd=data).stderr
    assert kept.count("is finished already, by the same command") == 3
    shutil.rmtree(folds / "fold2")
    changed = edge_melanoma(*argv, "--set", "fit.epochs=2", cwd=data, code=2).stderr
    assert "fold0: was begun with another recipe (fit (epochs: 1, now 2))" in changed
    shutil.copytree(folds / "fold1", folds / "fold2")
    note = json.loads((folds / "fold2" / "edge-melanoma.json").read_text())
    note["recipe"]["fit"]["epochs"] = 2
    (folds / "fold2" / "edge-melanoma.json").write_text(json.dumps(note))
    mixed = edge_melanoma("evaluate", folds, "--data", "split", "--split", "oof", "--force", cwd=data, code=4).stderr
    assert "fold2 came from another recipe than fold0" in mixed


def test_two_workers_on_loopback_end_with_the_weights_of_one(data, tmp_path):
    """TF_CONFIG as TensorFlow documents it; a batch is shared out, so the sum of gradients is that of one machine."""
    import socket

    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    argv = [*COMMAND, "train", "quick", "--data", str(data / "split"), *TINY, "--set", "fit.epochs=1"]
    argv += ["--set", "model.dropout=0.0", "--set", "augment=none", "--set", "model.backbone=seedcnn"]
    argv += ["--set", "fit.learning_rate=0.0001", "--set", "fit.head_epochs=0"]
    workers = [
        subprocess.Popen(
            [*argv, "--out", str(tmp_path / "two")],
            env={**os.environ, "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}})},
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=300)
        assert worker.returncode == 0, errors[-3000:]
    edge_melanoma(*argv[len(COMMAND) :], "--out", tmp_path / "one", cwd=data)
    import h5py

    with (
        h5py.File(tmp_path / "one" / "weights.weights.h5") as one,
        h5py.File(tmp_path / "two" / "weights.weights.h5") as two,
    ):
        names = []
        one.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert names
        for name in names:
            np.testing.assert_allclose(one[name][()], two[name][()], atol=2e-3)
