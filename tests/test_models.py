"""The models of the package: found by name, small enough, honest about their origin, and equal to their cards."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_melanoma import models
from edge_melanoma.bundle import open_bundle
from edge_melanoma.bundle.verify import verify
from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.models import NAMES, by_name, find_bundle, shipped

MOST_BYTES = {"reference": 4_000_000, "reference-small": 1_000_000}


@pytest.fixture
def without(tmp_path, monkeypatch):
    """An installation without models."""
    monkeypatch.setattr(models, "FOLDER", tmp_path)
    return tmp_path


def test_nobody_named_is_the_first_that_is_there(without):
    (without / "reference-small.tflite").touch()
    assert find_bundle(None) == without / "reference-small.tflite"
    (without / "reference.tflite").touch()
    assert find_bundle(None) == without / "reference.tflite"
    assert find_bundle("reference-small") == without / "reference-small.tflite"


def test_a_path_is_a_path_also_where_it_is_called_like_a_model(without, tmp_path, monkeypatch):
    assert str(by_name("some/model.tflite")) == "some/model.tflite"
    with pytest.raises(ArtifactError, match="referense: does not exist; name the path of a bundle, or one of the pack"):
        find_bundle("referense")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here" / "reference").touch()
    assert str(find_bundle("reference")) == "reference"


REPOSITORY = Path(__file__).parent.parent
needs_make = pytest.mark.skipif(
    shutil.which("make") is None or not (REPOSITORY / "Makefile").is_file(), reason="needs make and the repository"
)


def planned(folder, *words):
    return subprocess.run(["make", "-n", "reference", *words], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path):
    """As somebody clones it: with the models, and nothing that was made on the way to them."""
    recipes = [f"train/recipes/{name}.toml" for name in NAMES]
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "train/reference.mk", *recipes):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    (tmp_path / "edge_melanoma" / "models").mkdir(parents=True)
    for name in NAMES:
        for suffix in (".tflite", ".md"):
            (tmp_path / "edge_melanoma" / "models" / f"{name}{suffix}").touch()
    return tmp_path


@needs_make
def test_make_reference_trains_although_the_models_are_there(checkout):
    done = planned(checkout, "HAM=there")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    trainings = [line for line in lines if " train reference" in line]
    assert sum("--folds 5" in line for line in trainings) == 2
    assert sum("split-no-" in line for line in trainings) >= 2
    assert sum(" convert " in line and "--int8" in line for line in lines) == 2
    assert lines.index(next(line for line in lines if " data ingest ham10000 there" in line)) < lines.index(
        trainings[0]
    )
    assert not [line for line in lines if line.startswith("rm ")], "what took hours is kept"


@needs_make
def test_make_reference_trains_again_after_a_change_of_the_recipe(checkout):
    folder = checkout / "build" / "reference"
    made = [folder / part for part in ("index/index.parquet", "index/audit/audit.json", "split/index.parquet")]
    made.append(folder / "reference" / "weights.weights.h5")
    for number, path in enumerate(made):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (later := time.time() + 60 + number, later))
    command = ["make", "-n", "HAM=there", "SETUP=", "build/reference/reference/weights.weights.h5"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    assert " train " not in done.stdout
    os.utime(checkout / "train" / "recipes" / "reference.toml", (later + 60, later + 60))
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    assert "train reference --data build/reference/split" in done.stdout


@needs_make
def test_make_reference_asks_for_the_data(checkout):
    assert "HAM is not set" in planned(checkout).stderr


def test_without_models_the_error_says_what_to_give(without):
    with pytest.raises(RecipeError, match="no model: this installation came without any; --model BUNDLE"):
        find_bundle(None)
    with pytest.raises(ArtifactError, match="reference-small: is not in this installation"):
        find_bundle("reference-small")


@pytest.fixture(params=NAMES)
def bundle(request):
    if request.param not in shipped():
        pytest.skip(f"{request.param} is not in this checkout; make reference HAM=… makes it")
    return open_bundle(shipped()[request.param]), request.param


def test_it_is_as_small_as_it_is_said_to_be(bundle):
    found, name = bundle
    assert found.size_bytes <= MOST_BYTES[name]
    assert found.manifest.model.format == "int8"


def test_it_says_that_it_is_non_commercial_and_no_medical_device(bundle):
    manifest = bundle[0].manifest
    assert not manifest.licence.commercial
    assert any("NC" in text for text in manifest.licence.data)
    assert manifest.licence.model == "CC-BY-NC-4.0"
    assert not manifest.data.synthetic
    assert not manifest.gate.not_met


def test_it_holds_here(bundle):
    assert verify(shipped()[bundle[1]]).passed


def test_it_carries_out_of_fold_figures_with_groups_and_the_baseline_without_a_pixel(bundle):
    told = bundle[0].manifest.metrics["evaluations"]
    out_of_fold = next(one for one in told if one["split"] == "oof")
    assert out_of_fold["models"] == 5
    assert out_of_fold["pictures"] > 10_000
    assert {group["attribute"] for group in out_of_fold["subgroups"]} >= {"age", "sex", "site", "place"}
    assert out_of_fold["no_pixel_auc"]
    assert any(one["held_out_centres"] for one in told)


def test_it_is_judged_by_name_on_pictures_that_nobody_split(bundle, tmp_path):
    pytest.importorskip("polars", reason="needs the data extra")
    _, name = bundle
    in_the_package = sorted(path.name for path in models.FOLDER.iterdir())
    for words in (
        ["data", "synth", "--out", "pictures", "--lesions", "24", "--size", "150"],
        ["data", "ingest", "synth", "pictures", "--out", "index"],
        ["evaluate", name, "--data", "index", "--rounds", "100"],
    ):
        done = subprocess.run([sys.executable, "-m", "edge_melanoma", *words], cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, done.stderr
    assert b"has no split: all its pictures are the test part" in done.stdout
    assert b"on the test part: 33 pictures" in done.stdout
    assert (tmp_path / f"{name}.evaluation-test" / "index.html").is_file()
    assert (tmp_path / f"{name}.test_opened.json").is_file()
    assert sorted(path.name for path in models.FOLDER.iterdir()) == in_the_package
    words = ["evaluate", name, "--data", "index", "--force", "--sensitivity", "0.5"]
    done = subprocess.run([sys.executable, "-m", "edge_melanoma", *words], cwd=tmp_path, capture_output=True)
    assert done.returncode == 2
    assert b"its decision rule travels with it and was made with refer_sensitivity 0.95, not 0.5" in done.stderr


def test_the_card_beside_it_is_of_this_bundle(bundle):
    found, name = bundle
    done = subprocess.run(
        [sys.executable, "-m", "edge_melanoma", "show", name, "--markdown"], capture_output=True, check=True
    )
    card = found.path.with_suffix(".md").read_bytes()
    assert done.stdout == card
    assert found.sha256.encode() in card
