"""A graph from a file is built only of known parts, and what is not of our making is refused before Keras sees it."""

import importlib.util
import json

import pytest

from edge_melanoma import backend
from edge_melanoma.errors import ArtifactError
from edge_melanoma.fitting.graph import rebuild
from edge_melanoma.train.backbones import build_model

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)


def test_a_network_trained_in_mixed_precision_is_rebuilt_in_float32():
    keras = backend.keras()
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        text = build_model("seedcnn", size=32, classes=2).to_json()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert "mixed_float16" in text
    assert {layer.compute_dtype for layer in rebuild(text, where="graph").layers} == {"float32"}


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
    with pytest.raises(ArtifactError, match=r"^a run/network\.json") as refusal:
        rebuild(json.dumps(made()), where="a run/network.json")
    assert reason in str(refusal.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", "3"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ArtifactError, match="is not the JSON"):
        rebuild(text, where="graph")
