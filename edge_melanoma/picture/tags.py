"""What a picture carries beside its pixels, as far as we must know it: EXIF orientation and position, the ICC name.

Own readers, because libraries differ exactly here: Pillow takes an orientation from XMP where EXIF has none, warns on
broken blocks, and lets the last of two entries win; Android's reader does otherwise. tests/golden/README.md has the
rule that both languages follow. A broken block says nothing and is never an error.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ORIENTATION = 0x0112
GPS_BLOCK = 0x8825
GPS_LATITUDE, GPS_LONGITUDE = 2, 4
SHORT, LONG = 3, 4
LONGEST_ICC_NAME = 200


@dataclass(frozen=True, kw_only=True)
class ExifFacts:
    """What an EXIF block says that matters here."""

    orientation: int = 1  # 1 to 8; 1 = as stored
    gps: bool = False  # it says where the picture was taken


def read_exif(tiff: bytes) -> ExifFacts:
    """The facts of an EXIF block, which is a little TIFF file (what follows `Exif\\0\\0`)."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return ExifFacts()
    first = struct.unpack_from(order + "I", tiff, 4)[0]
    orientation: int | None = None
    gps_block: int | None = None
    for tag, value in _numbers(tiff, order, first):
        if tag == ORIENTATION and orientation is None:  # of two, the first counts
            orientation = value
        elif tag == GPS_BLOCK and gps_block is None:
            gps_block = value
    return ExifFacts(
        orientation=orientation if orientation is not None and 1 <= orientation <= 8 else 1,
        gps=gps_block is not None and bool({GPS_LATITUDE, GPS_LONGITUDE} & set(_tags(tiff, order, gps_block))),
    )


def _entries(tiff: bytes, order: str, directory: int) -> Iterator[tuple[int, int, int, int]]:
    """Tag, type, count and the place of the value field, of every entry that lies inside the block."""
    if directory + 2 > len(tiff):
        return
    for entry in range(struct.unpack_from(order + "H", tiff, directory)[0]):
        start = directory + 2 + 12 * entry
        if start + 12 > len(tiff):
            return
        tag, kind, count = struct.unpack_from(order + "HHI", tiff, start)
        yield tag, kind, count, start + 8


def _numbers(tiff: bytes, order: str, directory: int) -> Iterator[tuple[int, int]]:
    for tag, kind, count, place in _entries(tiff, order, directory):
        if count == 1 and kind in (SHORT, LONG):
            yield tag, struct.unpack_from(order + ("H" if kind == SHORT else "I"), tiff, place)[0]


def _tags(tiff: bytes, order: str, directory: int) -> list[int]:
    return [tag for tag, *_ in _entries(tiff, order, directory)]


def icc_name(profile: bytes) -> str:
    """The description inside an ICC profile ("Display P3"), or "unnamed"."""
    try:
        for entry in range(min(struct.unpack_from(">I", profile, 128)[0], 100)):
            signature, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * entry)
            if signature == b"desc":
                return _icc_text(profile[offset : offset + size]) or "unnamed"
    except (struct.error, UnicodeDecodeError):
        pass
    return "unnamed"


def _icc_text(tag: bytes) -> str:
    if tag.startswith(b"desc"):  # ICC version 2: length, then ASCII
        length = struct.unpack_from(">I", tag, 8)[0]
        text = tag[12 : 12 + length].decode("ascii")
    elif tag.startswith(b"mluc"):  # version 4: the first of its languages, UTF-16
        length, offset = struct.unpack_from(">II", tag, 20)
        text = tag[offset : offset + length].decode("utf-16-be")
    else:
        return ""
    return "".join(letter for letter in text.split("\0")[0] if letter.isprintable()).strip()[:LONGEST_ICC_NAME]


def join_icc(segments: Sequence[bytes]) -> bytes:
    """The profile from the APP2 segments of a JPEG, each with its number after the 12 bytes `ICC_PROFILE\\0`."""
    return b"".join(segment[14:] for segment in sorted(segments, key=lambda segment: segment[12:13]))
