"""ISIC 2020 (SIIM-ISIC): 33,126 pictures of 2,056 patients, 584 melanomas; from Kaggle or from the ISIC site.

Its diagnosis `unknown` means benign without a recorded diagnosis. The ISIC site lists 425 pictures that are there
twice; where that list is, the second of each pair is left out.
"""

from __future__ import annotations

import polars as pl

from edge_melanoma.data.sources import Listing, Request, Source
from edge_melanoma.data.sources.reading import Rows, index_table, read_rows
from edge_melanoma.data.sources.tree import find_table, folders_beside, folders_called, locate, look_for, read_tree

TABLES = ("ISIC_2020_Training_GroundTruth_v2.csv", "ISIC_2020_Training_GroundTruth.csv", "train.csv")
COLUMNS = (
    *("image_name", "patient_id", "sex", "age_approx", "anatom_site_general_challenge"),
    *("diagnosis", "benign_malignant", "target"),
)
DUPLICATES = "ISIC_2020_Training_Duplicates.csv"
FOLDERS = ("ISIC_2020_Training_Input", "ISIC_2020_Training_JPEG")
BESIDE = ("jpeg/train", "train", "ISIC_2020_Training_JPEG/train", "ISIC_2020_Training_Input/train")
COUNTS = {
    "unknown": 27124,
    "nevus": 5193,
    "melanoma": 584,
    "seborrheic keratosis": 135,
    "lentigo NOS": 44,
    "lichenoid keratosis": 37,
    "solar lentigo": 7,
    "cafe-au-lait macule": 1,
    "atypical melanocytic proliferation": 1,
}


def read(request: Request) -> Listing:
    """Read the training part (the test part has no labels)."""
    tree = read_tree(request)
    at = find_table(tree, TABLES, SOURCE)
    rows = read_rows(request.root / at, COLUMNS, SOURCE, others=["lesion_id"])
    _require_one_answer(rows)
    table = index_table(
        rows.frame,
        SOURCE,
        image_id=rows.id("image_name"),
        patient_id=rows.known("patient_id"),
        lesion_id=rows.known("lesion_id") if "lesion_id" in rows.frame.columns else pl.lit(None, pl.String),
        modality=pl.lit("dermoscopic"),
        dx_raw=rows.text("diagnosis"),
        age=rows.age("age_approx"),
        sex=rows.sex("sex"),
        **rows.site("anatom_site_general_challenge"),
    )
    folders = [*folders_called(tree, FOLDERS), *folders_beside(tree, at, BESIDE)]
    located = locate(table, tree, folders, request)
    listed, files, remarks = located.table, [rows.file], list(located.remarks)
    duplicates = look_for(tree, [DUPLICATES])
    if duplicates:
        pairs = read_rows(request.root / duplicates, ("image_name_1", "image_name_2"), SOURCE)
        second = pairs.frame.select(image_id=pairs.id("image_name_2"))
        listed = listed.join(second, on="image_id", how="anti", maintain_order="left")
        files.append(pairs.file)
        remarks.append(f"left out: {table.height - listed.height:,} pictures that {DUPLICATES} calls second copies")
    return Listing(
        table=listed,
        tables=tuple(files),
        orphans=located.orphans,
        looked_in=(*FOLDERS, *BESIDE[:2]),
        published_counts={} if duplicates else COUNTS,
        remarks=tuple(remarks),
    )


def _require_one_answer(rows: Rows) -> None:
    """Diagnosis, benign_malignant and target say the same three times over; refuse a row where they do not."""
    target = rows.text("target")
    rows.refuse(~target.is_in(["0", "1"]).fill_null(False), "target", "is neither 0 nor 1")
    melanoma = target == "1"
    wrong = melanoma != (rows.text("diagnosis") == "melanoma").fill_null(False)
    rows.refuse(wrong, "diagnosis", "contradicts its target; 1 is melanoma and nothing else is")
    wrong = melanoma != (rows.text("benign_malignant") == "malignant").fill_null(False)
    rows.refuse(wrong, "benign_malignant", "contradicts its target; 1 is malignant, 0 is benign")


SOURCE = Source(
    name="isic2020",
    title="ISIC 2020",
    license="CC-BY-NC-4.0",
    layout="""
        train.csv (Kaggle) or ISIC_2020_Training_GroundTruth_v2.csv
        jpeg/train/ISIC_*.jpg (Kaggle) or train/ISIC_*.jpg
        ISIC_2020_Training_Duplicates.csv where it is there
    """,
    vocabulary="isic2020",
    read=read,
)
