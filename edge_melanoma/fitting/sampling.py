"""Which pictures make up an epoch, in which order: decided by the recipe, the seed and the epoch's number alone.

Nothing is remembered from one epoch to the next, so that a resumed training sees what the uninterrupted one saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.errors import DataError
from edge_melanoma.fitting.recipe import BalanceRecipe

Ints = NDArray[np.int64]
CENTRE_EXTRA = 20  # pictures


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """The training part by class, and how it is balanced."""

    labels: Ints  # of every training picture
    centres: Ints | None = None  # of every training picture, a number for each centre; None: not known, or one
    classes: tuple[str, ...]
    balance: BalanceRecipe
    batch: int
    seed: int
    steps_per_epoch: int | None = None

    def __post_init__(self) -> None:
        empty = [name for name, n in zip(self.classes, self.counts, strict=True) if n == 0]
        if empty:
            raise DataError(
                f"the training part has no picture of {', '.join(empty)}; "
                "choose another task, or a split with every class in training"
            )

    @property
    def counts(self) -> Ints:
        """How many training pictures each class has."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """The share of each class in the training part."""
        return np.asarray(self.counts / self.counts.sum())

    @property
    def prior(self) -> NDArray[np.float64]:
        """The share of each class as the loss sees it: what a predicted probability has to be corrected from."""
        method = self.balance.method
        if method in ("batches", "oversample", "undersample", "class-weights", "logit-adjustment"):
            prior = np.full(len(self.classes), 1 / len(self.classes))
            if method == "logit-adjustment":  # the shift of tau times the log-frequency takes the frequency out
                prior = self.frequencies ** (1 - self.balance.tau)
            return np.asarray(prior / prior.sum())
        weights = {"sqrt": np.sqrt(self.counts), "materialised": self.counts + self._added}.get(method, self.counts)
        return np.asarray(weights / weights.sum())

    @property
    def _added(self) -> Ints:
        return np.full(len(self.classes), self.balance.per_class, np.int64)

    @property
    def class_weights(self) -> NDArray[np.float64]:
        """The weight of each class in the loss; mean 1 over the training part."""
        if self.balance.method != "class-weights":
            return np.ones(len(self.classes))
        return 1 / (len(self.classes) * self.frequencies)

    @cached_property
    def logit_shifts(self) -> NDArray[np.float32]:
        """What is added to the logits of each training picture inside the loss: (picture, class)."""
        shift = np.zeros((len(self.labels), len(self.classes)))
        if self.balance.method == "logit-adjustment":
            shift += self.balance.tau * np.log(self.frequencies)
        if self.balance.centre_tau and self.centres is not None:
            shift += self.balance.centre_tau * self._of_centre[self.centres]
        return shift.astype(np.float32)

    @property
    def _of_centre(self) -> NDArray[np.float64]:
        """The log of how much more frequent a class is at a centre than over all: (centre, class).

        A class that a small centre happens to lack is not impossible there: every centre is given some pictures more
        with the shares of all. Drawing a class oftener changes this by the same for all classes, which nobody feels.
        """
        assert self.centres is not None
        there = np.zeros((int(self.centres.max()) + 1, len(self.classes)))
        np.add.at(there, (self.centres, self.labels), 1)
        share = (there + CENTRE_EXTRA * self.frequencies) / (there.sum(axis=1, keepdims=True) + CENTRE_EXTRA)
        return np.asarray(np.log(share / self.frequencies))

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        if self.steps_per_epoch is not None:
            return self.steps_per_epoch
        pictures = {
            "oversample": int(self.counts.max()) * len(self.classes),
            "undersample": int(self.counts.min()) * len(self.classes),
            "materialised": int((self.counts + self._added).sum()),
        }.get(self.balance.method, len(self.labels))
        return max(1, -(-pictures // self.batch))

    def epoch(self, number: int) -> Ints:
        """The rows of the epoch's batches: (step, place in the batch)."""
        rng = np.random.default_rng([self.seed, 1, number])
        wanted = self.steps * self.batch
        drawn = self._evenly(wanted, rng) if self.balance.method == "batches" else self._shuffled(wanted, rng)
        return drawn.reshape(self.steps, self.batch)

    def _evenly(self, wanted: int, rng: np.random.Generator) -> Ints:
        """Every batch has each class equally often; what is left over goes round."""
        n = len(self.classes)
        of_place = np.arange(wanted) % n  # counted on over the batches: the odd places are not always the same class's
        drawn = np.empty(wanted, np.int64)
        for index in range(n):
            places = np.flatnonzero(of_place == index)
            drawn[places] = _cycle(np.flatnonzero(self.labels == index), len(places), rng)
        return rng.permuted(drawn.reshape(-1, self.batch), axis=1).reshape(-1)

    def _shuffled(self, wanted: int, rng: np.random.Generator) -> Ints:
        method = self.balance.method
        rows = [np.flatnonzero(self.labels == index) for index in range(len(self.classes))]
        if method in ("none", "class-weights", "logit-adjustment"):
            return _cycle(np.arange(len(self.labels)), wanted, rng)
        targets = {
            "oversample": np.full(len(rows), self.counts.max()),
            "undersample": np.full(len(rows), self.counts.min()),
            "materialised": self.counts + self._added,
            "sqrt": np.round(self.prior * wanted).astype(np.int64),
        }[method]
        pool = np.concatenate([_cycle(of_class, int(n), rng) for of_class, n in zip(rows, targets, strict=True)])
        return _cycle(pool, wanted, rng)


def _cycle(rows: Ints, wanted: int, rng: np.random.Generator) -> Ints:
    """`wanted` of the rows: all of them in a new order, again and again, so that none comes much oftener."""
    rounds = max(1, -(-wanted // len(rows)))
    return np.concatenate([rng.permutation(rows) for _ in range(rounds)])[:wanted]
