"""The network of a run comes back from data alone; what is no network of ours is refused, and nothing is executed."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytestmark = pytest.mark.tensorflow

from edge_melanoma import backend  # noqa: E402
from edge_melanoma.errors import ArtifactError  # noqa: E402
from edge_melanoma.fitting.network import load_network  # noqa: E402
from edge_melanoma.fitting.weights_file import save_weights  # noqa: E402
from edge_melanoma.run_folder import NETWORK, RULE, WEIGHTS, Run, read_rule  # noqa: E402
from edge_melanoma.train.backbones import build_model  # noqa: E402


def made(folder, name="seedcnn", *, classes=2):
    """A run as far as its network goes, and the network that it is of."""
    backend.set_seeds(4)
    model = build_model(name, size=32, classes=classes)
    folder.mkdir()
    (folder / NETWORK).write_text(model.to_json())
    save_weights(model, folder / WEIGHTS)
    return SimpleNamespace(run=Run(folder=folder, about={}), model=model, folder=folder)


@pytest.mark.parametrize("name", ["mobilenetv2-0.35", "mobilenetv3-small", "efficientnet-lite0", "seedcnn"])
def test_a_network_comes_back_with_every_weight(tmp_path, name):
    found = made(tmp_path / "run", name)
    loaded = load_network(found.run)
    assert all((a == b).all() for a, b in zip(loaded.get_weights(), found.model.get_weights(), strict=True))
    given = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(loaded(given, training=False), found.model(given, training=False))


def test_weights_of_another_network_are_refused_with_the_layer(tmp_path):
    found, other = made(tmp_path / "run"), made(tmp_path / "other", classes=3)
    (found.folder / WEIGHTS).write_bytes((other.folder / WEIGHTS).read_bytes())
    with pytest.raises(ArtifactError, match=r"does not fit network.json beside it at the layer logits"):
        load_network(found.run)


def test_weights_that_are_not_finite_are_refused_with_the_layer(tmp_path):
    found = made(tmp_path / "run")
    kernel, bias = found.model.get_layer("conv2").get_weights()
    bias[3] = np.nan
    found.model.get_layer("conv2").set_weights([kernel, bias])
    save_weights(found.model, found.folder / WEIGHTS)
    with pytest.raises(ArtifactError, match="conv2 holds values that are not finite"):
        load_network(found.run)


@pytest.mark.parametrize("kept", [0, 100, 20_000])
def test_weights_that_are_cut_off_are_refused(tmp_path, kept):
    found = made(tmp_path / "run")
    content = (found.folder / WEIGHTS).read_bytes()
    (found.folder / WEIGHTS).write_bytes(content[:kept])
    with pytest.raises(ArtifactError, match="cannot be read as HDF5 weights"):
        load_network(found.run)


def test_a_run_without_its_graph_says_what_to_do(tmp_path):
    found = made(tmp_path / "run")
    (found.folder / NETWORK).unlink()
    with pytest.raises(ArtifactError, match=r"network.json: cannot be read .*; train again"):
        load_network(found.run)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"version": 99}', "\x00"])
def test_a_broken_rule_is_never_taken_for_none(tmp_path, content):
    assert read_rule(tmp_path) is None
    (tmp_path / RULE).write_text(content)
    with pytest.raises(ArtifactError, match=r"decision.json: is broken .*; delete it"):
        read_rule(tmp_path)
