"""One look at every picture: its bytes, what they say about themselves, and whether they decode to the last pixel."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import polars as pl

from edge_melanoma.data.index import Index
from edge_melanoma.data.pictures import Picture
from edge_melanoma.errors import DataError
from edge_melanoma.parallel import OnProgress, map_over_cores
from edge_melanoma.picture import PictureError, decode, open_picture


class Facts(NamedTuple):
    """What was seen of one picture."""

    seen_sha256: str | None = None  # null: could not be read
    gone: bool = False
    reason: str | None = None  # why it is not taken, in one word (picture.facts.Reason)
    problem: str | None = None  # the same in words
    seen_width: int | None = None  # as stored
    seen_height: int | None = None
    alpha: bool = False
    cmyk: bool = False
    sixteen_bit: bool = False
    turned: bool = False  # EXIF asks for it to be turned or mirrored
    exif: bool = False
    gps: bool = False


_KINDS = {
    **dict.fromkeys(("seen_sha256", "reason", "problem"), pl.String),
    **dict.fromkeys(("seen_width", "seen_height"), pl.Int64),
    **dict.fromkeys(("gone", "alpha", "cmyk", "sixteen_bit", "turned", "exif", "gps"), pl.Boolean),
}


def look_at_pictures(index: Index, *, workers: int | None, on_progress: OnProgress) -> pl.DataFrame:
    """The index' rows with the facts of their pictures (null where a row has none)."""
    there = index.table.filter(pl.col("image_path").is_not_null())
    distinct = there.unique(["source", "image_path"], maintain_order=True)
    found = map_over_cores(look_at, index.pictures(distinct), workers=workers, on_progress=on_progress)
    facts = pl.DataFrame(found, schema={name: _KINDS[name] for name in Facts._fields}, orient="row")
    facts = facts.with_columns(distinct["source"], distinct["image_path"])
    return index.table.join(facts, on=["source", "image_path"], how="left", maintain_order="left")


def look_at(picture: Picture) -> Facts:
    """Read and fully decode one picture."""
    try:
        data = picture.read()
    except DataError as error:
        gone = isinstance(error.__cause__, FileNotFoundError)
        return Facts(gone=gone, reason="unreadable", problem=_without_name(error, picture))
    facts = Facts(seen_sha256=hashlib.sha256(data).hexdigest())
    try:
        file = open_picture(data, name=picture.name)
        said = file.facts
        facts = facts._replace(
            seen_width=said.width,
            seen_height=said.height,
            alpha=said.alpha,
            cmyk=said.mode == "cmyk",
            sixteen_bit=said.bits == 16,
            turned=said.orientation != 1,
            exif=said.exif,
            gps=said.gps,
        )
        decode(file)
    except PictureError as error:
        return facts._replace(reason=error.reason, problem=error.problem)
    return facts


def _without_name(error: DataError, picture: Picture) -> str:
    return str(error).removeprefix(f"{picture.name}: ")
