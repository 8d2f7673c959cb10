"""How each network wants its pixels: one exact Rescaling layer from raw RGB 0..255, by channel where it differs."""

from __future__ import annotations

from typing import Literal

from edge_melanoma import backend

from .blocks import Tensor

ScalingName = Literal["symmetric", "imagenet", "caffe", "lite", "unit"]

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's RGB in [0, 1]
# name -> (scale, offset), for all channels or for red, green, blue
SCALINGS: dict[ScalingName, tuple[float | list[float], float | list[float]]] = {
    "symmetric": (1 / 127.5, -1.0),
    # keras' EfficientNet files hold the deviation where the variance belongs, and its code divides once more by the
    # root of it: what its published weights see is this
    "imagenet": ([1 / (255 * d) for d in _DEVIATION], [-m / d for m, d in zip(_MEAN, _DEVIATION, strict=True)]),
    # Caffe's means are published for BGR and subtracted only; weights.py turns the first kernel round instead
    "caffe": (1.0, [-123.68, -116.779, -103.939]),
    "lite": (1 / 128, -127 / 128),
    "unit": (1 / 255, 0.0),
}


def normalise(image: Tensor, scaling: ScalingName) -> Tensor:
    """Raw RGB 0..255 as the network wants it."""
    scale, offset = SCALINGS[scaling]
    return backend.keras().layers.Rescaling(scale, offset, name="normalise")(image)
