"""What is known of a picture before a pixel is decoded, and the error that says why one is not taken.

Refusals come from the header, by name, before a decoder sees hostile bytes or quietly converts: Pillow turns 16-bit
RGB into 8 and CMYK into RGB by rules that other platforms do not share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_melanoma.errors import DataError

MAX_PIXELS = 128_000_000
MAX_SIDE = 65_500  # libjpeg's limit

Format = Literal["JPEG", "PNG", "BMP"]
Mode = Literal["rgb", "gray", "palette", "rgba", "gray-alpha", "cmyk", "other"]
Reason = Literal["unreadable", "empty", "format", "damaged", "size", "cmyk", "16-bit", "transparent", "coding"]
Refusal = tuple[Reason, str]


class PictureError(DataError):
    """A picture that is not taken, with the reason in one word, by which an audit counts."""

    def __init__(self, name: str, reason: Reason, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name, self.reason, self.problem = name, reason, problem

    def __reduce__(self) -> tuple[type[PictureError], tuple[str, Reason, str]]:
        return type(self), (self.name, self.reason, self.problem)  # so that a worker process can send it


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """What the file says; `refused` and `problem` where it is not taken, whatever its pixels are."""

    format: Format
    width: int  # as stored
    height: int
    mode: Mode
    bits: int  # per sample, or per palette index
    orientation: int = 1  # EXIF, 1 to 8; always 1 where the format is not JPEG
    exif: bool = False
    gps: bool = False  # EXIF says where the picture was taken
    icc: str | None = None  # the name of the profile, which is never applied
    alpha: bool = False  # there may be transparent pixels: only decoding tells
    refused: Reason | None = None
    problem: str | None = None  # the refusal in words

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height as a person sees the picture."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


@dataclass(frozen=True, kw_only=True)
class PictureFile:
    """One picture file, taken apart."""

    name: str
    facts: PictureFacts
    essential: bytes  # what the decoder gets: the file without metadata
    transparency: bytes = b""  # of a PNG: its tRNS chunk
    palette_entries: int = 0  # of a PNG


def too_large(width: int, height: int, name: str) -> Refusal | None:
    """The refusal of a picture that would fill the memory, or None."""
    if width < 1 or height < 1:
        raise damaged(name, "its header gives no size")
    if width * height <= MAX_PIXELS and max(width, height) <= MAX_SIDE:
        return None
    limit = f"at most {MAX_PIXELS // 10**6} megapixels and {MAX_SIDE:,} pixels a side are decoded"
    return "size", f"has {width}x{height} pixels; {limit}"


def truncated(name: str) -> PictureError:
    return PictureError(name, "damaged", "ends too early (a broken copy or download?); get the whole file")


def damaged(name: str, what: str) -> PictureError:
    return PictureError(name, "damaged", f"is damaged ({what}); get an intact copy")


def transparent(name: str) -> PictureError:
    problem = "has transparent pixels, which each viewer shows on another ground; flatten it first"
    return PictureError(name, "transparent", problem)
