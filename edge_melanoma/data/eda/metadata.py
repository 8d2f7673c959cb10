"""What is known beside the picture: age, sex, site, centre, skin type, confirmation, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.data.eda.counts import NOT_TOLD, originals

CROSSED: Mapping[str, str] = {
    "sex": "sex",
    "site_group": "site, in groups",
    "site": "site, as the source calls it",
    "place": "centre",
    "fst": "Fitzpatrick skin type",
    "dx_confirm": "how the diagnosis was made",
}
_TOLD = ("lesion_id", "patient_id", "centre", "dx", "age", "sex", "site", "dx_confirm", "fst", "ita", "license")


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """Everything by diagnosis, the most frequent one first."""

    classes: tuple[str, ...]
    age: Mapping[str, NDArray[np.float64]]  # class -> known ages in years
    crossed: Mapping[str, pl.DataFrame]  # column of CROSSED -> value, then pictures per class; absent: never told
    missing: pl.DataFrame  # column, missing (pictures), melanoma share where missing and where told

    def to_json(self) -> dict[str, Any]:
        """The metadata in numbers."""
        return {
            "age": {name: quantiles(ages) for name, ages in self.age.items() if len(ages)},
            "by_class": {column: frame.to_dicts() for column, frame in self.crossed.items()},
            "missing": self.missing.to_dicts(),
        }


def describe(table: pl.DataFrame, classes: tuple[str, ...]) -> Metadata:
    """The metadata of an index, for the classes in their order."""
    rows = originals(table)
    ages = {name: rows.filter(pl.col("class") == name)["age"].drop_nulls().to_numpy() for name in classes}
    told = [column for column in CROSSED if rows[column].null_count() < rows.height]
    if rows["centre"].null_count() == rows.height and rows["source"].n_unique() == 1:
        told.remove("place")
    return Metadata(
        classes=classes,
        age=ages,
        crossed={column: _crossed(rows, column, classes) for column in told},
        missing=_missing(rows),
    )


def quantiles(values: NDArray[Any]) -> dict[str, float]:
    """Count, mean and quantiles of the values that are known."""
    known = values[np.isfinite(values)].astype(np.float64)
    if not len(known):
        return {"n": 0}
    points = np.quantile(known, [0.05, 0.25, 0.5, 0.75, 0.95])
    named = dict(zip(("p5", "p25", "median", "p75", "p95"), points, strict=True))
    return {"n": len(known), **{name: round(float(v), 4) for name, v in {"mean": known.mean(), **named}.items()}}


def _crossed(rows: pl.DataFrame, column: str, classes: tuple[str, ...]) -> pl.DataFrame:
    """Pictures by value and class, the most frequent value first and what is not told last."""
    value = pl.col(column).cast(pl.String).fill_null(NOT_TOLD).alias("value")
    per_class = [(pl.col("class") == name).sum().alias(name) for name in classes]
    counted = rows.group_by(value).agg(pl.len().alias("pictures"), *per_class)
    by_number = pl.col("value") if column == "fst" else -pl.col("pictures").cast(pl.Int64)
    return counted.sort(pl.col("value") == NOT_TOLD, by_number, "value")


def _missing(rows: pl.DataFrame) -> pl.DataFrame:
    found = []
    for column in _TOLD:
        absent = rows[column].is_null()
        shares = [rows.filter(part)["y_mel"].mean() for part in (absent, ~absent)]
        found.append((column, int(absent.sum()), *shares))
    names = {
        "column": pl.String,
        "missing": pl.Int64,
        "melanoma_if_missing": pl.Float64,
        "melanoma_if_told": pl.Float64,
    }
    return pl.DataFrame(found, schema=names, orient="row")
