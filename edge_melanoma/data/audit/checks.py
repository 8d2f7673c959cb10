"""What can be wrong with a data set: every check by name, how bad it is, what it means and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import polars as pl

Level = Literal["fail", "warn"]

EXAMPLES = 5
IDS_SHOWN = 4  # of one finding
FINDING_COLUMNS: Mapping[str, Any] = MappingProxyType(
    {"finding": pl.UInt32, "image_id": pl.String, "detail": pl.String}
)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A check, before it is made."""

    level: Level
    meaning: str
    remedy: str


def _kind(level: Level, meaning: str, remedy: str) -> Kind:
    return Kind(level=level, meaning=meaning, remedy=remedy)


_FLATTEN = "The preprocessing contract takes no such picture; convert it to 8-bit sRGB once, and ingest again."

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "unreadable": _kind(
            "fail",
            "The picture cannot be decoded to its last pixel, or its bytes are not those that were ingested.",
            "Get the file again, or leave the row out; ingest again.",
        ),
        "missing": _kind("fail", "A row has no picture.", "Complete the download, or ingest with --subset."),
        "orphan": _kind(
            "fail",
            "A picture below the root belongs to no row: the table or the folder is not the published one.",
            "Remove the file, or add its row; ingest again.",
        ),
        "duplicate-id": _kind(
            "fail", "One image_id stands in several rows.", "Keep one of the rows, or rename; ingest again."
        ),
        "conflicting-label": _kind(
            "fail",
            "The same bytes have different diagnoses: at least one is wrong, and no model can learn both.",
            "Find out which is right; leave out all copies if nobody knows.",
        ),
        "lesion-of-several-patients": _kind(
            "fail",
            "One lesion_id belongs to several patients: it counts anew for each of them, or a row is wrong. Different "
            "lesions are measured as one, and a split ties their patients together.",
            "Make the ids unique, for example `patient_lesion`, and ingest again.",
        ),
        "leak-group": _kind(
            "fail",
            "Pictures of one patient, of one lesion, or copies of one picture lie in several parts: the test knows "
            "what was trained on.",
            "Split again with `edge-melanoma data split`, which keeps groups whole.",
        ),
        "leak-hash": _kind(
            "fail", "The same bytes lie in several parts.", "Split again with `edge-melanoma data split`."
        ),
        "unknown-label": _kind(
            "fail",
            "The label is not in the vocabulary of the source, so the row has no diagnosis.",
            "Correct the label, or choose the vocabulary that has it.",
        ),
        "fingerprint": _kind(
            "fail",
            "The numbers of pictures per label are not the published ones: rows are lost, added or relabelled.",
            "Compare with the publisher's table; if a part is meant, ingest with --subset.",
        ),
        "augmented-outside-train": _kind(
            "fail",
            "An augmented copy lies outside the training part: what is measured there is not the world.",
            "Augment after the split, and only the training part.",
        ),
        "exact-duplicate": _kind(
            "warn",
            "The same bytes under several ids, with one diagnosis.",
            "Nothing for a split, which keeps them together; drop the copies if counts matter.",
        ),
        "near-duplicate": _kind(
            "warn",
            "Pictures that look the same but have other bytes, of different patients and lesions as the table tells.",
            "Look at them: if they show one lesion, the ids are wrong. A split keeps them together.",
        ),
        "near-duplicate-across-splits": _kind(
            "warn",
            "Near-duplicates of different patients and lesions lie in several parts.",
            "Split again with `edge-melanoma data split`, which keeps them together.",
        ),
        "alpha-channel": _kind(
            "warn",
            "The picture has an alpha channel. Transparent pixels are refused by the preprocessing contract, because "
            "every viewer shows them on another ground; fully opaque ones are taken.",
            "Flatten the picture once, and ingest again.",
        ),
        "cmyk": _kind("warn", "The picture is CMYK, whose conversion to RGB differs between platforms.", _FLATTEN),
        "sixteen-bit": _kind("warn", "16 bits a sample, which platforms round differently.", _FLATTEN),
        "exif-rotation": _kind(
            "warn",
            "Stored turned or mirrored, with EXIF saying so. The contract turns it; other software may not.",
            "Nothing here; whoever reads the file otherwise must turn it.",
        ),
        "exif-gps": _kind(
            "warn",
            "EXIF says where the picture was taken, which may tell who the patient is.",
            "Strip the metadata before the files are passed on.",
        ),
        "exif-present": _kind(
            "warn",
            "EXIF is there: device, time, perhaps names.",
            "Strip the metadata before the files are passed on, after turning what is to be turned.",
        ),
        "size-outlier": _kind(
            "warn",
            "A rare size, far from the others of its source: perhaps a thumbnail, a screenshot or another device.",
            "Look at the picture.",
        ),
        "few-positives": _kind(
            "warn",
            "Too few melanomas in a part: sensitivity there is known to tens of percentage points only.",
            "Use more data, larger shares, or cross-validation.",
        ),
        "source-label": _kind(
            "warn",
            "Source or centre goes with the diagnosis: a model can learn the camera and seem to know melanoma.",
            "Stratify by centre, report each centre, and test on a centre that was not trained on.",
        ),
        "metadata-leak": _kind(
            "warn",
            "One column alone tells melanoma from the rest: it knows the answer, or how the set was put together.",
            "Never an input; look at how a model does where the column has one value.",
        ),
        "licence-mix": _kind(
            "warn",
            "Pictures for non-commercial use stand beside others: what is trained on all is non-commercial.",
            "Filter by `license`, or say so wherever the model goes.",
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check that was made, with everything it found."""

    name: str
    findings: pl.DataFrame  # FINDING_COLUMNS: a row for each picture of each finding

    @property
    def level(self) -> Level:
        """`fail`: results would be wrong; `warn`: to be known."""
        return KINDS[self.name].level

    @property
    def count(self) -> int:
        """How many findings: a finding may be one picture, several, or none (the table as a whole)."""
        return self.findings["finding"].n_unique()

    @property
    def fired(self) -> bool:
        """Did it find anything?"""
        return self.findings.height > 0

    def examples(self, count: int = EXAMPLES) -> list[str]:
        """The first findings in words."""
        texts = []
        for row in self.first(count).rows(named=True):
            ids = [image_id for image_id in row["image_id"] if image_id is not None]
            more = f" and {len(ids) - IDS_SHOWN:,} more" if len(ids) > IDS_SHOWN else ""
            texts.append(": ".join(part for part in (", ".join(ids[:IDS_SHOWN]) + more, row["detail"]) if part))
        return texts

    def first(self, count: int) -> pl.DataFrame:
        """The first findings, one a row, with the list of their pictures."""
        few = self.findings.filter(pl.col("finding") < count)
        return few.group_by("finding", maintain_order=True).agg("image_id", pl.col("detail").first())

    def to_json(self) -> dict[str, Any]:
        """The check with its first findings."""
        kind = KINDS[self.name]
        return {
            "name": self.name,
            "level": kind.level,
            "count": self.count,
            "pictures": self.findings["image_id"].drop_nulls().n_unique(),
            "examples": self.examples(),
            "meaning": kind.meaning,
            "remedy": kind.remedy,
        }


def none_found() -> pl.DataFrame:
    """No finding."""
    return pl.DataFrame(schema=dict(FINDING_COLUMNS))


def one_each(rows: pl.DataFrame, detail: pl.Expr | str) -> pl.DataFrame:
    """Every row is a finding of its own."""
    told = pl.lit(detail) if isinstance(detail, str) else detail
    found = rows.select("image_id", told.alias("detail")).unique(maintain_order=True)
    return found.with_row_index("finding").select(list(FINDING_COLUMNS)).cast(_types())


def one_per(rows: pl.DataFrame, key: str, detail: pl.Expr) -> pl.DataFrame:
    """All rows with the same key are one finding; `detail` is an aggregation over them."""
    ids = pl.col("image_id").unique(maintain_order=True).alias("ids")
    grouped = rows.group_by(key, maintain_order=True).agg(ids, detail.alias("detail")).with_row_index("finding")
    return grouped.explode("ids").select("finding", pl.col("ids").alias("image_id"), "detail").cast(_types())


def about_the_table(details: Iterable[str]) -> pl.DataFrame:
    """Findings that concern no single picture."""
    told = list(details)
    return pl.DataFrame(
        {"finding": range(len(told)), "image_id": [None] * len(told), "detail": told}, schema=dict(FINDING_COLUMNS)
    )


def _types() -> Any:
    return dict(FINDING_COLUMNS)
