"""Which kernels are made smaller, by pruning or clustering, and what of it is there to see afterwards.

Full convolutions and dense layers: nearly all weights are in them. Not the depthwise kernels, of which each weight is
one of nine that see a whole channel; not the first convolution, a thousandth of the weights on which every pixel
depends; and not the head, whose few weights are the decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_melanoma.errors import RecipeError

from .graph import Layer, Model


@dataclass(frozen=True, kw_only=True)
class KernelFacts:
    """What is in one kernel."""

    layer: str
    weights: int
    zeros: int
    distinct: int

    @property
    def sparsity(self) -> float:
        """The share of zeros."""
        return self.zeros / self.weights

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "sparsity": round(self.sparsity, 4)}


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


def kernel_facts(model: Model) -> tuple[KernelFacts, ...]:
    """Zeros and distinct values of every kernel of a convolution, depthwise or not, and of a dense layer."""
    found = []
    for layer in model.layers:
        kind = _kernel_kind(layer)
        if kind not in ("Conv2D", "DepthwiseConv2D", "Dense"):
            continue
        depthwise = kind == "DepthwiseConv2D" and not hasattr(layer, "quantize_config")
        kernel = (layer.depthwise_kernel if depthwise else kernel_of(layer)).numpy()
        facts = KernelFacts(
            layer=layer.name,
            weights=kernel.size,
            zeros=int(np.count_nonzero(kernel == 0)),
            distinct=len(np.unique(kernel)),
        )
        found.append(facts)
    return tuple(found)


def sparsity(facts: Sequence[KernelFacts]) -> float:
    """The share of zeros among all these weights."""
    return sum(fact.zeros for fact in facts) / sum(fact.weights for fact in facts)


def _kernel_kind(layer: Layer) -> str:
    return type(layer.layer if hasattr(layer, "quantize_config") else layer).__name__


def _name(layer: Layer) -> str:
    return str(layer.name)
