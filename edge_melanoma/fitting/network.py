"""The network of a run: its graph and its weights, both read as data: stock layers by name, arrays by name, nothing
executed."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_melanoma.errors import ArtifactError
from edge_melanoma.fitting.graph import rebuild
from edge_melanoma.fitting.weights_file import model_bytes, open_weights, read_array
from edge_melanoma.run_folder import NETWORK, Run


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
