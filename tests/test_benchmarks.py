"""What the benchmarks conclude from figures: shares, verdicts, and the command that a result names."""

import ast
import importlib.util
import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from edge_melanoma.benchmarks import cli_start, input_pipeline, near_duplicates, synthetic_ceiling
from edge_melanoma.benchmarks.feeds import Feed, constant
from edge_melanoma.benchmarks.host import RESULTS, write_result
from edge_melanoma.benchmarks.speeds import Lap, Speeds

needs_tensorflow = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs the train extra")


CHILDREN = {"device.cold", "pi.inside"}  # which only our own programs start


def programs():
    """Every benchmark that is a program."""
    for path in sorted(RESULTS.parent.rglob("*.py")):
        parts = ast.parse(path.read_text(encoding="utf-8")).body
        name = ".".join(path.relative_to(RESULTS.parent).with_suffix("").parts).removesuffix(".__main__")
        if name not in CHILDREN and any(isinstance(part, ast.FunctionDef) and part.name == "main" for part in parts):
            yield name


def results():
    return {path.name: path.stat().st_mtime_ns for path in RESULTS.glob("*")}


@pytest.mark.parametrize("name", list(programs()))
def test_help_only_helps(name, tmp_path):
    before = results()
    command = [sys.executable, "-m", f"edge_melanoma.benchmarks.{name}", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert (done.returncode, done.stdout[:7]) == (0, "usage: "), done.stdout + done.stderr
    assert results() == before
    assert list(tmp_path.iterdir()) == []


def test_a_result_goes_where_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(cli_start, "ROUNDS", 1)
    monkeypatch.setattr(cli_start, "COMMANDS", {"python -c pass": [sys.executable, "-c", "pass"]})
    before = results()
    cli_start.main(["--out", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cli_start.json", "cli_start.md"]
    assert results() == before


def test_a_folder_without_pictures_is_refused_before_the_search(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(near_duplicates.subprocess, "check_output", lambda *given, **named: pytest.fail("searched"))
    with pytest.raises(SystemExit) as end:
        near_duplicates.main([str(tmp_path)])
    assert end.value.code == 2
    assert f"{tmp_path}: is no folder with pictures" in capsys.readouterr().err


def speeds(name, *pictures_per_s, deterministic=False):
    laps = tuple(Lap(pictures_per_s=speed, cpu_ms_per_picture=1000 / speed) for speed in pictures_per_s)
    feed = Feed(name=name, augment="derm", batches=lambda epoch, rows: [])
    return Speeds(feed=feed, deterministic=deterministic, training=laps, alone=laps)


def test_a_result_names_its_command_with_words_in_place_of_paths(tmp_path):
    path = write_result("made", "Title", {}, ("a",), [(1,)], arguments=("RUN", "--rounds", "3"), folder=tmp_path)
    command = "python -m edge_melanoma.benchmarks.made RUN --rounds 3"
    assert f"`{command}`" in path.read_text()
    assert json.loads((tmp_path / "made.json").read_text())["command"] == command


def test_a_share_is_that_of_the_limit_in_the_same_round():
    """The second round is one in which the machine was busy: both are at half their speed."""
    limit, way = speeds("limit", 200, 100, 200), speeds("way", 100, 50, 150)
    assert way.shares(limit) == (0.5, 0.5, 0.75)
    assert way.to_json(limit)["median_share"] == 0.5


def test_a_way_is_beside_the_limit_that_was_measured_with_it():
    free, bound = speeds("limit", 200), speeds("limit", 100, deterministic=True)
    rows = input_pipeline.table_rows([free, speeds("way", 100), bound, speeds("way", 100, deterministic=True)])
    assert [row[4].partition(" ")[0] for row in rows] == ["1", "0.50", "1", "1.00"]


def test_the_limit_is_one_batch_of_the_right_shape_for_every_step():
    rows = np.zeros((5, 8), np.int64)
    batches = list(constant(32, seed=0).batches(0, rows))
    assert len(batches) == 5
    assert batches[0] is batches[4]
    assert batches[0].shape == (8, 32, 32, 3)


@pytest.mark.tensorflow
@needs_tensorflow
@pytest.mark.parametrize("whole_batches", [False, True])
def test_tf_data_makes_the_same_bytes_as_our_processes(tmp_path, whole_batches):
    from edge_melanoma.benchmarks.feeds import processes, tf_data
    from edge_melanoma.fitting.batches import BatchMaker

    rng = np.random.default_rng(0)
    np.save(tmp_path / "tensors.npy", rng.integers(0, 256, (12, 32, 32, 3), np.uint8))
    rows = rng.integers(0, 12, (3, 4))
    theirs = tf_data(tmp_path / "tensors.npy", augment="derm", seed=7, threads=2, whole_batches=whole_batches)
    with BatchMaker(tmp_path / "tensors.npy", augment="derm", seed=7, workers=0) as maker:
        ours = list(processes(maker, "derm").batches(2, rows))
    for one, other in zip(ours, theirs.batches(2, rows), strict=True):
        np.testing.assert_array_equal(one, other.numpy())


@pytest.mark.tensorflow
@needs_tensorflow
@pytest.mark.parametrize("cached", [False, True])
def test_the_folders_of_a_tutorial_hold_every_picture_once_and_feed_every_step(tmp_path, cached):
    from PIL import Image

    from edge_melanoma.benchmarks.feeds import keras_folders, write_folders
    from edge_melanoma.data.pictures import Picture

    (tmp_path / "source").mkdir()
    (tmp_path / "folders").mkdir()
    kinds = ("png", "jpg")
    for number in range(8):
        Image.new("RGB", (40, 30), (20 * number, 0, 0)).save(tmp_path / "source" / f"{number}.{kinds[number % 2]}")
    pictures = [
        Picture(image_id=str(number), root=tmp_path / "source", path=f"{number}.{kinds[number % 2]}")
        for number in range(8)
    ]
    labels = np.array([0, 1] * 4)
    size = write_folders(pictures, labels, ("benign", "melanoma"), tmp_path / "folders")
    written = sorted((tmp_path / "folders").rglob("*.jpg"))
    assert [path.parent.name for path in written] == ["benign"] * 4 + ["melanoma"] * 4
    assert size == sum(path.stat().st_size for path in written)
    assert (tmp_path / "folders" / "melanoma" / "3.jpg").read_bytes() == pictures[3].read()
    feed = keras_folders(tmp_path / "folders", size=16, batch=4, cached=cached, seed=0)
    batches = list(feed.batches(0, np.zeros((5, 4), np.int64)))  # more than the pictures make: they come again
    assert [tuple(batch.shape) for batch in batches] == [(4, 16, 16, 3)] * 5


def made(score, *, n=600, ceiling=0.9):
    """Predictions whose log-odds are `score` of the latent, beside that latent."""
    rng = np.random.default_rng(0)
    answer = np.arange(n) % 2
    z = rng.normal(answer * 1.8 - 0.9)
    log_odds = score(z, answer, rng)
    names = [f"SYN_{number}" for number in range(n)]
    predictions = pl.DataFrame(
        {
            "image_id": names,
            "group": [f"lesion_id:{number // 2}" for number in range(n)],
            "answer": answer,
            "logit_other": -log_odds / 2,
            "logit_melanoma": log_odds / 2,
        }
    )
    latents = pl.DataFrame({"image_id": names[::-1], "z": z[::-1]})
    classes = ("other", "melanoma")
    return synthetic_ceiling.beside_latent(1.8, ceiling, predictions, latents, classes=classes, seconds=1.0)


def test_the_latent_itself_is_not_above_what_is_possible():
    found = made(lambda z, answer, rng: 3 * z)
    assert found.auc.value == found.latent.value
    assert found.difference.value == found.difference.high == 0
    assert not found.is_above
    assert "Never above" in synthetic_ceiling.verdict([found])


def test_a_model_that_knows_the_answer_from_elsewhere_is_found_out():
    found = made(lambda z, answer, rng: z + 1.0 * answer + rng.normal(0, 0.1, len(z)))
    assert found.difference.low > 0
    assert found.is_above
    assert "at Δ = 1.8: something leaks" in synthetic_ceiling.verdict([found])


def test_a_model_worse_than_the_latent_is_below():
    found = made(lambda z, answer, rng: z + rng.normal(0, 2, len(z)))
    assert found.difference.high < 0
    assert not found.is_above
