"""A network from its graph and its weights, both read as data: stock layers by name, arrays by name, nothing executed.

A graph that came from elsewhere could name a Lambda with code inside; so the layers' classes are looked at before Keras
sees them.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from edge_melanoma import backend
from edge_melanoma.errors import ArtifactError
from edge_melanoma.fitting.weights_file import model_bytes, open_weights, read_array
from edge_melanoma.run_folder import NETWORK, Run

LAYERS = frozenset(
    {
        *("InputLayer", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense", "BatchNormalization", "Dropout"),
        *("ReLU", "Activation", "Softmax", "Rescaling", "Normalization", "Add", "Multiply", "Concatenate"),
        *("ZeroPadding2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "Flatten", "Reshape"),
    }
)


def rebuild(graph: str, *, where: str) -> Any:
    """The Keras model of a graph in JSON, with fresh weights."""
    try:
        content = json.loads(graph)
        layers = content["config"]["layers"]
        classes = {layer["class_name"] for layer in layers}
        functional = content["class_name"] in ("Functional", "Model")
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{where}: is no graph of a Keras model ({type(error).__name__}: {error})") from error
    strange = sorted(map(str, classes - LAYERS))
    if strange or not functional:
        raise ArtifactError(
            f"{where}: has layers that no network of this program has ({', '.join(strange) or content['class_name']}); "
            "only graphs that `edge-melanoma train` wrote are read"
        )
    try:
        return backend.keras().models.model_from_json(graph)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{where}: cannot be built ({str(error).splitlines()[0][:200]}); train again") from error


def load_network(run: Run) -> Any:
    """The network of a run with the weights that were kept."""
    model = rebuild(run.network, where=str(run.folder / NETWORK))
    with open_weights(run.weights, expected_bytes=model_bytes(model)) as file:
        stored = {layer.name: layer for layer in file.layers}
        for layer in model.layers:
            if not layer.weights:
                continue
            found = stored.get(layer.name)
            if found is None or found.shapes != tuple(tuple(weight.shape) for weight in layer.weights):
                raise ArtifactError(f"{run.weights}: does not fit {NETWORK} beside it at the layer {layer.name}")
            values = [read_array(dataset) for dataset in found.datasets]
            if not all(np.isfinite(value).all() for value in values):
                raise ArtifactError(f"{run.weights}: {layer.name} holds values that are not finite; train again")
            layer.set_weights(values)
    return model
