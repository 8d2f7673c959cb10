"""The rows that are measured: predictions joined to the index, with their answers and their groups.

    image_id  split  [fold]  [ita_estimated]  logit_<class> …       one column a class, in the order of the task

Nothing is guessed: a picture that the index does not know, a part that differs from the index', a logit that is not a
number end the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.data.index import SPLITS
from edge_melanoma.data.no_pixel import group_of
from edge_melanoma.decision import positive_classes
from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.evaluation.tone import COLUMN as TONE
from edge_melanoma.labels import Task

OUT_OF_FOLD = "oof"
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Pictures, or lesions, that have an answer and a prediction."""

    task: Task
    split: str  # a part of the index, or OUT_OF_FOLD
    unit: str  # image, lesion
    table: pl.DataFrame  # the index' columns, a row each; of a lesion, those of its first picture
    logits: Floats  # (row, class)
    answers: Ints  # (row), an index into the classes
    left_out: dict[str, int]  # why -> how many

    @property
    def positive(self) -> Bools:
        """Is the answer one of the classes that the decision is about?"""
        return np.isin(self.answers, positive_classes(self.task.classes))

    @property
    def groups(self) -> NDArray[Any]:
        """Patient, else lesion, else the picture: what the bootstrap draws."""
        return group_of(self.table).to_numpy()

    def __len__(self) -> int:
        return len(self.answers)


def logit_columns(task: Task) -> list[str]:
    """What the columns of a prediction table are called."""
    return [f"logit_{name}" for name in task.classes]


def select_rows(predictions: pl.DataFrame, table: pl.DataFrame, task: Task, split: str) -> Rows:
    """The rows of one part, or all rows with a fold for OUT_OF_FOLD, in the order of image_id."""
    chosen = _of_split(_checked_columns(predictions, task), split)
    twice = table.filter(pl.col("image_id").is_duplicated() & pl.col("image_id").is_in(chosen["image_id"].to_list()))
    if twice.height:
        raise DataError(f"the index has more than one row for {told(twice['image_id'])}; ingest without defects")
    joined = chosen.join(table.drop("fold"), on="image_id", how="left", suffix="_index", maintain_order="left")
    _refuse_strangers(joined, table, split)
    joined = joined.sort("image_id")
    answer = [task.answer(dx) for dx in joined["dx"].to_list()]
    has_answer = pl.Series([a is not None for a in answer], dtype=pl.Boolean)
    copy = joined["parent_id"].is_not_null()
    left_out = {
        f"no answer in the task {task.name}": int((~has_answer).sum()),
        "augmented copies": int((has_answer & copy).sum()),
        "pictures of the part without a prediction": _missing(table, chosen, task, split),
    }
    kept = joined.filter(has_answer & ~copy)
    if not kept.height:
        raise DataError(f"part {split}: none of {joined.height:,} predicted pictures has an answer in {task.name}")
    rows = Rows(
        task=task,
        split=split,
        unit="image",
        table=kept.drop(logit_columns(task)),
        logits=kept.select(logit_columns(task)).to_numpy().astype(np.float64),
        answers=np.array([a for a, keep in zip(answer, has_answer & ~copy, strict=True) if keep], np.int64),
        left_out={why: count for why, count in left_out.items() if count},
    )
    _refuse_one_class(rows)
    return rows


def by_lesion(rows: Rows) -> Rows | None:
    """One row a lesion, with the mean logits of its pictures; None where no lesion has two pictures."""
    key = rows.table.select(pl.coalesce(pl.lit("lesion:") + pl.col("lesion_id"), "image_id")).to_series().to_numpy()
    _, first, lesion, sizes = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    if len(first) == len(rows):
        return None
    logits = np.zeros((len(first), rows.logits.shape[1]))
    np.add.at(logits, lesion, rows.logits)
    agrees = np.bincount(lesion, weights=rows.answers == rows.answers[first][lesion]) == sizes
    torn = int((~agrees).sum())
    kept = np.flatnonzero(agrees)
    found = replace(
        rows,
        unit="lesion",
        table=rows.table[first[kept]],
        logits=(logits / sizes[:, None])[kept],
        answers=rows.answers[first[kept]],
        left_out={"lesions whose pictures have different answers": torn} if torn else {},
    )
    return found if found.positive.any() and not found.positive.all() else None


def _checked_columns(predictions: pl.DataFrame, task: Task) -> pl.DataFrame:
    logits = logit_columns(task)
    missing = [name for name in ("image_id", "split", *logits) if name not in predictions.columns]
    strange = [name for name in predictions.columns if name.startswith("logit_") and name not in logits]
    if missing or strange:
        found = f"lack {', '.join(missing)}" if missing else f"have {', '.join(strange)}"
        raise DataError(f"predictions {found}; the task {task.name} has {', '.join(logits)}")
    optional = [name for name in ("fold", TONE) if name in predictions.columns]
    kept = predictions.select("image_id", "split", *optional, *logits)
    for name in logits:
        broken = kept.filter(~pl.col(name).is_finite().fill_null(False))
        if broken.height:
            raise DataError(f"predictions, {name}: not a finite number for {told(broken['image_id'])}")
    return kept.with_columns(pl.col(name).cast(pl.Float64) for name in logits)


def _of_split(predictions: pl.DataFrame, split: str) -> pl.DataFrame:
    if split == OUT_OF_FOLD:
        if "fold" not in predictions.columns or predictions["fold"].null_count():
            raise DataError("out-of-fold predictions need a column `fold` with the fold that held each picture out")
        chosen = predictions
    elif split in SPLITS:
        chosen = predictions.filter(pl.col("split") == split)
    else:
        raise RecipeError(f"part {split!r} is unknown; known: {', '.join((*SPLITS, OUT_OF_FOLD))}")
    if not chosen.height:
        there = ", ".join(predictions["split"].unique().drop_nulls().sort()) or "no part"
        raise DataError(f"part {split}: has no predictions; there are predictions of {there}")
    twice = chosen.filter(pl.col("image_id").is_duplicated())
    if twice.height:
        raise DataError(f"part {split}: more than one prediction for {told(twice['image_id'])}; one each is needed")
    return chosen


def _refuse_strangers(joined: pl.DataFrame, table: pl.DataFrame, split: str) -> None:
    strangers = joined.filter(~pl.col("image_id").is_in(table["image_id"].to_list()))
    if strangers.height:
        raise DataError(f"the index has no {told(strangers['image_id'])}; predict on the index that you evaluate with")
    if split == OUT_OF_FOLD:
        return
    moved = joined.filter(~pl.col("split").eq_missing(pl.col("split_index")))
    if moved.height:
        raise DataError(
            f"part {split}: the index has {told(moved['image_id'])} in another part; "
            "predict on the index that you evaluate with"
        )


def _missing(table: pl.DataFrame, chosen: pl.DataFrame, task: Task, split: str) -> int:
    """Pictures that should have been predicted."""
    expected = table.filter(
        pl.col("image_path").is_not_null() & pl.col("parent_id").is_null() & pl.col("dx").is_in(list(task.class_of))
    )
    if split != OUT_OF_FOLD:
        expected = expected.filter(pl.col("split") == split)
    return expected.join(chosen, on="image_id", how="anti").height


def _refuse_one_class(rows: Rows) -> None:
    positives = int(rows.positive.sum())
    if positives in (0, len(rows)):
        raise DataError(
            f"part {rows.split}: {positives:,} of {len(rows):,} pictures are positive in the task {rows.task.name}; "
            "both answers are needed"
        )


def told(ids: pl.Series | Sequence[str], most: int = 3) -> str:
    """A few ids for an error message."""
    names = sorted(set(ids))
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
