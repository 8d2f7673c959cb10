"""Fewer different weights before the conversion: pruned or clustered while the float network teaches the rest."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .cluster import Clustering
from .graph import Model, copied
from .kernels import kernel_of, shrinkable_layers
from .material import Material
from .prune import Pruning
from .recipe import ConvertRecipe
from .tune import steps_of, tune

OnProgress = Callable[[str, int, int], None]


def shrink(material: Material, recipe: ConvertRecipe, *, on_progress: OnProgress) -> tuple[Model, tuple[str, ...]]:
    """The network to convert, and what was done to it; the float network itself where nothing was asked for."""
    if recipe.prune is None and recipe.cluster is None:
        return material.network, ()
    network = copied(material.network)
    remarks = []
    if recipe.prune is not None:
        pruning = Pruning(network, recipe.prune, steps=steps_of(material, recipe.repair))
        settled = math.ceil(recipe.prune.end_share * recipe.repair.epochs)
        far = _tuned(network, material, recipe, pruning.after_step, min(settled, recipe.repair.epochs - 1), on_progress)
        pruning.apply()
        remarks.append(f"{zeros(network):.1%} of the weights of the large layers are zero{far}")
    if recipe.cluster is not None:
        clustering = Clustering(network, recipe.cluster)
        far = _tuned(network, material, recipe, clustering.after_step, 0, on_progress)
        clustering.apply()
        remarks.append(f"each large layer has at most {recipe.cluster.clusters} different weights{far}")
    return network, tuple(remarks)


def zeros(network: Model) -> float:
    """The share of zeros among the weights that pruning may touch."""
    kernels = [kernel_of(layer).numpy() for layer in shrinkable_layers(network)]
    return float(sum(np.count_nonzero(kernel == 0) for kernel in kernels) / sum(kernel.size for kernel in kernels))


def _tuned(
    network: Model,
    material: Material,
    recipe: ConvertRecipe,
    after_step: Callable[[int], None],
    settled_from: int,
    on_progress: OnProgress,
) -> str:
    epochs = tune(
        network,
        material,
        recipe.repair,
        seed=recipe.seed,
        after_step=lambda done: after_step(done - 1),
        settled_from=settled_from,
        on_step=lambda epoch, step, of, *_: on_progress(f"pruning, epoch {epoch + 1}, step", step, of),
    )
    best = min(epochs, key=lambda epoch: epoch.distance)
    return f", with log-odds {best.distance:.3f} from the float model's on average"
