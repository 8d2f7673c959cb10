"""BMP: only what old dermoscopes write (uncompressed: 1, 4 or 8 bits with a palette, 24 or 32 bits), read by hand.

Decoders guess differently about the rarer kinds (a fourth byte that may be alpha, 16 bits, run lengths), so those are
refused; what is left takes no decoder.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_melanoma.picture.facts import (
    PictureError,
    PictureFacts,
    PictureFile,
    Refusal,
    damaged,
    too_large,
    transparent,
    truncated,
)

SIGNATURE = b"BM"
HEADER_SIZES = (40, 52, 56, 108, 124)  # BITMAPINFOHEADER and its successors
OTHER_HEADER_SIZES = (12, 16, 64)  # OS/2
PALETTE_BITS = (1, 4, 8)
UNCOMPRESSED = 0


def parse(data: bytes, name: str) -> PictureFile:
    """Take a BMP apart."""
    header_size = struct.unpack_from("<I", data, 14)[0]
    if header_size not in (*HEADER_SIZES, *OTHER_HEADER_SIZES):
        raise PictureError(
            name, "format", "begins like a BMP but has none of its headers; a JPEG, PNG or BMP is needed"
        )
    again = "save it as an ordinary 24-bit BMP or as PNG"
    if header_size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = UNCOMPRESSED
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    refusal: Refusal | None = too_large(width, abs(height), name)
    if header_size not in HEADER_SIZES:
        refusal = "coding", f"is a BMP of OS/2; {again}"
    elif compression != UNCOMPRESSED:
        refusal = "coding", f"is a BMP with compression {compression}; {again}"
    elif bits not in (*PALETTE_BITS, 24, 32):
        refusal = "coding", f"is a BMP with {bits} bits per pixel; {again}"
    facts = PictureFacts(
        format="BMP",
        width=width,
        height=abs(height),
        mode="palette" if bits in PALETTE_BITS else "rgb",
        bits=bits if bits in PALETTE_BITS else 8,
        alpha=bits == 32,
        refused=refusal[0] if refusal else None,
        problem=refusal[1] if refusal else None,
    )
    return PictureFile(name=name, facts=facts, essential=data)


def decode(file: PictureFile) -> Image.Image:
    """The picture in RGB; raises PictureError where the fourth byte of 32 bits looks like transparency."""
    width, height = file.facts.width, file.facts.height
    offset, signed_height, bits = (
        struct.unpack_from(form, file.essential, place)[0] for form, place in (("<I", 10), ("<i", 22), ("<H", 28))
    )
    stride = (width * bits + 31) // 32 * 4
    if offset < 54 or offset + stride * height > len(file.essential):
        raise truncated(file.name)
    rows = np.frombuffer(file.essential, np.uint8, stride * height, offset).reshape(height, stride)
    if signed_height > 0:  # the usual: the lowest row comes first
        rows = rows[::-1]
    if bits in PALETTE_BITS:
        pixels = _look_up(rows, width, bits, file)
    else:
        samples = rows[:, : width * bits // 8].reshape(height, width, bits // 8)
        if bits == 32 and samples[..., 3].min() != samples[..., 3].max():
            raise transparent(file.name)
        if bits == 32 and samples[0, 0, 3] not in (0, 255):
            raise transparent(file.name)
        pixels = samples[..., 2::-1]  # BGR to RGB
    return Image.fromarray(np.ascontiguousarray(pixels))


def _look_up(rows: NDArray[np.uint8], width: int, bits: int, file: PictureFile) -> NDArray[np.uint8]:
    header_size, colours = (struct.unpack_from("<I", file.essential, place)[0] for place in (14, 46))
    colours = colours or 1 << bits
    if colours > 1 << bits or 14 + header_size + 4 * colours > len(file.essential):
        raise damaged(file.name, f"its palette has {colours} colours")
    palette = np.frombuffer(file.essential, np.uint8, 4 * colours, 14 + header_size).reshape(colours, 4)
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)  # the first pixel is in the highest bits
    indices = (rows[:, :, None] >> shifts) & np.uint8((1 << bits) - 1)
    indices = indices.reshape(len(rows), -1)[:, :width]
    if indices.max() >= colours:
        raise damaged(file.name, "a pixel has a colour that its palette lacks")
    return np.take(palette[:, 2::-1], indices, axis=0)  # BGR to RGB
