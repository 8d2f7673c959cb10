"""Weight clustering: each kernel gets a few values that its weights share, and trains those.

    clustering = Clustering(model, ClusterRecipe(clusters=16))
    for step in range(steps):
        ...                             # one step of the optimizer
        clustering.after_step(step)

After a step all weights of a cluster become their mean, which is the step that the shared value would have made by the
mean of their gradients. Nothing wraps the model. As pruning, it makes a download smaller and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend
from edge_melanoma.errors import RecipeError

from .graph import Model
from .kernels import kernel_of, shrinkable_layers

_ROUNDS = 25


@dataclass(frozen=True, kw_only=True)
class ClusterRecipe:
    """How few values a kernel has."""

    clusters: int = 32  # values of each kernel, zero among them where it was pruned
    keep: tuple[str, ...] = ()  # layers that are not clustered, besides those that never are

    def __post_init__(self) -> None:
        if not 2 <= self.clusters <= 256:
            raise RecipeError(f"cluster.clusters is {self.clusters}; it must be 2 to 256")


class Clustering:
    """The clusters of one model; made at once, and kept through a training. Zeros stay zero."""

    def __init__(self, model: Model, recipe: ClusterRecipe) -> None:
        tf = backend.tensorflow()
        layers = shrinkable_layers(model, keep=recipe.keep)
        self.layers = tuple(layer.name for layer in layers if len(kernel_of(layer).numpy().ravel()) > recipe.clusters)
        self._parts = []
        for name in self.layers:
            kernel = kernel_of(model.get_layer(name))
            of_weight = clusters_of(kernel.numpy(), recipe.clusters)
            zero = np.ones(of_weight.max() + 1, np.float32)
            zero[np.unique(of_weight[kernel.numpy() == 0])] = 0
            self._parts.append((kernel, tf.constant(of_weight.ravel()), tf.constant(zero)))
        self._share = self._compiled()
        self.apply()

    def after_step(self, step: int) -> None:
        """To be called when the optimizer has made a step."""
        self._share()

    def apply(self) -> None:
        """Make the weights of a cluster equal, where others were put in their place."""
        self._share()

    def _compiled(self) -> Callable[[], Any]:
        tf = backend.tensorflow()

        def share() -> None:
            for kernel, of_weight, zero in self._parts:
                means = tf.math.unsorted_segment_mean(tf.reshape(kernel, [-1]), of_weight, len(zero)) * zero
                kernel.assign(tf.reshape(tf.gather(means, of_weight), kernel.shape))

        compiled: Callable[[], Any] = tf.function(share, autograph=False)
        return compiled


def clusters_of(kernel: NDArray[np.float32], clusters: int) -> NDArray[np.int32]:
    """Which cluster each weight belongs to: k-means on a line, begun with equal steps; zeros have their own.

    A kernel that has no more values than that keeps them: a training that goes on finds the clusters it had.
    """
    flat = kernel.ravel().astype(np.float64)
    values, place = np.unique(flat, return_inverse=True)
    if len(values) <= clusters:
        return place.reshape(kernel.shape).astype(np.int32)
    pruned = flat == 0
    free = clusters - bool(pruned.any())
    found = np.full(flat.shape, free, np.int32)
    found[~pruned] = _on_a_line(flat[~pruned], free)
    _, dense = np.unique(found, return_inverse=True)  # numbers without gaps
    return dense.reshape(kernel.shape).astype(np.int32)


def _on_a_line(values: NDArray[np.float64], clusters: int) -> NDArray[np.int32]:
    centres = np.linspace(values.min(), values.max(), clusters)
    for _ in range(_ROUNDS):
        nearest = np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
        counts = np.bincount(nearest, minlength=clusters)
        means = np.bincount(nearest, weights=values, minlength=clusters) / np.maximum(counts, 1)
        moved = np.where(counts > 0, means, centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return np.searchsorted((centres[1:] + centres[:-1]) / 2, values).astype(np.int32)
