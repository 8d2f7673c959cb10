"""What is exported is the network that was trained: raw pixels in, logits out, right at the borders, the same twice."""

import importlib.util

import numpy as np
import pytest

from edge_melanoma import backend
from edge_melanoma.convert.export import KINDS, to_tflite
from edge_melanoma.convert.graph import copied
from edge_melanoma.convert.grid import compensated, nearest
from edge_melanoma.convert.layer_error import layer_errors, plot, table
from edge_melanoma.convert.nodes import nodes
from edge_melanoma.errors import RecipeError
from edge_melanoma.runtime import Model as Runner
from edge_melanoma.tflite.model import read_model
from edge_melanoma.tflite.rules import problems
from edge_melanoma.train.backbones import BACKBONES, build_model

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)

SIZE = 32
QUICK = {"mobilenetv2-0.35", "mobilenetv3-small", "efficientnet-lite0", "seedcnn"}
names = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name, network in BACKBONES.items()
    if network.role != "teacher" or name == "efficientnet-b0"
]


def pictures(size=SIZE, count=24, *, seed=1):
    """Patches of colour with some grain, as skin has them, and a bright frame, where padding is seen best."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(120, 45, (count, 4, 4, 3)) + rng.normal(0, 40, (count, 1, 1, 3))
    found = np.kron(coarse, np.ones((1, size // 4, size // 4, 1))) + rng.normal(0, 8, (count, size, size, 3))
    for edge in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
        found[edge] = 235
    return np.clip(found, 0, 255).astype(np.uint8)


def settled(model, size=SIZE):
    """With statistics that fit the pictures, so that nothing dies on the way."""
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0
    model(pictures(size, seed=0).astype(np.float32), training=True)
    return model


def build(name, size=SIZE):
    backend.set_seeds(3)
    return settled(build_model(name, size=size, classes=3), size)


def small(size=16, *, mean=(120.0, 127.5, 100.0), activation=None):
    """A few layers of each kind that matters here, and a first convolution that pads."""
    keras = backend.keras()
    layers = keras.layers
    backend.set_seeds(5)
    image = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling([0.01] * 3, [-0.01 * m for m in mean], name="normalise")(image)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU(6.0, name="stem_relu")(layers.BatchNormalization(name="stem_bn")(x))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.BatchNormalization(name="depthwise_bn")(x)
    x = layers.Conv2D(12, 1, activation=activation, name="project")(x)
    logits = layers.Dense(3, name="logits")(layers.Flatten(name="flatten")(x))
    return settled(keras.Model(image, logits, name="small"), size)


def keras_logits(model, given):
    return np.asarray(model(given.astype(np.float32), training=False))


def worst(model, tflite, given):
    """The largest difference, in standard deviations of the logits."""
    expected = keras_logits(model, given)
    return float(np.abs(Runner(tflite).logits(given) - expected).max() / expected.std())


@pytest.mark.parametrize("name", names)
def test_the_float_export_is_the_network_and_int8_takes_bytes_as_they_are(name):
    model, given = build(name), pictures(seed=2, count=8)
    before = model.get_weights()
    exact = to_tflite(model, "float32")
    assert not problems(read_model(exact, name=name), "float32")
    expected = keras_logits(model, given)
    # networks of drawn weights amplify rounding: as far as the last bit of the pictures moves them, and 1e-4 else
    amplified = np.abs(np.asarray(model(np.nextafter(given.astype(np.float32), np.float32(256)))) - expected).max()
    np.testing.assert_allclose(Runner(exact).logits(given), expected, atol=1e-4 + 10 * amplified)
    integers = to_tflite(model, "int8", calibration=pictures())
    assert not problems(read_model(integers, name=name), "int8")  # no float operator, scale 1, a scale per channel
    assert len(integers) < 0.55 * len(exact)
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_sound_near_and_the_same_twice(kind):
    model, given = small(), pictures(16)
    first, second = (to_tflite(model, kind, calibration=given) for _ in range(2))
    assert first == second
    # the kernels of this network are too small for the converter to make them integers on the way
    assert not [one for one in problems(read_model(first, name=kind), kind) if "fewer than 1024" not in one]
    assert worst(model, first, given) < {"float32": 1e-5, "float16": 0.01, "dynamic": 0.05}.get(kind, 0.15)


@pytest.mark.parametrize("mean", [(127.5, 127.5, 127.5), (124, 116, 104), (30, 200, 90)])
def test_int8_is_as_right_at_the_border_as_elsewhere(mean):
    keras = backend.keras()
    backend.set_seeds(6)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Rescaling([0.01] * 3, [-0.01 * m for m in mean])(image)
    x = keras.layers.Conv2D(4, 5, padding="same", name="conv")(x)
    model = keras.Model(image, keras.layers.Flatten()(x), name="one")
    given = pictures(8)
    expected = keras_logits(model, given)
    tflite = to_tflite(model, "int8", calibration=given)  # the same pictures: nothing lies outside the range
    level = Runner(tflite).output.scale
    off = np.abs(Runner(tflite).logits(given) - expected).reshape(-1, 8, 8, 4).max(axis=(0, 3))
    assert off.max() < 4 * level, "a few steps: of the kernel, of the border's colour, of the output"
    assert off[[0, -1]].mean() < 1.6 * off[2:-2, 2:-2].mean()


def test_the_scale_of_the_input_is_one_without_black_or_white_in_any_picture():
    flat = np.clip(pictures(16), 40, 200)
    tflite = to_tflite(small(), "int8", calibration=flat)
    (tensor,) = read_model(tflite, name="m").inputs
    assert (tensor.type, tensor.scales, tensor.zero_points) == ("UINT8", (1.0,), (0,))


def test_named_layers_stay_float_and_nothing_else_does():
    model, kept = small(), ("depthwise",)
    tflite = to_tflite(model, "int8", calibration=pictures(16), float_layers=kept, fit_weights=True)
    found = read_model(tflite, name="m")
    assert problems(found, "int8"), "a float operator is there"
    assert not problems(found, "int8", allow_float=kept)
    by_layer = {layer: node.operator for node in nodes(model, tflite) for layer in node.layers}
    assert by_layer["depthwise"] == "DEPTHWISE_CONV_2D"
    assert Runner(tflite).logits(pictures(16)).shape == (24, 3)


def test_a_layer_that_is_not_there_is_refused_with_those_that_are_near():
    with pytest.raises(RecipeError, match="layer 'depthwize'; near: depthwise"):
        to_tflite(small(), "int8", calibration=pictures(16), float_layers=["depthwize"])


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("int8", None, r"int8 needs pictures to calibrate on: uint8, \[n, 16, 16, 3\]"),
        ("int16x8", lambda: pictures(16)[:0], "int16x8 needs pictures"),
        ("int8", lambda: pictures(16).astype(np.float32), "are float32"),
        ("int8", lambda: pictures(32), r"uint8 \[24, 32, 32, 3\]; they must be uint8, \[n, 16, 16, 3\]"),
        ("int4", lambda: pictures(16), "kind 'int4' is unknown; known: float32, float16"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_before_any_work(kind, given, message):
    with pytest.raises(RecipeError, match=message):
        to_tflite(small(), kind, calibration=given and given())


def test_a_kind_that_the_converter_has_not_for_a_network_is_said():
    keras = backend.keras()
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(4, 3)(image)
    gate = keras.layers.Rescaling(1 / 6)(keras.layers.ReLU(6.0)(keras.layers.Rescaling(1.0, 3.0)(x)))
    x = keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.Multiply()([x, gate])))
    with pytest.raises(RecipeError, match="HARD_SWISH"):
        to_tflite(keras.Model(image, x, name="swish"), "int16x8", calibration=pictures(16))


# --- weights that are rounded for the pictures ---


def test_errors_that_cancel_are_smaller_on_inputs_that_go_together_and_zeros_stay():
    rng = np.random.default_rng(8)
    inputs = rng.normal(1, 1, (500, 3)) @ rng.normal(0, 1, (3, 24)) + rng.normal(0, 0.1, (500, 24))
    kernel = rng.normal(0, 1, (1, 24, 6))
    kernel[0, [3, 7]] = 0
    found = compensated(kernel, (inputs.T @ inputs / len(inputs))[None])
    plain = nearest(kernel[0].astype(np.float32), (0,))[None].astype(np.float64)
    error = [np.square(inputs @ (rounded - kernel)[0]).mean() for rounded in (found, plain)]
    assert error[0] < 0.3 * error[1]
    assert not found[0, [3, 7]].any()
    steps = found / (np.abs(kernel).max(1, keepdims=True) / 127)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    assert (np.abs(steps).max(1) > 126.5).all(), "the converter finds its grid by the largest weight"


@pytest.mark.parametrize("activation", [None, "relu"])
def test_fitted_weights_make_a_better_model_of_the_same_size(activation):
    model, given = small(32, activation=activation), pictures(seed=2, count=48)
    expected = keras_logits(model, given)
    models = [to_tflite(model, "int16x8", calibration=pictures(), fit_weights=fit) for fit in (False, True)]
    plain, fitted = (np.abs(Runner(tflite).logits(given) - expected).mean() for tflite in models)
    assert fitted < 0.8 * plain
    assert abs(len(models[1]) - len(models[0])) < 1000


# --- where the error comes from ---


def test_a_float_model_has_no_error_and_a_spoilt_layer_is_found():
    model, given = small(), pictures(16)
    assert min(error.snr_db for error in layer_errors(model, to_tflite(model, "float32"), given)) > 80
    spoilt = copied(model)
    kernel, *others = spoilt.get_layer("depthwise").get_weights()
    kernel[0, 0, 0] += 3 * np.abs(kernel).max()
    spoilt.get_layer("depthwise").set_weights([kernel, *others])
    errors = layer_errors(model, to_tflite(spoilt, "int8", calibration=given), given)
    assert max(errors, key=lambda error: error.added).layer == "depthwise_bn"
    assert [error.snr_db for error in errors] == sorted(error.snr_db for error in errors)
    before = next(error for error in errors if error.layer == "stem_relu")
    assert before.snr_db > 30


def test_layer_errors_can_be_shown():
    model, given = small(), pictures(16)
    errors = layer_errors(model, to_tflite(model, "int8", calibration=given), given)
    assert {error.layer for error in errors} == {"stem_relu", "depthwise_bn", "project", "flatten", "logits"}
    headers, rows = table(errors)
    assert all(len(row) == len(headers) for row in rows)
    assert plot(errors, synthetic=False)[:4] == b"\x89PNG"
    assert {"layer", "operator", "snr_db", "added"} <= errors[0].to_json().keys()
