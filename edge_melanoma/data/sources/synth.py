"""A set drawn by `data synth`: laid out as HAM10000 is, and no picture of a person in it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from edge_melanoma.data.index import SPLITS
from edge_melanoma.data.sources import Listing, Request, Source
from edge_melanoma.data.sources.reading import Rows, index_table, read_rows
from edge_melanoma.data.sources.tree import find_table, folders_beside, join, locate, parent, read_tree
from edge_melanoma.errors import DataError

TABLE = "SYN_metadata.csv"
RECIPE = "synth.json"
FOLDER = "SYN_images"
COLUMNS = (
    *("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset"),
    *("patient_id", "ita"),
)
OTHERS = ("split", "parent_id", "license")


def read(request: Request) -> Listing:
    """Read a generated set."""
    tree = read_tree(request)
    at = find_table(tree, [TABLE], SOURCE)
    rows = read_rows(request.root / at, COLUMNS, SOURCE, others=OTHERS)
    table = index_table(
        rows.frame,
        SOURCE,
        image_id=rows.id("image_id"),
        lesion_id=rows.known("lesion_id"),
        patient_id=rows.known("patient_id"),
        centre=rows.known("dataset"),
        modality=pl.lit("synthetic"),
        dx_raw=rows.text("dx"),
        age=rows.age("age"),
        sex=rows.sex("sex"),
        **rows.site("localization"),
        dx_confirm=rows.known("dx_type"),
        ita=rows.number("ita", -180, 180),
        **_others(rows),
    )
    located = locate(table, tree, folders_beside(tree, at, [FOLDER]), request)
    return Listing(
        table=located.table,
        tables=(rows.file,),
        orphans=located.orphans,
        looked_in=(FOLDER,),
        published_counts=_counts(request.root / join(parent(at), RECIPE)),
        remarks=located.remarks,
    )


def _others(rows: Rows) -> dict[str, pl.Expr]:
    there = {name: rows.known(name) for name in OTHERS if name in rows.frame.columns}
    if "split" in there:
        rows.refuse(~there["split"].is_in(SPLITS).fill_null(True), "split", f"is none of {', '.join(SPLITS)}")
    if "license" in there:
        there["license"] = there["license"].fill_null(SOURCE.license)
    return there


def _counts(file: Path) -> dict[str, int]:
    """How many pictures of each diagnosis the generator says it drew."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))["published_counts"]
        return {str(dx): int(count) for dx, count in said.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file}: is not there or is broken; `edge-melanoma data synth` writes it last: generate the set again"
        ) from error


SOURCE = Source(
    name="synth",
    title="a synthetic set",
    license="CC0-1.0 (synthetic)",
    layout="""
        SYN_metadata.csv
        SYN_images/SYN_*.jpg
        synth.json
    """,
    vocabulary="ham10000",
    read=read,
)
