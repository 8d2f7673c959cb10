"""EfficientNet-Lite as PyTorch names and lays out its arrays, by the names and layouts of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.fitting.weights_file import Array, NamedArrays

from .backbones import Backbone
from .backbones.efficientnet import Variant

State = Mapping[str, NDArray[Any]]
_NORMALISATION = ("weight", "bias", "running_mean", "running_var")  # gamma, beta, mean, variance


def layers_of_lite(network: Backbone, state: State) -> list[NamedArrays]:
    """Every layer of the network but its head; ValueError where the state has another one's."""
    try:
        layers = list(_layers(network.features.keywords["variant"], state))  # type: ignore[attr-defined]
    except KeyError as error:
        raise ValueError(f"has no {error.args[0]}") from error
    used = sum(len(layer.arrays) for layer in layers)
    there = sum(not name.startswith("_fc.") and not name.endswith("num_batches_tracked") for name in state)
    if used != there:
        raise ValueError(f"has {there} arrays of a body, and {network.name} takes {used}")
    return layers


def _layers(variant: Variant, state: State) -> Iterator[NamedArrays]:
    yield _convolution(state, "_conv_stem", "stem_conv")
    yield _normalisation(state, "_bn0", "stem_bn")
    number = 0
    for stage_number, stage in enumerate(variant.stages, start=1):
        for repeat in range(stage.repeats):
            theirs, ours = f"_blocks.{number}.", f"block{stage_number}{chr(ord('a') + repeat)}_"
            if stage.expansion != 1:
                yield _convolution(state, f"{theirs}_expand_conv", f"{ours}expand_conv")
                yield _normalisation(state, f"{theirs}_bn0", f"{ours}expand_bn")
            yield _depthwise(state, f"{theirs}_depthwise_conv", f"{ours}dwconv")
            yield _normalisation(state, f"{theirs}_bn1", f"{ours}bn")
            yield _convolution(state, f"{theirs}_project_conv", f"{ours}project_conv")
            yield _normalisation(state, f"{theirs}_bn2", f"{ours}project_bn")
            number += 1
    yield _convolution(state, "_conv_head", "top_conv")
    yield _normalisation(state, "_bn1", "top_bn")


def _convolution(state: State, theirs: str, ours: str) -> NamedArrays:
    """(out, in, height, width) -> (height, width, in, out)."""
    return NamedArrays(ours, "Conv2D", (_plain(state[f"{theirs}.weight"].transpose(2, 3, 1, 0)),))


def _depthwise(state: State, theirs: str, ours: str) -> NamedArrays:
    """(channel, 1, height, width) -> (height, width, channel, 1)."""
    return NamedArrays(ours, "DepthwiseConv2D", (_plain(state[f"{theirs}.weight"].transpose(2, 3, 0, 1)),))


def _normalisation(state: State, theirs: str, ours: str) -> NamedArrays:
    arrays = tuple(_plain(state[f"{theirs}.{part}"]) for part in _NORMALISATION)
    return NamedArrays(ours, "BatchNormalization", arrays)


def _plain(values: NDArray[Any]) -> Array:
    return np.ascontiguousarray(values, dtype=np.float32)
