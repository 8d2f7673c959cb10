"""Ways to damage or disguise one picture file, in place."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

_ORIENTATION, _SOFTWARE, _GPS = 0x0112, 0x0131, 0x8825  # EXIF tags
_ON_ITS_SIDE = 6  # to be turned by 90 degrees clockwise before it is shown
_QUALITY = 92
_PNG_NOTE = ("Comment", "SYNTHETIC - no clinical meaning")  # a JPEG keeps its comment when it is saved again


def brightened(path: Path) -> bytes:
    """The picture a twentieth brighter and compressed anew: other bytes, the same to the eye."""
    stream = io.BytesIO()
    _open(path).point(lambda level: min(255, round(level * 1.05))).save(stream, "JPEG", quality=88)
    return stream.getvalue()


def mirrored(path: Path) -> bytes:
    """The picture as a mirror shows it."""
    stream = io.BytesIO()
    ImageOps.mirror(_open(path)).save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def enlarged(path: Path, *, times: int) -> None:
    """The picture with more pixels."""
    picture = _open(path)
    larger = picture.resize((times * picture.width, times * picture.height), Image.Resampling.BICUBIC)
    larger.save(path, quality=_QUALITY)


def with_alpha(path: Path) -> None:
    """A PNG with transparent corners instead of the JPEG."""
    picture = _open(path)
    size = np.asarray(picture).shape[0]
    off = np.hypot(*(np.mgrid[0:size, 0:size] - (size - 1) / 2))
    picture.putalpha(Image.fromarray(np.where(off > 0.6 * size, 0, 255).astype(np.uint8)))
    note = PngInfo()
    note.add_text(*_PNG_NOTE)
    picture.save(path.with_suffix(".png"), pnginfo=note)
    path.unlink()


def with_sixteen_bits(path: Path) -> None:
    """A PNG with 16 bits a sample instead of the JPEG; written by hand, because Pillow writes no such RGB."""
    levels = np.asarray(_open(path)).astype(">u2") * 257
    height, width, _ = levels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in levels)  # filter 0: none
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)  # colour type 2: RGB
    note = "\0".join(_PNG_NOTE).encode()
    chunks = ((b"IHDR", header), (b"tEXt", note), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.with_suffix(".png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    path.unlink()


def as_cmyk(path: Path) -> None:
    """A JPEG for printers."""
    _open(path).convert("CMYK").save(path, quality=_QUALITY)


def with_orientation(path: Path) -> None:
    """A JPEG that lies on its side and says so."""
    exif = Image.Exif()
    exif[_ORIENTATION] = _ON_ITS_SIDE
    _open(path).transpose(Image.Transpose.ROTATE_90).save(path, quality=_QUALITY, exif=exif)


def with_gps(path: Path) -> None:
    """A JPEG that says where it was taken: at 0° north, 0° east, in the sea."""
    exif = Image.Exif()
    exif[_GPS] = {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}
    _open(path).save(path, quality=_QUALITY, exif=exif)


def with_software(path: Path) -> None:
    """A JPEG with EXIF of no importance."""
    exif = Image.Exif()
    exif[_SOFTWARE] = "edge-melanoma data synth"
    _open(path).save(path, quality=_QUALITY, exif=exif)


def _open(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")
