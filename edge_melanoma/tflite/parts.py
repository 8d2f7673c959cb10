"""The parts of a model, as values: tensors, operators, subgraphs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_melanoma.tflite import schema

ABSENT = -1  # in the place of an optional input
OPEN = -1  # a dimension that is not fixed
_LONGEST_NAME = 100  # in a message


def quoted(name: str) -> str:
    """A name from a file as a message may show it: short, and without control characters."""
    return repr(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """One tensor of a subgraph; `data` is empty unless it is a constant, and is then a view of the file, not a copy."""

    index: int
    name: str
    type: str  # FLOAT32, INT8 …
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]  # the shape, with -1 where a dimension is open
    scales: tuple[float, ...] = ()  # one, or one for each slice of the quantised dimension
    zero_points: tuple[int, ...] = ()  # as many
    quantized_dimension: int = 0
    variable: bool = False
    buffer: int = 0
    data_start: int = 0  # where in the file; the converter does not align it, `convert` does, to 16
    data: memoryview = field(default=memoryview(b""), repr=False)

    @property
    def values(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """What its values take; types of 4 and 2 bits are packed."""
        return -(-self.values * schema.BITS[self.type] // 8)

    @property
    def constant(self) -> bool:
        """Is it known without running the model?"""
        return len(self.data) > 0

    @property
    def floating(self) -> bool:
        """Is it computed with in floating point?"""
        return self.type in schema.FLOATING

    def __str__(self) -> str:
        return f"tensor {self.index} ({quoted(self.name)})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Operator:
    """One step of a subgraph; inputs and outputs are tensors' numbers, ABSENT for an optional input left out."""

    index: int
    name: str  # CONV_2D …; CUSTOM with `custom_code`
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...] = ()
    subgraphs: tuple[int, ...] = ()  # that it calls
    custom_code: str | None = None

    def __str__(self) -> str:
        return f"operator {self.index} ({self.name if self.custom_code is None else quoted(self.custom_code)})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subgraph:
    """One graph; a model that runs without loops and branches has one."""

    index: int
    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]  # in the order in which they run
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class TfliteModel:
    """A whole model that has been found sound."""

    name: str  # of the file, for messages
    version: int
    description: str
    subgraphs: tuple[Subgraph, ...]
    metadata: Mapping[str, bytes]
    end: int  # behind the last byte that any part refers to; what follows in the file is padding or not the model's

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Those of the main graph."""
        return self.subgraphs[0].tensors

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Those of all subgraphs."""
        return tuple(operator for graph in self.subgraphs for operator in graph.operators)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the main graph is given."""
        return tuple(self.tensors[number] for number in self.subgraphs[0].inputs)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """What the main graph returns."""
        return tuple(self.tensors[number] for number in self.subgraphs[0].outputs)
