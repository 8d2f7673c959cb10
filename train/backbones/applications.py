"""Teachers as keras.applications builds them: their graphs are flat already and are not meant for a device."""

from __future__ import annotations

import re
from typing import Any

from edge_melanoma import backend

from .blocks import Model, Tensor

# what Keras numbers by a counter of the process, so that it differs from one build to the next
_NUMBERED = re.compile(
    r"(conv2d|batch_normalization|activation|average_pooling2d|max_pooling2d|zero_padding2d|concatenate)(_\d+)?"
)


def application(x: Tensor, *, constructor: str) -> Tensor:
    """The feature maps of the named constructor of keras.applications, on a normalised picture."""
    build = getattr(backend.keras().applications, constructor)
    return build(include_top=False, weights=None, input_tensor=x).output


def with_stable_names(model: Model) -> Model:
    """The same graph with names that do not depend on what the process has built before."""
    config = model.get_config()
    new: dict[str, str] = {}
    for layer in config["layers"]:
        numbered = _NUMBERED.fullmatch(layer["name"])
        if numbered:
            new[layer["name"]] = f"{numbered[1]}_at_{len(new):03d}"
    return backend.keras().Model.from_config(_renamed(config, new)) if new else model


def _renamed(config: Any, new: dict[str, str]) -> Any:
    for layer in config["layers"]:
        layer["name"] = layer["config"]["name"] = new.get(layer["name"], layer["name"])
        for node in layer["inbound_nodes"]:
            for source in node:
                source[0] = new.get(source[0], source[0])
    return config
