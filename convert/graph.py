"""A network as data: rebuilt from a run's JSON without trusting it, copied without sharing weights, and rearranged.

Keras can build anything from a JSON, code included. Here only the stock layers that our own graphs are made of get
through, each with plain values, before Keras sees a byte; initial values are dropped, because weights follow.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge_melanoma import backend
from edge_melanoma.errors import ArtifactError

Model = Any  # of tf_keras, which has no types
Layer = Any
Config = dict[str, Any]

_LAYERS = frozenset(
    (
        "InputLayer",
        "Rescaling",
        "Conv2D",
        "DepthwiseConv2D",
        "Dense",
        "BatchNormalization",
        "ReLU",
        "Activation",
        "Add",
        "Multiply",
        "Concatenate",
        "ZeroPadding2D",
        "MaxPooling2D",
        "AveragePooling2D",
        "GlobalAveragePooling2D",
        "Flatten",
        "Reshape",
        "Dropout",
    )
)
_ACTIVATIONS = frozenset(("linear", "relu", "relu6", "swish", "silu", "sigmoid", "hard_sigmoid", "softmax"))
_POLICIES = frozenset(("float32", "mixed_float16"))
_MOST_LAYERS, _MOST_CHARACTERS = 5000, 20_000_000
_KEPT = ("name", "class_name", "config", "inbound_nodes")


def rebuild(graph_json: str) -> Model:
    """The model of a `model.to_json()`, in float32; its weights are to be set by the caller."""
    layout = _checked(graph_json)
    try:
        return backend.keras().Model.from_config(layout)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ArtifactError(f"graph: Keras cannot build it ({reason}); give the network.json of a run") from error


def _checked(graph_json: str) -> Config:
    """The layout of a functional model, made anew of what is known to be harmless."""
    if len(graph_json) > _MOST_CHARACTERS:
        raise ArtifactError(f"graph: has {len(graph_json):,} characters; ours have less than {_MOST_CHARACTERS:,}")
    try:
        config = json.loads(graph_json)
        kind, config = config["class_name"], config["config"]
        layers, name = config["layers"], config["name"]
        ends = {key: config[key] for key in ("input_layers", "output_layers")}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ArtifactError("graph: is not the JSON of a functional Keras model (model.to_json())") from error
    if kind != "Functional" or not isinstance(layers, list) or not 0 < len(layers) <= _MOST_LAYERS:
        raise ArtifactError(f"graph: is a {kind!r:.40}; it must be a Functional model of 1 to {_MOST_LAYERS} layers")
    if not isinstance(name, str) or any(not _is_end(end) for end in ends.values()):
        raise ArtifactError("graph: must have a name, one input and one output")
    checked = [_checked_layer(layer) for layer in layers]
    _check_order(checked)
    return {"name": name, "trainable": True, "layers": checked, **ends}


def _check_order(layers: list[Config]) -> None:
    """Each layer once, after those that feed it: of a ring Keras would never be done."""
    known: set[str] = set()
    for layer in layers:
        sources = {source[0] for node in layer["inbound_nodes"] for source in node}
        if layer["name"] in known or not sources <= known:
            raise ArtifactError(
                f"graph, layer {layer['name'][:80]!r}: must be there once, and behind the layers that feed it"
            )
        known.add(layer["name"])


def _is_end(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and _is_plain(value[0])


def _checked_layer(layer: Any) -> Config:
    try:
        name, kind, config, nodes = (layer[key] for key in _KEPT)
        module, registered = layer.get("module", "keras.layers"), layer.get("registered_name")
    except (TypeError, KeyError, AttributeError) as error:
        raise ArtifactError("graph: a layer lacks its name, class, configuration or inputs") from error
    where = f"graph, layer {str(name)[:80]!r}"
    if (
        not _is_one_of(kind, _LAYERS)
        or module not in ("keras.layers", "tf_keras.layers")
        or registered not in (None, kind)
    ):
        raise ArtifactError(
            f"{where}: is a {str(module)[:40]}.{str(kind)[:40]}; only these layers of Keras are built: "
            f"{', '.join(sorted(_LAYERS))}"
        )
    if not isinstance(name, str) or not isinstance(config, dict) or config.get("name") != name:
        raise ArtifactError(f"{where}: its name must be text, and the same in its configuration")
    if not isinstance(nodes, list) or len(nodes) != (kind != "InputLayer") or not all(map(_is_node, nodes)):
        raise ArtifactError(f"{where}: must be used once, on tensors of other layers and without arguments")
    return {
        "name": name,
        "class_name": kind,
        "config": {key: _checked_value(f"{where}, {key}", key, value) for key, value in config.items()},
        "inbound_nodes": nodes,
    }


def _is_node(node: Any) -> bool:
    return isinstance(node, list) and bool(node) and all(_is_source(source) for source in node)


def _is_source(source: Any) -> bool:
    """Our layers have one output, are used once and take no arguments."""
    return isinstance(source, list) and len(source) == 4 and isinstance(source[0], str) and source[1:] == [0, 0, {}]


def _checked_value(where: str, key: str, value: Any) -> Any:
    if key.endswith("_initializer"):
        return "zeros"
    if key == "dtype":
        policy = value.get("config") if isinstance(value, dict) else value
        if not _is_one_of(policy.get("name") if isinstance(policy, dict) else policy, _POLICIES):
            raise ArtifactError(f"{where}: is {value!r:.60}; it must be {' or '.join(sorted(_POLICIES))}")
        return "float32"
    if key.endswith(("_regularizer", "_constraint")) and value is not None:
        raise ArtifactError(f"{where}: is {value!r:.60}; our graphs have none")
    if key == "activation" and not _is_one_of(value, _ACTIVATIONS):
        raise ArtifactError(f"{where}: is {value!r:.60}; it must be one of {', '.join(sorted(_ACTIVATIONS))}")
    if key == "data_format" and value != "channels_last":
        raise ArtifactError(f"{where}: is {value!r:.60}; it must be channels_last")
    if not _is_plain(value):
        raise ArtifactError(f"{where}: is {value!r:.60}; it must be a plain value or a list of such")
    return value


def _is_one_of(value: Any, known: frozenset[str]) -> bool:
    return isinstance(value, str) and value in known


def _is_plain(value: Any, depth: int = 3) -> bool:
    if isinstance(value, list):
        return depth > 0 and len(value) <= 16 and all(_is_plain(item, depth - 1) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


class Layout:
    """The layers of a flat functional model and who feeds whom, to be rearranged and built again.

    A layer that keeps its name and shapes keeps its weights; one that does not gets those that are handed to `build`.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._config: Config = copy.deepcopy(model.get_config())
        self.layers: dict[str, Config] = {layer["name"]: layer for layer in self._config["layers"]}

    @property
    def input(self) -> str:
        """The name of the only input layer."""
        return str(self._config["input_layers"][0][0])

    def kind(self, name: str) -> str:
        """The class of a layer."""
        return str(self.layers[name]["class_name"])

    def config(self, name: str) -> Config:
        """The configuration of a layer; a change counts when the model is built."""
        config: Config = self.layers[name]["config"]
        return config

    def sources(self, name: str) -> list[str]:
        """The layers that feed this one."""
        return [source[0] for source in self._sources(name)]

    def consumers(self, name: str) -> list[str]:
        """The layers that this one feeds."""
        return [other for other in self.layers if name in self.sources(other)]

    def only_consumer(self, name: str) -> str | None:
        """The one layer that takes this one's output, or None where it goes elsewhere as well."""
        found = self.consumers(name)
        return found[0] if len(found) == 1 and name != self._config["output_layers"][0][0] else None

    def remove(self, name: str) -> None:
        """Take a layer with one input out; who took its output takes its input."""
        (source,) = self.sources(name)
        for other in self.consumers(name):
            self._replace_source(other, name, source)
        del self.layers[name]

    def insert_after(self, name: str, new: str, kind: str, config: Config) -> None:
        """Put a layer between another and all that take its output."""
        for other in self.consumers(name):
            self._replace_source(other, name, new)
        self.layers[new] = {
            "name": new,
            "class_name": kind,
            "config": {"name": new, **config},
            "inbound_nodes": [[[name, 0, 0, {}]]],
        }

    def build(self, weights: Mapping[str, list[Any]], *, custom_objects: Mapping[str, Any] | None = None) -> Model:
        """The rearranged model, with weights of its own."""
        layout = {**self._config, "layers": list(self.layers.values())}
        model = backend.keras().Model.from_config(layout, custom_objects=custom_objects)
        for layer in model.layers:
            if layer.weights:
                known = weights.get(layer.name)
                layer.set_weights(self._model.get_layer(layer.name).get_weights() if known is None else known)
        return model

    def _sources(self, name: str) -> Iterator[list[Any]]:
        for node in self.layers[name]["inbound_nodes"]:
            yield from node

    def _replace_source(self, name: str, old: str, new: str) -> None:
        for source in self._sources(name):
            if source[0] == old:
                source[0] = new


def copied(model: Model, *, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """The same model with weights of its own: what is done to one does not reach the other."""
    return Layout(model).build({}, custom_objects=custom_objects)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One layer of a flat model when it is run by hand."""

    layer: Layer
    inputs: tuple[str, ...]  # names of tensors
    output: str
    used_up: tuple[str, ...]  # tensors that nobody needs after it, so that a large network fits into memory

    def inputs_in(self, known: Mapping[str, Any]) -> Any:
        """Its input, or the list of them, among the tensors that are known."""
        found = [known[name] for name in self.inputs]
        return found[0] if len(found) == 1 else found


def in_order(model: Model) -> Iterator[Step]:
    """The layers of a flat model in an order in which each finds its inputs made."""
    layers = model.layers[1:]
    inputs = [tuple(tensor.name for tensor in _listed(layer.inbound_nodes[0].keras_inputs)) for layer in layers]
    last = {name: place for place, names in enumerate(inputs) for name in names}
    for place, (layer, names) in enumerate(zip(layers, inputs, strict=True)):
        used_up = tuple(name for name in dict.fromkeys(names) if last[name] == place)
        yield Step(layer=layer, inputs=names, output=layer.output.name, used_up=used_up)


def _listed(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, list | tuple) else [tensors]
