"""PAD-UFES-20: 2,298 phone photographs of 1,641 lesions of 1,373 patients in Espírito Santo, Brazil.

Whether a lesion was cut out (`biopsed`) tells the answer: all cancers were, and few others. It is `dx_confirm` here.
"""

from __future__ import annotations

import polars as pl

from edge_melanoma.data.sources import Listing, Request, Source
from edge_melanoma.data.sources.reading import Rows, index_table, read_rows
from edge_melanoma.data.sources.tree import find_table, folders_beside, folders_called, locate, read_tree

TABLE = "metadata.csv"
COLUMNS = (
    *("patient_id", "lesion_id", "smoke", "drink", "background_father", "background_mother", "age", "pesticide"),
    *("gender", "skin_cancer_history", "cancer_history", "has_piped_water", "has_sewage_system", "fitspatrick"),
    *("region", "diameter_1", "diameter_2", "diagnostic", "itch", "grew", "hurt", "changed", "bleed", "elevation"),
    *("img_id", "biopsed"),
)
PARTS = ("imgs_part_1", "imgs_part_2", "imgs_part_3")
BESIDE = ("images", ".")
COUNTS = {"BCC": 845, "ACK": 730, "NEV": 244, "SEK": 235, "SCC": 192, "MEL": 52}


def read(request: Request) -> Listing:
    """Read the table and the three picture folders, nested or not."""
    tree = read_tree(request)
    at = find_table(tree, [TABLE], SOURCE)
    rows = read_rows(request.root / at, COLUMNS, SOURCE)
    patient, lesion = rows.known("patient_id"), rows.known("lesion_id")
    table = index_table(
        rows.frame,
        SOURCE,
        image_id=rows.id("img_id").str.replace(r"\.png$", ""),
        patient_id=patient,
        lesion_id=pl.format("{}/{}", patient, lesion),  # lesions are counted anew for each patient
        modality=pl.lit("clinical"),
        dx_raw=rows.text("diagnostic"),
        age=rows.age("age"),
        sex=rows.sex("gender"),
        **rows.site("region"),
        dx_confirm=_confirmed(rows),
        fst=rows.number("fitspatrick", 1, 6, whole=True).cast(pl.Int8),
    )
    folders = [*folders_called(tree, PARTS), *folders_beside(tree, at, BESIDE)]
    located = locate(table, tree, folders, request)
    return Listing(
        table=located.table,
        tables=(rows.file,),
        orphans=located.orphans,
        looked_in=(*PARTS, "images", "beside the table"),
        published_counts=COUNTS,
        remarks=located.remarks,
    )


def _confirmed(rows: Rows) -> pl.Expr:
    biopsed = rows.word("biopsed")
    rows.refuse(~biopsed.is_in(["true", "false"]).fill_null(True), "biopsed", "is neither True nor False")
    return pl.when(biopsed == "true").then(pl.lit("biopsy")).when(biopsed == "false").then(pl.lit("clinical"))


SOURCE = Source(
    name="pad-ufes-20",
    title="PAD-UFES-20",
    license="CC-BY-4.0",
    layout="""
        metadata.csv
        imgs_part_1/PAT_*.png
        imgs_part_2/PAT_*.png
        imgs_part_3/PAT_*.png
    """,
    vocabulary="pad-ufes-20",
    read=read,
)
