"""Which stored layer belongs to which layer of a model: by name, else by order, else by order within a class.

Every shape is compared before anything is set, and a file of another network is refused with the layers that differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from edge_melanoma.fitting.weights_file import StoredLayer, class_key

_TOP_OF_MOBILENETV3 = ("Conv_2", "Logits", "conv_2", "logits")  # convolutions, and yet a head
_NORMALISATION = "normalization"  # EfficientNet's own first layer; ours has no weights
SHOWN = 4


class Match(NamedTuple):
    """The pairs to load, and the differences that forbid it."""

    pairs: list[tuple[Any, StoredLayer]]
    differences: list[str]


def match(model: Any, stored: Sequence[StoredLayer], *, head: str) -> Match:
    """Pair the layers of a model, its head excluded, with stored ones."""
    body = [layer for layer in model.layers if layer.weights and layer.name != head]
    candidates = [layer for layer in stored if not _is_normalisation(layer) and layer.name != head]
    named = {layer.name: layer for layer in candidates if layer.name is not None}
    if 2 * sum(layer.name in named for layer in body) >= len(body):
        pairs = [(layer, named.get(layer.name)) for layer in body]
    elif all(layer.kind is None for layer in candidates):
        pairs = [*_in_order(body, candidates)]
    else:
        pairs = [*_in_order_of_their_kind(body, candidates)]
    return _checked(pairs, stored)


def _is_normalisation(layer: StoredLayer) -> bool:
    return layer.kind == _NORMALISATION or (layer.name or "").partition("_")[0] == _NORMALISATION


def _in_order(body: Sequence[Any], stored: Sequence[StoredLayer]) -> Iterator[tuple[Any, StoredLayer | None]]:
    for number, layer in enumerate(body):
        yield layer, stored[number] if number < len(stored) else None


def _in_order_of_their_kind(
    body: Sequence[Any], stored: Sequence[StoredLayer]
) -> Iterator[tuple[Any, StoredLayer | None]]:
    by_kind: dict[str | None, list[StoredLayer]] = {}
    for layer in stored:
        by_kind.setdefault(layer.kind, []).append(layer)
    for layer in body:
        same = by_kind.get(class_key(type(layer).__name__), [])
        yield layer, same.pop(0) if same else None


def _checked(pairs: Sequence[tuple[Any, StoredLayer | None]], stored: Sequence[StoredLayer]) -> Match:
    differences = [text for layer, found in pairs if (text := _difference(layer, found))]
    used = {id(found) for _, found in pairs}
    left = [layer for layer in stored if id(layer) not in used]
    for layer in left:  # a convolution too many: the file is of a deeper network that has these names as well
        if len(layer.shapes[0]) == 4 and layer.name not in _TOP_OF_MOBILENETV3:
            differences.append(f"{layer.label} {_shape(layer.shapes[0])} is in the file and not in the model")
    return Match(
        pairs=[(layer, found) for layer, found in pairs if found is not None],
        differences=differences,
    )


def _difference(layer: Any, found: StoredLayer | None) -> str | None:
    """The first thing in which a stored layer is not what the model needs."""
    if found is None:
        return f"{layer.name} is not in the file"
    called = "" if found.name in (None, layer.name) else f" ({found.name})"
    if len(found.shapes) != len(layer.weights):
        return f"{layer.name} has {len(found.shapes)} arrays in the file{called}, {len(layer.weights)} in the model"
    for weight, shape in zip(layer.weights, found.shapes, strict=True):
        if tuple(weight.shape) != shape:
            part, needed = weight.name.split("/")[-1].split(":")[0], _shape(tuple(weight.shape))
            return f"{layer.name} {part} is {_shape(shape)} in the file{called}, {needed} in the model"
    return None


def fits(layer: Any, found: StoredLayer) -> bool:
    """Are all arrays of the stored layer of the right shape?"""
    return _difference(layer, found) is None


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
