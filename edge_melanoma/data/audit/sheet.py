"""The pictures of the findings side by side, check by check, so that a person can judge them at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from PIL import Image, ImageDraw, ImageFont

from edge_melanoma.data.audit.checks import Check
from edge_melanoma.data.index import Index
from edge_melanoma.data.pictures import Picture
from edge_melanoma.errors import DataError
from edge_melanoma.picture import PictureError, decode, open_picture

COLUMNS, ROWS = 6, 3  # thumbnails of one check
TOGETHER = 4  # of one finding
_WIDTH, _HEIGHT, _GAP, _LINE = 176, 132, 12, 15
_SIDE = COLUMNS * (_WIDTH + _GAP) + _GAP
_NARROWEST = 2  # thumbnails, for the name of the check to have room
_INK, _SOFT, _GROUND, _EMPTY = "#1c2024", "#59616b", "#fdfdfb", "#dfe1e4"
_FAIL, _WARN = "#b3261e", "#a15c00"


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """One picture of a finding, and what is written below it."""

    image_id: str
    picture: Picture | None
    caption: str


def sheet_of(index: Index, check: Check) -> Image.Image | None:
    """The first findings of a check as thumbnails; None where no finding has a picture."""
    findings = check.first(COLUMNS * ROWS)
    ids = findings["image_id"].explode().drop_nulls().unique()
    places = _places(index, ids)
    lines: list[list[Thumbnail]] = [[]]
    for row in findings.rows(named=True):
        shown = [image_id for image_id in row["image_id"] if image_id is not None][:TOGETHER]
        if len(lines[-1]) + len(shown) > COLUMNS:  # the pictures of one finding stay in one line
            lines.append([])
        lines[-1] += [Thumbnail(image_id=i, picture=places.get(i), caption=row["detail"]) for i in shown]
    lines = [line for line in lines if line][:ROWS]
    return _drawn(check, lines) if lines else None


def packed(sheets: Sequence[Image.Image], *, title: str) -> Image.Image:
    """All checks on one sheet, as many beside each other as there is room for."""
    places: list[tuple[int, int]] = []
    left, top, bottom = 0, 3 * _LINE, 3 * _LINE
    for sheet in sheets:
        if left + sheet.width > _SIDE:
            left, top = 0, bottom
        places.append((left, top))
        left, bottom = left + sheet.width, max(bottom, top + sheet.height)
    whole = Image.new("RGB", (_SIDE, bottom + _GAP), _GROUND)
    ImageDraw.Draw(whole).text((_GAP, _GAP), _plain(title), fill=_INK, font=ImageFont.load_default(20))
    for sheet, place in zip(sheets, places, strict=True):
        whole.paste(sheet, place)
    return whole


def _plain(text: str) -> str:
    """Without the signs that Pillow's font lacks."""
    return text.replace("—", "-").replace("…", "...").replace("’", "'")


def _places(index: Index, ids: pl.Series) -> dict[str, Picture]:
    rows = index.table.filter(pl.col("image_id").is_in(ids.to_list())).unique("image_id", keep="first")
    places = {picture.image_id: picture for picture in index.pictures(rows)}
    if len(index.roots) == 1:  # what no row names is told by its path
        root = next(iter(index.roots.values()))
        orphans = set(index.about.get("orphans", ())) & set(ids)
        places |= {path: Picture(image_id=path, root=root, path=path) for path in orphans}
    return places


def _drawn(check: Check, lines: Sequence[Sequence[Thumbnail]]) -> Image.Image:
    line_height = _HEIGHT + 3 * _LINE + _GAP
    columns = max(_NARROWEST, *map(len, lines))
    size = (columns * (_WIDTH + _GAP), 2 * _LINE + len(lines) * line_height + _GAP)
    sheet = Image.new("RGB", size, _GROUND)
    draw = ImageDraw.Draw(sheet)
    title = f"{check.level}: {check.name} ({check.count:,})"
    draw.text(
        (_GAP, _LINE // 2), title, fill=_FAIL if check.level == "fail" else _WARN, font=ImageFont.load_default(15)
    )
    for number, line in enumerate(lines):
        for place, thumbnail in enumerate(line):
            left, top = _GAP + place * (_WIDTH + _GAP), 2 * _LINE + number * line_height
            _put(sheet, draw, thumbnail, left, top)
    return sheet


def _put(sheet: Image.Image, draw: ImageDraw.ImageDraw, thumbnail: Thumbnail, left: int, top: int) -> None:
    font = ImageFont.load_default(11)
    draw.rectangle((left, top, left + _WIDTH - 1, top + _HEIGHT - 1), fill=_EMPTY)
    try:
        small = _small(thumbnail.picture) if thumbnail.picture else None
        missing = "no picture"
    except (PictureError, DataError):
        small, missing = None, "not taken"
    if small is None:
        draw.text((left + 8, top + _HEIGHT // 2 - 8), missing, fill=_SOFT, font=font)
    else:
        sheet.paste(small, (left + (_WIDTH - small.width) // 2, top + (_HEIGHT - small.height) // 2))
    name = thumbnail.image_id.rpartition("/")[2]
    for line, (text, ink) in enumerate(((name, _INK), *((part, _SOFT) for part in _wrapped(thumbnail.caption)))):
        draw.text((left, top + _HEIGHT + 2 + line * _LINE), _plain(text), fill=ink, font=font)


def _small(picture: Picture) -> Image.Image:
    """Upright, at the size of a thumbnail; a large JPEG is decoded at a reduced size."""
    file = open_picture(picture.read(), name=picture.name)
    reduction = 1
    if file.facts.format == "JPEG":
        width, height = file.facts.upright_size
        reduction = next(r for r in (8, 4, 2, 1) if r == 1 or (width >= r * _WIDTH and height >= r * _HEIGHT))
    small = decode(file, reduction)
    small.thumbnail((_WIDTH, _HEIGHT), Image.Resampling.BILINEAR)
    return small


def _wrapped(text: str, letters: int = 30, lines: int = 2) -> list[str]:
    """The text in a few short lines, cut where there is more."""
    found = [""]
    for word in text.split():
        if found[-1] and len(found[-1]) + len(word) >= letters:
            found.append("")
        found[-1] = f"{found[-1]} {word}".strip()
    if len(found) > lines:
        found[lines - 1] += " …"
    return [line if len(line) <= letters + 6 else line[: letters + 5] + "…" for line in found[:lines]]
