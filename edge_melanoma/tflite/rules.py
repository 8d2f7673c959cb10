"""What a model must not have that claims to be float32, float16, dynamic, int8 or int16x8, each with its name.

A converter falls back without a word: an operator without an integer kernel stays float between two conversions, an
operator that no kernel knows becomes custom, a batch stays open. Here that is a list of sentences; empty is good.

    assert not problems(read_model(data, name="model.tflite"), "int8")
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

from edge_melanoma.tflite.parts import ABSENT, OPEN, Operator, Subgraph, Tensor, TfliteModel

Kind = Literal["float32", "float16", "dynamic", "int8", "int16x8"]

# What goes in and out: raw RGB 0 to 255 and logits. The converter gives int16x8 no 8-bit input.
INPUT_TYPES: dict[Kind, tuple[str, ...]] = {
    "float32": ("FLOAT32",),
    "float16": ("FLOAT32",),
    "dynamic": ("FLOAT32",),
    "int8": ("UINT8",),
    "int16x8": ("FLOAT32", "INT16"),
}
OUTPUT_TYPES: dict[Kind, tuple[str, ...]] = {**INPUT_TYPES, "int8": ("UINT8", "INT8")}

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
KERNEL = 1  # which of their inputs
_KERNEL_TYPES: dict[Kind, tuple[str, ...]] = {
    "float32": ("FLOAT32",),
    "float16": ("FLOAT16",),
    "dynamic": ("INT8", "FLOAT32"),
    "int8": ("INT8",),
    "int16x8": ("INT8",),
}
_ACTIVATIONS: dict[Kind, str] = {"int8": "INT8", "int16x8": "INT16"}  # of the others: FLOAT32
SCALE_TOLERANCE = 2.0**-20  # a pixel of 255 then moves by less than a four-thousandth of a level


def problems(model: TfliteModel, kind: Kind, *, allow_float: Collection[str] = ()) -> list[str]:
    """All reasons why this model is not what `kind` promises.

    `allow_float` names layers (as Keras does) of an int8 or int16x8 model that are meant to stay float, together with
    the conversions around them.
    """
    found = [*_shape_problems(model), *_edge_problems(model, kind)]
    for graph in model.subgraphs:
        found += _kernel_problems(graph, kind)
        if kind in ("int8", "int16x8"):
            found += _float_problems(graph, kind, allow_float)
    return found


def summary(model: TfliteModel) -> dict[str, Any]:
    """What a card says of the model."""
    names = Counter(operator.custom_code or operator.name for operator in model.operators)
    return {
        "operators": dict(sorted(names.items())),
        "float_operators": sum(_floating(one, graph) for graph in model.subgraphs for one in graph.operators),
        "inputs": [_edge(tensor) for tensor in model.inputs],
        "outputs": [_edge(tensor) for tensor in model.outputs],
    }


def _edge(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "type": tensor.type,
        "shape": list(tensor.shape_signature),
        "scale": _first(tensor.scales),
        "zero_point": _first(tensor.zero_points),
    }


def _shape_problems(model: TfliteModel) -> Iterator[str]:
    if len(model.subgraphs) != 1:
        yield f"it has {len(model.subgraphs)} subgraphs; without loops and branches it has one"
    for words, tensors in (("input", model.inputs), ("output", model.outputs)):
        if len(tensors) != 1:
            yield f"it has {len(tensors)} {words}s; one is right"
    for operator in model.operators:
        if operator.name == "CUSTOM":
            needs = "TensorFlow itself" if (operator.custom_code or "").startswith("Flex") else "code of its own"
            yield f"{operator} is not built in: it needs {needs} on the device"
    for graph in model.subgraphs:
        with_open = [tensor for tensor in graph.tensors if OPEN in tensor.shape_signature]
        if with_open:
            which = f"{with_open[0]}, {list(with_open[0].shape_signature)}"
            yield f"{len(with_open)} tensors have an open dimension, the first is {which}; convert with batch 1"


def _edge_problems(model: TfliteModel, kind: Kind) -> Iterator[str]:
    for tensor in model.inputs:
        yield from _type_problem(tensor, "input", INPUT_TYPES[kind])
        if len(tensor.shape) != 4 or tensor.shape[0] != 1 or tensor.shape[3] != 3 or not tensor.values:
            yield f"input {tensor} has shape {list(tensor.shape)}; [1, height, width, 3] is right"
        if tensor.type == "UINT8" and not _raw_pixels(tensor):
            found = f"scale {_first(tensor.scales)} and zero point {_first(tensor.zero_points)}"
            yield f"input {tensor} has {found}; 1 and 0 are right, so that raw pixels go in"
    for tensor in model.outputs:
        yield from _type_problem(tensor, "output", OUTPUT_TYPES[kind])
        if len(tensor.shape) != 2 or tensor.shape[0] != 1 or not tensor.values:
            yield f"output {tensor} has shape {list(tensor.shape)}; [1, classes] is right"
    for tensor in (*model.inputs, *model.outputs):
        if not tensor.floating and len(tensor.scales) != 1:
            yield f"{tensor} is {tensor.type} and has {len(tensor.scales)} scales; one is right"
        if tensor.type == "INT16" and tensor.zero_points not in ((), (0,)):
            yield f"{tensor} is INT16 with zero point {tensor.zero_points[0]}; 0 is right"


def _type_problem(tensor: Tensor, words: str, right: tuple[str, ...]) -> Iterator[str]:
    if tensor.type not in right:
        yield f"{words} {tensor} is {tensor.type}; {' or '.join(right)} is right"


def _raw_pixels(tensor: Tensor) -> bool:
    scale, zero_point = _first(tensor.scales), _first(tensor.zero_points)
    return scale is not None and abs(scale - 1) <= SCALE_TOLERANCE and zero_point == 0


def _first(numbers: tuple[Any, ...]) -> Any:
    return numbers[0] if numbers else None


def _kernel_problems(graph: Subgraph, kind: Kind) -> Iterator[str]:
    weighted = list(kernels(graph))
    for operator, kernel in weighted:
        if operator.name == "DEPTHWISE_CONV_2D" and len(kernel.scales) == 1 and kernel.shape[-1:] > (1,):
            channels = f"its {kernel.shape[-1]} channels"
            yield f"the kernel of {operator}, {kernel}, has one scale for {channels}; one for each is right"
        types, activation = _KERNEL_TYPES[kind], _ACTIVATIONS.get(kind, "FLOAT32")
        # where an integer model computes in float, the rule on float operators says so
        if kernel.type not in types and not (kind in _ACTIVATIONS and kernel.floating):
            yield f"the kernel of {operator}, {kernel}, is {kernel.type}; {' or '.join(types)} is right for {kind}"
        for number in (*operator.inputs[:1], *operator.outputs[:1]):
            tensor = graph.tensors[number]
            if number != ABSENT and tensor.type != activation and not (kind in _ACTIVATIONS and tensor.floating):
                yield f"{operator} computes with {tensor}, which is {tensor.type}; {activation} is right for {kind}"
    if kind == "dynamic" and not any(kernel.type == "INT8" for _, kernel in weighted):
        yield "no kernel is INT8: it is a float model (the converter leaves kernels of fewer than 1024 values alone)"


def kernels(graph: Subgraph) -> Iterator[tuple[Operator, Tensor]]:
    """Operators with weights, and these as they are stored: before a DEQUANTIZE."""
    stored = {one.outputs[0]: one.inputs[0] for one in graph.operators if one.name == "DEQUANTIZE" and _converts(one)}
    for operator in graph.operators:
        if operator.name in WEIGHTED and len(operator.inputs) > KERNEL and operator.inputs[KERNEL] != ABSENT:
            number = operator.inputs[KERNEL]
            kernel = graph.tensors[stored.get(number, number)]
            if kernel.constant:
                yield operator, kernel


def _float_problems(graph: Subgraph, kind: Kind, allow_float: Collection[str]) -> Iterator[str]:
    """Operators of an integer model that compute in float, or convert for one that should not."""
    readers: dict[int, set[int]] = {}
    for operator in graph.operators:
        for number in operator.inputs:
            readers.setdefault(number, set()).add(operator.index)
    layers = [_layers(operator, graph, readers) for operator in graph.operators]
    for name in sorted(set(allow_float).difference(*layers)):
        yield f"layer {name!r} may stay float, and no operator belongs to a layer of that name"
    allowed = {index for index, names in enumerate(layers) if names.intersection(allow_float)}
    makers = {number: {operator.index} for operator in graph.operators for number in operator.outputs}
    # the other side of a conversion has to be a layer that may be float; an int16x8 model converts at its ends as well
    ends = {*graph.inputs, *graph.outputs} if kind == "int16x8" else set()
    for operator in graph.operators:
        if operator.index in allowed or not _floating(operator, graph):
            continue
        what = "computes in float"
        if _converts(operator):
            what = "converts to or from float"
            from_float = operator.name == "QUANTIZE"
            number = operator.inputs[0] if from_float else operator.outputs[0]
            served = (makers if from_float else readers).get(number, set())
            if served <= allowed and (served or number in ends):
                continue
        yield f"{operator} {what}: {', '.join(str(graph.tensors[number]) for number in operator.outputs[:3])}"


def _converts(operator: Operator) -> bool:
    """Does it only change the type of one tensor?"""
    one_each = len(operator.inputs) == len(operator.outputs) == 1 and ABSENT not in operator.inputs
    return one_each and operator.name in ("QUANTIZE", "DEQUANTIZE")


def _floating(operator: Operator, graph: Subgraph) -> bool:
    numbers = (*operator.inputs, *operator.outputs)
    return any(graph.tensors[number].floating for number in numbers if number != ABSENT)


def _layers(operator: Operator, graph: Subgraph, readers: Mapping[int, Collection[int]]) -> set[str]:
    """The layers that an operator came from, by the names of its results and of the constants that it alone reads.

    `model/relu/Relu6;model/conv/Conv2D` is a result of both layers; the model's last result has its output's name.
    """
    own = [number for number in operator.inputs if number != ABSENT and len(readers[number]) == 1]
    numbers = (*operator.outputs, *(number for number in own if graph.tensors[number].constant))
    return {part for number in numbers for part in re.split("[/;]", graph.tensors[number].name) if part}
