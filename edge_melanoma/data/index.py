"""The index: one row a picture, the same columns whatever the source, kept as a folder with a parquet table.

    index.parquet        the table
    edge-melanoma.json   where the pictures lie, which files the table came from, the hash of its content

Pictures stay where they are: `image_path` is relative to the root of its source: `path/in/root`, or for a picture
inside an HDF5 container `container.hdf5#key`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from edge_melanoma.data.pictures import Picture
from edge_melanoma.errors import ArtifactError
from edge_melanoma.labels import LABELS_VERSION, labels_sha256
from edge_melanoma.output import ORIGIN_FILE, new_folder, read_origin

TABLE_FILE = "index.parquet"
SPLITS = ("train", "val", "calibration", "test")

COLUMNS: Mapping[str, Any] = {
    "image_id": pl.String,
    "image_path": pl.String,  # null: the picture is not there
    "sha256": pl.String,  # of the picture's bytes
    "phash": pl.String,  # perceptual hash, hexadecimal; null where the picture cannot be decoded
    "width": pl.Int32,  # as stored, before EXIF orientation
    "height": pl.Int32,
    "lesion_id": pl.String,  # unique within the index, not only within a patient
    "patient_id": pl.String,
    "source": pl.String,  # the data set
    "centre": pl.String,  # where in the data set the picture was taken, as far as it is told
    "modality": pl.String,  # dermoscopic, clinical, tbp, synthetic
    "dx_raw": pl.String,
    "dx": pl.String,  # labels.DIAGNOSES; null: the raw label is not in the source's vocabulary
    "y_mel": pl.Int8,
    "y_mal": pl.Int8,
    "age": pl.Float64,  # years
    "sex": pl.String,  # female, male
    "site": pl.String,  # the source's own word, lower case
    "site_group": pl.String,
    "dx_confirm": pl.String,  # how the diagnosis was made; tells the label, so never an input
    "fst": pl.Int8,  # Fitzpatrick skin type 1-6
    "ita": pl.Float64,  # degrees, where the source gives it
    "license": pl.String,
    "split": pl.String,
    "fold": pl.Int8,
    "parent_id": pl.String,  # the picture this one was augmented from
}


@dataclass(frozen=True, kw_only=True)
class Index:
    """A table with the columns above, in the order of image_id, and where its pictures lie."""

    table: pl.DataFrame
    roots: Mapping[str, Path]  # source -> folder
    about: Mapping[str, Any] = field(default_factory=dict)  # the note of origin, less what write() fills in
    folder: Path | None = None  # where it was read from, for messages

    @property
    def sha256(self) -> str:
        """The identity of the content: equal for equal rows, wherever the index or its pictures lie."""
        canonical = self.table.select(list(COLUMNS)).sort(_ORDER, nulls_last=True)
        return hashlib.sha256(canonical.write_csv(float_precision=6).encode()).hexdigest()

    def pictures(self, rows: pl.DataFrame | None = None) -> list[Picture]:
        """Where to read the picture of each row (of all rows, unless given), in the order of the rows."""
        rows = self.table if rows is None else rows
        keys = zip(rows["image_id"], rows["source"], rows["image_path"], strict=True)
        return [Picture(image_id=i, root=self.roots[source], path=path) for i, source, path in keys if path is not None]

    def with_table(self, table: pl.DataFrame, **about: Any) -> Index:
        """The same pictures under a changed table."""
        return Index(table=conform(table), roots=self.roots, about={**self.about, **about}, folder=self.folder)

    @property
    def is_synthetic(self) -> bool:
        """Does any row come from a generator?"""
        return bool((self.table["modality"] == "synthetic").any())


_ORDER = ["image_id", "source", "image_path", "dx_raw"]


def conform(table: pl.DataFrame) -> pl.DataFrame:
    """The table with exactly our columns and types: absent ones null, rows in the order of image_id."""
    unknown = [name for name in table.columns if name not in COLUMNS]
    if unknown:
        raise ValueError(f"not columns of an index: {', '.join(unknown)}")
    filled = table.with_columns(
        pl.lit(None, dtype=kind).alias(n) for n, kind in COLUMNS.items() if n not in table.columns
    )
    typed = filled.select(pl.col(name).cast(kind) for name, kind in COLUMNS.items())
    return typed.sort(_ORDER, nulls_last=True, maintain_order=True)


def write_index(index: Index, out: Path, *, force: bool = False) -> Index:
    """Write an index as a folder of its own."""
    with new_folder(out, kind="index", force=force) as (draft, about):
        fill_index_folder(index, draft, about, out)
    return read_index(out)


def fill_index_folder(index: Index, draft: Path, about: dict[str, Any], out: Path) -> None:
    """Put the index into the draft folder that will become `out`, and its facts into the note of origin."""
    index.table.write_parquet(draft / TABLE_FILE)
    about.update(
        {
            **index.about,
            "rows": index.table.height,
            "index_sha256": index.sha256,
            "labels_version": LABELS_VERSION,
            "labels_sha256": labels_sha256(),
            "synthetic": index.is_synthetic,
            "roots": {source: _portable(root, out) for source, root in sorted(index.roots.items())},
        }
    )


def _portable(root: Path, out: Path) -> str:
    """A root inside the index, or a neighbour of it, is kept relative, so that both can be moved together."""
    relative = Path(os.path.relpath(root, out))
    return str(root.resolve()) if relative.parts[:2] == ("..", "..") else relative.as_posix()


def read_index(path: Path, *, roots: Mapping[str, Path] | None = None) -> Index:
    """Read an index folder; `roots` says where pictures lie that have been moved."""
    if not path.exists():
        raise ArtifactError(f"{path}: does not exist; make it with: edge-melanoma data ingest SOURCE ROOT --out {path}")
    note = read_origin(path)
    if note is None or note["kind"] != "index" or not (path / TABLE_FILE).is_file():
        found = f"holds {note['kind']}, not an index" if note else "holds no index"
        raise ArtifactError(
            f"{path}: {found}; an index is the folder that `edge-melanoma data ingest` or `data split` wrote"
        )
    anew = "split again" if "split_recipe" in note else "ingest again"  # who wrote it is who can write it anew
    if not isinstance(note.get("roots"), dict) or "index_sha256" not in note:
        raise ArtifactError(f"{path / ORIGIN_FILE}: was changed after it was written (it lacks roots or hash); {anew}")
    try:
        table = pl.read_parquet(path / TABLE_FILE, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ArtifactError(f"{path / TABLE_FILE}: is broken ({_first_line(error)}); {anew}") from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise ArtifactError(f"{path / TABLE_FILE}: lacks the columns {', '.join(missing)}; {anew}")
    known = {source: (path / root).resolve() for source, root in note["roots"].items()}
    known.update({source: Path(root) for source, root in (roots or {}).items()})
    about = {key: value for key, value in note.items() if key not in _WRITTEN_ANEW}
    index = Index(table=table.select(list(COLUMNS)), roots=known, about=about, folder=path)
    if index.sha256 != note["index_sha256"]:
        raise ArtifactError(f"{path / TABLE_FILE}: was changed after it was written (its hash differs); {anew}")
    return index


_WRITTEN_ANEW = {
    *("kind", "edge_melanoma", "created", "host"),
    *("rows", "index_sha256", "labels_version", "labels_sha256", "synthetic", "roots"),
}


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
