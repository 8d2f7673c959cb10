"""From the bytes of a picture to upright RGB values: the one way for training, calibration, audit and devices."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from edge_melanoma.picture import bmp, jpeg, png
from edge_melanoma.picture.facts import PictureError, PictureFacts, PictureFile, damaged, truncated

Source = Path | bytes
MAX_BYTES = 2**30  # the largest picture that we decode has half of that, stored raw
PARSERS: tuple[tuple[bytes, Callable[[bytes, str], PictureFile]], ...] = (
    (jpeg.SIGNATURE, jpeg.parse),
    (png.SIGNATURE, png.parse),
    (bmp.SIGNATURE, bmp.parse),
)

# What EXIF orientations ask for; 1 is as stored.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What people hand in by mistake, by its first bytes: offset, magic, words.
FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "a GIF"),
    (0, b"II*\0", "a TIFF or a camera's raw file"),
    (0, b"MM\0*", "a TIFF or a camera's raw file"),
    (0, b"II+\0", "a TIFF"),
    (8, b"WEBP", "a WebP"),
    (4, b"ftypavi", "an AVIF"),
    (4, b"ftyp", "a HEIC or another file of the MP4 family"),
    (128, b"DICM", "a DICOM file"),
    (0, b"%PDF", "a PDF"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"\0\0\0\x0cjP", "a JPEG 2000"),
    (0, b"\0\0\0\x0cJXL", "a JPEG XL"),
    (0, b"\xff\x0a", "a JPEG XL"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the picture itself"),
    (0, b"<", "a web page or other markup"),
)


def read_picture(source: Source, *, name: str | None = None) -> Image.Image:
    """A picture at full size, upright, in RGB."""
    return decode(open_picture(source, name=name))


def picture_facts(source: Source, *, name: str | None = None) -> PictureFacts:
    """What a picture is, also where it is refused for its kind or size; no pixel is decoded.

    Raises PictureError where the file is no JPEG, PNG or BMP, or is broken.
    """
    return open_picture(source, name=name).facts


def open_picture(source: Source, *, name: str | None = None) -> PictureFile:
    """Take a picture file apart without decoding it."""
    name = name or (str(source) if isinstance(source, Path) else "picture")
    data = _read(source, name) if isinstance(source, Path) else bytes(source)
    if not data:
        raise PictureError(name, "empty", "is empty (0 bytes); a JPEG, PNG or BMP picture is needed")
    for signature, parse in PARSERS:
        if data.startswith(signature):
            try:
                return parse(data, name)
            except (struct.error, IndexError) as error:  # a header reaches beyond the end
                raise truncated(name) from error
    raise PictureError(name, "format", f"is {_what(data)}; accepted are JPEG, PNG and BMP")


def decode(file: PictureFile, reduction: int = 1) -> Image.Image:
    """The picture, upright and in RGB; a JPEG at 1/reduction of its size (rounded up), which may be 1, 2, 4 or 8."""
    return turned_upright(decode_as_stored(file, reduction), file.facts)


def turned_upright(image: Image.Image, facts: PictureFacts) -> Image.Image:
    """What was decoded as stored, turned as its orientation asks for."""
    return image if facts.orientation == 1 else image.transpose(UPRIGHT[facts.orientation])


def decode_as_stored(file: PictureFile, reduction: int = 1) -> Image.Image:
    """The same as `decode`, but lying as the file has it."""
    facts = file.facts
    if facts.refused and facts.problem:
        raise PictureError(file.name, facts.refused, facts.problem)
    try:
        if facts.format == "JPEG":
            image = jpeg.decode(file, reduction)
        else:
            image = png.decode(file) if facts.format == "PNG" else bmp.decode(file)
    except PictureError:
        raise
    except MemoryError as error:
        problem = f"has {facts.width}x{facts.height} pixels, for which the memory of this machine is not enough"
        raise PictureError(file.name, "size", problem) from error
    except Exception as error:  # what decoders raise on hostile bytes is no closed list
        raise damaged(file.name, f"{type(error).__name__}: {error}") from error
    if image.size != jpeg.reduced_size(facts.width, facts.height, reduction):
        raise RuntimeError(f"{file.name}: {facts} came out as {image.size} at 1/{reduction}")
    return image


def _read(path: Path, name: str) -> bytes:
    try:
        if not path.exists():
            raise PictureError(name, "unreadable", "does not exist")
        if not path.is_file():
            raise PictureError(name, "unreadable", "is not a file; name a picture")
        if path.stat().st_size > MAX_BYTES:
            raise PictureError(name, "size", f"has more than {MAX_BYTES // 2**20} MiB; no picture that is taken has")
        return path.read_bytes()
    except OSError as error:
        raise PictureError(name, "unreadable", f"cannot be read ({error.strerror or error})") from error


def _what(data: bytes) -> str:
    for offset, magic, words in FOREIGN:
        if data[offset : offset + len(magic)] == magic:
            return words
    printable = all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in data[:256])
    return "a text file" if printable else "not a picture of a known kind"
