"""A published data set becomes an index: its rows in our columns, every picture opened once and fingerprinted.

What would make the index untrue is refused at once and named: pictures that are not there, ids that occur twice, labels
that nobody knows. `keep_defects` keeps such rows for the audit to list; `subset` leaves out rows without a picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from edge_melanoma.data.fingerprint import Fingerprint, fingerprint
from edge_melanoma.data.index import Index, conform, fill_index_folder, read_index
from edge_melanoma.data.pictures import Picture
from edge_melanoma.data.sources import Listing, Request, Source, source
from edge_melanoma.errors import DataError
from edge_melanoma.labels import DIAGNOSES, known_labels, task
from edge_melanoma.output import new_folder
from edge_melanoma.parallel import OnProgress, map_over_cores, silent

FEATURES_FILE = "features.parquet"


@dataclass(frozen=True, kw_only=True)
class IngestResult:
    """The index, and what is worth saying about how it came to be."""

    index: Index
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The result in numbers."""
        table = self.index.table
        counts = table.group_by("dx").len().sort("len", "dx", descending=[True, False])
        return {
            "index": str(self.index.folder),
            "index_sha256": self.index.sha256,
            "pictures": table.height,
            "without_picture": table["image_path"].null_count(),
            "undecodable": table.filter(pl.col("image_path").is_not_null() & pl.col("phash").is_null()).height,
            "lesions": table["lesion_id"].n_unique() - int(table["lesion_id"].null_count() > 0),
            "patients": table["patient_id"].n_unique() - int(table["patient_id"].null_count() > 0),
            "diagnoses": dict(zip(counts["dx"].to_list(), counts["len"].to_list(), strict=True)),
            "synthetic": self.index.is_synthetic,
            "licenses": table["license"].unique().drop_nulls().sort().to_list(),
            "remarks": list(self.remarks),
        }


def run(
    source_name: str,
    request: Request,
    out: Path,
    *,
    subset: bool = False,
    keep_defects: bool = False,
    force: bool = False,
    workers: int | None = None,
    on_progress: OnProgress = silent,
) -> IngestResult:
    """Read `request.root` as the data set `source_name` and write its index to `out`."""
    origin = source(source_name)
    _require_folder(request.root)
    with new_folder(out, kind="index", force=force) as (draft, about):
        request = replace(request, unpack=draft)
        listing = origin.read(request)
        table, remarks = _rows_to_keep(listing, request, subset=subset, keep_defects=keep_defects, name=source_name)
        root = draft if listing.unpacked else request.root
        table = _with_fingerprints(table, root, workers=workers, on_progress=on_progress)
        table = _with_answers(table, origin)
        if listing.features is not None:
            kept = listing.features.join(table.select("image_id"), on="image_id", how="semi").sort("image_id")
            kept.write_parquet(draft / FEATURES_FILE)
        sources = table["source"].unique().drop_nulls().to_list()
        index = Index(
            table=conform(table),
            roots=dict.fromkeys(sources, out if listing.unpacked else request.root),
            about=_about(origin, listing, subset=subset or not request.with_pictures, remarks=remarks, names=sources),
        )
        fill_index_folder(index, draft, about, out)
    return IngestResult(index=read_index(out), remarks=remarks)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:  # some are a gigabyte
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _require_folder(root: Path) -> None:
    try:
        found = root.exists()
    except OSError as error:
        raise DataError(f"{root}: cannot be read ({error.strerror}); give a folder that you may read") from error
    if not found:
        raise DataError(f"{root}: does not exist; give the folder that holds the data set")
    if not root.is_dir():
        raise DataError(f"{root}: is a file; give the folder that holds the data set")


def _rows_to_keep(
    listing: Listing, request: Request, *, subset: bool, keep_defects: bool, name: str
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    table, where, remarks = listing.table, _where(listing, request.root), list(listing.remarks)
    missing = table.filter(pl.col("image_path").is_null())
    if request.with_pictures and missing.height:
        if subset:
            table = table.filter(pl.col("image_path").is_not_null())
            remarks.append(f"{missing.height:,} rows left out because their picture is not there (--subset)")
        elif not keep_defects:
            raise DataError(_missing_message(missing, table.height, listing, request.root))
    if not table.height:
        raise DataError(f"{where}: not one picture of the table is there; {_looked_in(listing, request.root)}")
    if not keep_defects:
        _refuse_duplicate_ids(table, where)
        _refuse_unknown_labels(table, where, known_labels(request.vocabulary or source(name).vocabulary))
    return table, tuple(remarks)


def _where(listing: Listing, root: Path) -> str:
    return ", ".join(str(path) for path in listing.tables) or str(root)


def _looked_in(listing: Listing, root: Path) -> str:
    return f"looked in {', '.join(listing.looked_in)} below {root}" if listing.looked_in else f"looked below {root}"


def _missing_message(missing: pl.DataFrame, rows: int, listing: Listing, root: Path) -> str:
    return (
        f"{_where(listing, root)}: {missing.height:,} of {rows:,} pictures are not there, "
        f"the first is {missing['image_id'][0]}; {_looked_in(listing, root)}; complete the download, or give "
        "--subset to leave those rows out, --tables-only for an index without pictures, "
        "--keep-defects to keep them for the audit"
    )


def _refuse_duplicate_ids(table: pl.DataFrame, where: str) -> None:
    twice = table.group_by("image_id", maintain_order=True).len().filter(pl.col("len") > 1)
    if twice.height:
        first, times = twice.row(0)
        raise DataError(
            f"{where}: image_id {first!r} occurs {times} times (so do {twice.height - 1:,} others); an id names one "
            "picture; mend the table, or give --keep-defects to keep them for the audit"
        )


def _refuse_unknown_labels(table: pl.DataFrame, where: str, known: Mapping[str, str]) -> None:
    unknown = table.filter(pl.col("dx").is_null())
    if unknown.height:
        row, others = unknown.row(0, named=True), unknown.height - 1
        raise DataError(
            f"{where}: label {row['dx_raw']!r} of {row['image_id']} is unknown (as are those of {others:,} rows more); "
            f"known: {'; '.join(known)}; mend it, or give --keep-defects to keep them for the audit"
        )


def _fingerprint(picture: Picture) -> Fingerprint | None:
    """None where the file went away or cannot be read: the audit says so by name."""
    try:
        data = picture.read()
    except DataError:
        return None
    return fingerprint(data, picture.name)


def _with_fingerprints(
    table: pl.DataFrame, root: Path, *, workers: int | None, on_progress: OnProgress
) -> pl.DataFrame:
    paths = table["image_path"].unique().drop_nulls().sort().to_list()
    pictures = [Picture(image_id=path, root=root, path=path) for path in paths]
    prints = map_over_cores(_fingerprint, pictures, workers=workers, on_progress=on_progress)
    kinds = {"image_path": pl.String, "sha256": pl.String, "phash": pl.String, "width": pl.Int32, "height": pl.Int32}
    rows = [(path, p.sha256, p.phash, p.width, p.height) for path, p in zip(paths, prints, strict=True) if p]
    return table.join(
        pl.DataFrame(rows, schema=kinds, orient="row"), on="image_path", how="left", maintain_order="left"
    )


def _with_answers(table: pl.DataFrame, origin: Source) -> pl.DataFrame:
    """`y_mel` and `y_mal` by the default policies of labels.py."""
    for name in ("mel", "mal"):
        asked = task(name)
        answers = pl.col("dx").replace_strict(
            list(DIAGNOSES), [asked.answer(dx) for dx in DIAGNOSES], default=None, return_dtype=pl.Int8
        )
        table = table.with_columns(answers.alias(f"y_{name}"))
    if "license" not in table.columns:
        table = table.with_columns(pl.lit(origin.license).alias("license"))
    return table.with_columns(pl.col("license").fill_null(origin.license))


def _about(
    origin: Source, listing: Listing, *, subset: bool, remarks: tuple[str, ...], names: list[str]
) -> dict[str, Any]:
    return {
        "source": origin.name,
        "title": origin.title,
        "tables": {path.name: _sha256(path) for path in listing.tables},
        "published_counts": {name: dict(listing.published_counts) for name in names if listing.published_counts},
        "orphans": list(listing.orphans),
        "subset": subset,
        "remarks": list(remarks),
    }
