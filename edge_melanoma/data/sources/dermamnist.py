"""DermaMNIST: the pictures of HAM10000 as bare arrays of 28 to 224 pixels, less everything else that was known of them.

Pictures of one lesion are in both its training and its test part, and without lesion ids only near-duplicates show it.
The arrays are written out as PNG files, because an index names files.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
from PIL import Image

from edge_melanoma.data.sources import Listing, Request, Source, ham10000
from edge_melanoma.data.sources.reading import index_table
from edge_melanoma.data.sources.tree import TABLE_LEVELS, Tree, level, not_laid_out, read_tree
from edge_melanoma.errors import DataError
from edge_melanoma.labels import known_labels

PARTS = ("train", "val", "test")
KEYS = tuple(f"{part}_{kind}" for part in PARTS for kind in ("images", "labels"))
FOLDER = "pictures"
LARGEST_BYTES = 8 << 30  # of one array unpacked; the largest published one has 1.1 GB
COUNTS = {
    str(number): ham10000.COUNTS[dx] for number, dx in enumerate(("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"))
}
LEAKS = (
    "no lesion ids, and pictures of one lesion are known to be in several of its parts: near-duplicates alone keep "
    "them together"
)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of the three parts: what its arrays say of themselves, and its labels."""

    name: str
    size: int  # pixels
    labels: tuple[int, ...]


def read(request: Request) -> Listing:
    """Read dermamnist*.npz, and write its pictures below request.unpack unless only tables are asked for."""
    file = _find(read_tree(request))
    try:
        with zipfile.ZipFile(file) as archive:
            parts = [_read_part(archive, name) for name in PARTS]
            if request.with_pictures:
                for part in parts:
                    _unpack(archive, part, request.unpack / FOLDER)
    except _BROKEN as error:
        raise DataError(f"{file}: is broken ({error or type(error).__name__}); download it again") from error
    rows = [(_id(part, n), part.name, str(label)) for part in parts for n, label in enumerate(part.labels)]
    table = index_table(
        pl.DataFrame(rows, schema=["image_id", "part", "label"], orient="row"),
        SOURCE,
        image_id=pl.col("image_id"),
        image_path=pl.format(f"{FOLDER}/{{}}.png", "image_id") if request.with_pictures else pl.lit(None, pl.String),
        centre=pl.format("dermamnist-{}", "part"),
        modality=pl.lit("dermoscopic"),
        dx_raw=pl.col("label"),
    )
    return Listing(
        table=table,
        tables=(file,),
        looked_in=(file.name,),
        published_counts=COUNTS if len(rows) == sum(COUNTS.values()) else {},  # the corrected sets have other counts
        remarks=(LEAKS, f"pictures of {parts[0].size} x {parts[0].size} pixels, unpacked to PNG"),
        unpacked=request.with_pictures,
    )


def _find(tree: Tree) -> Path:
    found = [
        tree.root / folder / name
        for folder, names in tree.folders.items()
        if level(folder) <= TABLE_LEVELS
        for name in names
        if name.lower().startswith("dermamnist") and name.lower().endswith(".npz")
    ]
    if not found:
        raise not_laid_out(tree, ["dermamnist.npz", "dermamnist_224.npz"], SOURCE)
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(tree.root)) for path in found)
        raise DataError(f"{tree.root}: holds several sizes or editions, {names}; give a folder with one of them")
    return found[0]


def _read_part(archive: zipfile.ZipFile, name: str) -> Part:
    """Check both arrays of a part against each other before one byte of a picture is unpacked."""
    here = f"{archive.filename}, {name}"
    missing = [key for key in KEYS if f"{key}.npy" not in archive.namelist()]
    if missing:
        raise DataError(f"{archive.filename}: lacks {', '.join(missing)}; DermaMNIST has {', '.join(KEYS)}")
    with archive.open(f"{name}_labels.npy") as stream:
        shape = _shape(stream, f"{here}_labels")
        if shape != (shape[0], 1) or not 0 < shape[0] <= 1_000_000:
            raise DataError(f"{here}_labels: has the shape {shape}; one label a picture is (N, 1)")
        labels = np.frombuffer(_exactly(stream, shape[0]), np.uint8)
    with archive.open(f"{name}_images.npy") as stream:
        images = _shape(stream, f"{here}_images")
    size = images[1] if len(images) == 4 else 0
    if images != (shape[0], size, size, 3) or not 0 < size <= 1024 or np.prod(images, dtype=float) > LARGEST_BYTES:
        raise DataError(f"{here}_images: has the shape {images}; {shape[0]} square colour pictures are (N, S, S, 3)")
    classes = len(known_labels(SOURCE.vocabulary))
    if labels.max() >= classes:
        row = int((labels >= classes).argmax())
        raise DataError(f"{here}_labels, row {row}: has the label {labels[row]}; labels are 0 to {classes - 1}")
    return Part(name=name, size=size, labels=tuple(labels.tolist()))


def _shape(stream: IO[bytes], where: str) -> tuple[int, ...]:
    """What the header of an array says; the data follow."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{where}: is an array file of version {version}; 1.0 and 2.0 are read")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = header(stream)
    if dtype != np.uint8 or is_fortran or not shape:
        raise DataError(f"{where}: holds {dtype} of shape {shape}; pictures and labels are uint8 in C order")
    return tuple(shape)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError(f"{count:,} bytes announced, {len(data):,} there")
    return data


def _unpack(archive: zipfile.ZipFile, part: Part, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(_pictures(archive, part)):
        # fast rather than small: the folder is a by-product
        Image.fromarray(pixels).save(folder / f"{_id(part, number)}.png", compress_level=1)


def _pictures(archive: zipfile.ZipFile, part: Part) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """One picture at a time: the arrays of 224 pixels would fill the memory of a small machine."""
    side = part.size
    with archive.open(f"{part.name}_images.npy") as stream:
        _shape(stream, part.name)
        for _ in part.labels:
            yield np.frombuffer(_exactly(stream, side * side * 3), np.uint8).reshape(side, side, 3)
        if stream.read(1):  # reading to the end also checks the sum of the file
            raise ValueError(f"{part.name}_images goes on after its last picture")


def _id(part: Part, number: int) -> str:
    return f"dermamnist_{part.name}_{number:05}"  # counted from 0, as the array is


SOURCE = Source(
    name="dermamnist",
    title="DermaMNIST",
    license="CC-BY-NC-4.0",
    layout="""
        one of dermamnist.npz and dermamnist_64.npz, _128, _224 (or _corrected_28, _corrected_224)
    """,
    vocabulary="dermamnist",
    read=read,
)
