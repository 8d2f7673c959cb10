"""MobileNetV3 (Howard et al. 2019), small and large, and minimalistic: no squeeze-excite, no hard-swish, no 5x5.

Layer names and values are those of keras.applications without its top (that is, without the 1x1 convolution after the
pooling, as its weights are published), built from layers where theirs has bare operations that tfmot cannot see.
Strides pad by "same" instead of by a layer of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from edge_melanoma import backend

from .blocks import Tensor, channels, divisible, hard_sigmoid, hard_swish


class Block(NamedTuple):
    """One inverted residual; what minimalistic leaves out is said by the last three."""

    expansion: float
    filters: int
    stride: int
    kernel: int = 3
    squeeze: bool = False
    swish: bool = False


SMALL = (
    Block(1, 16, 2, squeeze=True),
    Block(72 / 16, 24, 2),
    Block(88 / 24, 24, 1),
    Block(4, 40, 2, 5, True, True),
    Block(6, 40, 1, 5, True, True),
    Block(6, 40, 1, 5, True, True),
    Block(3, 48, 1, 5, True, True),
    Block(3, 48, 1, 5, True, True),
    Block(6, 96, 2, 5, True, True),
    Block(6, 96, 1, 5, True, True),
    Block(6, 96, 1, 5, True, True),
)
LARGE = (
    Block(1, 16, 1),
    Block(4, 24, 2),
    Block(3, 24, 1),
    Block(3, 40, 2, 5, squeeze=True),
    Block(3, 40, 1, 5, squeeze=True),
    Block(3, 40, 1, 5, squeeze=True),
    Block(6, 80, 2, swish=True),
    Block(2.5, 80, 1, swish=True),
    Block(2.3, 80, 1, swish=True),
    Block(2.3, 80, 1, swish=True),
    Block(6, 112, 1, 3, True, True),
    Block(6, 112, 1, 3, True, True),
    Block(6, 160, 2, 5, True, True),
    Block(6, 160, 1, 5, True, True),
    Block(6, 160, 1, 5, True, True),
)


def mobilenet_v3(x: Tensor, *, blocks: tuple[Block, ...], minimalistic: bool) -> Tensor:
    """The feature maps of a picture that is scaled to [-1, 1]."""
    activation = _relu if minimalistic else hard_swish
    x = _conv(x, 16, "Conv", activation, kernel=3, stride=2)
    for number, block in enumerate(blocks):
        if minimalistic:
            block = block._replace(kernel=3, squeeze=False, swish=False)
        x = _block(x, block, number)
    return _conv(x, divisible(6 * channels(x)), "Conv_1", activation)


def _block(x: Tensor, block: Block, number: int) -> Tensor:
    layers = backend.keras().layers
    activation = hard_swish if block.swish else _relu
    prefix = f"expanded_conv_{number}/" if number else "expanded_conv/"
    shortcut = x
    if number:
        x = _conv(x, divisible(channels(x) * block.expansion), f"{prefix}expand", activation)
    name = f"{prefix}depthwise"
    x = layers.DepthwiseConv2D(block.kernel, block.stride, "same", use_bias=False, name=name)(x)
    x = activation(_batch_norm()(name=f"{name}/BatchNorm")(x), f"{name}/act")
    if block.squeeze:
        x = _squeeze_excite(x, prefix)
    x = _conv(x, block.filters, f"{prefix}project", None)
    if block.stride == 1 and channels(shortcut) == block.filters:
        x = layers.Add(name=f"{prefix}Add")([shortcut, x])
    return x


def _squeeze_excite(x: Tensor, prefix: str) -> Tensor:
    layers = backend.keras().layers
    name = f"{prefix}squeeze_excite/"
    scale = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}AvgPool")(x)
    scale = layers.Conv2D(divisible(channels(x) * 0.25), 1, name=f"{name}Conv")(scale)
    scale = layers.ReLU(name=f"{name}Relu")(scale)
    scale = layers.Conv2D(channels(x), 1, name=f"{name}Conv_1")(scale)
    return layers.Multiply(name=f"{name}Mul")([x, hard_sigmoid(scale, f"{name}gate")])


def _conv(
    x: Tensor,
    filters: int,
    name: str,
    activation: Callable[[Tensor, str], Tensor] | None,
    *,
    kernel: int = 1,
    stride: int = 1,
) -> Tensor:
    x = backend.keras().layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=name)(x)
    x = _batch_norm()(name=f"{name}/BatchNorm")(x)
    return activation(x, f"{name}/act") if activation else x


def _batch_norm() -> Callable[..., Any]:
    return partial(backend.keras().layers.BatchNormalization, epsilon=1e-3, momentum=0.999)


def _relu(x: Tensor, name: str) -> Tensor:
    return backend.keras().layers.ReLU(name=name)(x)
