"""Which rows of its own index a bundle was trained on: those of the index' parts, or those of a fold's run."""

from __future__ import annotations

import polars as pl

from edge_melanoma.bundle.manifest import Manifest
from edge_melanoma.data.index import SPLITS, Index
from edge_melanoma.data.parts import with_fold
from edge_melanoma.errors import DataError
from edge_melanoma.labels import Task


def fold_of(manifest: Manifest, index: Index, task: Task) -> int | None:
    """The fold that a bundle's run left out of the index that it was trained on; None where it had the index' parts.

    The manifest does not name it: it tells how many pictures each part had, and some that were trained on.
    """
    column = index.table["fold"]
    folds: list[int] = [] if column.null_count() else column.unique().sort().to_list()
    of_folds = ((fold, with_fold(index, fold, seed=manifest.run.seed)) for fold in folds)
    fitting = [fold for fold, parts in ((None, index), *of_folds) if _fits(manifest, parts.table, task)]
    if len(fitting) == 1:
        return fitting[0]
    raise DataError(
        f"{index.folder}: {manifest.model.name} was trained on it, and {'several of' if fitting else 'none of'} its "
        "divisions into parts have the numbers of pictures that the bundle names, so which were trained on is not "
        "known; evaluate the run that it was converted from"
    )


def _fits(manifest: Manifest, table: pl.DataFrame, task: Task) -> bool:
    usable = table.filter(pl.col("dx").is_in(list(task.class_of)) & pl.col("split").is_not_null())
    counts = dict(usable["split"].value_counts().iter_rows())
    learned = usable.filter(pl.col("split") == "train")["image_id"]
    same = all(counts.get(part, 0) == manifest.data.pictures.get(part, 0) for part in SPLITS)
    return same and set(manifest.quantisation.calibration_ids) <= set(learned)
