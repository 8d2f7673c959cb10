"""Batch normalisation folded into the convolution before it, in Keras, as the converter would do it later.

Choosing how weights are rounded needs the weights that will be rounded, and those exist only after the folding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph import Layer, Layout, Model
from .normalisation import border_objects

KERNELS = ("Conv2D", "DepthwiseConv2D", "Dense")


def fold_batch_norm(model: Model) -> Model:
    """The same function, with weights of its own: one convolution with a bias for each pair with a normalisation."""
    layout = Layout(model)
    weights: dict[str, list[Any]] = {}
    for name in list(layout.layers):
        if layout.kind(name) != "BatchNormalization":
            continue
        (source,) = layout.sources(name)
        linear = layout.config(source).get("activation", "linear") == "linear"
        if layout.kind(source) in KERNELS and linear and layout.only_consumer(source) == name:
            weights[source] = _folded(model.get_layer(source), model.get_layer(name))
            layout.config(source)["use_bias"] = True
            layout.remove(name)
    return layout.build(weights, custom_objects=border_objects())


def _folded(layer: Layer, norm: Layer) -> list[Any]:
    """Kernel and bias with the scale and the shift of the normalisation inside."""
    found = {weight.name.split("/")[-1].split(":")[0]: np.asarray(weight, np.float64) for weight in norm.weights}
    mean, variance = found["moving_mean"], found["moving_variance"]
    scale = found.get("gamma", np.ones_like(mean)) / np.sqrt(variance + norm.epsilon)
    kernel, *bias = (np.asarray(values, np.float64) for values in layer.get_weights())
    kernel = kernel * (scale[:, None] if type(layer).__name__ == "DepthwiseConv2D" else scale)
    shift = ((bias[0] if bias else 0.0) - mean) * scale + found.get("beta", np.zeros_like(mean))
    return [kernel.astype(np.float32), shift.astype(np.float32)]
