"""Which pictures belong together: those of one patient, one lesion, or (nearly) the same picture.

A split that tears a group apart tests a model on what it was trained on. Groups are the connected parts of a graph: two
pictures are joined by a common patient, a common lesion, equal bytes, perceptual hashes within the near-duplicate
limit, or because one was augmented from the other. So a duplicate filed under a second lesion id pulls the two lesions
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.data.fingerprint import NEAR_LIMIT
from edge_melanoma.data.neighbours import near_pairs, union_find


@dataclass(frozen=True, kw_only=True)
class Groups:
    """The group of every row, and what made the groups."""

    of_row: NDArray[np.int64]  # 0 … count-1, in the order of first appearance
    count: int
    joined_by: Mapping[str, int]  # kind of tie -> how many joins it made that no earlier kind had made

    @property
    def largest(self) -> int:
        """How many pictures the largest group has."""
        return int(np.bincount(self.of_row).max()) if len(self.of_row) else 0


def find_groups(table: pl.DataFrame) -> Groups:
    """The groups of an index' rows."""
    ties = {
        "patient": _shared(table["patient_id"]),
        "lesion": _shared(table["lesion_id"]),
        "equal bytes": _shared(table["sha256"]),
        "near-duplicate": near_pairs(table["phash"].to_list(), limit=NEAR_LIMIT)[:, :2],
        "augmented copy": _shared(table["image_id"], table["parent_id"]),
    }
    rows, before = table.height, table.height
    joined_by: dict[str, int] = {}
    pairs = np.empty((0, 2), np.int64)
    labels = np.arange(rows, dtype=np.int64)
    for kind, found in ties.items():
        pairs = np.concatenate([pairs, found])
        labels = union_find(rows, pairs)
        count = len(np.unique(labels))
        joined_by[kind], before = before - count, count
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return Groups(of_row=rank[inverse], count=before, joined_by=joined_by)


def with_originals(table: pl.DataFrame) -> pl.DataFrame:
    """The table, and each augmented copy once more under the id of its original: who compares ids compares both."""
    copies = table.filter(pl.col("parent_id").is_not_null())
    return pl.concat([table, copies.with_columns(image_id="parent_id")])


def _shared(*columns: pl.Series) -> NDArray[np.int64]:
    """Pairs (row, first row with the same id in any of the columns), for rows whose id has come before."""
    frame = pl.concat([pl.DataFrame({"id": ids}).with_row_index("row") for ids in columns])
    frame = frame.filter(pl.col("id").is_not_null())
    frame = frame.with_columns(pl.col("row").first().over("id").alias("first")).filter(pl.col("row") != pl.col("first"))
    return frame.select("row", "first").to_numpy().astype(np.int64)
