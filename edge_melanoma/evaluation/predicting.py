"""A model's logits for the pictures of an index: the table that evaluation, calibration and comparison read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.data.index import Index
from edge_melanoma.data.tensors import make_cache
from edge_melanoma.evaluation.tone import with_estimated_tone
from edge_melanoma.labels import Task
from edge_melanoma.parallel import OnProgress, silent
from edge_melanoma.preprocess import PreprocessContract

Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Pictures as the contract makes them (n, H, W, 3) -> logits (n, class)."""


def predict_rows(
    forward: Forward,
    contract: PreprocessContract,
    task: Task,
    index: Index,
    rows: pl.DataFrame,
    *,
    tones: bool = False,
    workers: int | None = None,
    on_progress: OnProgress = silent,
) -> pl.DataFrame:
    """The prediction table of these rows of the index; `tones`: with the skin's tone, where the index lacks it."""
    hashes = rows["sha256"].fill_null("").to_list()
    cache = make_cache(index.pictures(rows), hashes, contract, "memory", workers=workers, on_progress=on_progress)
    try:
        tensors = cache.open()
        found = prediction_table(rows, forward(tensors), task)
        # all rows or none, so that the tables of several models have the same columns
        lacking = tones and index.table["ita"].null_count() > 0
        return with_estimated_tone(found, tensors, contract) if lacking else found
    finally:
        cache.close()


def prediction_table(rows: pl.DataFrame, logits: NDArray[np.float32], task: Task) -> pl.DataFrame:
    """image_id, split, and a column logit_<class> for each class of the task."""
    columns = {f"logit_{name}": logits[:, place] for place, name in enumerate(task.classes)}
    return rows.select("image_id", "split").with_columns(pl.Series(name, values) for name, values in columns.items())
