"""Was anything that is measured here known from training? Asked again at every evaluation, of the rows themselves."""

from __future__ import annotations

import polars as pl

from edge_melanoma.bundle.manifest import Manifest
from edge_melanoma.data.groups import with_originals
from edge_melanoma.errors import DataError
from edge_melanoma.evaluation.rows import OUT_OF_FOLD, Rows, told

HAM10000_NUMBERS = (24306, 34320)  # ISIC_0024306 to ISIC_0034320: its 10,015 pictures, and none of others
OF_HAM10000 = frozenset({"ham10000", "dermamnist"})  # all of it, the second without ids
ANYONES = frozenset({"folder", "csv"})  # sources that say nothing of where pictures come from
WITH_HAM10000 = frozenset({"isic2018", "isic2019", "isic9"})  # it and others
KEYS = {"image_id": "pictures", "patient_id": "patients", "lesion_id": "lesions", "sha256": "equal files"}


def check_leaks(rows: Rows, table: pl.DataFrame, fitted_on: pl.DataFrame, *, allow_leaks: bool) -> tuple[str, ...]:
    """Refuse what training has seen, unless told to go on; the remarks say what else is shared."""
    if rows.split == OUT_OF_FOLD:
        shared = _between_folds(rows.table, table)
        where = "in more than one fold, so a fold's model learned from them"
    elif rows.split == "train":
        return ("these rows are those that the model learned from: they say nothing about new pictures",)
    else:
        shared = _shared(rows.table, fitted_on)
        where = f"both in the rows that the model learned from and in {rows.split}"
    remarks = []
    if shared:
        message = f"{'; '.join(shared)}: {where}"
        if not allow_leaks:
            raise DataError(f"{message}; split again with `edge-melanoma data split`, or allow leaks and say so")
        remarks.append(f"leak, allowed by request: {message}. Every figure here is too good")
    if rows.split == "test":
        chosen_on = table.filter(pl.col("split").is_in(["val", "calibration"]))
        also = _shared(rows.table, chosen_on)
        if also:
            remarks.append(
                f"{'; '.join(also)}: both in test and in the rows that stopping or thresholds were chosen on"
            )
    return tuple(remarks)


def known_to(manifest: Manifest, rows: pl.DataFrame) -> str | None:
    """What shows that a bundle, which does not bring its training pictures along, has seen some of these."""
    name, trained = manifest.model.name, {source.name for source in manifest.data.sources}
    file_name = pl.col("image_id").str.extract(r"([^/]*)$")  # the ids of a folder are paths
    ids = {*rows["image_id"], *rows.select(file_name)["image_id"]}
    calibrated = set(manifest.quantisation.calibration_ids) & ids
    if calibrated:
        return f"{len(calibrated):,} of these pictures {name} was calibrated with, and trained on more of that data set"
    if manifest.data.synthetic:  # drawn anew, they are other pictures
        return None
    same = pl.col("source").is_in(sorted(trained - ANYONES))
    if trained & {*OF_HAM10000, *WITH_HAM10000}:
        number = file_name.str.extract(r"^ISIC_(\d{7})$").cast(pl.Int64)
        same |= pl.col("source").is_in(sorted(OF_HAM10000)) | number.is_between(*HAM10000_NUMBERS)
    known, of = rows.filter(same.fill_null(False)).height, ", ".join(sorted(trained))
    return f"{known:,} of these pictures are of {of}, on which {name} was trained" if known else None


def _shared(rows: pl.DataFrame, others: pl.DataFrame) -> list[str]:
    found, rows, others = [], with_originals(rows), with_originals(others)
    for column, name in KEYS.items():
        ids = rows[column].drop_nulls().unique()
        both = ids.filter(ids.is_in(others[column].drop_nulls().unique().to_list()))
        if len(both):
            found.append(f"{len(both):,} {name} ({_short(column, both)})")
    return found


def _between_folds(rows: pl.DataFrame, table: pl.DataFrame) -> list[str]:
    """What lies in several folds; copies, which are not among the rows, lie where the index has them."""
    found, columns = [], [*KEYS, "parent_id", "fold"]
    copies = table.filter(pl.col("parent_id").is_not_null() & pl.col("fold").is_not_null())
    rows = with_originals(pl.concat([rows.select(columns), copies.select(columns)], how="vertical_relaxed"))
    for column, name in KEYS.items():
        folds = rows.filter(pl.col(column).is_not_null()).group_by(column).agg(pl.col("fold").n_unique())
        torn = folds.filter(pl.col("fold") > 1)[column]
        if len(torn):
            found.append(f"{len(torn):,} {name} ({_short(column, torn)})")
    return found


def _short(column: str, ids: pl.Series) -> str:
    return told([name[:12] + "…" for name in ids] if column == "sha256" else ids, most=2)
