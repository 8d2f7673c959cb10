"""Weights rounded to 8 bits by what the calibration pictures make of them, not each to its nearest neighbour.

Rounding every weight to the nearest of 255 values is most of what int8 does to a small network: on MobileNetV2 0.35 it
moves the melanoma log-odds by .40 on average, all 8-bit activations together by .13. So the weights of a layer are
rounded one input after the other, and what an input's rounding did to the layer's output on real pictures is made up by
the inputs still to come (the second-order rule of Hassibi and Stork's optimal brain surgeon, as in Frantar and others'
GPTQ, 2022); what is left on average goes into the bias. That leaves .06 of the .40. No training, no labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend

from .fold import KERNELS
from .graph import Layer, Model, in_order

Floats = NDArray[np.float64]
OnLayer = Callable[[int, int], None]

PICTURES = 128
LEVELS = 127  # int8 kernels are symmetric
DAMPING = 0.01  # of the mean curvature, so that inputs that are always zero do no harm
SHRINK = np.linspace(1.0, 0.75, 6)  # of the scale: cutting off a channel's largest weight can be worth it
ROWS = 20_000  # positions that a layer's statistics are taken from


def round_weights(model: Model, pictures: NDArray[np.uint8], *, on_layer: OnLayer = lambda *_: None) -> None:
    """Change the kernels of a folded model to values that 8 bits can hold, and the biases to what fits them.

    Weights that are zero stay zero.
    """
    places = np.unique(np.linspace(0, len(pictures) - 1, PICTURES).astype(int))
    given = backend.tensorflow().constant(pictures[places], "float32")
    # what the float network and what the rounded one, as far as it is, make of the pictures
    exact, coarse = {model.input.name: given}, {model.input.name: given}
    steps = list(in_order(model))
    for number, step in enumerate(steps, start=1):
        layer = step.layer
        before, after = (step.inputs_in(known) for known in (exact, coarse))
        exact[step.output] = layer(before, training=False)
        if type(layer).__name__ in KERNELS and layer.use_bias:
            _round(layer, _patches(layer, before), _patches(layer, after))
        coarse[step.output] = layer(after, training=False)
        for name in step.used_up:
            del exact[name], coarse[name]
        on_layer(number, len(steps))


def _patches(layer: Layer, x: Any) -> NDArray[np.float32]:
    """The inputs of each output value: (position, place in the kernel, channel); of large pictures only as many as
    there are positions enough, evenly taken."""
    tf = backend.tensorflow()
    if type(layer).__name__ == "Dense":
        return np.asarray(x, np.float32).reshape(-1, 1, x.shape[-1])
    height, width = layer.kernel_size
    positions = int(np.prod(layer.output_shape[1:3]))
    x = x[:: max(1, len(x) * positions // (4 * ROWS))]
    cut = tf.image.extract_patches(
        x, [1, height, width, 1], [1, *layer.strides, 1], [1, 1, 1, 1], layer.padding.upper()
    )
    rows = tf.reshape(cut, [-1, height * width, x.shape[-1]])
    return np.asarray(rows[:: max(1, int(rows.shape[0]) // ROWS)], np.float32)


def _round(layer: Layer, exact: NDArray[np.float32], now: NDArray[np.float32]) -> None:
    kernel, bias = (np.asarray(value, np.float64) for value in layer.get_weights())
    before, after = exact.astype(np.float64), now.astype(np.float64)
    if type(layer).__name__ == "DepthwiseConv2D":
        flat = kernel.reshape(-1, kernel.shape[2])  # (place, channel)
        columns = [_rounded(flat[:, [c]], after[:, :, c]) for c in range(flat.shape[1])]
        rounded = np.concatenate(columns, axis=1)
        wanted, found = (before.mean(axis=0) * flat).sum(axis=0), (after.mean(axis=0) * rounded).sum(axis=0)
    else:
        flat = kernel.reshape(-1, kernel.shape[-1])  # (input, output)
        rows = after.reshape(len(after), -1)
        rounded = _rounded(flat, rows)
        wanted, found = before.reshape(len(before), -1).mean(axis=0) @ flat, rows.mean(axis=0) @ rounded
    shifted = bias + wanted - found
    layer.set_weights([rounded.reshape(kernel.shape).astype(np.float32), shifted.astype(np.float32)])


def _rounded(kernel: Floats, rows: Floats) -> Floats:
    """The kernel (input, output) on a grid of 8 bits for each output, with the least error on these rows of inputs."""
    curvature = rows.T @ rows / len(rows)
    curvature += np.eye(len(curvature)) * (DAMPING * np.trace(curvature) / len(curvature) + 1e-12)
    order = np.argsort(-np.diag(curvature), kind="stable")  # the input that matters most first
    sorted_kernel, sorted_curvature = kernel[order], curvature[np.ix_(order, order)]
    # row i of the upper factor of the inverse says how the inputs after i make up for an error of i
    making_up = np.linalg.cholesky(np.linalg.inv(sorted_curvature)).T
    largest = np.abs(kernel).max(axis=0)
    best, least = sorted_kernel, np.full(kernel.shape[1], np.inf)
    for shrink in SHRINK:
        scale = np.where(largest > 0, largest * shrink / LEVELS, 1.0)
        tried = _one_after_the_other(sorted_kernel, making_up, scale)
        off = tried - sorted_kernel
        error = np.einsum("io,io->o", off, sorted_curvature @ off)
        # the converter takes its grid from the largest weight: it must lie at the end of ours
        ends = (np.abs(tried).max(axis=0) >= scale * (LEVELS - 0.5)) | (largest == 0)
        better = (error < least) & ends
        best, least = np.where(better, tried, best), np.where(better, error, least)
    return best[np.argsort(order)]


def _one_after_the_other(kernel: Floats, making_up: Floats, scale: Floats) -> Floats:
    left, zero = kernel.copy(), kernel == 0
    rounded = np.empty_like(left)
    for place in range(len(left)):
        level = np.clip(np.round(left[place] / scale), -LEVELS, LEVELS)
        rounded[place] = np.where(zero[place], 0.0, level * scale)
        error = (left[place] - rounded[place]) / making_up[place, place]
        left[place + 1 :] -= making_up[place, place + 1 :, None] * error
    return rounded
