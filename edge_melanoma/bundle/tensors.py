"""What goes into a model and what comes out, in numbers: how pixels become inputs and outputs become logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.tflite.model import Tensor, TfliteModel

DType = Literal["uint8", "int8", "int16", "float32"]
_LARGEST = float(np.finfo(np.float32).max)
_DTYPES: dict[str, DType] = {"UINT8": "uint8", "INT8": "int8", "INT16": "int16", "FLOAT32": "float32"}


@dataclass(frozen=True, kw_only=True)
class TensorFacts:
    """The type and shape of a model's input or output; scale and zero point where it holds integers."""

    dtype: DType
    shape: tuple[int, ...]
    scale: float | None  # a float32, spelled out
    zero_point: int | None

    def __post_init__(self) -> None:
        if (self.dtype == "float32") != (self.scale is None) or (self.scale is None) != (self.zero_point is None):
            raise RecipeError(f"{self}: integers have a scale and a zero point, float32 has neither")
        if self.scale is not None and not (0 < self.scale <= _LARGEST and float(np.float32(self.scale)) == self.scale):
            raise RecipeError(f"{self}: its scale must be a float32 above 0")
        if not all(side > 0 for side in self.shape):
            raise RecipeError(f"{self}: every side of its shape must be above 0")

    def __str__(self) -> str:
        shape = "x".join(map(str, self.shape))
        quantised = "" if self.scale is None else f", scale {self.scale:.6g}, zero point {self.zero_point}"
        return f"{self.dtype} {shape}{quantised}"

    def pixels(self) -> NDArray[Any] | None:
        """What each of the pixel values 0 to 255 becomes in an input; None where the input takes pixels as they are."""
        if self.scale is None or self.zero_point is None:
            return None
        limits = np.iinfo(self.dtype)
        steps = np.rint(np.arange(256) / self.scale) + self.zero_point
        values = np.clip(steps, limits.min, limits.max).astype(self.dtype)
        return None if self.dtype == "uint8" and np.array_equal(values, np.arange(256)) else values

    def logits(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Outputs as float32: (raw − zero point) x scale, rounded once, as any language can."""
        if self.scale is None or self.zero_point is None:
            return np.asarray(raw, np.float32)
        return (raw.astype(np.int32) - self.zero_point).astype(np.float32) * np.float32(self.scale)


def tensor_facts(tensor: Tensor, *, name: str) -> TensorFacts:
    """The facts of a tensor as the file has them."""
    if tensor.type not in _DTYPES:
        raise ArtifactError(f"{name}: {tensor} is {tensor.type}; {', '.join(_DTYPES)} are read and written")
    dtype = _DTYPES[tensor.type]
    if dtype == "float32":
        return TensorFacts(dtype=dtype, shape=tensor.shape, scale=None, zero_point=None)
    if len(tensor.scales) != 1:
        raise ArtifactError(f"{name}: {tensor} has {len(tensor.scales)} scales; one is needed")
    return TensorFacts(dtype=dtype, shape=tensor.shape, scale=tensor.scales[0], zero_point=tensor.zero_points[0])


def ends(model: TfliteModel) -> tuple[TensorFacts, TensorFacts]:
    """The input and the output of a classifier: one picture [1,H,W,3] in, one row [1,classes] out."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ArtifactError(
            f"{model.name}: has {len(model.inputs)} inputs and {len(model.outputs)} outputs; one of each is needed"
        )
    given, returned = (tensor_facts(one, name=model.name) for one in (model.inputs[0], model.outputs[0]))
    if len(given.shape) != 4 or given.shape[0] != 1 or given.shape[3] != 3:
        raise ArtifactError(f"{model.name}: takes {given}; one RGB picture, 1xHxWx3, is needed")
    if len(returned.shape) != 2 or returned.shape[0] != 1:
        raise ArtifactError(f"{model.name}: returns {returned}; one row of logits, 1xCLASSES, is needed")
    return given, returned
