"""What is there: pictures, lesions and patients by diagnosis, part, source and centre; what each task makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from edge_melanoma.labels import TASKS, task

NOT_TOLD = "not told"
NO_DX = "no diagnosis"  # the source's label is not in its vocabulary, or there is none


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many of each; None where the index does not tell lesions or patients apart."""

    pictures: int
    of_lesions: int  # pictures whose lesion is told
    lesions: int | None
    patients: int | None
    melanomas: int  # pictures

    def to_json(self) -> dict[str, Any]:
        """The count in numbers."""
        return {**vars(self)}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The counts of an index."""

    all: Count
    copies: int  # augmented ones, which are not counted anywhere else
    by_class: Mapping[str, Count]  # the most frequent first
    by_split: Mapping[str, Count]
    by_source: Mapping[str, Count]
    by_centre: Mapping[str, Count]  # "source: centre"
    cells: pl.DataFrame  # dx, split, source, centre, pictures, lesions: the counts of every combination
    tasks: Mapping[str, Mapping[str, int]]  # task -> answer -> pictures; "left out" for those without an answer

    def to_json(self) -> dict[str, Any]:
        """The counts in numbers."""
        groups = {"class": self.by_class, "split": self.by_split, "source": self.by_source, "centre": self.by_centre}
        return {
            "all": self.all.to_json(),
            "augmented_copies_left_out": self.copies,
            **{f"by_{name}": {key: c.to_json() for key, c in counts.items()} for name, counts in groups.items()},
            "by_class_split_source_centre": self.cells.to_dicts(),
            "tasks": {name: dict(answers) for name, answers in self.tasks.items()},
        }


def originals(table: pl.DataFrame) -> pl.DataFrame:
    """The rows that are no augmented copies, with `class`, the diagnosis in words, and `place`, source and centre."""
    rows = table.filter(pl.col("parent_id").is_null())
    place = pl.concat_str("source", "centre", separator=": ", ignore_nulls=True)
    if rows["source"].n_unique() == 1 and rows["centre"].is_not_null().any():
        place = pl.col("centre").fill_null(NOT_TOLD)
    return rows.with_columns(pl.col("dx").fill_null(NO_DX).alias("class"), place.alias("place"))


def count(table: pl.DataFrame) -> Counts:
    """Count an index."""
    rows = originals(table)
    cells = rows.group_by("class", "split", "source", "centre").agg(
        pl.len().alias("pictures"), pl.col("lesion_id").drop_nulls().n_unique().alias("lesions")
    )
    by_class = _by(rows, "class")
    told = rows["centre"].is_not_null().any()
    return Counts(
        all=_count(rows),
        copies=table.height - rows.height,
        by_class=by_class,
        by_split=_by(rows, "split"),
        by_source=_by(rows, "source"),
        by_centre=_by(rows, "place") if told else {},
        cells=cells.sort("class", "split", "source", "centre", nulls_last=True).rename({"class": "dx"}),
        tasks={name: _answers(name, by_class) for name in TASKS},
    )


_NUMBERS = (
    pl.len().alias("pictures"),
    pl.col("lesion_id").is_not_null().sum().alias("of_lesions"),
    pl.col("lesion_id").drop_nulls().n_unique().alias("lesions"),
    pl.col("patient_id").drop_nulls().n_unique().alias("patients"),
    (pl.col("y_mel") == 1).sum().alias("melanomas"),
)


def _by(rows: pl.DataFrame, column: str) -> dict[str, Count]:
    if rows[column].null_count() == rows.height:
        return {}
    counted = rows.group_by(pl.col(column).fill_null("none")).agg(_NUMBERS)
    counted = counted.sort("pictures", column, descending=[True, False])
    return {row[column]: _of(row) for row in counted.iter_rows(named=True)}


def _count(rows: pl.DataFrame) -> Count:
    return _of(rows.select(_NUMBERS).row(0, named=True))


def _of(row: dict[str, Any]) -> Count:
    return Count(
        pictures=row["pictures"],
        of_lesions=row["of_lesions"],
        lesions=row["lesions"] or None,
        patients=row["patients"] or None,
        melanomas=row["melanomas"],
    )


def _answers(name: str, by_class: Mapping[str, Count]) -> dict[str, int]:
    asked = task(name)
    answers = dict.fromkeys([*asked.classes, "left out"], 0)
    for dx, counted in by_class.items():
        answer = asked.answer(dx)
        answers["left out" if answer is None else asked.classes[answer]] += counted.pictures
    return answers
