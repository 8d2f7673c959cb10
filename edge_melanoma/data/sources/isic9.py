"""The nine-class set of Kaggle: 2,357 ISIC pictures in class folders, below Train and Test.

It has no table and no lesion ids, and the same file is in two class folders more than 150 times; such rows are kept,
so that the audit finds them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import polars as pl

from edge_melanoma.data.sources import Listing, Request, Source
from edge_melanoma.data.sources.reading import index_table
from edge_melanoma.data.sources.tree import TABLE_LEVELS, Tree, gist, join, level, parent, picture_files, read_tree
from edge_melanoma.errors import DataError
from edge_melanoma.labels import known_labels

PARTS = ("train", "test")
COUNTS = {  # Train + Test
    "actinic keratosis": 114 + 16,
    "basal cell carcinoma": 376 + 16,
    "dermatofibroma": 95 + 16,
    "melanoma": 438 + 16,
    "nevus": 357 + 16,
    "pigmented benign keratosis": 462 + 16,
    "seborrheic keratosis": 77 + 3,
    "squamous cell carcinoma": 181 + 16,
    "vascular lesion": 139 + 3,
}
NO_LESIONS = "no lesion or patient ids: near-duplicates alone keep pictures of one lesion together"


def read(request: Request) -> Listing:
    """Read both parts; the label is the folder."""
    tree = read_tree(replace(request, with_pictures=True))  # there is no table: the files are the rows
    parts = _parts(tree)
    tables = [_rows(tree, part, folder) for part, folder in parts.items()]
    table = index_table(
        pl.concat(tables),
        SOURCE,
        image_id=pl.col("image_id"),
        image_path=pl.col("image_path") if request.with_pictures else pl.lit(None, pl.String),
        centre=pl.format("isic9-{}", "part"),
        modality=pl.lit("dermoscopic"),
        dx_raw=pl.col("dx_raw"),
    )
    return Listing(
        table=table, tables=(), looked_in=tuple(parts.values()), published_counts=COUNTS, remarks=(NO_LESIONS,)
    )


def _parts(tree: Tree) -> dict[str, str]:
    """The folders of both parts, each with its nine class folders."""
    homes: dict[str, dict[str, str]] = {}
    for folder in tree.folders:
        if (name := PurePosixPath(folder).name.lower()) in PARTS and level(parent(folder)) <= TABLE_LEVELS:
            homes.setdefault(parent(folder), {})[name] = folder
    whole = [parts for parts in homes.values() if len(parts) == len(PARTS)]
    if len(whole) != 1:
        what = f"holds {len(whole)} folders with Train and Test" if whole else "has no folder with both Train and Test"
        raise DataError(f"{tree.root}: {what}; {SOURCE.title} as published: {gist(SOURCE)}")
    for folder in whole[0].values():
        missing = sorted(known_labels(SOURCE.vocabulary).keys() - set(tree.below(folder)))
        if missing:
            raise DataError(
                f"{tree.root / folder}: lacks the folders {', '.join(missing)}; {SOURCE.title} has "
                f"{', '.join(known_labels(SOURCE.vocabulary))}"
            )
    return {part: whole[0][part] for part in PARTS}


def _rows(tree: Tree, part: str, folder: str) -> pl.DataFrame:
    classes = [(name, picture_files(tree, [join(folder, name)])) for name in tree.below(folder)]
    return pl.concat([files.with_columns(part=pl.lit(part), dx_raw=pl.lit(name)) for name, files in classes])


SOURCE = Source(
    name="isic9",
    title="the nine-class ISIC set of Kaggle",
    license="not stated (ISIC archive; treat as CC-BY-NC-4.0)",
    layout="""
        Skin cancer ISIC The International Skin Imaging Collaboration/Train/<class>/*.jpg
        Skin cancer ISIC The International Skin Imaging Collaboration/Test/<class>/*.jpg
    """,
    vocabulary="isic9",
    read=read,
)
