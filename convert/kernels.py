"""Which kernels are made smaller, by pruning or clustering.

Full convolutions and dense layers: nearly all weights are in them. Not the depthwise kernels, of which each weight is
one of nine that see a whole channel; not the first convolution, a thousandth of the weights on which every pixel
depends; and not the head, whose few weights are the decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_melanoma.errors import RecipeError

from .graph import Layer, Model


def shrinkable_layers(model: Model, *, keep: Sequence[str] = ()) -> tuple[Layer, ...]:
    """The layers whose kernels are pruned or clustered, except those that are named."""
    weighted = [layer for layer in model.layers if _kernel_kind(layer) in ("Conv2D", "Dense")]
    names = {layer.name for layer in model.layers}
    if unknown := [name for name in keep if name not in names]:
        raise RecipeError(f"no layer is called {unknown[0]!r}; the network has {', '.join(map(_name, weighted[:5]))} …")
    left_out = {weighted[0].name, model.output_names[0], *keep} if weighted else set()
    found = tuple(layer for layer in weighted if layer.name not in left_out)
    if not found:
        raise RecipeError("the network has no kernel to prune or cluster besides its first and its last")
    return found


def kernel_of(layer: Layer) -> Any:
    """The variable that holds a layer's kernel, also where quantisation-aware training wraps the layer."""
    config = getattr(layer, "quantize_config", None)
    return layer.kernel if config is None else config.kernel


def _kernel_kind(layer: Layer) -> str:
    return type(layer.layer if hasattr(layer, "quantize_config") else layer).__name__


def _name(layer: Layer) -> str:
    return str(layer.name)
