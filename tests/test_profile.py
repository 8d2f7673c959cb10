"""Parameters and multiply-adds, held against publications, a count by hand and TensorFlow's own."""

import importlib.util
import json

import pytest

from edge_melanoma import backend
from edge_melanoma.train.backbones import BACKBONES, build_model
from edge_melanoma.train.backbones.profile import profile
from edge_melanoma.train.backbones.profiles import CLASSES, PROFILES, committed_rows

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)

QUICK = {"mobilenetv2-0.35", "mobilenetv3-small", "seedcnn"}


@pytest.fixture(scope="module")
def keras():
    return backend.keras()


# ImageNet heads of 1000 classes: features, parameters (torchvision, or Keras' table of trainable ones; the Lite and
# MobileNetV2 0.35 pages round), and multiply-adds in millions at the native size
PUBLISHED = {
    "mobilenetv2-0.35": (1280, 1.66e6, 59),
    "mobilenetv2-1.0": (1280, 3_504_872, 300),
    "efficientnet-lite0": (1280, 4.65e6, 407),
    "efficientnet-lite1": (1280, 5.42e6, 631),
    "efficientnet-lite2": (1280, 6.09e6, 899),
    "efficientnet-lite3": (1280, 8.20e6, 1440),
    "efficientnet-lite4": (1280, 13.01e6, 2640),
    "efficientnet-b0": (1280, 5_288_548, 390),
    "efficientnet-b1": (1280, 7_794_184, 700),
    "efficientnet-b2": (1408, 9_109_994, 1000),
    "efficientnet-b3": (1536, 12_233_232, 1800),
    "efficientnet-b4": (1792, 19_341_616, 4200),
    "efficientnetv2-b0": (1280, 7.1e6, 720),
    "resnet18": (512, 11_689_512, 1814),
    "resnet34": (512, 21_797_672, 3664),
    "resnet50": (2048, 25_583_592, 3860),
    "inceptionv3": (2048, 23_817_352, 5713),
    "densenet121": (1024, 7_978_856, 2834),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_committed_table_agrees_with_publications(name):
    features, parameters, million_macs = PUBLISHED[name]
    row = next(row for row in committed_rows() if row.network.name == name)
    with_1000_classes = row.profile.parameters + (1000 - CLASSES) * (features + 1)
    exact = isinstance(parameters, int)
    assert with_1000_classes == (parameters if exact else pytest.approx(parameters, rel=0.011))
    # the Lite page counts activations and batch norms as well
    near = 0.06 if "lite" in name else 0.05
    assert row.profile.macs + (1000 - CLASSES) * features == pytest.approx(million_macs * 1e6, rel=near)


@pytest.mark.parametrize(
    ("name", "features", "top", "parameters", "million_macs"),
    [("mobilenetv3-small", 576, 1024, 2_542_856, 56), ("mobilenetv3-large", 960, 1280, 5_483_032, 217)],
)
def test_mobilenetv3_is_the_published_one_without_the_convolution_after_its_pooling(
    name, features, top, parameters, million_macs
):
    row = next(row for row in committed_rows() if row.network.name == name)
    head = features * top + top + top * 1000 + 1000
    assert row.profile.parameters - CLASSES * (features + 1) + head == parameters
    assert row.profile.macs + features * top + top * 1000 == pytest.approx(million_macs * 1e6, rel=0.02)


def test_the_table_of_sizes_has_every_network():
    committed = json.loads(PROFILES.read_text())
    assert list(committed["networks"]) == list(BACKBONES)
    assert all(committed["networks"][name]["size"] == network.native_size for name, network in BACKBONES.items())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in BACKBONES]
)
def test_the_committed_table_is_what_building_gives(name):
    row = next(row for row in committed_rows() if row.network.name == name)
    assert profile(build_model(name, size=row.size, classes=CLASSES)) == row.profile


def test_multiplications_are_counted_as_by_hand(keras):
    image = keras.Input((7, 5, 3))
    x = keras.layers.Conv2D(4, 3, 2, "valid", name="conv")(image)
    x = keras.layers.Conv2D(6, (3, 1), padding="same", groups=2, name="grouped")(x)
    x = keras.layers.DepthwiseConv2D(2, depth_multiplier=2, padding="same", name="depthwise")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.SeparableConv2D(5, 3, padding="same", name="separable")(x)
    x = keras.layers.Flatten()(x)
    model = keras.Model(image, keras.layers.Dense(2, name="dense")(x))
    by_hand = {
        "conv": sum(9 * 3 for _ in range(3 * 2 * 4)),  # 3x2 places, 4 kernels
        "grouped": sum(3 * 2 for _ in range(3 * 2 * 6)),  # each of 6 kernels sees 2 of 4 channels
        "depthwise": sum(4 for _ in range(3 * 2 * 12)),
        "separable": sum(9 for _ in range(3 * 2 * 12)) + sum(12 for _ in range(3 * 2 * 5)),
        "dense": 3 * 2 * 5 * 2,
    }
    counted = profile(model)
    assert counted.macs == sum(by_hand.values())
    moving = 2 * 12
    assert counted.parameters == model.count_params() - moving
    model.trainable = False  # a frozen network is not a smaller one
    assert profile(model) == counted


def test_multiplications_are_counted_as_tensorflow_counts_them():
    tf = backend.tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model = build_model("mobilenetv2-0.35", size=64, classes=2)
    concrete = tf.function(model).get_concrete_function(tf.TensorSpec((1, 64, 64, 3)))
    graph = convert_variables_to_constants_v2(concrete).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    nodes = tf.compat.v1.profiler.profile(graph, options=options)
    assert nodes.total_float_ops / 2 == pytest.approx(profile(model).macs, rel=0.06)  # theirs has biases and additions


def test_a_layer_that_is_not_understood_is_not_counted_as_nothing(keras):
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Conv2DTranspose(2, 3)(image))
    with pytest.raises(TypeError, match="Conv2DTranspose"):
        profile(model)
