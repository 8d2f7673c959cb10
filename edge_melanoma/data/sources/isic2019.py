"""ISIC 2019: 25,331 training pictures: all those of HAM10000, and more from Barcelona (BCN) and New York (MSK).

Which of the three a picture is from shows in its lesion id; 2,084 pictures have none, nor has the test part.
"""

from __future__ import annotations

import polars as pl

from edge_melanoma.data.sources import Listing, Request, Source
from edge_melanoma.data.sources.reading import Rows, index_table, read_rows
from edge_melanoma.data.sources.tree import (
    Located,
    Tree,
    find_table,
    folders_called,
    locate,
    look_for,
    not_laid_out,
    picture_files,
    read_tree,
)
from edge_melanoma.errors import DataError

PARTS = ("Training", "Test")
CLASSES = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
METADATA = ("image", "age_approx", "anatom_site_general", "sex")
COUNTS = {"MEL": 4522, "NV": 12875, "BCC": 3323, "AK": 867, "BKL": 2624, "DF": 239, "VASC": 253, "SCC": 628}


def read(request: Request) -> Listing:
    """Read the training part, the test part, or both."""
    tree = read_tree(request)
    tables: list[str] = []
    parts: list[Located] = []
    remarks: list[str] = []
    for part in PARTS:
        truth, metadata = look_for(tree, [_truth(part)]), look_for(tree, [_metadata(part)])
        if truth:
            metadata = metadata or find_table(tree, [_metadata(part)], SOURCE)
            parts.append(_read_part(tree, part, truth, metadata, request))
            tables += [truth, metadata]
        elif metadata or picture_files(tree, folders_called(tree, [_pictures(part)])).height:
            remarks.append(f"{part.lower()} part left out: its ground truth ({_truth(part)}) is not there")
    if not parts:
        raise not_laid_out(tree, [_truth(part) for part in PARTS], SOURCE)
    table = pl.concat([located.table for located in parts])
    if without := table["lesion_id"].null_count():
        remarks.append(f"without a lesion id: {without:,} pictures, which only near-duplicates tie to others")
    return Listing(
        table=table,
        tables=tuple(request.root / at for at in tables),
        orphans=tuple(orphan for located in parts for orphan in located.orphans),
        looked_in=tuple(_pictures(part) for part in PARTS if _truth(part) in {at.rpartition("/")[2] for at in tables}),
        published_counts=COUNTS if len(parts) == 1 and _truth("Training") in tables[0] else {},
        remarks=(*remarks, *(remark for located in parts for remark in located.remarks)),
    )


def _truth(part: str) -> str:
    return f"ISIC_2019_{part}_GroundTruth.csv"


def _metadata(part: str) -> str:
    return f"ISIC_2019_{part}_Metadata.csv"


def _pictures(part: str) -> str:
    return f"ISIC_2019_{part}_Input"


def _read_part(tree: Tree, part: str, truth_at: str, metadata_at: str, request: Request) -> Located:
    truth = read_rows(tree.root / truth_at, ("image", *CLASSES), SOURCE, others=[])
    columns = (*METADATA, "lesion_id") if part == "Training" else METADATA
    metadata = read_rows(tree.root / metadata_at, columns, SOURCE, others=[])
    facts = metadata.frame.select(
        image_id=metadata.id("image"),
        lesion_id=metadata.known("lesion_id") if part == "Training" else pl.lit(None, pl.String),
        age=metadata.age("age_approx"),
        sex=metadata.sex("sex"),
        **metadata.site("anatom_site_general"),
    )
    prefix = pl.col("lesion_id").str.extract(r"^(BCN|HAM|MSK)\d?_")
    labels = index_table(
        truth.frame,
        SOURCE,
        image_id=truth.id("image"),
        modality=pl.lit("dermoscopic"),
        dx_raw=truth.one_hot(CLASSES),
    )
    _require_same_pictures(labels, truth, facts, metadata)
    table = labels.join(facts, on="image_id", how="left", maintain_order="left").with_columns(
        centre=prefix if part == "Training" else pl.lit("isic2019-test")
    )
    return locate(table, tree, folders_called(tree, [_pictures(part)]), request)


def _require_same_pictures(labels: pl.DataFrame, truth: Rows, facts: pl.DataFrame, metadata: Rows) -> None:
    """Refuse tables that do not speak of the same pictures."""
    twice = facts.filter(pl.col("image_id").is_duplicated())
    if twice.height:
        raise DataError(f"{metadata.file}: has {twice['image_id'][0]!r} twice; a picture has one row")
    for these, file, those, other in (
        (labels, truth.file, facts, metadata.file),
        (facts, metadata.file, labels, truth.file),
    ):
        alone = these.join(those, on="image_id", how="anti")
        if alone.height:
            raise DataError(
                f"{file}: {alone.height:,} pictures are not in {other.name}, first {alone['image_id'][0]}; "
                "take both tables from one download"
            )


SOURCE = Source(
    name="isic2019",
    title="ISIC 2019",
    license="CC-BY-NC-4.0",
    layout="""
        ISIC_2019_Training_Input/ISIC_*.jpg
        ISIC_2019_Training_GroundTruth.csv
        ISIC_2019_Training_Metadata.csv
        the same three for Test where they are there
    """,
    vocabulary="isic2019",
    read=read,
)
