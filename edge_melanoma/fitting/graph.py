"""A network's graph, rebuilt from the JSON of a run without trusting it.

Keras can build anything from a JSON, code included. Here only the stock layers that our own graphs are made of get
through, each with plain values, before Keras sees a byte; initial values are dropped, because weights follow.
"""

from __future__ import annotations

import json
from typing import Any

from edge_melanoma import backend
from edge_melanoma.errors import ArtifactError

Model = Any  # of tf_keras, which has no types
Config = dict[str, Any]

_LAYERS = frozenset(
    (
        *("InputLayer", "Rescaling", "Conv2D", "DepthwiseConv2D", "Dense", "BatchNormalization", "Dropout"),
        *("ReLU", "Activation", "Add", "Multiply", "Concatenate", "Flatten", "Reshape"),
        *("ZeroPadding2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D"),
    )
)
_ACTIVATIONS = frozenset(("linear", "relu", "relu6", "swish", "silu", "sigmoid", "hard_sigmoid", "softmax"))
_POLICIES = frozenset(("float32", "mixed_float16"))
_MOST_LAYERS, _MOST_CHARACTERS = 5000, 20_000_000
_KEPT = ("name", "class_name", "config", "inbound_nodes")


def rebuild(graph_json: str, *, where: str) -> Model:
    """The model of a `model.to_json()`, in float32; its weights are to be set by the caller."""
    layout = _checked(graph_json, where)
    try:
        return backend.keras().Model.from_config(layout)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ArtifactError(f"{where}: Keras cannot build it ({reason}); train again") from error


def _checked(graph_json: str, where: str) -> Config:
    """The layout of a functional model, made anew of what is known to be harmless."""
    if len(graph_json) > _MOST_CHARACTERS:
        raise ArtifactError(f"{where}: has {len(graph_json):,} characters; ours have less than {_MOST_CHARACTERS:,}")
    try:
        config = json.loads(graph_json)
        kind, config = config["class_name"], config["config"]
        layers, name = config["layers"], config["name"]
        ends = {key: config[key] for key in ("input_layers", "output_layers")}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ArtifactError(f"{where}: is not the JSON of a functional Keras model; train again") from error
    if kind != "Functional" or not isinstance(layers, list) or not 0 < len(layers) <= _MOST_LAYERS:
        raise ArtifactError(f"{where}: is a {kind!r:.40}; it must be a Functional model of 1 to {_MOST_LAYERS} layers")
    if not isinstance(name, str) or any(not _is_end(end) for end in ends.values()):
        raise ArtifactError(f"{where}: must have a name, one input and one output")
    checked = [_checked_layer(layer, where) for layer in layers]
    _check_order(checked, where)
    return {"name": name, "trainable": True, "layers": checked, **ends}


def _check_order(layers: list[Config], where: str) -> None:
    """Each layer once, after those that feed it: of a ring Keras would never be done."""
    known: set[str] = set()
    for layer in layers:
        sources = {source[0] for node in layer["inbound_nodes"] for source in node}
        if layer["name"] in known or not sources <= known:
            raise ArtifactError(
                f"{where}, layer {layer['name'][:80]!r}: must be there once, and behind the layers that feed it"
            )
        known.add(layer["name"])


def _is_end(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and _is_plain(value[0])


def _checked_layer(layer: Any, where: str) -> Config:
    try:
        name, kind, config, nodes = (layer[key] for key in _KEPT)
        module, registered = layer.get("module", "keras.layers"), layer.get("registered_name")
    except (TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{where}: a layer lacks its name, class, configuration or inputs") from error
    where = f"{where}, layer {str(name)[:80]!r}"
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
