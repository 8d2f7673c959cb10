"""HAM10000: 10,015 dermoscopic pictures of 7,470 lesions from four collections in Vienna and Queensland.

Its copy on Kaggle has every folder twice, in two spellings; its original on Harvard Dataverse has the table without a
suffix and with an eighth column that says which collection a picture is from.
"""

from __future__ import annotations

import polars as pl

from edge_melanoma.data.sources import Listing, Request, Source
from edge_melanoma.data.sources.reading import index_table, read_rows
from edge_melanoma.data.sources.tree import find_table, folders_beside, folders_called, locate, read_tree

TABLES = ("HAM10000_metadata", "HAM10000_metadata.csv")  # the first has the collection
COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
PARTS = ("HAM10000_images_part_1", "HAM10000_images_part_2")
BESIDE = ("images", ".")  # other copies have all pictures in one folder
COUNTS = {"nv": 6705, "mel": 1113, "bkl": 1099, "bcc": 514, "akiec": 327, "vasc": 142, "df": 115}


def read(request: Request) -> Listing:
    """Read HAM10000 as published on Harvard Dataverse or on Kaggle."""
    tree = read_tree(request)
    at = find_table(tree, TABLES, SOURCE)
    rows = read_rows(request.root / at, COLUMNS, SOURCE, others=["dataset"])
    has_centre = "dataset" in rows.frame.columns
    table = index_table(
        rows.frame,
        SOURCE,
        image_id=rows.id("image_id"),
        lesion_id=rows.known("lesion_id"),
        centre=rows.known("dataset") if has_centre else pl.lit(None, pl.String),
        modality=pl.lit("dermoscopic"),
        dx_raw=rows.text("dx"),
        age=rows.age("age"),
        sex=rows.sex("sex"),
        **rows.site("localization"),
        dx_confirm=rows.known("dx_type"),
    )
    folders = [*folders_called(tree, PARTS), *folders_beside(tree, at, BESIDE)]
    located = locate(table, tree, folders, request)
    no_centre = "this copy of the table does not say which collection a picture is from (no column `dataset`)"
    return Listing(
        table=located.table,
        tables=(rows.file,),
        orphans=located.orphans,
        looked_in=(*PARTS, "images", "beside the table"),
        published_counts=COUNTS,
        remarks=(*located.remarks, *(() if has_centre else (no_centre,))),
    )


SOURCE = Source(
    name="ham10000",
    title="HAM10000",
    license="CC-BY-NC-4.0",
    layout="""
        HAM10000_metadata or HAM10000_metadata.csv
        HAM10000_images_part_1/ISIC_*.jpg
        HAM10000_images_part_2/ISIC_*.jpg
    """,
    vocabulary="ham10000",
    read=read,
)
