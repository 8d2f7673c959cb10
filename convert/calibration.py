"""Which training pictures set the ranges of an integer model: drawn evenly from classes, then sources and skin tones.

The draw is seeded and recorded. A folder's first hundred pictures are of one class or one clinic, and a range that was
never seen is cut off; with benign pictures alone, logits of melanomas were clipped by two while the AUC stayed equal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.data.eda.image_stats import tone_of
from edge_melanoma.errors import DataError

Ints = NDArray[np.int64]

FEWEST = 20
FEW_OF_CLASS = 10  # below, the ranges that a class reaches are those of a few pictures


def choose_pictures(table: pl.DataFrame, labels: Ints, pictures: int, *, seed: int) -> Ints:
    """Rows of the table: classes alike, and within a class its strata alike, as far as each lasts."""
    if len(table) < FEWEST:
        raise DataError(f"{len(table)} training pictures; at least {FEWEST} are needed to calibrate an integer model")
    rng = np.random.default_rng([seed, 7])
    strata = _strata(table)
    of_class = [_in_turn(strata, np.flatnonzero(labels == label), rng) for label in np.unique(labels)]
    return _take_turns(of_class, min(pictures, len(table)))


def halves(table: pl.DataFrame, labels: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """A draw in two that are alike in classes and strata, as places in it, to see whether another draw would have
    given another model."""
    # not every other picture of the draw: it takes the classes in turn, so that each half of two would be of one
    order = np.lexsort((_strata(table)[rows], labels[rows]))
    return np.sort(order[0::2]), np.sort(order[1::2])


def thin(labels: Ints, classes: Sequence[str], *, asked: int) -> tuple[str, ...]:
    """What a draw lacks: fewer pictures than were asked for, or too few of a class; `labels` are those of the draw."""
    told = []
    if len(labels) < asked:
        told.append(f"calibrated on {len(labels):,} pictures, all of the training part; {asked:,} were asked for")
    for label, name in enumerate(classes):
        count = int(np.count_nonzero(labels == label))
        if count < FEW_OF_CLASS:
            told.append(
                f"only {count} of the calibration pictures show {name}: values that others would reach may be cut off"
            )
    return tuple(told)


def _strata(table: pl.DataFrame) -> Ints:
    """A number for each picture, equal for those that are of one diagnosis, source and skin tone."""
    tone = pl.Series("tone", tone_of(table["ita"].cast(pl.Float64).to_numpy()), dtype=pl.String)
    rows = table.select("dx", "source", "centre", "fst", tone)
    told = rows.select(pl.concat_str(pl.all().cast(pl.String).fill_null("unknown"), separator="\x1f"))
    return np.unique(told.to_series().to_numpy(), return_inverse=True)[1].astype(np.int64)


def _in_turn(strata: Ints, rows: Ints, rng: np.random.Generator) -> Ints:
    """These rows, one of each of their strata in turn, in a drawn order."""
    shuffled = [rng.permutation(rows[strata[rows] == stratum]) for stratum in np.unique(strata[rows])]
    return _take_turns(shuffled, len(rows))


def _take_turns(queues: list[Ints], wanted: int) -> Ints:
    """The first of every queue, then the second, and so on; who has no more is passed over."""
    places = np.concatenate([np.arange(len(queue)) for queue in queues])
    owner = np.concatenate([np.full(len(queue), number) for number, queue in enumerate(queues)])
    order = np.lexsort((owner, places))[:wanted]
    return np.concatenate(queues)[order].astype(np.int64)
