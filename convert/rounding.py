"""Weights put on their 8-bit grid here instead of in the converter, because two things can then be made good.

The errors of a kernel's weights are made to cancel on real pictures (grid.py). And rounding moves the mean of what a
layer gives, always to the same side, and it adds up through the layers; the shift is measured on the same pictures,
behind the layers that are rounded already, and given back to the bias (Nagel et al. 2019).

On a MobileNetV2 0.35 trained on real pictures, the mean error of its int8 logits: 0.48 as the converter does it, 0.18
with the means given back, 0.14 with both; most of what is left comes from the activations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend

from .graph import Layer, Model, copied, in_order
from .grid import SHARED_AXES, compensated, nearest

PICTURES = 32  # for the means; 16 did as well as 150
_FEW_PICTURES = 8  # for the moments of a layer that sees many places in each
_MANY_PLACES = 256
_MOST_WEIGHTS = 2048  # of one output: beyond, the moments take gigabytes and minutes
Tensor = Any


def rounded(
    model: Model,
    pictures: NDArray[np.uint8],
    *,
    exact: Collection[str] = (),
    custom_objects: Mapping[str, Any] | None = None,
) -> Model:
    """The same network with every kernel on its 8-bit grid, except of the layers in `exact`, and its means kept."""
    model = copied(model, custom_objects=custom_objects)
    chosen = np.unique(np.linspace(0, len(pictures) - 1, PICTURES).astype(int))
    given = backend.tensorflow().constant(pictures[chosen], "float32")
    wanted, found = {model.input.name: given}, {model.input.name: given}  # of the exact network and of the rounded one
    keepers: list[tuple[Layer, NDArray[np.float32]]] = []
    for step in in_order(model):
        layer, before, after = step.layer, step.inputs_in(wanted), step.inputs_in(found)
        if type(layer).__name__ in SHARED_AXES:
            outputs = _round(layer, before, after, keepers, layer.name in exact)
        else:
            outputs = layer(before, training=False), layer(after, training=False)
        wanted[step.output], found[step.output] = outputs
        for name in step.used_up:
            del wanted[name], found[name]
    for keeper, shift in keepers:  # not before: a batch norm would have served the exact network as well
        _give_back(keeper, shift)
    return model


def _round(
    layer: Layer, before: Tensor, after: Tensor, keepers: list[tuple[Layer, NDArray[np.float32]]], exact: bool
) -> tuple[Tensor, Tensor]:
    """Round one kernel, and note the shift of its mean and who takes it; what it gives, exact and rounded."""
    tf = backend.tensorflow()
    wanted = _linear(layer, before)
    kernel, *others = layer.get_weights()
    if not exact:
        layer.set_weights([_rounded_kernel(layer, kernel, after), *others])
    found = _linear(layer, after)
    if (keeper := _keeper(layer)) is not None:
        shift = tf.reduce_mean(found - wanted, range(len(found.shape) - 1))
        found -= shift
        keepers.append((keeper, shift.numpy()))
    return layer.activation(wanted), layer.activation(found)


def _rounded_kernel(layer: Layer, kernel: NDArray[np.float32], inputs: Tensor) -> NDArray[np.float32]:
    kind = type(layer).__name__
    rows = _rows(kernel, kind)
    if rows.shape[1] > _MOST_WEIGHTS or len(np.unique(kernel)) <= min(256, kernel.size // 2):
        return nearest(kernel, SHARED_AXES[kind])  # few values: it is clustered, and equal weights are to stay equal
    values = compensated(rows, _moments(layer, kind, inputs))
    return np.asarray(_kernel(values, kind, kernel.shape), np.float32)


def _rows(kernel: NDArray[np.float32], kind: str) -> NDArray[np.float64]:
    """The kernel as [group, weight, output]; a depthwise one has a group for each channel."""
    if kind == "DepthwiseConv2D":
        height, width, channels, multiplier = kernel.shape
        flat = kernel.reshape(height * width, channels, multiplier)
        return np.moveaxis(flat, 1, 0).astype(np.float64)
    return kernel.reshape(1, -1, kernel.shape[-1]).astype(np.float64)


def _kernel(rows: NDArray[np.float64], kind: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The way back."""
    return np.moveaxis(rows, 0, 1).reshape(shape) if kind == "DepthwiseConv2D" else rows.reshape(shape)


def _moments(layer: Layer, kind: str, inputs: Tensor) -> NDArray[np.float64]:
    """The mean products of what the weights of one output are multiplied with, picture by picture to save memory."""
    tf = backend.tensorflow()
    places = int(np.prod(layer.output.shape[1:-1]))
    if places >= _MANY_PLACES:
        inputs = inputs[:: max(1, len(inputs) // _FEW_PICTURES)]
    total, count = 0.0, 0
    for picture in inputs:
        seen = picture[None] if kind == "Dense" else _patches(layer, picture[None])
        if kind == "DepthwiseConv2D":
            seen = tf.reshape(seen, (-1, int(np.prod(layer.kernel_size)), picture.shape[-1]))
            seen = tf.transpose(seen, (2, 0, 1))  # [channel, place, weight]
        else:
            seen = tf.reshape(seen, (1, -1, seen.shape[-1]))
        total = total + tf.matmul(seen, seen, transpose_a=True).numpy().astype(np.float64)
        count += int(seen.shape[1])
    moments: NDArray[np.float64] = np.asarray(total) / count
    return moments


def _patches(layer: Layer, picture: Tensor) -> Tensor:
    """For every place of the output the inputs under the kernel, in the order of its weights."""
    tf = backend.tensorflow()
    sizes, strides, rates = ([1, *of, 1] for of in (layer.kernel_size, layer.strides, layer.dilation_rate))
    return tf.image.extract_patches(picture, sizes, strides, rates, layer.padding.upper())


def _linear(layer: Layer, inputs: Tensor) -> Tensor:
    """What a layer gives before its activation, where a shift is still the same everywhere."""
    activation, layer.activation = layer.activation, backend.keras().activations.linear
    try:
        return layer(inputs, training=False)
    finally:
        layer.activation = activation


def _keeper(layer: Layer) -> Layer | None:
    """Who can take the shift: the layer's own bias, or the mean of the normalisation that follows alone."""
    if layer.use_bias:
        return layer
    following = [node.outbound_layer for node in layer.outbound_nodes]
    alone = len(following) == 1 and type(following[0]).__name__ == "BatchNormalization"
    return following[0] if alone else None


def _give_back(keeper: Layer, shift: NDArray[np.float32]) -> None:
    if type(keeper).__name__ == "BatchNormalization":
        keeper.moving_mean.assign_add(shift)  # the mean is subtracted: so is the shift
    else:
        keeper.bias.assign_sub(shift)
