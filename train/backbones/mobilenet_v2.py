"""MobileNetV2 (Sandler et al. 2018) at any width, with the layer names of keras.applications.

Differs from theirs in one thing: strides pad by "same" instead of by a layer of its own. The values are equal, the
device runs one operation less.
"""

from __future__ import annotations

from functools import partial

from edge_melanoma import backend

from .blocks import Tensor, channels, divisible

# expansion, channels, repeats, stride of the first
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenet_v2(x: Tensor, *, alpha: float) -> Tensor:
    """The feature maps of a picture that is scaled to [-1, 1]."""
    layers = backend.keras().layers
    batch_norm = partial(layers.BatchNormalization, epsilon=1e-3, momentum=0.999)
    x = layers.Conv2D(divisible(32 * alpha), 3, 2, "same", use_bias=False, name="Conv1")(x)
    x = batch_norm(name="bn_Conv1")(x)
    x = layers.ReLU(6.0, name="Conv1_relu")(x)
    block = 0
    for expansion, filters, repeats, first_stride in STAGES:
        for repeat in range(repeats):
            width = divisible(int(filters * alpha))
            x = _block(x, expansion, width, first_stride if repeat == 0 else 1, block)
            block += 1
    last = divisible(1280 * alpha) if alpha > 1 else 1280
    x = layers.Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
    x = batch_norm(name="Conv_1_bn")(x)
    return layers.ReLU(6.0, name="out_relu")(x)


def _block(x: Tensor, expansion: int, filters: int, stride: int, block: int) -> Tensor:
    layers = backend.keras().layers
    batch_norm = partial(layers.BatchNormalization, epsilon=1e-3, momentum=0.999)
    prefix = f"block_{block}_" if block else "expanded_conv_"
    shortcut = x
    if block:
        x = layers.Conv2D(expansion * channels(x), 1, use_bias=False, name=f"{prefix}expand")(x)
        x = batch_norm(name=f"{prefix}expand_BN")(x)
        x = layers.ReLU(6.0, name=f"{prefix}expand_relu")(x)
    x = layers.DepthwiseConv2D(3, stride, "same", use_bias=False, name=f"{prefix}depthwise")(x)
    x = batch_norm(name=f"{prefix}depthwise_BN")(x)
    x = layers.ReLU(6.0, name=f"{prefix}depthwise_relu")(x)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{prefix}project")(x)
    x = batch_norm(name=f"{prefix}project_BN")(x)
    if stride == 1 and channels(shortcut) == filters:
        x = layers.Add(name=f"{prefix}add")([shortcut, x])
    return x
