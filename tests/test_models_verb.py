"""`edge-melanoma models`: the table needs no TensorFlow; another size builds what is named, and only that."""

import importlib.util
import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from edge_melanoma.cli.models import models
from edge_melanoma.errors import RecipeError
from edge_melanoma.train.backbones import BACKBONES
from edge_melanoma.train.backbones.profiles import committed_rows

APP = typer.Typer()
APP.command()(models)
needs_tensorflow = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs the train extra"),
]


def run(*words):
    done = CliRunner().invoke(APP, words)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def as_json(*words):
    return json.loads(run(*words, "--json"))


def in_a_new_process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_every_network_is_listed_with_its_size_and_cost():
    rows = {row["name"]: row for row in as_json()}
    assert list(rows) == list(BACKBONES)
    assert rows["mobilenetv2-1.0"] == {
        "name": "mobilenetv2-1.0",
        "title": "MobileNetV2, width 1",
        "role": "device",
        "native_size": 224,
        "size": 224,
        "parameters": 2_226_434,
        "macs": 299_496_832,
        "imagenet": True,
    }
    assert {row["role"] for row in rows.values()} == {"device", "teacher", "study"}
    assert rows["efficientnet-lite0"]["imagenet"]
    assert not rows["efficientnet-lite4"]["imagenet"]


def test_the_table_for_people_names_every_network_in_full():
    lines = run().splitlines()
    assert all(any(line.split()[:1] == [name] for line in lines) for name in BACKBONES)
    assert max(map(len, lines)) <= 80


def test_named_networks_come_in_the_order_asked_for():
    assert [row["name"] for row in as_json("resnet18", "mobilenetv2-1")] == ["resnet18", "mobilenetv2-1.0"]


def test_the_table_opens_without_tensorflow():
    done = in_a_new_process(
        "import sys\n"
        "for name in ('tensorflow', 'tf_keras', 'keras', 'h5py', 'polars', 'matplotlib'): sys.modules[name] = None\n"
        "from edge_melanoma.cli.models import models\n"
        "models(['mobilenetv3-small'], size=224, as_json=True)\n"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["name"] == "mobilenetv3-small"


def test_another_size_without_tensorflow_names_the_missing_part():
    done = in_a_new_process(
        "import sys; sys.modules['tensorflow'] = None\n"
        "from edge_melanoma.errors import MissingExtraError\n"
        "from edge_melanoma.cli.models import models\n"
        "try: models(['mobilenetv3-small'], size=96)\n"
        "except MissingExtraError as error: print(error)\n"
    )
    assert "pip install 'edge-melanoma[train]'" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "96"], "name those you want"),
        (["mobilnetv2"], "did you mean"),
        (["inceptionv3", "--size", "64"], "75 to 1024"),
        (["mobilenetv2-1.0", "--size", "0"], "32 to 1024"),
    ],
)
def test_an_impossible_request_is_refused_before_anything_is_built(words, said):
    with pytest.raises(RecipeError, match=said):
        run(*words)


@pytest.mark.parametrize("name", [pytest.param("mobilenetv2-0.35", marks=needs_tensorflow)])
def test_another_size_is_counted_anew(name):
    (row,) = as_json(name, "--size", "96")
    native = next(row for row in committed_rows() if row.network.name == name)
    assert (row["size"], row["native_size"]) == (96, 224)
    assert row["parameters"] == native.profile.parameters
    assert row["macs"] == pytest.approx(native.profile.macs * (96 / 224) ** 2, rel=0.02)


@pytest.mark.parametrize("name", [pytest.param("mobilenetv2-0.5", marks=needs_tensorflow)])
def test_a_width_that_no_table_has_is_counted_at_its_native_size(name):
    (row,) = as_json(name)
    assert row["size"] == 224
    assert row["macs"] == pytest.approx(97e6, rel=0.03)  # published, with a head for 1000 classes


def test_the_trained_models_of_the_package_are_told_beside_the_networks(monkeypatch, tmp_path):
    monkeypatch.setattr("edge_melanoma.models.shipped", lambda: {"reference": tmp_path, "reference-small": tmp_path})
    assert run().endswith("Trained, with the package: reference, reference-small (edge-melanoma show NAME)\n")
    assert "with the package" not in run("seedcnn")
    monkeypatch.setattr("edge_melanoma.models.shipped", dict)
    assert "with the package" not in run()
