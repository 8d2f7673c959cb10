"""Pruning by magnitude while a network trains: the smallest weights of each kernel become zero, more and more of them.

    pruning = Pruning(model, PruneRecipe(sparsity=0.7), steps=steps)
    for step in range(steps):
        ...                             # one step of the optimizer
        pruning.after_step(step)
    pruning.apply()                     # once more, if averaged weights were put in after the last step

Nothing wraps the model, so it trains, saves and resumes as before: which weights are pruned is seen from their zeros.
The schedule is that of Zhu and Gupta (2017), as in tfmot. It makes a download smaller, not the file and not a
prediction faster: no engine here skips zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend
from edge_melanoma.errors import RecipeError

from .graph import Model
from .kernels import kernel_of, shrinkable_layers

Pattern = Literal["any", "2:4"]
Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PruneRecipe:
    """How much is pruned, and when."""

    sparsity: float = 0.7  # of each pruned kernel, at the end
    pattern: Pattern = "any"  # 2:4: two of every four neighbours, as some accelerators want it
    begin_share: float = 0.0  # of the steps: when it begins
    end_share: float = 0.7  # and when all is pruned; the rest of the training repairs
    every_steps: int = 20  # how often the choice is made anew
    keep: tuple[str, ...] = ()  # layers that are not pruned, besides those that never are

    def __post_init__(self) -> None:
        if not 0 < self.sparsity < 1:
            raise RecipeError(f"prune.sparsity is {self.sparsity}; it must be above 0 and below 1")
        if self.pattern not in ("any", "2:4"):
            raise RecipeError(f"prune.pattern is {self.pattern!r}; it must be any or 2:4")
        if self.pattern == "2:4" and self.sparsity != 0.5:
            raise RecipeError(f"prune.sparsity is {self.sparsity}; with prune.pattern 2:4 it is 0.5")
        if not 0 <= self.begin_share < self.end_share <= 1:
            raise RecipeError(
                f"prune.begin_share {self.begin_share} and prune.end_share {self.end_share} must be shares of the "
                "training, 0 to 1, the first smaller"
            )
        if self.every_steps < 1:
            raise RecipeError(f"prune.every_steps is {self.every_steps}; it must be 1 or more")


class Pruning:
    """The pruning of one model during one training; weights that are zero already stay zero."""

    def __init__(self, model: Model, recipe: PruneRecipe, *, steps: int) -> None:
        if steps < 1:
            raise RecipeError(f"pruning over {steps} steps; it needs at least one")
        self.recipe = recipe
        self.layers = tuple(layer.name for layer in shrinkable_layers(model, keep=recipe.keep))
        self._kernels = [kernel_of(model.get_layer(name)) for name in self.layers]
        tf = backend.tensorflow()
        self._masks = [tf.Variable(tf.cast(kernel != 0, tf.float32), trainable=False) for kernel in self._kernels]
        self._begin = round(recipe.begin_share * (steps - 1))
        self._end = round(recipe.end_share * (steps - 1))
        self._multiply = self._compiled()

    def sparsity_at(self, step: int) -> float:
        """The share of zeros that is due after this step."""
        if step < self._begin:
            return 0.0
        if self.recipe.pattern == "2:4" or step >= self._end:
            return self.recipe.sparsity
        done = (step - self._begin) / (self._end - self._begin)
        return self.recipe.sparsity * (1 - (1 - done) ** 3)

    def after_step(self, step: int) -> None:
        """To be called when the optimizer has made its step of this number, counted from 0 over the whole training."""
        due = step >= self._begin and ((step - self._begin) % self.recipe.every_steps == 0 or step == self._end)
        if due and step <= self._end:
            self._choose(self.sparsity_at(step))
        self._multiply()

    def apply(self) -> None:
        """Make the pruned weights zero again, where others were put in their place."""
        self._multiply()

    def _choose(self, share: float) -> None:
        for kernel, mask in zip(self._kernels, self._masks, strict=True):
            values = kernel.numpy() * mask.numpy()  # the step has moved pruned weights too: that is not a comeback
            kept = two_of_four(values) if self.recipe.pattern == "2:4" else largest(values, share)
            mask.assign(kept * mask.numpy())

    def _compiled(self) -> Callable[[], Any]:
        def multiply() -> None:
            for kernel, mask in zip(self._kernels, self._masks, strict=True):
                kernel.assign(kernel * mask)

        compiled: Callable[[], Any] = backend.tensorflow().function(multiply, autograph=False)
        return compiled


def largest(kernel: Array, share: float) -> Array:
    """1 for the weights that are kept, 0 for this share of them, the smallest; of equal ones the first go."""
    order = np.argsort(np.abs(kernel).ravel(), kind="stable")
    mask = np.ones(kernel.size, np.float32)
    mask[order[: round(share * kernel.size)]] = 0
    return mask.reshape(kernel.shape)


def two_of_four(kernel: Array) -> Array:
    """1 for the two largest of every four weights that lie side by side on the device: of one output channel, by
    rows, columns and input channels."""
    outputs = kernel.shape[-1]
    rows = np.abs(np.moveaxis(kernel, -1, 0)).reshape(outputs, -1)
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
    groups = padded.reshape(outputs, -1, 4)
    order = np.argsort(-groups, axis=-1, kind="stable")
    mask = np.zeros(groups.shape, np.float32)
    np.put_along_axis(mask, order[..., :2], 1, axis=-1)
    mask = mask.reshape(padded.shape)[:, : rows.shape[1]]
    return np.moveaxis(mask.reshape(outputs, *kernel.shape[:-1]), 0, -1)
