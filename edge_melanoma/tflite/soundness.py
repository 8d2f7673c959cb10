"""What an interpreter takes for granted about a graph, looked at before it does.

Native code checks some of this, in some versions, some of it only in debug builds; a wrong number there is a read
outside the memory, a division by zero or a recursion without end. What is left:
scales in an absurd ratio make LiteRT 2.3 end its process, and a loop may run for ever. So an unknown model is first
opened in a process of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from edge_melanoma.tflite import schema
from edge_melanoma.tflite.parts import ABSENT, Operator, Subgraph, Tensor

if TYPE_CHECKING:
    from edge_melanoma.tflite.flatbuffer import FlatBuffer

_MOST_DIMENSIONS = 8  # kernels take no more
_LEAST_SCALE = 2.0**-149  # the smallest float32: the converter gives it to results that are always 0
_LEAST_SCALE_8_BIT = 2.0**-126  # the smallest that is not subnormal: those kill LiteRT 2.3
_MOST_SCALE = 2.0**64
_MOST_TENSOR_BYTES = 2**28
# From which place on an operator may lack an input; any other would be read.
_OPTIONAL_FROM = {
    "CONV_2D": 2,
    "CONV_3D": 2,
    "DEPTHWISE_CONV_2D": 2,
    "FULLY_CONNECTED": 2,
    "CONV_3D_TRANSPOSE": 3,
    "SVDF": 3,
    "TRANSPOSE_CONV": 3,
    "BIDIRECTIONAL_SEQUENCE_LSTM": 1,
    "BIDIRECTIONAL_SEQUENCE_RNN": 1,
    "LSTM": 1,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 1,
    "CUSTOM": 0,
}
_DEPTHWISE_INPUTS = 3  # LiteRT 2.3 dies of fewer
# Integers in these are steps of a scale.
_SCALED = {"ADD", "AVERAGE_POOL_2D", "HARD_SWISH", "LOGISTIC", "MEAN", "MUL", "SOFTMAX", "SUB"}
_SCALED |= {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
_ZERO_POINTS = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-(2**15), 2**15 - 1), "INT4": (-8, 7)}


def check_tensor(file: FlatBuffer, tensor: Tensor) -> None:
    """Shape, constant data and quantisation fit each other."""
    shape, signature = tensor.shape, tensor.shape_signature
    if len(shape) > _MOST_DIMENSIONS or min(shape, default=0) < 0:
        file.refuse(f"{tensor} has shape {_short(shape)}; 0 to {_MOST_DIMENSIONS} dimensions, none negative, are right")
    if len(signature) != len(shape) or any(a not in (b, -1) for a, b in zip(signature, shape, strict=False)):
        file.refuse(f"{tensor} has shape {_short(shape)} and the signature {_short(signature)}")
    if tensor.size_bytes > _MOST_TENSOR_BYTES:
        file.refuse(f"{tensor} would take {tensor.size_bytes:,} bytes; at most {_MOST_TENSOR_BYTES:,} are allowed")
    if tensor.constant and not schema.BITS[tensor.type]:
        file.refuse(f"{tensor} is a constant of type {tensor.type}", remedy="only constants of numbers are read")
    if tensor.constant and len(tensor.data) != tensor.size_bytes:
        needed = f"its shape {_short(shape)} of {tensor.type} needs {tensor.size_bytes:,}"
        file.refuse(f"{tensor} has {len(tensor.data):,} bytes of data; {needed}")
    if tensor.scales or tensor.zero_points:
        _check_quantization(file, tensor)


def _check_quantization(file: FlatBuffer, tensor: Tensor) -> None:
    scales, zero_points, dimension = tensor.scales, tensor.zero_points, tensor.quantized_dimension
    if len(zero_points) != len(scales):
        file.refuse(f"{tensor} has {len(scales)} scales and {len(zero_points)} zero points; as many are right")
    least = _LEAST_SCALE_8_BIT if schema.BITS[tensor.type] == 8 else _LEAST_SCALE
    if tensor.constant:
        least = 0.0  # honest where a kernel is all zeros; by a result's scale kernels divide
    if not all(least <= scale <= _MOST_SCALE for scale in scales):
        file.refuse(f"{tensor} has a scale that is no positive number of ordinary size")
    if len(scales) > 1:
        if not 0 <= dimension < len(tensor.shape):
            file.refuse(f"{tensor} is quantised along dimension {dimension}; it has {len(tensor.shape)}")
        if len(scales) != tensor.shape[dimension]:
            slices = f"dimension {dimension} of {_short(tensor.shape)}"
            file.refuse(f"{tensor} has {len(scales)} scales for {slices}; one, or one for each slice, are right")
    lowest, highest = _ZERO_POINTS.get(tensor.type, (-(2**31), 2**31 - 1))
    if not lowest <= min(zero_points) <= max(zero_points) <= highest:
        file.refuse(f"{tensor} has a zero point outside {lowest} to {highest}")


def check_graph(file: FlatBuffer, graph: Subgraph) -> None:
    """Every tensor that is read has been given, is constant, or was written before; each is written once."""
    _check_numbers(file, graph, graph.inputs, "its inputs")
    _check_numbers(file, graph, graph.outputs, "its outputs")
    if len(set(graph.inputs)) < len(graph.inputs):
        file.refuse(f"subgraph {graph.index} has one tensor as two of its inputs")
    fixed = {tensor.index for tensor in graph.tensors if tensor.constant}.union(graph.inputs)
    known = fixed | {tensor.index for tensor in graph.tensors if tensor.variable or not tensor.values}
    written: set[int] = set()
    for operator in graph.operators:
        given = [number for number in (*operator.inputs, *operator.intermediates) if number != ABSENT]
        _check_numbers(file, graph, given, operator)
        _check_numbers(file, graph, operator.outputs, operator)
        _check_operands(file, graph, operator)
        for number in set(operator.inputs) - known - {ABSENT}:
            file.refuse(f"{operator} reads {graph.tensors[number]}, which nothing has written")
        for number in operator.outputs:
            if number in fixed or number in written:
                file.refuse(f"{operator} writes {graph.tensors[number]}, which has its values already")
            written.add(number)
            known.add(number)
    for number in set(graph.outputs) - known:
        file.refuse(f"subgraph {graph.index} returns {graph.tensors[number]}, which nothing has written")


def _check_operands(file: FlatBuffer, graph: Subgraph, operator: Operator) -> None:
    """As many operands as kernels read without asking, each with the scale that they divide by."""
    if operator.name == "DEPTHWISE_CONV_2D" and len(operator.inputs) < _DEPTHWISE_INPUTS:
        file.refuse(f"{operator} has {len(operator.inputs)} inputs; {_DEPTHWISE_INPUTS} are right")
    if ABSENT in operator.inputs[: _OPTIONAL_FROM.get(operator.name)]:
        file.refuse(f"{operator} lacks an input that it needs")
    if operator.name in _SCALED:
        for number in (*operator.inputs, *operator.outputs):
            if number != ABSENT and graph.tensors[number].type in _ZERO_POINTS and not graph.tensors[number].scales:
                file.refuse(f"{operator} computes with {graph.tensors[number]}, which has no scale")


def _check_numbers(file: FlatBuffer, graph: Subgraph, numbers: Sequence[int], what: object) -> None:
    if numbers and not 0 <= min(numbers) <= max(numbers) < len(graph.tensors):
        wrong = next(number for number in numbers if not 0 <= number < len(graph.tensors))
        file.refuse(f"subgraph {graph.index}, {what}: tensor {wrong} of {len(graph.tensors)}")


def check_calls(file: FlatBuffer, graphs: Sequence[Subgraph]) -> None:
    """Loops and branches call subgraphs that exist, and none calls itself, at any remove."""
    calls: dict[int, set[int]] = {graph.index: set() for graph in graphs}
    for graph in graphs:
        for operator in graph.operators:
            for number in operator.subgraphs:
                if not 0 <= number < len(graphs):
                    what = f"{operator} of subgraph {graph.index} calls subgraph {number}"
                    file.refuse(f"{what}; there are {len(graphs)}")
                calls[graph.index].add(number)
    try:
        TopologicalSorter(calls).prepare()
    except CycleError as error:
        round_trip = ", ".join(str(number) for number in reversed(error.args[1]))
        file.refuse(f"subgraphs call each other in a circle, without end: {round_trip}")


def _short(numbers: Sequence[int]) -> str:
    return f"[{', '.join(map(str, numbers[:9]))}{', …' if len(numbers) > 9 else ''}]"
