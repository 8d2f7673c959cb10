"""What a model is made of, operator by operator, and what of it the engine's fast part (XNNPACK) has taken over.

LiteRT's and TensorFlow's Python interpreters give no time for a single operator: what takes the time is told by
multiply-adds, counted in the file. What was delegated is read from the interpreter's own list of steps, if it has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_melanoma.runtime import engine
from edge_melanoma.tflite.model import Operator, TfliteModel
from edge_melanoma.tflite.parts import ABSENT, Subgraph

NO_PROFILE = "the engine gives Python no time for a single operator; multiply-adds stand in for it"
NO_COVERAGE = "the engine does not tell what XNNPACK took"
DELEGATE = "DELEGATE"


@dataclass(frozen=True, kw_only=True)
class OperatorCount:
    """All operators of one type."""

    name: str
    count: int
    macs: int
    weights: int


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """The operators of a model, and how many of them run in the delegate."""

    operators: tuple[OperatorCount, ...]  # most multiply-adds first
    macs: int
    delegated: int | None  # operators; None where the engine does not tell
    delegates: int | None  # pieces that they make up; each is a hand-over
    left: Mapping[str, int]  # operators that were not taken, by type
    profile: str  # why there are no times

    @property
    def count(self) -> int:
        return sum(one.count for one in self.operators)

    @property
    def coverage(self) -> float | None:
        """The share of the operators that the delegate took."""
        return None if self.delegated is None or not self.count else self.delegated / self.count


def anatomy_of(graph: TfliteModel, model: bytes) -> Anatomy:
    """Counted in the file, and asked of the engine."""
    main = graph.subgraphs[0]
    taken, pieces = _delegated(model)
    kinds = sorted({one.name for one in main.operators})
    found = [_counted(kind, main) for kind in kinds]
    return Anatomy(
        operators=tuple(sorted(found, key=lambda one: (-one.macs, -one.count, one.name))),
        macs=sum(one.macs for one in found),
        delegated=None if taken is None else len(taken),
        delegates=pieces,
        left={} if taken is None else _count([one.name for one in main.operators if one.index not in taken]),
        profile=NO_PROFILE,
    )


def _counted(kind: str, main: Subgraph) -> OperatorCount:
    those = [one for one in main.operators if one.name == kind]
    constants = {number for one in those for number in one.inputs if number != ABSENT and main.tensors[number].constant}
    return OperatorCount(
        name=kind,
        count=len(those),
        macs=sum(_macs(one, main) for one in those),
        weights=sum(main.tensors[number].values for number in constants),
    )


def _count(names: Sequence[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}


def _macs(operator: Operator, main: Subgraph) -> int:
    """Multiply-adds with weights for one picture; of operators without weights none, as everyone counts."""
    rule = _RULES.get(operator.name)
    if rule is None or len(operator.inputs) < 2 or ABSENT in operator.inputs[:2]:
        return 0
    given, kernel = (main.tensors[number].shape for number in operator.inputs[:2])
    return rule(given, kernel, main.tensors[operator.outputs[0]].shape)


Shape = tuple[int, ...]
# TRANSPOSE_CONV: its inputs are the output's shape, the kernel, the picture; each output pixel is counted as if dense
_RULES: Mapping[str, Callable[[Shape, Shape, Shape], int]] = {
    "CONV_2D": lambda given, kernel, made: math.prod(made) * math.prod(kernel[1:]),
    "DEPTHWISE_CONV_2D": lambda given, kernel, made: math.prod(made) * math.prod(kernel[1:3]),
    "FULLY_CONNECTED": lambda given, kernel, made: math.prod(made) * kernel[-1],
    "TRANSPOSE_CONV": lambda given, kernel, made: math.prod(made) * math.prod(kernel[1:]),
    "BATCH_MATMUL": lambda given, kernel, made: math.prod(made) * given[-1],
}


def _delegated(model: bytes) -> tuple[set[int] | None, int | None]:
    """The operators inside delegates, by number, and how many delegates there are; None where it is not told."""
    interpreter = engine().interpreter(model_content=model, num_threads=1)
    steps: Callable[[], list[dict[str, Any]]] | None = getattr(interpreter, "_get_ops_details", None)
    if steps is None:
        return None, None
    interpreter.allocate_tensors()
    found = [{**one, "inputs": _numbers(one["inputs"]), "outputs": _numbers(one["outputs"])} for one in steps()]
    delegates = [one for one in found if one["op_name"] == DELEGATE]
    makers = {number: one for one in found if one["op_name"] != DELEGATE for number in one["outputs"]}
    taken = {index for one in delegates for index in _inside(one, makers)}
    return taken, len(delegates)


def _inside(delegate: Mapping[str, Any], makers: Mapping[int, Mapping[str, Any]]) -> set[int]:
    """From the results of a delegate back to what it is given."""
    given, waiting, taken = set(delegate["inputs"]), list(delegate["outputs"]), set()
    while waiting:
        number = waiting.pop()
        step = makers.get(number)
        if number in given or step is None or step["index"] in taken:
            continue
        taken.add(step["index"])
        waiting += step["inputs"]
    return taken


def _numbers(values: Any) -> list[int]:
    return [int(value) for value in values]
