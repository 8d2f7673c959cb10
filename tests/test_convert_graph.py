"""A graph from a file is built only of known parts; its normalisation goes into the weights, at the borders too."""

import importlib.util
import json

import numpy as np
import pytest

from edge_melanoma import backend
from edge_melanoma.convert.graph import Layout, copied, rebuild
from edge_melanoma.convert.normalisation import BORDER, border_objects, fold_normalisation, with_pixel_border
from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.train.backbones import BACKBONES, build_model

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)

# one of each family and of each way to scale pixels
QUICK = {"mobilenetv2-0.35", "mobilenetv3-small", "efficientnet-lite0", "resnet18", "seedcnn"}
# with drawn weights these reach logits of 10^5 and more, where two orders of adding up differ by whole per cents
CHAOTIC = {"efficientnet-b1", "efficientnet-b2", "efficientnet-b3", "efficientnet-b4", "efficientnetv2-b0"}
names = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in BACKBONES if name not in CHAOTIC
]


def build(name, size):
    """A network whose statistics fit its pictures, so that nothing dies on the way."""
    backend.set_seeds(3)
    model = build_model(name, size=size, classes=3)
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    for layer in norms:
        layer.momentum = 0.0
    model(framed(size), training=True)
    return model


def framed(size, count=4):
    """Dark pictures with a bright frame, where padding is seen best."""
    rng = np.random.default_rng(size)
    pictures = np.rint(rng.uniform(0, 90, (count, size, size, 3)) + rng.uniform(0, 60, (count, 1, 1, 3)))
    for edge in (np.s_[:, :2], np.s_[:, -2:], np.s_[:, :, :2], np.s_[:, :, -2:]):
        pictures[edge] = 255 - pictures[edge] / 8
    return pictures.astype(np.float32)


def outputs(model, pictures):
    return np.asarray(model(pictures, training=False))


def last_bit(model, pictures):
    """How far the outputs move by the last bit of the pictures: networks of drawn weights amplify it."""
    return np.abs(outputs(model, np.nextafter(pictures, np.float32(256))) - outputs(model, pictures)).max()


def size_for(name):
    return 75 if name == "inceptionv3" else 32


@pytest.mark.parametrize("name", names)
def test_a_rebuilt_network_computes_the_same_and_so_does_one_that_takes_raw_pixels(name):
    model, given = build(name, size_for(name)), framed(size_for(name))
    rebuilt = rebuild(model.to_json())
    rebuilt.set_weights(model.get_weights())
    expected = outputs(model, given)
    assert (outputs(rebuilt, given) == expected).all()
    tolerance = 10 * last_bit(model, given) + 1e-5 * np.abs(expected).max()
    folded = fold_normalisation(rebuilt)
    assert not [layer.name for layer in folded.layers if layer.name == "normalise"]
    np.testing.assert_allclose(outputs(folded, given), expected, atol=tolerance)
    np.testing.assert_allclose(outputs(with_pixel_border(rebuilt), given), expected, atol=tolerance)
    assert (outputs(rebuilt, given) == expected).all(), "the network itself must not be touched"


def one_convolution(*, size, stride, kernel=3, mean=(120.0, 127.5, 100.0), scale=(0.01, 0.02, 0.015), **others):
    keras = backend.keras()
    backend.set_seeds(4)
    image = keras.Input((*size, 3), name="image")
    offset = [-m * s for m, s in zip(mean, scale, strict=True)]
    x = keras.layers.Rescaling(list(scale), offset, name="scaling")(image)
    if "pad" in others:
        x = keras.layers.ZeroPadding2D(others["pad"], name="pad")(x)
    x = keras.layers.Conv2D(
        4, kernel, stride, others.get("padding", "same"), use_bias=others.get("bias", False), name="conv"
    )(x)
    return keras.Model(image, x, name="one")


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("size", [(8, 8), (9, 12)])
def test_a_folded_convolution_is_right_in_every_pixel_of_its_output(stride, kernel, size):
    model = one_convolution(size=size, stride=stride, kernel=kernel)
    given = framed(16)[:, : size[0], : size[1]]
    np.testing.assert_allclose(outputs(fold_normalisation(model), given), outputs(model, given), atol=2e-5)


@pytest.mark.parametrize(
    "others", [{"pad": ((1, 2), (0, 3)), "padding": "valid"}, {"padding": "valid"}, {"bias": True}]
)
def test_paddings_of_their_own_and_biases_are_folded_too(others):
    model = one_convolution(size=(8, 8), stride=1, **others)
    np.testing.assert_allclose(outputs(fold_normalisation(model), framed(8)), outputs(model, framed(8)), atol=2e-5)


def test_black_padding_instead_would_be_seen():
    """That the tests above can fail: the same network with a border in black."""
    model = one_convolution(size=(8, 8), stride=1)
    folded = fold_normalisation(model)
    layout = Layout(folded)
    layout.config(BORDER)["pixel"] = [0.0, 0.0, 0.0]
    wrong = layout.build({}, custom_objects=border_objects())
    assert np.abs(outputs(wrong, framed(8)) - outputs(model, framed(8))).max() > 0.1


def test_a_network_that_takes_black_for_nothing_needs_no_border():
    folded = fold_normalisation(one_convolution(size=(8, 8), stride=1, mean=(0, 0, 0)))
    assert [layer.name for layer in folded.layers] == ["image", "conv"]


def test_a_normalisation_that_is_not_followed_by_one_convolution_is_refused_by_name():
    keras = backend.keras()
    image = keras.Input((8, 8, 3))
    scaled = keras.layers.Rescaling(1 / 255, name="scaling")(image)
    two = keras.layers.Add()([keras.layers.Conv2D(4, 1)(scaled), keras.layers.Conv2D(4, 1)(scaled)])
    with pytest.raises(RecipeError, match="'scaling' cannot be folded"):
        fold_normalisation(keras.Model(image, two))
    pooled = keras.layers.MaxPooling2D(name="early_pool")(scaled)
    with pytest.raises(RecipeError, match="here comes early_pool"):
        fold_normalisation(keras.Model(image, pooled))


def test_a_copy_has_weights_of_its_own():
    model = build("seedcnn", 32)
    before = [weight.numpy() for weight in model.weights]
    copy = copied(model)
    assert all((a == b).all() for a, b in zip(copy.get_weights(), before, strict=True))
    for weight in copy.weights:
        weight.assign(weight + 1)
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))


def test_a_network_trained_in_mixed_precision_is_rebuilt_in_float32():
    keras = backend.keras()
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        text = build_model("seedcnn", size=32, classes=2).to_json()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert "mixed_float16" in text
    assert {layer.compute_dtype for layer in rebuild(text).layers} == {"float32"}


# --- what is not ours is refused before Keras sees it ---


def graph():
    return json.loads(build_model("seedcnn", size=32, classes=2).to_json())


def lambda_of_keras():
    keras = backend.keras()
    image = keras.Input((8, 8, 3))
    return json.loads(keras.Model(image, keras.layers.Lambda(lambda x: x * 2)(image)).to_json())


def operation_of_tensorflow():
    keras = backend.keras()
    image = keras.Input((8, 8, 3))
    return json.loads(keras.Model(image, image * 2).to_json())


def nested():
    keras = backend.keras()
    inner = build_model("seedcnn", size=32, classes=2)
    image = keras.Input((32, 32, 3))
    return json.loads(keras.Model(image, inner(image)).to_json())


def in_the_graph(**changes):
    """A maker of the plain network with other facts about a layer, its first convolution."""
    return lambda: with_layer(lambda layer: {**layer, **changes})


def in_the_layer(**changes):
    return lambda: with_layer(lambda layer: {**layer, "config": {**layer["config"], **changes}})


def without(key):
    return lambda: with_layer(lambda layer: {name: value for name, value in layer.items() if name != key})


def with_layer(change):
    found = graph()
    found["config"]["layers"][2] = change(found["config"]["layers"][2])
    return found


def twice():
    found = graph()
    found["config"]["layers"].insert(3, found["config"]["layers"][2])
    return found


def source(*facts):
    return in_the_graph(inbound_nodes=[[list(facts)]])


REFUSED = {
    "code": (lambda_of_keras, "keras.layers.Lambda; only these layers of Keras are built"),
    "a bare operation": (operation_of_tensorflow, "only these layers of Keras are built"),
    "a model inside": (nested, "Functional; only these layers of Keras are built"),
    "another module": (in_the_graph(module="os"), "is a os.Conv2D"),
    "a class of somebody": (in_the_graph(registered_name="mine>Conv2D"), "only these layers"),
    "a class that is no name": (in_the_graph(class_name=["Conv2D"]), "only these layers"),
    "two names": (in_the_graph(name="other"), "its name must be"),
    "an object as activation": (in_the_layer(activation={"class_name": "x"}), "activation: is {"),
    "another activation": (in_the_layer(activation="os.system"), "activation: is 'os.system'"),
    "a regulariser": (in_the_layer(kernel_regularizer={"class_name": "L2"}), "our graphs have none"),
    "an object as a number": (in_the_layer(strides={"a": 1}), "strides: is {'a': 1}"),
    "channels first": (in_the_layer(data_format="channels_first"), "channels_last"),
    "another type": (in_the_layer(dtype="float64"), "dtype: is 'float64'"),
    "an object as a type": (in_the_layer(dtype={"config": ["x"]}), "dtype: is {"),
    "arguments": (source("normalise", 0, 0, {"training": True}), "without arguments"),
    "a second output": (source("normalise", 0, 1, {}), "without arguments"),
    "an input from nowhere": (source("nowhere", 0, 0, {}), "behind the layers that feed it"),
    "itself as input": (source("conv1", 0, 0, {}), "behind the layers that feed it"),
    "a layer twice": (twice, "must be there once"),
    "fewer filters than none": (in_the_layer(filters=-4), "Keras cannot build it"),
    "a padding that Keras has not": (in_the_layer(padding="shell"), "Keras cannot build it"),
    "an argument that Keras has not": (in_the_layer(surprise=1), "Keras cannot build it"),
    "no inputs": (without("inbound_nodes"), "a layer lacks"),
    "no output": (lambda: {**graph(), "config": {**graph()["config"], "output_layers": []}}, "one output"),
    "another kind of model": (lambda: {**graph(), "class_name": "Sequential"}, "must be a Functional model"),
    "a list": (lambda: [1, 2], "is not the JSON of a functional"),
    "nothing": (lambda: {"class_name": "Functional", "config": None}, "is not the JSON of a functional"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_graph_that_is_not_of_our_making_is_refused(case):
    made, reason = REFUSED[case]
    with pytest.raises(ArtifactError, match="graph") as refusal:
        rebuild(json.dumps(made()))
    assert reason in str(refusal.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", "3"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ArtifactError, match="is not the JSON"):
        rebuild(text)
