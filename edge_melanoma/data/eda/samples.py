"""A sheet of pictures, some of each class, chosen by seed and never by the order of a folder.

Thumbnails are drawn anew from pixels, so that nothing that a file carries beside its picture (EXIF, position) is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from PIL import Image, ImageDraw, ImageFont, ImageOps

from edge_melanoma.data.eda.counts import originals
from edge_melanoma.data.eda.image_stats import read_small
from edge_melanoma.data.index import Index
from edge_melanoma.data.pictures import Picture
from edge_melanoma.errors import DataError
from edge_melanoma.notice import SYNTHETIC_BANNER
from edge_melanoma.plots import font_file

PER_CLASS = 8
_SIDE = 132
_GAP, _CAPTION, _LABEL = 6, 18, 118
_GROUND, _INK, _SOFT, _SHOUT = "#202428", "#f2f3f4", "#aab2ba", "#ffb26b"  # readable on a light and on a dark page


@dataclass(frozen=True, kw_only=True)
class Row:
    """The pictures of one class."""

    name: str
    pictures: int  # of that class in the index
    chosen: tuple[str, ...]  # image ids, as on the sheet


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The sheet and what is on it."""

    image: Image.Image
    rows: tuple[Row, ...]


def draw_sheet(index: Index, classes: Sequence[str], *, seed: int, synthetic: bool) -> Sheet | None:
    """Up to eight pictures of each class, of different lesions as far as there are; None without a single picture."""
    there = originals(index.table).filter(pl.col("image_path").is_not_null())
    rows, thumbnails = [], []
    for place, name in enumerate(classes):
        members = there.filter(pl.col("class") == name)
        found = _some(index, members, rng=np.random.default_rng([seed, place]))
        if found:
            rows.append(Row(name=name, pictures=members.height, chosen=tuple(image_id for image_id, _ in found)))
            thumbnails.append([thumbnail for _, thumbnail in found])
    return Sheet(image=_drawn(rows, thumbnails, synthetic=synthetic), rows=tuple(rows)) if rows else None


def _some(index: Index, members: pl.DataFrame, *, rng: np.random.Generator) -> list[tuple[str, Image.Image]]:
    """Seeded choices that can be read; a lesion gives a second picture only when there are too few lesions."""
    mixed = members[rng.permutation(members.height).tolist()]
    lesion = pl.coalesce("lesion_id", "image_id")
    mixed = mixed.with_columns(pl.int_range(pl.len()).over(lesion).alias("turn")).sort("turn", maintain_order=True)
    found: list[tuple[str, Image.Image]] = []
    for picture in index.pictures(mixed.head(4 * PER_CLASS)):  # what cannot be read is made up for
        thumbnail = _thumbnail(picture)
        if thumbnail is not None:
            found.append((picture.image_id, thumbnail))
        if len(found) == PER_CLASS:
            break
    return found


def _thumbnail(picture: Picture) -> Image.Image | None:
    try:
        image, _ = read_small(picture, 2 * _SIDE)
    except DataError:
        return None
    return ImageOps.fit(image, (_SIDE, _SIDE), Image.Resampling.BICUBIC)


def _drawn(rows: Sequence[Row], thumbnails: Sequence[Sequence[Image.Image]], *, synthetic: bool) -> Image.Image:
    step_x, step_y, top = _SIDE + _GAP, _SIDE + _CAPTION + _GAP, 24 * synthetic + _GAP
    columns = max(map(len, thumbnails))
    sheet = Image.new("RGB", (_LABEL + columns * step_x + _GAP, top + len(rows) * step_y), _GROUND)
    draw = ImageDraw.Draw(sheet)
    large, middle, small = (ImageFont.truetype(font_file(), points) for points in (16, 13, 10))
    if synthetic:
        draw.text((sheet.width / 2, 8), SYNTHETIC_BANNER, _SHOUT, middle, anchor="mt")
    for i, (row, pictures) in enumerate(zip(rows, thumbnails, strict=True)):
        y = top + i * step_y
        draw.text((2 * _GAP, y + 4), _fitted(row.name, large, _LABEL - 2 * _GAP), _INK, large)
        draw.text((2 * _GAP, y + 30), f"{row.pictures:,} pictures", _SOFT, small)
        for j, (image_id, picture) in enumerate(zip(row.chosen, pictures, strict=True)):
            x = _LABEL + j * step_x
            sheet.paste(picture, (x, y))
            draw.text((x, y + _SIDE + 3), _fitted(image_id, small, _SIDE), _SOFT, small)
    return sheet


def _fitted(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, shortened in its middle until it fits: ids differ at their end."""
    kept = len(text)
    shown = text
    while font.getlength(shown) > width and kept > 4:
        kept -= 1
        shown = f"{text[: kept // 2]}…{text[-(kept - kept // 2) :]}"
    return shown
