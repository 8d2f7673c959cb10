"""What tells one picture from another: a hash of its bytes, and a perceptual hash of what it shows.

The perceptual hash: the upright picture in gray at 32x32, its DCT, and of the frequencies 1 … 16 in both directions
(256 coefficients, without those of frequency 0, which see vignettes and illumination) the signs. Pictures within
NEAR_LIMIT bits of each other count as the same.

Why 256 bits and not the usual 64 with a limit of 4: dermoscopy is one dark blob in the middle, again and again. On all
10,015 pictures of HAM10000 (`python -m edge_melanoma.benchmarks.fingerprint`, results beside it):

    hash, limit                     pairs in a lesion   pairs across lesions   of these the same picture
    64 bits (8x8 by median), 4            110                  322                        2
    256 bits (16x16 by median), 20         64                    1                        1
    these 256 bits, 24                     67                    1                        1
    these 256 bits, 40                    124                    2                        2

Copies of every tenth picture at JPEG quality 60 to 95, at half the size, or 10 % brighter or darker were at most 22
bits from the original, so the limit is 24; wrong pairs begin at 41, and the gap is for data sets forty times as large.
A margin of 2 % cut off costs up to 43 bits and is not always found. Mirrored or turned copies are not looked for:
HAM10000 has none.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from edge_melanoma.picture import PictureError, PictureFile, open_picture
from edge_melanoma.picture.reading import UPRIGHT

NEAR_LIMIT = 24  # of HASH_BITS
HASH_BITS = 256

_SIDE = 32  # pixels
_FREQUENCIES = np.arange(1, 17)
_NOTHING = 0.01  # a coefficient below this (gray levels; an orthonormal DCT) is the arithmetic's noise, not the picture
# (frequency, pixel)
_DCT = np.sqrt(2 / _SIDE) * np.cos(np.pi * _FREQUENCIES[:, None] * (2 * np.arange(_SIDE) + 1) / (2 * _SIDE))

_DECODERS: Mapping[str, Callable[[io.BytesIO], Image.Image]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "BMP": BmpImageFile,
}


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """The identity of a picture's bytes and of what it shows."""

    sha256: str
    phash: str | None = None  # hexadecimal; None: cannot be decoded
    width: int | None = None  # as stored; None: not a picture
    height: int | None = None


def fingerprint(data: bytes, name: str) -> Fingerprint:
    """The fingerprint of the bytes of a picture; also of bytes that are none."""
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        file = open_picture(data, name=name)
    except PictureError:
        return Fingerprint(sha256=sha256)
    try:
        gray = _small_gray(file) if file.facts.refused != "size" else None
    except Exception:  # what decoders raise on hostile bytes is no closed list; the audit says what is wrong with them
        gray = None
    return Fingerprint(
        sha256=sha256,
        phash=None if gray is None else perceptual_hash(gray),
        width=file.facts.width,
        height=file.facts.height,
    )


def perceptual_hash(gray: Image.Image) -> str:
    """The hash of an upright gray picture (mode L or F)."""
    pixels = np.asarray(gray.convert("F").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), np.float64)
    return np.packbits(_DCT @ pixels @ _DCT.T > _NOTHING).tobytes().hex()


def _small_gray(file: PictureFile) -> Image.Image:
    """The upright picture in gray, not smaller than the hash needs, decoded as cheaply as its format allows."""
    # not Image.open, which warns of large pictures; open_picture has refused what is too large
    picture = _DECODERS[file.facts.format](io.BytesIO(file.essential))
    picture.draft("L", (2 * _SIDE, 2 * _SIDE))  # of a JPEG: not below this size, and no colour
    if picture.mode.startswith("I"):  # 16 bits, which Pillow would clip to 8
        gray = Image.fromarray(np.asarray(picture, np.float32) / np.float32(257))
    else:
        gray = picture.convert("L")
    shrink = min(gray.size) // (4 * _SIDE)
    if shrink > 1:
        gray = gray.reduce(shrink)
    return gray if file.facts.orientation == 1 else gray.transpose(UPRIGHT[file.facts.orientation])
