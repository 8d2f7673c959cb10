"""What an index holds, and what it knows of one picture."""

from __future__ import annotations

import difflib
from typing import Any

import polars as pl

from edge_melanoma.data.index import Index
from edge_melanoma.errors import DataError


def describe(index: Index) -> dict[str, Any]:
    """The index in a few lines."""
    table = index.table
    return {
        "index": str(index.folder),
        "hash": index.sha256,
        "synthetic": index.is_synthetic,
        "pictures": table.height,
        "lesions": table["lesion_id"].drop_nulls().n_unique(),
        "patients": table["patient_id"].drop_nulls().n_unique(),
        "melanomas": int((table["y_mel"] == 1).sum()),
        "malignant": int((table["y_mal"] == 1).sum()),
        "diagnoses": _counts(table, "dx"),
        "sources": _counts(table, "source"),
        "centres": _counts(table, "centre"),
        "parts": _counts(table, "split"),
        "folds": _counts(table, "fold"),
        "licences": _counts(table, "license"),
        "roots": {source: str(root) for source, root in index.roots.items()},
        "missing values": {name: n for name, n in table.null_count().row(0, named=True).items() if n},
        "remarks": list(index.about.get("remarks", [])),
    }


def describe_picture(index: Index, image_id: str) -> dict[str, Any]:
    """Every column of one picture, where it lies, and the other pictures of its lesion and patient."""
    rows = index.table.filter(pl.col("image_id") == image_id)
    if not rows.height:
        near = difflib.get_close_matches(image_id, index.table["image_id"].to_list()[:100_000], n=3)
        raise DataError(f"{index.folder}: has no picture {image_id!r}" + (f"; near: {', '.join(near)}" if near else ""))
    row = rows.row(0, named=True)
    facts = {name: value for name, value in row.items() if value is not None}
    if row["image_path"] is not None:
        facts["file"] = index.pictures(rows)[0].name
    for column in ("lesion_id", "patient_id"):
        if row[column] is not None:
            others = index.table.filter((pl.col(column) == row[column]) & (pl.col("image_id") != image_id))
            facts[f"same {column.removesuffix('_id')}"] = others["image_id"].to_list()
    if rows.height > 1:
        facts["rows with this id"] = rows.height
    return facts


def _counts(table: pl.DataFrame, column: str) -> dict[str, int]:
    counted = (
        table.filter(pl.col(column).is_not_null()).group_by(column).len().sort("len", column, descending=[True, False])
    )
    return {str(value): n for value, n in counted.rows()}
