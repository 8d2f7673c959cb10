"""ISIC 2018, task 3: HAM10000 as training part, with a validation and a test part of its own.

The parts are kept as `centre`, because splits are made here by lesion; the official test part is a hold-out.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from edge_melanoma.data.sources import Listing, Request, Source, ham10000
from edge_melanoma.data.sources.reading import index_table, read_rows
from edge_melanoma.data.sources.tree import (
    Located,
    Tree,
    folders_called,
    locate,
    look_for,
    not_laid_out,
    picture_files,
    read_tree,
)
from edge_melanoma.errors import DataError

PARTS = ("Training", "Validation", "Test")
CLASSES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
GROUPINGS = "ISIC2018_Task3_Training_LesionGroupings.csv"
GROUPING_COLUMNS = ("image", "lesion_id", "diagnosis_confirm_type")
CONFIRMED = {  # in the words of HAM10000, whose pictures these are
    "histopathology": "histo",
    "serial imaging showing no change": "follow_up",
    "single image expert consensus": "consensus",
    "confocal microscopy with consensus dermoscopy": "confocal",
}
NO_LESIONS = f"no {GROUPINGS}: near-duplicates alone keep pictures of one lesion together"


def read(request: Request) -> Listing:
    """Read the parts whose ground truth is there."""
    tree = read_tree(request)
    tables = {part: at for part in PARTS if (at := look_for(tree, [_truth(part)]))}
    if not tables:
        raise not_laid_out(tree, [_truth(part) for part in PARTS], SOURCE)
    parts = [_read_part(tree, part, at, request) for part, at in tables.items()]
    listed = pl.concat([located.table for located in parts])
    groupings = look_for(tree, [GROUPINGS]) if "Training" in tables else None
    remarks = [remark for located in parts for remark in located.remarks]
    if groupings:
        listed = _with_lesions(listed, request.root / groupings)
    elif "Training" in tables:
        remarks.append(NO_LESIONS)
    remarks.extend(
        f"{_pictures(part)}: left out, its ground truth ({_truth(part)}) is not there"
        for part in PARTS
        if part not in tables and picture_files(tree, folders_called(tree, [_pictures(part)])).height
    )
    files = [*tables.values(), *([groupings] if groupings else [])]
    return Listing(
        table=listed,
        tables=tuple(request.root / path for path in files),
        orphans=tuple(orphan for located in parts for orphan in located.orphans),
        looked_in=tuple(_pictures(part) for part in tables),
        # the training part is HAM10000, the other two are published without counts
        published_counts={dx.upper(): n for dx, n in ham10000.COUNTS.items()} if [*tables] == ["Training"] else {},
        remarks=tuple(remarks),
    )


def _truth(part: str) -> str:
    return f"ISIC2018_Task3_{part}_GroundTruth.csv"


def _pictures(part: str) -> str:
    return f"ISIC2018_Task3_{part}_Input"


def _read_part(tree: Tree, part: str, at: str, request: Request) -> Located:
    rows = read_rows(tree.root / at, ("image", *CLASSES), SOURCE)
    table = index_table(
        rows.frame,
        SOURCE,
        image_id=rows.id("image"),
        centre=pl.lit(f"isic2018-{part.lower()}"),
        modality=pl.lit("dermoscopic"),
        dx_raw=rows.one_hot(CLASSES),
    )
    return locate(table, tree, folders_called(tree, [_pictures(part)]), request)


def _with_lesions(table: pl.DataFrame, file: Path) -> pl.DataFrame:
    """Join the lesion and the kind of diagnosis to the training part, whose every picture must have one."""
    rows = read_rows(file, GROUPING_COLUMNS, SOURCE)
    confirmed = rows.known("diagnosis_confirm_type")
    lesions = rows.frame.select(
        image_id=rows.id("image"), lesion_id=rows.known("lesion_id"), dx_confirm=confirmed.replace(CONFIRMED)
    )
    twice = lesions.filter(pl.col("image_id").is_duplicated())
    if twice.height:
        raise DataError(f"{file}: has {twice['image_id'][0]!r} twice; a picture is of one lesion")
    training = table.filter(pl.col("centre") == "isic2018-training")
    without = training.join(lesions, on="image_id", how="anti")
    if without.height:
        raise DataError(
            f"{file}: lacks {without.height:,} of {training.height:,} training pictures, first "
            f"{without['image_id'][0]}; take both tables from one download"
        )
    return table.join(lesions, on="image_id", how="left", maintain_order="left")


SOURCE = Source(
    name="isic2018",
    title="ISIC 2018 task 3",
    license="CC-BY-NC-4.0",
    layout="""
        ISIC2018_Task3_Training_Input/ISIC_*.jpg
        ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv
        ISIC2018_Task3_Training_LesionGroupings.csv
        the same two for Validation and for Test where they are there
    """,
    vocabulary="isic2018",
    read=read,
)
