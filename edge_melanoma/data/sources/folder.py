"""Any pictures sorted into class folders: ROOT/<class>/picture.jpg, as deep below the class as they lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import polars as pl

from edge_melanoma.data.sources import Listing, Request, Source
from edge_melanoma.data.sources.reading import index_table, modality
from edge_melanoma.data.sources.tree import SUFFIXES, Tree, picture_files, read_tree
from edge_melanoma.errors import DataError
from edge_melanoma.labels import DIAGNOSES, known_labels

ALL_SUFFIXES = (*SUFFIXES, ".bmp")
_PARTS = {"train", "training", "val", "valid", "validation", "test", "testing"}
NO_GROUPS = "no lesion or patient ids: near-duplicates alone keep pictures of one lesion together"


def read(request: Request) -> Listing:
    """Read a folder of class folders."""
    tree = read_tree(replace(request, with_pictures=True))  # there is no table: the files are the rows
    words = _words(request)
    classes = tree.below("")
    files = picture_files(tree, [folder for folder in tree.folders if folder], suffixes=ALL_SUFFIXES)
    _require_classes(request, tree, classes, files, words)
    raw = files.with_columns(dx_raw=pl.col("image_path").str.split("/").list.first())
    table = index_table(
        raw,
        SOURCE,
        {name: dx for name in classes if (dx := words.get(_plain(name)))},
        # names repeat from class to class, paths do not
        image_id=pl.col("image_path").str.replace(r"\.[^.]*$", ""),
        image_path=pl.col("image_path") if request.with_pictures else pl.lit(None, pl.String),
        source=pl.lit(request.source_name or SOURCE.name),
        license=pl.lit(request.license or SOURCE.license),
        modality=pl.lit(modality(request), pl.String),
        dx_raw=pl.col("dx_raw"),
    )
    loose = picture_files(tree, [""], suffixes=ALL_SUFFIXES)["image_path"]
    return Listing(table=table, tables=(), orphans=tuple(loose.sort()), looked_in=tuple(classes), remarks=(NO_GROUPS,))


def _words(request: Request) -> dict[str, str]:
    """What folders may be called: any case, blanks or underscores."""
    if request.vocabulary is not None:
        return {_plain(word): dx for word, dx in known_labels(request.vocabulary).items()}
    return {_plain(word): dx for word, dx in (*((dx, dx) for dx in DIAGNOSES), *known_labels("words").items())}


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


def _require_classes(
    request: Request, tree: Tree, classes: list[str], files: pl.DataFrame, words: dict[str, str]
) -> None:
    root = request.root
    example = "melanoma/0001.jpg, nevus/0002.jpg"
    if not files.height:
        raise DataError(f"{root}: has no picture in a folder below it; a folder a class is read, such as {example}")
    if set(map(str.lower, classes)) <= _PARTS:
        raise DataError(
            f"{root}: holds {', '.join(classes)}, which are no classes; give the folder that holds the class folders"
        )
    levels = {len(PurePosixPath(path).parts) for path in files["image_path"]}
    inside = [name for name in tree.below(classes[0]) if _plain(name) in words]
    if len(classes) == 1 and 2 not in levels and inside:
        raise DataError(f"{root}: the class folders are one level down; give {root / classes[0]}")


SOURCE = Source(
    name="folder",
    title="a folder of class folders",
    license="not stated",
    layout="""
        <class>/*.jpg
    """,
    vocabulary="words",
    read=read,
)
