"""What the parts or folds of a table have in common, counted from its ids alone: the judge of a split."""

from __future__ import annotations

import polars as pl

from edge_melanoma.data.groups import Groups, with_originals

_IDENTITIES = {
    "patient_id": "patients",
    "lesion_id": "lesions",
    "sha256": "equal pictures",
    "image_id": "pictures and their augmented copies",
}


def count_torn(table: pl.DataFrame, groups: Groups) -> dict[str, int]:
    """Pictures with their copies, patients, lesions, equal pictures and groups with members in two parts or folds."""
    table = with_originals(table.with_columns(pl.Series("group", groups.of_row)))
    torn = {}
    for column in (*_IDENTITIES, "group"):
        torn[f"{column} in two parts"] = _in_several(table, column, "split")
        torn[f"{column} in two folds"] = _in_several(table, column, "fold")
    return torn


def leaking(table: pl.DataFrame) -> dict[str, int]:
    """What a table's own parts have in common: kind of tie -> how many; empty where nothing leaks."""
    table = with_originals(table)
    torn = {name: _in_several(table, column, "split") for column, name in _IDENTITIES.items()}
    return {name: n for name, n in torn.items() if n}


def _in_several(table: pl.DataFrame, column: str, part: str) -> int:
    known = table.filter(pl.col(column).is_not_null() & pl.col(part).is_not_null())
    return int((known.group_by(column).agg(pl.col(part).n_unique())[part] > 1).sum())
