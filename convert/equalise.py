"""Channels of one tensor brought to like ranges, by moving scale from the layers that make it to those that read it.

An int8 activation has one scale for all channels, so that a single loud channel takes the levels away from the others.
Where a tensor is read by linear layers only, as the residual stream of an inverted bottleneck is, each channel can be
divided by a number in its producers and multiplied by it in its readers: the function stays the same (Nagel and others,
2019, "data-free quantization"; here over whole residual streams, and by the ranges seen on the calibration pictures).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend

from .graph import Layer, Model

STRENGTH = 0.5  # 0 leaves the channels alone, 1 makes them equal; the readers' weights have to hold what is moved
_PASSING = ("Add", "ZeroPadding2D", "Dropout", "GlobalAveragePooling2D", "AveragePooling2D", "Flatten")
_READING = ("Conv2D", "DepthwiseConv2D", "Dense")
_MAKING = ("Conv2D", "Dense")


def equalise(model: Model, pictures: NDArray[np.uint8]) -> int:
    """Change the weights of a folded model so that channels have like ranges; returns how many streams were changed."""
    streams = [stream for stream in _streams(model) if stream.usable]
    if not streams:
        return 0
    tf = backend.tensorflow()
    # one flat list: Keras unpacks a nested one, differently for one stream and for several
    probe = backend.keras().Model(model.input, [tensor for stream in streams for tensor in stream.tensors])
    owners = [place for place, stream in enumerate(streams) for _ in stream.tensors]
    peaks = [np.zeros(int(stream.tensors[0].shape[-1])) for stream in streams]
    for start in range(0, len(pictures), 32):
        found = tf.nest.flatten(probe(tf.cast(pictures[start : start + 32], tf.float32), training=False))
        for place, values in zip(owners, found, strict=True):
            height = np.abs(np.asarray(values)).reshape(-1, values.shape[-1]).max(axis=0)
            peaks[place] = np.maximum(peaks[place], height)
    heard = [(stream, peak) for stream, peak in zip(streams, peaks, strict=True) if peak.max() > 0]
    for stream, peak in heard:
        stream.rescale((np.maximum(peak, 1e-3 * peak.max()) / peak.max()) ** STRENGTH)
    return len(heard)


class _Stream:
    """Tensors that must keep one scale for each channel, because additions tie them together."""

    def __init__(self) -> None:
        self.makers: list[Any] = []
        self.readers: list[Any] = []
        self.tensors: list[Any] = []
        self.usable = True

    def rescale(self, scale: NDArray[np.float64]) -> None:
        """Divide each channel by its scale where it is made, and multiply by it where it is read."""
        for layer in self.makers:
            kernel, bias = layer.get_weights()
            layer.set_weights([(kernel / scale).astype(np.float32), (bias / scale).astype(np.float32)])
        for layer in self.readers:
            kernel, bias = layer.get_weights()
            shape = (1, 1, -1, 1) if kernel.ndim == 4 else (-1, 1)
            layer.set_weights([(kernel * scale.reshape(shape)).astype(np.float32), bias])


def _streams(model: Model) -> list[_Stream]:
    """Every set of tensors between linear layers."""
    owner: dict[str, str] = {}

    def root(name: str) -> str:
        while owner.setdefault(name, name) != name:
            name = owner[name]
        return name

    for layer in model.layers:
        if type(layer).__name__ in _PASSING:
            for source in _inputs(layer):
                owner[root(source.name)] = root(layer.output.name)
    streams: dict[str, _Stream] = {}
    outputs = {tensor.name for tensor in model.outputs}
    for layer in model.layers:
        kind = type(layer).__name__
        made = streams.setdefault(root(layer.output.name), _Stream())
        made.tensors.append(layer.output)
        made.usable &= layer.output.name not in outputs
        if kind in _MAKING and layer.activation.__name__ == "linear" and layer.use_bias:
            made.makers.append(layer)
        elif kind not in _PASSING:
            made.usable = False
        for source in _inputs(layer):
            read = streams.setdefault(root(source.name), _Stream())
            if kind in _READING and layer.use_bias and (kind != "Dense" or len(source.shape) == 2):
                read.readers.append(layer)
            elif kind not in _PASSING:
                read.usable = False
    for stream in streams.values():
        sizes = {int(tensor.shape[-1]) for tensor in stream.tensors}
        stream.usable &= len(sizes) == 1 and bool(stream.makers) and bool(stream.readers)
    return list(streams.values())


def _inputs(layer: Layer) -> list[Any]:
    if type(layer).__name__ == "InputLayer":
        return []
    return layer.input if isinstance(layer.input, list) else [layer.input]
