"""Golden vectors: a few inputs of the model with what it returned, so that every device can prove itself.

`golden.npz` is an archive of four arrays, which `numpy.load` reads as well as we do:

    inputs       uint8 [n,H,W,3]       pictures as the contract makes them
    outputs      [n,classes]           what the model returned, in its own type
    logits       float32 [n,classes]   (outputs − zero point) x scale
    probability  float64 [n]           what the decision rule makes of the logits

Order and headers have one form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.bundle.archive import append_archive, read_archive
from edge_melanoma.bundle.arrays import array_bytes, array_of, in_words
from edge_melanoma.bundle.tensors import TensorFacts
from edge_melanoma.decision import DecisionRule
from edge_melanoma.errors import ArtifactError, DataError, RecipeError

MAX_GOLDEN_BYTES = 64 << 20
MOST_PICTURES = 256
SAME_PROBABILITY = 1e-9  # exp and log differ in their last bits from one C library to another
ARRAYS = ("inputs", "outputs", "logits", "probability")


@dataclass(frozen=True, kw_only=True, eq=False)
class Golden:
    """Pictures and what the model makes of them."""

    inputs: NDArray[np.uint8]
    outputs: NDArray[Any]
    logits: NDArray[np.float32]
    probability: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.inputs)

    def to_bytes(self) -> bytes:
        """The content of golden.npz."""
        return append_archive(b"", {f"{name}.npy": array_bytes(getattr(self, name)) for name in ARRAYS})

    def check(self, given: TensorFacts, returned: TensorFacts, rule: DecisionRule, *, name: str) -> None:
        """Do shapes and types fit the model, and do logits and probabilities follow from the outputs?"""
        count = len(self.inputs)
        if not 1 <= count <= MOST_PICTURES:
            raise ArtifactError(f"{name}: has {count} golden pictures; 1 to {MOST_PICTURES} are needed")
        expected = {
            "inputs": ("uint8", (count, *given.shape[1:])),
            "outputs": (returned.dtype, (count, *returned.shape[1:])),
            "logits": ("float32", (count, *returned.shape[1:])),
            "probability": ("float64", (count,)),
        }
        for array, (dtype, shape) in expected.items():
            found = getattr(self, array)
            if found.dtype != np.dtype(dtype) or found.shape != shape:
                raise ArtifactError(
                    f"{name}: {array} is {in_words(found.dtype, found.shape)}; {in_words(dtype, shape)} fits"
                )
        with np.errstate(over="ignore"):
            self._check_values(returned, rule, name)

    def _check_values(self, returned: TensorFacts, rule: DecisionRule, name: str) -> None:
        if not np.isfinite(self.logits).all() or not np.isfinite(self.probability).all():
            raise ArtifactError(f"{name}: some golden values are not finite; the model is broken")
        if not np.array_equal(self.logits, returned.logits(self.outputs)):
            raise ArtifactError(f"{name}: its logits are not those of its outputs")
        try:
            expected = rule.probability(self.logits)
        except DataError as error:
            raise ArtifactError(f"{name}: the decision rule makes nothing of its logits ({error})") from error
        if not np.allclose(self.probability, expected, rtol=0, atol=SAME_PROBABILITY):
            raise ArtifactError(f"{name}: its probabilities are not those that the decision rule gives")


def golden_of(inputs: NDArray[np.uint8], outputs: NDArray[Any], returned: TensorFacts, rule: DecisionRule) -> Golden:
    """Golden vectors from pictures and what the model returned for them."""
    if inputs.dtype != np.uint8 or inputs.ndim != 4 or len(inputs) != len(outputs):
        raise RecipeError(
            f"golden pictures are {in_words(inputs.dtype, inputs.shape)} with {len(outputs)} outputs; uint8 [n,H,W,3] "
            "and as many outputs are needed"
        )
    logits = returned.logits(outputs)
    return Golden(inputs=inputs, outputs=outputs, logits=logits, probability=rule.probability(logits))


def read_golden(data: bytes, *, name: str) -> Golden:
    """The golden vectors of an archive in our form."""
    limits = {f"{array}.npy": MAX_GOLDEN_BYTES for array in ARRAYS}
    found = read_archive(data, limits=limits, name=name)
    if found.start:
        raise ArtifactError(f"{name}: {found.start} bytes lie before its archive; none may")
    return Golden(**{array: array_of(found.entries[f"{array}.npy"], name=f"{name}, {array}") for array in ARRAYS})
