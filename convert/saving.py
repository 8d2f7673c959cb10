"""What pruning or clustering saved, as measured: beside the same conversion of the network as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_melanoma.runtime.cost import compressed_bytes
from edge_melanoma.tflite.model import read_model
from edge_melanoma.tflite.rules import kernels

_TYPES = {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT8": "i1"}
_SHRUNK = ("CONV_2D", "FULLY_CONNECTED")  # the operators of the layers that pruning may touch
FASTER = 0.9  # of the time; above, it is the machine that was busy
LEAST_ZEROS = 0.001  # more than by chance


@dataclass(frozen=True, kw_only=True)
class Saving:
    """A converted network, pruned or clustered, beside its like."""

    zeros: float  # share of the weights of convolutions and dense layers
    zeros_before: float
    size_bytes: int
    size_bytes_before: int
    compressed_bytes: int
    compressed_bytes_before: int
    relative_time: float

    @property
    def words(self) -> str:
        """What was saved, and what was not; in brackets what it was before."""
        pruned = self.zeros - self.zeros_before > LEAST_ZEROS
        of_zeros = f"zeros {self.zeros:.1%} of the large weights ({self.zeros_before:.1%}), " if pruned else ""
        told = (
            f"beside the same conversion of the network as it was: {of_zeros}compressed "
            f"{self.compressed_bytes / 1e6:.2f} MB ({self.compressed_bytes_before / 1e6:.2f}), as it is "
            f"{self.size_bytes / 1e6:.2f} MB ({self.size_bytes_before / 1e6:.2f}), a prediction"
        )
        use = "skips zeros" if pruned else "makes use of shared weights"
        if self.relative_time > FASTER:
            return f"{told} not faster: {self.relative_time:.2f} times the time, for no engine here {use}"
        return (
            f"{told} {self.relative_time:.2f} times the time, although no engine here {use}: do not count on it before "
            "it is measured on the device"
        )

    def to_json(self) -> dict[str, Any]:
        """The saving in numbers."""
        return {**vars(self), "words": self.words}


def saving(model: bytes, before: bytes, *, relative_time: float) -> Saving:
    """Two models beside each other."""
    return Saving(
        zeros=zeros(model),
        zeros_before=zeros(before),
        size_bytes=len(model),
        size_bytes_before=len(before),
        compressed_bytes=compressed_bytes(model),
        compressed_bytes_before=compressed_bytes(before),
        relative_time=relative_time,
    )


def zeros(model: bytes) -> float:
    """The share of zeros among the stored weights of convolutions, not depthwise, and of dense layers."""
    found = read_model(model, name="the model")
    stored = [
        np.frombuffer(kernel.data, _TYPES[kernel.type])
        for graph in found.subgraphs
        for operator, kernel in kernels(graph)
        if operator.name in _SHRUNK and kernel.type in _TYPES
    ]
    total = sum(len(weights) for weights in stored)
    return float(sum(np.count_nonzero(weights == 0) for weights in stored) / total) if total else 0.0
