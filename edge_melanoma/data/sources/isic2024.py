"""ISIC 2024 (SLICE-3D): 401,059 crops from 3D body photographs of 1,042 patients, 393 of them malignant.

Of its 55 columns 37 may be put into a model; the others tell the answer, or where the picture was taken.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from edge_melanoma.data.pictures import h5py_module
from edge_melanoma.data.sources import Listing, Request, Source
from edge_melanoma.data.sources.reading import Rows, index_table, read_rows
from edge_melanoma.data.sources.tree import Located, Tree, find_table, folders_beside, join, locate, parent, read_tree
from edge_melanoma.errors import DataError
from edge_melanoma.labels import known_labels

TABLE = "train-metadata.csv"
CONTAINER = "train-image.hdf5"
FOLDER = "train-image/image"

# Only the training table has them: they were written after the diagnosis, or because of it.
LEAKS = (
    *("target", "lesion_id", "iddx_full", "iddx_1", "iddx_2", "iddx_3", "iddx_4", "iddx_5"),
    *("mel_mitotic_index", "mel_thick_mm", "tbp_lv_dnn_lesion_confidence"),
)
# Identity, or a stand-in for the clinic and its share of cancers; the last is the output of the scanner's own network.
PROXIES = (
    *("isic_id", "patient_id", "image_type", "tbp_tile_type", "attribution", "copyright_license"),
    "tbp_lv_nevi_confidence",
)
_WORDS = ("sex", "anatom_site_general", "tbp_lv_location", "tbp_lv_location_simple")
_NUMBERS = (
    *("age_approx", "clin_size_long_diam_mm"),
    *(f"tbp_lv_{name}" for name in ("A", "Aext", "B", "Bext", "C", "Cext", "H", "Hext", "L", "Lext", "areaMM2")),
    *(f"tbp_lv_{name}" for name in ("area_perim_ratio", "color_std_mean", "deltaA", "deltaB", "deltaL", "deltaLB")),
    *(f"tbp_lv_{name}" for name in ("deltaLBnorm", "eccentricity", "minorAxisMM", "norm_border", "norm_color")),
    *(f"tbp_lv_{name}" for name in ("perimeterMM", "radial_color_std_max", "stdL", "stdLExt", "symm_2axis")),
    *(f"tbp_lv_{name}" for name in ("symm_2axis_angle", "x", "y", "z")),
)
USABLE = (*_WORDS, *_NUMBERS)
REQUIRED = (
    *("isic_id", "target", "patient_id", "age_approx", "sex", "anatom_site_general", "attribution"),
    *("copyright_license", "lesion_id", "iddx_full", "iddx_1"),
)
_LICENSES = {"CC-0": "CC0-1.0", "CC-BY": "CC-BY-4.0", "CC-BY-NC": "CC-BY-NC-4.0"}
_ANY = 1e9  # the measured columns have no bounds of their own; this keeps infinities out


def read(request: Request) -> Listing:
    """Read the training part (the test part has no labels) and its usable columns."""
    tree = read_tree(request)
    at = find_table(tree, [TABLE], SOURCE)
    rows = read_rows(request.root / at, REQUIRED, SOURCE, others=USABLE)
    _require_one_answer(rows)
    table = index_table(
        rows.frame,
        SOURCE,
        diagnoses(rows.frame.select(rows.text("iddx_full")).to_series().unique().drop_nulls().to_list()),
        image_id=rows.id("isic_id"),
        lesion_id=rows.known("lesion_id"),
        patient_id=rows.known("patient_id"),
        centre=rows.known("attribution"),
        modality=pl.lit("tbp"),
        license=rows.known("copyright_license").replace(_LICENSES),
        dx_raw=rows.text("iddx_full"),
        age=rows.age("age_approx"),
        sex=rows.sex("sex"),
        **rows.site("anatom_site_general"),
    )
    located = _locate(table, tree, at, request)
    absent = [name for name in USABLE if name not in rows.frame.columns]
    return Listing(
        table=located.table,
        tables=(rows.file,),
        orphans=located.orphans,
        looked_in=(FOLDER, CONTAINER),
        remarks=(*located.remarks, *([f"lacks the published columns {', '.join(absent)}"] if absent else [])),
        features=features(rows),
    )


def features(rows: Rows) -> pl.DataFrame:
    """The columns that may be put into a model, and nothing else."""
    there = [name for name in USABLE if name in rows.frame.columns]
    return rows.frame.select(
        image_id=rows.id("isic_id"),
        **{name: rows.known(name) if name in _WORDS else rows.number(name, -_ANY, _ANY) for name in there},
    )


def diagnoses(labels: list[str]) -> dict[str, str]:
    """What each label means: the longest entry of the vocabulary that it begins with, up to a "::"."""
    words = known_labels("isic2024")
    found = {}
    for label in labels:
        levels = label.split("::")
        starts = ("::".join(levels[:depth]) for depth in range(len(levels), 0, -1))
        match = next((words[start] for start in starts if start in words), None)
        if match:
            found[label] = match
    return found


def _require_one_answer(rows: Rows) -> None:
    """target, iddx_1 and iddx_full say the same; refuse a row where they do not."""
    target, first = rows.text("target"), rows.text("iddx_1")
    rows.refuse(~target.is_in(["0", "1"]).fill_null(False), "target", "is neither 0 nor 1")
    wrong = (target == "1") != (first == "Malignant").fill_null(False)
    rows.refuse(wrong, "iddx_1", "contradicts its target; 1 is Malignant and nothing else is")
    start = rows.text("iddx_full").str.split("::").list.first()
    rows.refuse((start != first).fill_null(True), "iddx_full", "does not begin with its iddx_1")


def _locate(table: pl.DataFrame, tree: Tree, at: str, request: Request) -> Located:
    """Each picture's own file, else its entry in the container."""
    located = locate(table, tree, folders_beside(tree, at, [FOLDER]), request)
    container = join(parent(at), CONTAINER)
    if not request.with_pictures or container not in tree.files(CONTAINER):
        return located
    keys = pl.DataFrame({"image_id": _keys(tree.root / container)}, schema={"image_id": pl.String})
    entries = keys.with_columns(entry=pl.lit(f"{container}#") + pl.col("image_id"))
    joined = located.table.join(entries, on="image_id", how="left", maintain_order="left")
    filled = joined.with_columns(pl.coalesce("image_path", "entry").alias("image_path")).drop("entry")
    orphans = entries.join(table, on="image_id", how="anti")["entry"].sort()
    return Located(table=filled, orphans=(*located.orphans, *orphans), remarks=located.remarks)


def _keys(container: Path) -> list[str]:
    try:
        with h5py_module().File(container, "r") as file:
            return list(file)
    except OSError as error:
        raise DataError(f"{container}: is no HDF5 file or is cut off ({error}); download it again") from error


SOURCE = Source(
    name="isic2024",
    title="ISIC 2024 (SLICE-3D)",
    license="CC-BY-NC-4.0",
    layout="""
        train-metadata.csv
        train-image.hdf5 or train-image/image/ISIC_*.jpg
    """,
    vocabulary="isic2024",
    read=read,
)
