"""Which operators of a .tflite came from which layers of the Keras model that it was converted from.

The converter names a tensor after the operations that it fused into it, each below its layer:
`net/relu/Relu6;net/bn/FusedBatchNormV3;net/conv/Conv2D1`. The model's output is called after the signature instead;
its operator is known by the constants that it reads.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from edge_melanoma.errors import RecipeError
from edge_melanoma.tflite.model import read_model
from edge_melanoma.tflite.parts import ABSENT

from .graph import Model


@dataclass(frozen=True, kw_only=True)
class Node:
    """An operator, by the tensor that it makes."""

    tensor: str
    operator: str  # CONV_2D …
    layers: tuple[str, ...]  # that it computes, the first of them first
    inputs: tuple[str, ...]  # tensors that are no constants


def nodes(model: Model, tflite: bytes) -> tuple[Node, ...]:
    """The operators in the order in which they run; those that no layer made have no layers."""
    graph = read_model(tflite, name=model.name).subgraphs[0]
    order = {layer.name: place for place, layer in enumerate(model.layers)}
    uses = [number for operator in graph.operators for number in operator.inputs]
    found = []
    for operator in graph.operators:
        inputs = [graph.tensors[number] for number in operator.inputs if number != ABSENT]
        own = [tensor for tensor in inputs if tensor.constant and uses.count(tensor.index) == 1]
        (output,) = (graph.tensors[number] for number in operator.outputs)
        parts = {part for tensor in (output, *own) for part in tensor.name.split(";")}
        layers = {layer for part in parts if (layer := _layer(part, model.name, order)) is not None}
        node = Node(
            tensor=output.name,
            operator=operator.name,
            layers=tuple(sorted(layers, key=lambda layer: order[layer])),
            inputs=tuple(tensor.name for tensor in inputs if not tensor.constant),
        )
        found.append(node)
    return tuple(found)


def tensors_of(model: Model, tflite: bytes, layers: Sequence[str]) -> list[str]:
    """The tensors that the operators of these layers make; one operator can be several layers, fused."""
    return [node.tensor for node in _nodes_of(model, tflite, layers)]


def layers_with(model: Model, tflite: bytes, layers: Sequence[str]) -> set[str]:
    """These layers and those that are fused with them into one operator."""
    return {layer for node in _nodes_of(model, tflite, layers) for layer in node.layers}


def _nodes_of(model: Model, tflite: bytes, layers: Sequence[str]) -> list[Node]:
    found = nodes(model, tflite)
    known = {layer for node in found for layer in node.layers}
    for layer in layers:
        if layer not in known:
            near = difflib.get_close_matches(layer, known, n=3, cutoff=0.4)
            hint = f"; near: {', '.join(near)}" if near else ""
            raise RecipeError(f"no operator of the converted network comes from a layer {layer!r}{hint}")
    return [node for node in found if not set(layers).isdisjoint(node.layers)]


def _layer(part: str, model: str, known: dict[str, int]) -> str | None:
    """The layer of an operation's name: the longest that it begins with, for names of layers contain slashes too."""
    path = part.removeprefix(f"{model}/").split("/")
    candidates = ("/".join(path[:length]) for length in range(len(path), 0, -1))
    return next((name for name in candidates if name in known), None)
