"""Networks for the tests of first weights: built small, compared weight by weight, and as Keras publishes them."""

import hashlib

import pytest

from edge_melanoma import backend
from edge_melanoma.train.backbones import backbone, build_model

NAME = "mobilenetv2-0.35"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """What keras.applications would download for MobileNetV2 0.35: its layout and names, other values."""
    backend.set_seeds(1)
    model = backend.keras().applications.MobileNetV2(
        alpha=0.35, include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    path = tmp_path_factory.mktemp("published") / backbone(NAME).imagenet(32).name
    model.save_weights(path, save_format="h5")
    return model, path


def build(name=NAME, *, size=32, classes=2, seed=2):
    backend.set_seeds(seed)
    return build_model(name, size=size, classes=classes)


def values(model, *, head=True):
    """All weights by layer and place."""
    return {
        f"{layer.name} {number}": array
        for layer in model.layers
        for number, array in enumerate(layer.get_weights())
        if head or layer.name != "logits"
    }


def assert_equal(first, second):
    assert first.keys() == second.keys()
    assert all((first[key] == second[key]).all() for key in first)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
