"""A network that trains with the rounding of the device: what it computes then, the device computes too."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from edge_melanoma import backend
from edge_melanoma.convert.graph import Layout
from edge_melanoma.convert.kernels import kernel_of
from edge_melanoma.convert.nodes import nodes
from edge_melanoma.convert.places import places
from edge_melanoma.convert.quantise import calibrate_ranges, quantise_aware, to_tflite_qat
from edge_melanoma.errors import RecipeError
from edge_melanoma.runtime import Model as Runner
from edge_melanoma.tflite.model import read_model
from edge_melanoma.tflite.rules import problems
from edge_melanoma.train.backbones import BACKBONES, build_model

pytestmark = [pytest.mark.tensorflow]
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)

SIZE = 32
QUICK = {"mobilenetv2-0.35", "mobilenetv3-small", "seedcnn"}
names = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name, network in BACKBONES.items()
    if network.role != "teacher" or name in ("efficientnet-b0", "efficientnetv2-b0", "resnet18")
]


def pictures(size=SIZE, count=32, *, seed=1):
    """Patches of colour with some grain."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(120, 45, (count, 4, 4, 3)) + rng.normal(0, 40, (count, 1, 1, 3))
    found = np.kron(coarse, np.ones((1, size // 4, size // 4, 1))) + rng.normal(0, 8, (count, size, size, 3))
    return np.clip(found, 0, 255).astype(np.uint8)


def settled(model, size):
    """With statistics that fit the pictures, so that nothing dies on the way."""
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0
    model(pictures(size, seed=0).astype(np.float32), training=True)
    return model


def small(size=16, *, activation="relu6", loud=10.0):
    """Convolution, depthwise, addition and head; activations far beyond the range that tfmot begins with."""
    keras = backend.keras()
    layers = keras.layers
    backend.set_seeds(5)
    image = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling([0.01, 0.02, 0.015], [-1.2, -2.4, -1.5], name="normalise")(image)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(x)
    x = shortcut = layers.Activation(activation, name="stem_act")(layers.BatchNormalization(name="stem_bn")(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.ReLU(name="depthwise_relu")(layers.BatchNormalization(name="depthwise_bn")(x))
    x = layers.BatchNormalization(name="project_bn")(layers.Conv2D(8, 1, use_bias=False, name="project")(x))
    x = layers.Dropout(0.3, name="dropout")(layers.Add(name="add")([x, shortcut]))
    x = layers.GlobalAveragePooling2D(name="pool")(layers.Conv2D(16, 1, name="top")(x))
    model = keras.Model(image, layers.Dense(3, name="logits")(x), name="small")
    settled(model, size)
    norm = model.get_layer("project_bn")
    norm.gamma.assign(loud * norm.gamma)
    return model


def logits(model, given):
    return np.asarray(model(given.astype(np.float32), training=False))


def off(expected, found):
    return float(np.abs(expected - found).mean() / expected.std())


def train(model, given, steps=8, after_step=lambda step: None):
    """A few steps towards other answers, as a training loop of our own makes them."""
    tf = backend.tensorflow()
    optimizer = backend.keras().optimizers.Adam(1e-3)
    wanted = tf.constant(np.random.default_rng(2).normal(0, 1, (len(given), 3)), tf.float32)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(tf.cast(given, tf.float32), training=True) - wanted))
        gradients = tape.gradient(loss, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
        return loss

    losses = []
    for number in range(steps):
        losses.append(float(step()))
        after_step(number)
    return losses


def test_the_door_to_tfmot_is_quiet():
    code = (
        "from edge_melanoma import backend\n"
        "wrapper = backend.model_optimization().quantization.keras.QuantizeWrapperV2\n"
        "assert issubclass(wrapper, backend.keras().layers.Layer), 'it wraps layers of the other Keras'\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", names)
def test_every_network_for_devices_becomes_integers_throughout(name):
    backend.set_seeds(3)
    model, given = settled(build_model(name, size=SIZE, classes=3), SIZE), pictures()
    before = model.get_weights()
    quantised = quantise_aware(model)
    assert calibrate_ranges(quantised, [given[:16], given[16:]]) == 32
    tflite = to_tflite_qat(quantised)
    assert not problems(read_model(tflite, name=name), "int8")  # no float operator, scale 1, a scale per channel
    operators = {node.operator for node in nodes(model, tflite)}
    assert ("HARD_SWISH" in operators) == (name in ("mobilenetv3-small", "mobilenetv3-large"))
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))
    # networks of drawn weights amplify every rounding; that the device is right is seen on a smaller one below
    assert off(logits(model, given), Runner(tflite).logits(given)) < 1.2


@pytest.mark.parametrize("activation", ["relu6", "swish"])
def test_the_device_computes_what_the_training_computed_and_calibration_makes_it_right(activation):
    model, given = small(activation=activation), pictures(16)
    expected = logits(model, given)
    quantised = quantise_aware(model)
    uncalibrated = off(expected, logits(quantised, given))
    calibrate_ranges(quantised, [given])
    calibrated = logits(quantised, given)
    assert off(expected, calibrated) < 0.1 * uncalibrated
    assert off(expected, calibrated) < 0.05
    tflite = to_tflite_qat(quantised)
    assert off(calibrated, Runner(tflite).logits(given)) < 0.02
    assert to_tflite_qat(quantised) == tflite
    assert (logits(quantised, given) == calibrated).all(), "conversion leaves the network as it was"


def test_it_begins_nearer_with_kernels_fitted_to_pictures():
    backend.set_seeds(3)
    model, given = small(32, loud=1.0), pictures(32)
    expected = logits(model, given)
    found = []
    for shown in (None, given):
        quantised = quantise_aware(model, pictures=shown)
        calibrate_ranges(quantised, [given])
        for layer in quantised.layers:  # the kernels alone: no rounding of activations
            if hasattr(layer, "quantize_config") and hasattr(layer.quantize_config.output, "observing"):
                layer.quantize_config.output.observing = True
        found.append(off(expected, logits(quantised, given)))
    assert found[1] < 0.7 * found[0]


def test_training_moves_weights_and_ranges_and_leaves_statistics_and_names():
    model, given = small(), pictures(16)
    quantised = quantise_aware(model)
    calibrate_ranges(quantised, [given])
    before = {weight.name: weight.numpy() for weight in quantised.weights}
    losses = train(quantised, given)
    assert losses[-1] < losses[0]
    changed = {name for name, value in before.items() if not np.array_equal(value, _named(quantised, name))}
    kernels = {"stem/kernel:0", "depthwise/depthwise_kernel:0", "project/kernel:0", "logits/kernel:0"}
    assert kernels <= changed
    assert {"stem_bn/gamma:0", "add/output_max:0"} <= changed
    assert not [name for name in changed if "moving" in name]
    names = [layer.name for layer in model.layers if layer.name != "dropout"]
    assert [layer.name for layer in quantised.layers if layer.name != "border"] == names
    after = logits(quantised, given)
    tflite = to_tflite_qat(quantised)
    assert not problems(read_model(tflite, name="m"), "int8")
    assert off(after, Runner(tflite).logits(given)) < 0.02


def _named(model, name):
    return next(weight.numpy() for weight in model.weights if weight.name == name)


def test_its_weights_go_into_another_made_the_same_way():
    model, given = small(), pictures(16)
    first, second = quantise_aware(model), quantise_aware(model)
    calibrate_ranges(first, [given])
    train(first, given, steps=3)
    second.set_weights(first.get_weights())
    assert (logits(second, given) == logits(first, given)).all()
    assert to_tflite_qat(second) == to_tflite_qat(first)


@pytest.mark.parametrize("keep", [True, False])
def test_pruned_weights_stay_zero_where_that_is_asked_for(keep):
    model, given = small(), pictures(16)
    for name in ("project", "top"):
        kernel, *others = model.get_layer(name).get_weights()
        kernel.reshape(-1)[::2] = 0
        model.get_layer(name).set_weights([kernel, *others])
    quantised = quantise_aware(model, keep_sparsity=keep, pictures=given)
    train(quantised, given)
    tensors = read_model(to_tflite_qat(quantised), name="m").tensors
    kernels = [np.frombuffer(one.data, np.int8) for one in tensors if one.type == "INT8" and one.shape[1:] == (1, 1, 8)]
    assert len(kernels) == 2
    for values in kernels:
        assert (np.mean(values == 0) >= 0.5) == keep


def test_tied_weights_stay_tied_and_move():
    model, given = small(), pictures(16)
    kernel, bias = model.get_layer("top").get_weights()
    few = np.round(kernel, 1)
    model.get_layer("top").set_weights([few, bias])
    quantised = quantise_aware(model, keep_clusters=True, pictures=given)
    train(quantised, given)
    rules = quantised.get_layer("top").quantize_config.kernel_quantiser
    values = np.asarray(rules.ruled(kernel_of(quantised.get_layer("top"))))
    assert len(np.unique(values)) <= len(np.unique(few))
    assert not np.allclose(values, few)
    assert all(len(np.unique(values[few == value])) == 1 for value in np.unique(few))


def test_layers_that_no_rule_is_known_for_are_named():
    keras = backend.keras()
    layers = keras.layers
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 1, activation="sigmoid", name="bent")(image)
    x = layers.Concatenate(name="joined")([x, layers.BatchNormalization(name="lonely")(image)])
    x = layers.Activation("softmax", name="odd")(layers.ReLU(3.0, name="low")(x))
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    with pytest.raises(RecipeError, match="no quantisation-aware training") as refusal:
        quantise_aware(model)
    for part in (
        "bent (Conv2D sigmoid)",
        "joined (Concatenate)",
        "lonely (BatchNorm",
        "odd (Activation softmax)",
        "low",
    ):
        assert part in str(refusal.value)


def test_one_operator_of_the_device_is_rounded_once():
    layout = Layout(build_model("mobilenetv3-small", size=32, classes=2))
    plan = places(layout)
    for name in layout.layers:
        if name.endswith("/act") and layout.kind(name) == "Multiply":
            assert plan[name].output == "measured"
            assert all(plan[f"{name}{inner}"].plain for inner in ("_plus_3", "_relu6", "_sixth"))
    assert plan["Conv"].kernel
    assert plan["Conv"].output is None, "its batch norm follows"
    assert plan["Conv/BatchNorm"].output == "measured", "a hard-swish is another operator"
    assert plan["expanded_conv/depthwise/BatchNorm"].output is None, "a ReLU is not"
    assert plan["expanded_conv/squeeze_excite/gate_relu6"].output == "measured"
