"""Which rows of an index train, validate, calibrate and test a model, and with which class; checked before the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.data.groups import find_groups
from edge_melanoma.data.index import SPLITS, Index
from edge_melanoma.data.no_pixel import group_of
from edge_melanoma.data.stratify import assign
from edge_melanoma.data.torn import leaking
from edge_melanoma.errors import DataError
from edge_melanoma.labels import Task

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The usable rows of an index, and the part and class of each."""

    table: pl.DataFrame  # rows with a picture and a class
    labels: Ints
    rows: Mapping[str, Ints]  # part -> rows of the table
    remarks: tuple[str, ...]


def make_parts(index: Index, task: Task, *, needed: tuple[str, ...] = ("train", "val")) -> Parts:
    """The rows that a task can use; refuses an index that has no split, a part without a class, or a leak."""
    where = str(index.folder)
    table = index.table
    if table["split"].null_count() == table.height:
        raise DataError(f"{where}: has no split; make one with: edge-melanoma data split {where} --out DIR")
    leaks = leaking(table)
    if leaks:
        told = ", ".join(f"{n:,} {what}" for what, n in leaks.items())
        raise DataError(f"{where}: leaks between its parts ({told}); split it with: edge-melanoma data split")
    answers = [task.answer(dx) for dx in table["dx"]]
    table = table.with_columns(pl.Series("label", answers, dtype=pl.Int64))
    kept = table.filter(pl.col("label").is_not_null() & pl.col("split").is_not_null())
    remarks = _left_out(table, kept, task)
    missing = kept["image_path"].null_count()
    if missing:
        raise DataError(f"{where}: {missing:,} rows have no picture; ingest with the pictures, or with --subset")
    labels = kept["label"].to_numpy().astype(np.int64)
    rows = {part: np.flatnonzero(kept["split"].to_numpy() == part) for part in SPLITS}
    for part in needed:
        _require_classes(where, part, labels[rows[part]], task)
    return Parts(table=kept.drop("label"), labels=labels, rows=rows, remarks=remarks)


def _left_out(table: pl.DataFrame, kept: pl.DataFrame, task: Task) -> tuple[str, ...]:
    gone = table.filter(pl.col("label").is_null())["dx"].fill_null("unknown label").value_counts().sort("dx")
    if not gone.height:
        return ()
    told = ", ".join(f"{n:,} {dx}" for dx, n in gone.rows())
    return (f"{table.height - kept.height:,} pictures have no answer to the task {task.name} and are left out: {told}",)


def _require_classes(where: str, part: str, labels: Ints, task: Task) -> None:
    counts = np.bincount(labels, minlength=len(task.classes))
    absent = [name for name, n in zip(task.classes, counts, strict=True) if n == 0]
    # a validation part may lack a rare class of many, but not one of two
    if not len(labels) or (absent and (part == "train" or len(task.classes) == 2 or len(absent) >= len(counts) - 1)):
        raise DataError(
            f"{where}: the {part} part has no picture of {', '.join(absent) or 'any class'} (task {task.name}: "
            f"{', '.join(task.classes)}); choose a task that the data can answer, or split anew"
        )


def with_fold(index: Index, fold: int, *, seed: int) -> Index:
    """The index with fold number `fold` as its test part; of the next one, half validates and half calibrates."""
    table = index.table
    count = _fold_count(index)
    if not 0 <= fold < count:
        raise DataError(f"{index.folder}: has no fold {fold}; it has 0 to {count - 1}")
    of_row = table["fold"].to_numpy()
    part = np.full(table.height, "train", dtype=object)
    part[of_row == fold] = "test"
    beside = np.flatnonzero(of_row == (fold + 1) % count)
    group = group_of(table[beside]).rank("dense")
    melanoma = table[beside]["y_mel"].fill_null(0).to_numpy().astype(np.int64)
    halves = assign(
        group.to_numpy().astype(np.int64) - 1, melanoma, np.array([0.5, 0.5]), rng=np.random.default_rng([seed, 4])
    )
    # dealt by ids, as folds were trained before; what else ties pictures brings them to the half of the first of them
    _, first, tied = np.unique(find_groups(table[beside]).of_row, return_index=True, return_inverse=True)
    halves = halves[first][tied]
    part[beside] = np.where(halves == 0, "val", "calibration")
    part[table["parent_id"].is_not_null().to_numpy() & (part != "train")] = None  # augmented copies only train
    return index.with_table(table.with_columns(pl.Series("split", part, dtype=pl.String)))


def _fold_count(index: Index) -> int:
    folds = index.table["fold"]
    if folds.null_count():
        raise DataError(f"{index.folder}: has no folds; split with: edge-melanoma data split --folds 5")
    return int(folds.max()) + 1  # type: ignore[arg-type]


def limited(rows: Ints, labels: Ints, most: int | None, *, seed: int) -> Ints:
    """At most so many of the rows, a sample that keeps the shares of the classes."""
    if most is None or len(rows) <= most:
        return rows
    rng = np.random.default_rng([seed, 5])
    chosen = []
    for label in np.unique(labels[rows]):
        of_class = rng.permutation(rows[labels[rows] == label])
        chosen.append(of_class[: max(1, round(most * len(of_class) / len(rows)))])
    return np.sort(np.concatenate(chosen))
