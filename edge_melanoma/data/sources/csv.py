"""Any table with a row a picture: which of its columns is ours is said by the user, or by having our name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from edge_melanoma.data.index import SPLITS
from edge_melanoma.data.sources import Listing, Request, Source
from edge_melanoma.data.sources.reading import MODALITIES, Rows, index_table, modality, read_header, read_rows
from edge_melanoma.data.sources.tree import SUFFIXES, Tree, join, parent, picture_files, read_tree
from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.labels import known_labels

ALL_SUFFIXES = (*SUFFIXES, ".bmp")
TEXTS = ("lesion_id", "patient_id", "centre", "modality", "dx_confirm", "license", "parent_id")
COLUMNS = ("image_id", "image_path", "dx", *TEXTS, "age", "sex", "site", "fst", "ita", "split")


def read(request: Request) -> Listing:
    """Read the rows of request.table; pictures are found by their path, or by their id anywhere below the root."""
    file = _table(request)
    theirs = _columns(request, file)
    rows = read_rows(file, list(theirs.values()), SOURCE, others=[])
    tree = read_tree(request)
    table = index_table(
        rows.frame,
        SOURCE,
        known_labels(request.vocabulary or SOURCE.vocabulary),
        **_values(request, rows, theirs),
    )
    table, orphans = _locate(table, tree, rows, theirs, request)
    said = ", ".join(name if name == column else f"{name}={column}" for name, column in theirs.items())
    return Listing(
        table=table, tables=(file,), orphans=orphans, looked_in=("every folder",), remarks=(f"columns read: {said}",)
    )


def _table(request: Request) -> Path:
    if request.table is None:
        raise RecipeError("csv: give the table with --table, for example --table labels.csv")
    choices = dict.fromkeys(path.resolve() for path in (request.root / request.table, request.table) if path.is_file())
    if not choices:
        raise DataError(f"{request.table}: is no file, neither here nor below {request.root}; give the path of a table")
    if len(choices) > 1:
        raise RecipeError(f"--table {request.table}: is both {' and '.join(map(str, choices))}; give the whole path")
    return next(iter(choices))


def _columns(request: Request, file: Path) -> dict[str, str]:
    """Our columns with theirs: as said, else those of the same name."""
    header = read_header(file)
    said = {"dx" if ours == "dx_raw" else ours: theirs for ours, theirs in request.columns.items()}
    unknown = [name for name in said if name not in COLUMNS]
    if unknown:
        raise RecipeError(f"--column {unknown[0]}=…: is no column that can be given; known: {', '.join(COLUMNS)}")
    absent = [theirs for theirs in said.values() if theirs not in header]
    if absent:
        raise RecipeError(f"{file}: has no column {', '.join(absent)}; found {', '.join(header)}")
    theirs = {name: said.get(name, name) for name in COLUMNS if name in said or name in header}
    if "dx" not in theirs or not {"image_id", "image_path"} & theirs.keys():
        needed = "dx" if "dx" not in theirs else "image_id or image_path"
        raise RecipeError(
            f"{file}: say which column is {needed} (--column {needed.split()[0]}=…); found {', '.join(header)}"
        )
    return theirs


def _values(request: Request, rows: Rows, theirs: Mapping[str, str]) -> dict[str, pl.Expr]:
    values: dict[str, pl.Expr] = {
        "source": pl.lit(request.source_name or SOURCE.name),
        "modality": pl.lit(modality(request), pl.String),
        "license": pl.lit(request.license or SOURCE.license),
        "dx_raw": rows.text(theirs["dx"]),
        **{name: rows.known(theirs[name]) for name in TEXTS if name in theirs},
    }
    if "modality" in theirs:
        rows.refuse(~values["modality"].is_in(MODALITIES), theirs["modality"], f"is none of {', '.join(MODALITIES)}")
    if "license" in theirs:
        values["license"] = values["license"].fill_null(request.license or SOURCE.license)
    if "image_path" in theirs:
        values["image_path"] = _relative(rows, theirs["image_path"], request.root)
        values["image_id"] = values["image_path"].str.replace(r"\.[^./]*$", "")
    if "image_id" in theirs:
        values["image_id"] = rows.id(theirs["image_id"])
    if "age" in theirs:
        values["age"] = rows.age(theirs["age"])
    if "sex" in theirs:
        values["sex"] = rows.sex(theirs["sex"])
    if "site" in theirs:
        values |= rows.site(theirs["site"])
    if "fst" in theirs:
        values["fst"] = rows.number(theirs["fst"], 1, 6, whole=True).cast(pl.Int8)
    if "ita" in theirs:
        values["ita"] = rows.number(theirs["ita"], -180, 180)
    if "split" in theirs:
        values["split"] = rows.known(theirs["split"])
        wrong = values["split"].is_not_null() & ~values["split"].is_in(SPLITS)
        rows.refuse(wrong, theirs["split"], f"is none of {', '.join(SPLITS)}")
    return values


def _relative(rows: Rows, column: str, root: Path) -> pl.Expr:
    """A path with forward slashes, relative to the root; one that leads out of it is refused."""
    written = rows.id(column).str.replace_all("\\", "/", literal=True)
    inside = written.str.strip_prefix(f"{root.absolute().as_posix()}/").str.replace_all(r"(^|/)(\./)+", "$1")
    outside = inside.str.contains(r"^/|^[A-Za-z]:|(^|/)\.\.(/|$)")
    rows.refuse(outside, column, f"leads out of {root}; give paths below it")
    return inside


def _locate(
    table: pl.DataFrame, tree: Tree, rows: Rows, theirs: Mapping[str, str], request: Request
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Null the paths of pictures that are not there; orphans are the other pictures in the folders of the rest."""
    if not request.with_pictures:
        return table.with_columns(image_path=pl.lit(None, pl.String)), ()
    if "image_path" in theirs:
        there = pl.Series(
            [join(folder, name) for folder, names in tree.folders.items() for name in names], dtype=pl.String
        )
        listed = table.with_columns(
            image_path=pl.when(pl.col("image_path").is_in(there.implode())).then(pl.col("image_path"))
        )
    else:
        listed = _by_id(table, tree, rows)
    found = set(listed["image_path"].drop_nulls())
    folders = list(dict.fromkeys(parent(path) for path in sorted(found)))
    marked = next((path for path in sorted(found) if "#" in path), None)
    if marked:
        raise DataError(f"{tree.root / marked}: a path with '#' cannot be indexed ('#' marks containers); rename it")
    pictures = picture_files(tree, [f for f in folders if f in tree.folders], suffixes=ALL_SUFFIXES)["image_path"]
    return listed, tuple(path for path in pictures.sort() if path not in found)


def _by_id(table: pl.DataFrame, tree: Tree, rows: Rows) -> pl.DataFrame:
    """The one picture below the root with the id as its name, with or without a suffix."""
    files = picture_files(tree, list(tree.folders), suffixes=ALL_SUFFIXES)
    names = files.with_columns(image_id=pl.col("image_path").str.split("/").list.last())
    named = pl.concat([files, names]).join(table, on="image_id", how="semi")
    several = named.filter(pl.col("image_id").is_duplicated()).sort("image_id", "image_path")
    if several.height:
        one = several["image_id"][0]
        paths = several.filter(pl.col("image_id") == one)["image_path"]
        raise DataError(f"{rows.file}: image_id {one!r} could be {' or '.join(paths)}; give a column image_path")
    return table.join(named, on="image_id", how="left", maintain_order="left")


SOURCE = Source(
    name="csv",
    title="the table",
    license="not stated",
    layout="""
        a comma-separated table with image_path or image_id, and dx
    """,
    vocabulary="canonical",
    read=read,
)
