"""Draws the JPEG with which the app checks its phone's decoder, and writes down its pixels as Pillow decodes them.

    cd android_demo && python -m tooling.decode_check

The two files are committed; tests/test_android_app.py compares them with Pillow again.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from edge_melanoma.picture import decode, open_picture

from .places import APP

ASSETS = APP / "src" / "main" / "assets"
JPEG, PIXELS = ASSETS / "decode_check.jpg", ASSETS / "decode_check.rgb"
WIDTH, HEIGHT = 45, 30  # neither is a multiple of a block at any reduction
REDUCTIONS = (1, 2, 4, 8)


def draw() -> bytes:
    """Blots in all colours, with edges and halved chroma: what decoders do in different ways."""
    rng = np.random.default_rng(6)
    blots = Image.fromarray(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8))
    picture = np.asarray(blots.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).copy()
    picture[8:20, 12:30] = (130, 60, 40)
    picture[12:14] = (20, 200, 240)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=85, subsampling="4:2:0")
    return buffer.getvalue()


def pixels(jpeg: bytes) -> bytes:
    """The picture at every reduction, one behind the other."""
    return b"".join(decode(open_picture(jpeg), reduction).tobytes() for reduction in REDUCTIONS)


if __name__ == "__main__":
    JPEG.write_bytes(draw())
    PIXELS.write_bytes(pixels(JPEG.read_bytes()))
