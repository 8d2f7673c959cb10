"""PNG: its chunks, decoding, and the search for transparent pixels.

The decoder gets the chunks that make the pixels and nothing else: gAMA, cHRM, sRGB, iCCP and eXIf change what some
decoders return. Transparency is looked for here, because Pillow compares a transparent gray of 2 or 4 bits unscaled.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from edge_melanoma.picture.facts import (
    Mode,
    PictureFacts,
    PictureFile,
    Refusal,
    damaged,
    too_large,
    transparent,
    truncated,
)
from edge_melanoma.picture.tags import icc_name, read_exif

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MODES: dict[int, tuple[Mode, set[int]]] = {  # colour type: mode, allowed bit depths
    0: ("gray", {1, 2, 4, 8, 16}),
    2: ("rgb", {8, 16}),
    3: ("palette", {1, 2, 4, 8}),
    4: ("gray-alpha", {8, 16}),
    6: ("rgba", {8, 16}),
}
PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
MAX_ICC_BYTES = 2**22
INFLATED_AT_ONCE = 2**20
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def parse(data: bytes, name: str) -> PictureFile:
    """Take a PNG apart."""
    kept, chunks = [memoryview(SIGNATURE)], dict[bytes, bytes]()
    for kind, start, end in _chunks(data, name):
        if not chunks and kind != b"IHDR":
            raise damaged(name, "its header is not its first chunk")
        if kind == b"IDAT" or (kind in PIXEL_CHUNKS and kind not in chunks):  # of two, the first counts
            kept.append(memoryview(data)[start:end])
        if kind not in chunks:
            chunks[kind] = b"" if kind == b"IDAT" else data[start + 8 : end - 4]
    if b"IDAT" not in chunks or len(chunks[b"IHDR"]) != 13:
        raise damaged(name, "it has no pixels or a broken header")
    facts = _facts(chunks, name)
    entries = len(chunks.get(b"PLTE", b"")) // 3
    if facts.mode == "palette" and not 1 <= entries <= 1 << facts.bits:
        raise damaged(name, f"its palette has {entries} colours")
    transparency = chunks.get(b"tRNS", b"")
    if transparency and len(transparency) != {"gray": 2, "rgb": 6}.get(facts.mode, len(transparency)):
        raise damaged(name, "its transparent colour has a wrong length")
    return PictureFile(
        name=name, facts=facts, essential=b"".join(kept), transparency=transparency, palette_entries=entries
    )


def _chunks(data: bytes, name: str) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of every chunk up to IEND; the checksums of those that we use are verified."""
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + length + 12
        if end > len(data):
            raise truncated(name)
        if kind in PIXEL_CHUNKS or kind == b"tRNS":
            checksum = struct.unpack_from(">I", data, end - 4)[0]
            if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != checksum:
                raise damaged(name, f"the checksum of its {kind.decode()} chunk is wrong")
        yield kind, position, end
        position = end


def _facts(chunks: dict[bytes, bytes], name: str) -> PictureFacts:
    width, height, bits, colour, compression, filtering, interlacing = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    mode, depths = MODES.get(colour, ("other", set[int]()))
    if bits not in depths or compression or filtering or interlacing > 1:
        raise damaged(name, "its header makes no sense")
    refusal: Refusal | None = too_large(width, height, name)
    if bits == 16:
        refusal = "16-bit", "has 16 bits per sample, which platforms round differently; save it with 8 first"
    elif b"acTL" in chunks:
        refusal = "coding", "is an animated PNG; save the one picture that is meant"
    return PictureFacts(
        format="PNG",
        width=width,
        height=height,
        mode=mode,
        bits=bits,
        exif=b"eXIf" in chunks,
        gps=read_exif(chunks.get(b"eXIf", b"")).gps,
        icc=_icc(chunks[b"iCCP"]) if b"iCCP" in chunks else None,
        alpha=mode in ("rgba", "gray-alpha") or b"tRNS" in chunks,
        refused=refusal[0] if refusal else None,
        problem=refusal[1] if refusal else None,
    )


def _icc(chunk: bytes) -> str:
    title, _, compressed = chunk.partition(b"\0")
    try:
        name = icc_name(zlib.decompressobj().decompress(compressed[1:], MAX_ICC_BYTES))
    except zlib.error:
        name = "unnamed"
    return name if name != "unnamed" else title.decode("latin-1").strip() or "unnamed"


def decode(file: PictureFile) -> Image.Image:
    """The picture in RGB; raises PictureError where a pixel is transparent."""
    _check_rows(file)
    image: Image.Image = PngImageFile(io.BytesIO(file.essential))  # not Image.open: see jpeg.py
    image.load()
    if image.mode == "P":
        used = [index for index, count in enumerate(image.histogram()) if count]
        if max(used) >= file.palette_entries:
            raise damaged(file.name, "a pixel has a colour that its palette lacks")
        if any(alpha < 255 and index in used for index, alpha in enumerate(file.transparency)):
            raise transparent(file.name)
    elif image.mode in ("RGBA", "LA"):
        if image.getchannel("A").getextrema() != (255, 255):
            raise transparent(file.name)
    elif file.transparency and _has_colour(image, file):
        raise transparent(file.name)
    return image.convert("RGB")


def _check_rows(file: PictureFile) -> None:
    """Are there as many rows as the header says? Pillow fills up a picture whose compressed rows end before it."""
    header = struct.unpack_from(">IIBBBBB", file.essential, len(SIGNATURE) + 8)
    needed = _row_bytes(*header[:4], interlaced=bool(header[6]))
    inflater, position = zlib.decompressobj(), len(SIGNATURE)
    try:
        while needed > 0 and position < len(file.essential) and not inflater.eof:
            length, kind = struct.unpack_from(">I4s", file.essential, position)
            rest = memoryview(file.essential)[position + 8 : position + 8 + length] if kind == b"IDAT" else b""
            while rest and needed > 0:
                needed -= len(inflater.decompress(rest, min(needed, INFLATED_AT_ONCE)))
                rest = inflater.unconsumed_tail
            position += length + 12
    except zlib.error as error:
        raise damaged(file.name, "its pixels are not compressed as they should be") from error
    if needed > 0:
        raise damaged(file.name, "it has fewer rows than its header says")


def _row_bytes(width: int, height: int, bits: int, colour: int, *, interlaced: bool) -> int:
    """The bytes of all rows, with the one before each that names its filter."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    total = 0
    for left, top, across, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((left - width) // across), -((top - height) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * samples * bits + 7) // 8)
    return total


def _has_colour(image: Image.Image, file: PictureFile) -> bool:
    """Has a gray or RGB picture a pixel of the colour that tRNS calls transparent?"""
    largest = (1 << file.facts.bits) - 1
    stored = struct.unpack(f">{len(file.transparency) // 2}H", file.transparency)
    colour = np.array([(value & largest) * (255 // largest) for value in stored], dtype=np.uint8)
    pixels = np.asarray(image.convert("L" if len(stored) == 1 else "RGB"))
    return bool((pixels.reshape(-1, len(stored)) == colour).all(axis=1).any())
