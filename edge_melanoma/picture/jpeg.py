"""JPEG: its segments, and decoding at full or reduced scale.

The decoder gets the file without metadata: profiles, gain maps, thumbnails and further pictures (MPO) are where
decoders differ and where Pillow warns. A reduced decode is libjpeg's own (a smaller inverse DCT), which Android reaches
through BitmapFactory's inSampleSize 2, 4 and 8.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from edge_melanoma.picture.facts import Mode, PictureFacts, PictureFile, Refusal, damaged, too_large, truncated
from edge_melanoma.picture.tags import ExifFacts, icc_name, join_icc, read_exif

SIGNATURE = b"\xff\xd8\xff"
REDUCTIONS = (8, 4, 2, 1)
MAX_SCANS = 100  # encoders write about ten; a thousand are an attack on the decoder's time

SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
SOF_DECODED = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive; all with Huffman coding
PROGRESSIVE, EOI, SOS, APP0, APP1, APP2, APP14 = 0xC2, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
TABLES = {0xC4, 0xDB, 0xDD}  # DHT, DQT, DRI
STANDALONE = {0x00, 0x01, *range(0xD0, 0xD9)}  # no segment: neither length nor content
MODES: dict[int, Mode] = {1: "gray", 3: "rgb", 4: "cmyk"}


class Frame(NamedTuple):
    """The frame header (SOF)."""

    marker: int
    bits: int
    height: int
    width: int
    components: int


def parse(data: bytes, name: str) -> PictureFile:
    """Take a JPEG apart."""
    kept, frame, exif, icc = [b"\xff\xd8"], None, None, list[bytes]()
    for marker, start, body in _segments(data, name):
        if marker in SOF:
            if frame is not None:
                raise damaged(name, "it has two frame headers")
            frame = Frame(marker, *struct.unpack_from(">BHHB", body))
        elif marker == APP1 and body.startswith(b"Exif\0\0") and exif is None:  # of two, the first counts
            exif = read_exif(body[6:])
        elif marker == APP2 and body.startswith(b"ICC_PROFILE\0"):
            icc.append(body)
        if _decoder_needs(marker, body):
            kept.append(data[start : start + 4 + len(body)])
    if frame is None:
        raise damaged(name, "it has no frame header")
    if data.rfind(b"\xff\xd9") < start:  # `start` is where the scans begin
        raise truncated(name)
    several_scans = frame.marker == PROGRESSIVE or body[0] < frame.components
    too_many_scans = several_scans and data.count(b"\xff\xda", start) > MAX_SCANS
    facts = _facts(frame, _refusal(frame, name, too_many_scans), exif, join_icc(icc))
    return PictureFile(name=name, facts=facts, essential=b"".join([*kept, memoryview(data)[start:]]))


def _segments(data: bytes, name: str) -> Iterator[tuple[int, int, bytes]]:
    """Marker, place and content of every segment up to and with the first SOS; bytes between them are skipped."""
    position, marker = 2, 0
    while marker != SOS:
        position = data.find(b"\xff", position)
        if position < 0:
            raise truncated(name)
        while data[position + 1] == 0xFF:  # fill
            position += 1
        start, marker = position, data[position + 1]
        position += 2
        if marker in STANDALONE:
            continue
        if marker == EOI:
            raise damaged(name, "it ends before its picture begins")
        length = struct.unpack_from(">H", data, position)[0]
        if length < 2 or position + length > len(data):
            raise truncated(name)
        yield marker, start, data[position + 2 : position + length]
        position += length


def _decoder_needs(marker: int, body: bytes) -> bool:
    if marker == APP0:
        return body.startswith(b"JFIF\0")
    if marker == APP14:
        return body.startswith(b"Adobe")  # says whether three components are YCbCr or RGB
    return marker in TABLES or marker in SOF_DECODED


def _refusal(frame: Frame, name: str, too_many_scans: bool) -> Refusal | None:
    again = "save it as an ordinary JPEG or as PNG"
    if frame.marker not in SOF_DECODED:
        coding = "arithmetic" if frame.marker >= 0xC9 else "lossless" if frame.marker == 0xC3 else "hierarchical"
        return "coding", f"is a JPEG with {coding} coding, which phones do not decode; {again}"
    if frame.bits != 8:
        return "coding", f"is a JPEG with {frame.bits} bits per sample; {again} with 8"
    if frame.components == 4:
        return "cmyk", "is CMYK, whose conversion to RGB differs between platforms; save it as sRGB first"
    if frame.components not in MODES:
        return "coding", f"is a JPEG with {frame.components} components; {again} in colour or gray"
    if too_many_scans:
        return "coding", f"is a JPEG with more than {MAX_SCANS} scans; {again}"
    return too_large(frame.width, frame.height, name)


def _facts(frame: Frame, refusal: Refusal | None, exif: ExifFacts | None, icc: bytes) -> PictureFacts:
    return PictureFacts(
        format="JPEG",
        width=frame.width,
        height=frame.height,
        mode=MODES.get(frame.components, "other"),
        bits=frame.bits,
        orientation=exif.orientation if exif else 1,
        exif=exif is not None,
        gps=exif is not None and exif.gps,
        icc=icc_name(icc) if icc else None,
        refused=refusal[0] if refusal else None,
        problem=refusal[1] if refusal else None,
    )


def reduced_size(width: int, height: int, reduction: int) -> tuple[int, int]:
    """The size that libjpeg gives a picture which it decodes at 1/reduction: rounded up."""
    return -(-width // reduction), -(-height // reduction)


def decode(file: PictureFile, reduction: int) -> Image.Image:
    """The picture as stored, in RGB, at 1/reduction of its size (see REDUCTIONS)."""
    # JpegImageFile, not Image.open: no bomb limit of the host program, no second picture, no warning
    image = JpegImageFile(io.BytesIO(file.essential))
    if reduction > 1:
        # draft takes the largest of 8, 4, 2, 1 that is at most w // (w // s), which lies in [s, 2s) for any w >= s
        image.draft(None, (file.facts.width // reduction, file.facts.height // reduction))
    image.load()
    return image.convert("RGB") if image.mode == "L" else image
