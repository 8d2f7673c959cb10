"""Pictures as bytes, facts and upright RGB values, by rules that other languages follow to the byte.

Values are as stored: an ICC profile, gamma or gain map is never applied. A conversion would have to be the same in
Pillow, Skia and whatever comes next, and it is not; leaving it out is. The normative text is tests/golden/README.md.
"""

from edge_melanoma.picture.facts import MAX_PIXELS, MAX_SIDE, PictureError, PictureFacts, PictureFile
from edge_melanoma.picture.reading import (
    decode,
    decode_as_stored,
    open_picture,
    picture_facts,
    read_picture,
    turned_upright,
)

__all__ = [
    "MAX_PIXELS",
    "MAX_SIDE",
    "PictureError",
    "PictureFacts",
    "PictureFile",
    "decode",
    "decode_as_stored",
    "open_picture",
    "picture_facts",
    "read_picture",
    "turned_upright",
]
