"""EfficientNet B0-B4 (Tan and Le 2019), V2-B0 (2021) and Lite0-4 (2020), with the layer names of keras.applications.

Lite leaves out what int8 does badly: ReLU6 instead of swish, no squeeze-excite, and a stem and a head that do not grow.
Values equal those of keras.applications. Two things are built otherwise, because tfmot cannot see into them there:
activations are layers of their own, and strides pad by "same".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edge_melanoma import backend

from .blocks import Tensor, channels, divisible

DROP_CONNECT = 0.2  # of the last block; it grows from 0 with the depth
# by its configuration: one initializer object would draw the same values for every layer
KERNEL = {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out"}}


class Stage(NamedTuple):
    """Blocks of one width."""

    kernel: int
    repeats: int
    filters: int
    expansion: int
    stride: int  # of the first block
    squeeze: float = 0.25  # of the block's input
    fused: bool = False  # one full convolution instead of a 1x1 and a depthwise one


V1 = (
    Stage(3, 1, 16, 1, 1),
    Stage(3, 2, 24, 6, 2),
    Stage(5, 2, 40, 6, 2),
    Stage(3, 3, 80, 6, 2),
    Stage(5, 3, 112, 6, 1),
    Stage(5, 4, 192, 6, 2),
    Stage(3, 1, 320, 6, 1),
)
V2_B = (
    Stage(3, 1, 16, 1, 1, 0, True),
    Stage(3, 2, 32, 4, 2, 0, True),
    Stage(3, 2, 48, 4, 2, 0, True),
    Stage(3, 3, 96, 4, 2),
    Stage(3, 5, 112, 6, 1),
    Stage(3, 8, 192, 6, 2),
)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """How one of the family is scaled."""

    family: Literal["b", "lite", "v2"]
    width: float = 1.0
    depth: float = 1.0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages with their own widths and repeats."""
        if self.family == "v2":
            return V2_B
        lite = self.family == "lite"
        return tuple(
            stage._replace(
                filters=divisible(stage.filters * self.width),
                repeats=stage.repeats if lite and number in (0, len(V1) - 1) else math.ceil(stage.repeats * self.depth),
                squeeze=0 if lite else stage.squeeze,
            )
            for number, stage in enumerate(V1)
        )

    def ends(self, filters: int) -> int:
        """The channels of stem and head, which only B scales."""
        return divisible(filters * self.width) if self.family == "b" else filters


def efficientnet(x: Tensor, *, variant: Variant) -> Tensor:
    """The feature maps of a normalised picture."""
    build = _Blocks(variant)
    x = build.conv(x, variant.ends(32), "stem_conv", "stem_bn", "stem_activation", kernel=3, stride=2)
    total = sum(stage.repeats for stage in variant.stages)
    done = 0
    for number, stage in enumerate(variant.stages, start=1):
        for repeat in range(stage.repeats):
            block = stage if repeat == 0 else stage._replace(stride=1)
            x = build.block(x, block, f"block{number}{chr(ord('a') + repeat)}_", DROP_CONNECT * done / total)
            done += 1
    return build.conv(x, variant.ends(1280), "top_conv", "top_bn", "top_activation")


class _Blocks:
    """The layers of one variant: its activation, its batch norm, its initial kernels."""

    def __init__(self, variant: Variant) -> None:
        self.layers = backend.keras().layers
        self.lite = variant.family == "lite"
        self.momentum = 0.9 if variant.family == "v2" else 0.99
        self.depthwise_name = "dwconv2" if variant.family == "v2" else "dwconv"

    def activation(self, x: Tensor, name: str) -> Tensor:
        layer = self.layers.ReLU(6.0, name=name) if self.lite else self.layers.Activation("swish", name=name)
        return layer(x)

    def batch_norm(self, x: Tensor, name: str, activation: str | None) -> Tensor:
        x = self.layers.BatchNormalization(momentum=self.momentum, name=name)(x)
        return self.activation(x, activation) if activation else x

    def conv(
        self,
        x: Tensor,
        filters: int,
        name: str,
        batch_norm: str,
        activation: str | None = None,
        *,
        kernel: int = 1,
        stride: int = 1,
    ) -> Tensor:
        conv = self.layers.Conv2D(filters, kernel, stride, "same", use_bias=False, kernel_initializer=KERNEL, name=name)
        return self.batch_norm(conv(x), batch_norm, activation)

    def block(self, x: Tensor, stage: Stage, prefix: str, drop: float) -> Tensor:
        shortcut = x
        x = self._fused(x, stage, prefix) if stage.fused else self._inverted(x, stage, prefix)
        if stage.stride == 1 and channels(shortcut) == stage.filters:
            if drop > 0:
                x = self.layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{prefix}drop")(x)
            x = self.layers.Add(name=f"{prefix}add")([x, shortcut])
        return x

    def _inverted(self, x: Tensor, stage: Stage, prefix: str) -> Tensor:
        squeezed = max(1, int(channels(x) * stage.squeeze))
        if stage.expansion != 1:
            names = (f"{prefix}expand_conv", f"{prefix}expand_bn", f"{prefix}expand_activation")
            x = self.conv(x, channels(x) * stage.expansion, *names)
        name = f"{prefix}{self.depthwise_name}"
        x = self.layers.DepthwiseConv2D(
            stage.kernel, stage.stride, "same", use_bias=False, depthwise_initializer=KERNEL, name=name
        )(x)
        x = self.batch_norm(x, f"{prefix}bn", f"{prefix}activation")
        if stage.squeeze:
            x = self._squeeze_excite(x, squeezed, prefix)
        return self.conv(x, stage.filters, f"{prefix}project_conv", f"{prefix}project_bn")

    def _fused(self, x: Tensor, stage: Stage, prefix: str) -> Tensor:
        project, project_bn = f"{prefix}project_conv", f"{prefix}project_bn"
        kernel, stride = stage.kernel, stage.stride
        if stage.expansion == 1:
            activation = f"{prefix}project_activation"
            return self.conv(x, stage.filters, project, project_bn, activation, kernel=kernel, stride=stride)
        names = (f"{prefix}expand_conv", f"{prefix}expand_bn", f"{prefix}expand_activation")
        x = self.conv(x, channels(x) * stage.expansion, *names, kernel=kernel, stride=stride)
        return self.conv(x, stage.filters, project, project_bn)

    def _squeeze_excite(self, x: Tensor, squeezed: int, prefix: str) -> Tensor:
        scale = self.layers.GlobalAveragePooling2D(keepdims=True, name=f"{prefix}se_squeeze")(x)
        for name, filters in (("se_reduce", squeezed), ("se_expand", channels(x))):
            scale = self.layers.Conv2D(filters, 1, kernel_initializer=KERNEL, name=f"{prefix}{name}")(scale)
            function = "swish" if name == "se_reduce" else "sigmoid"
            scale = self.layers.Activation(function, name=f"{prefix}{name}_activation")(scale)
        return self.layers.Multiply(name=f"{prefix}se_excite")([x, scale])
