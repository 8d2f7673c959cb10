"""How large a network is and how much it computes, counted from its layers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from .blocks import Model


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Counted as publications count: batch normalisation folded away, so its running statistics are no parameters."""

    parameters: int
    macs: int  # multiply-adds of one picture, in convolutions and dense layers

    def to_json(self) -> dict[str, int]:
        return asdict(self)


def profile(model: Model) -> Profile:
    """Parameters and multiply-adds of one picture, at the size the model is built for."""
    return Profile(
        parameters=sum(_parameters(layer) for layer in model.layers), macs=sum(_macs(layer) for layer in model.layers)
    )


def _parameters(layer: Any) -> int:
    running = ("moving_mean", "moving_variance")
    counted = (weight for weight in layer.weights if weight.name.split("/")[-1].split(":")[0] not in running)
    return sum(_size(weight.shape) for weight in counted)


def _macs(layer: Any) -> int:
    """A convolution counts the border that it pads, as publications do; a bias is no multiplication."""
    kind = type(layer).__name__
    if kind == "Dense":
        return _size(layer.kernel.shape) * _size(layer.output_shape[1:-1])
    pixels = _size(layer.output_shape[1:3]) if kind.endswith("Conv2D") else 0
    if kind == "Conv2D":  # [height, width, channels of one group, channels out]
        return pixels * _size(layer.kernel.shape)
    if kind == "DepthwiseConv2D":
        return pixels * _size(layer.depthwise_kernel.shape)
    if kind == "SeparableConv2D":
        return pixels * (_size(layer.depthwise_kernel.shape) + _size(layer.pointwise_kernel.shape))
    if any(len(weight.shape) > 1 for weight in layer.weights):
        raise TypeError(f"layer {layer.name}: no count is known for a {kind}")
    return 0


def _size(shape: Iterable[int]) -> int:
    return math.prod(shape)
