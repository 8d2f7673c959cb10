"""A model of four quarter turns answers what the single model says of each turn on average, in every format."""

import importlib.util

import numpy as np
import pytest

from edge_melanoma import backend
from edge_melanoma.bundle.tensors import ends
from edge_melanoma.convert.export import KINDS, to_tflite
from edge_melanoma.convert.turns import turned
from edge_melanoma.errors import RecipeError
from edge_melanoma.fitting.fit import predict_logits
from edge_melanoma.runtime import Model as Runner
from edge_melanoma.tflite.model import read_model
from edge_melanoma.tflite.rules import problems
from edge_melanoma.train.backbones import BACKBONES, build_model

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)

SIZE = 32


def pictures(count=12, size=SIZE):
    """Coarse patches of colour, which look otherwise from each side."""
    coarse = np.random.default_rng(1).integers(0, 256, (count, 4, 4, 3))
    return np.kron(coarse, np.ones((1, size // 4, size // 4, 1))).astype(np.uint8)


def quarter_turns(given):
    return [np.ascontiguousarray(np.rot90(given, k, (1, 2))) for k in range(4)]


QUICK = {"mobilenetv2-0.35", "mobilenetv3-small", "efficientnet-lite0", "seedcnn"}
DEVICE = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name, network in BACKBONES.items()
    if network.role != "teacher"
]


@pytest.fixture(scope="module", params=DEVICE)
def network(request):
    backend.set_seeds(3)
    model = build_model(request.param, size=SIZE, classes=3)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0
    model(pictures().astype(np.float32), training=True)
    return model


def converted(network, kind):
    return to_tflite(network, kind, calibration=pictures() if kind in ("int8", "int16x8") else None)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "int16x8"])
def test_it_answers_the_mean_of_the_four_turns(network, kind):
    single = converted(network, kind)
    model = turned(single, 4)
    one, four, given = Runner(single, name="single"), Runner(model, name="turned"), pictures()
    expected = np.mean([one.logits(turn).astype(np.float64) for turn in quarter_turns(given)], axis=0)
    # a level is rounded to; and where weights alone are integers, the batch is quantised by its largest value
    tolerance = {"int8": (one.output.scale or 0) * 0.501, "dynamic": 0.05 * expected.std()}.get(kind, 1e-4)
    assert np.abs(four.logits(given) - expected).max() <= tolerance
    for turn in quarter_turns(given)[1:]:
        np.testing.assert_allclose(four.logits(turn), four.logits(given), atol=1e-5 if kind != "dynamic" else tolerance)
    read = read_model(model, name="turned")
    assert problems(read, kind) == []
    assert ends(read) == ends(read_model(single, name="single"))
    assert len(model) - len(single) < 12_000, "no weight is written twice"


def test_the_float_network_answers_likewise(network):
    given, rows = pictures(), np.arange(5)
    expected = np.mean([predict_logits(network, turn, rows) for turn in quarter_turns(given)], axis=0)
    np.testing.assert_allclose(predict_logits(network, given, rows, turns=4), expected, atol=1e-5)


def test_one_turn_is_the_model_itself():
    assert turned(b"anything", 1) == b"anything"


def test_what_cannot_be_turned_is_refused():
    keras = backend.keras()
    layers = keras.layers
    wide = keras.Input((SIZE, 2 * SIZE, 3), name="image")
    model = keras.Model(wide, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(wide))))
    with pytest.raises(RecipeError, match="64x32 is another shape when it is turned"):
        turned(to_tflite(model, "float32"), 4)
    square = keras.Input((SIZE, SIZE, 3), name="image")
    swapped = layers.Permute((2, 1, 3))(layers.Conv2D(4, 3)(square))
    model = keras.Model(square, layers.Dense(3)(layers.GlobalAveragePooling2D()(swapped)))
    with pytest.raises(RecipeError, match="not with a network that has TRANSPOSE"):
        turned(to_tflite(model, "float32"), 4)
