"""Decoded pixels of the golden JPEGs, and broken files with what becomes of them.

A JPEG is decoded by the platform, and this machine's Java has no libjpeg-turbo that decodes at a reduced scale. So the
pixels come from Pillow, as stored: before orientation, geometry and resize, which Kotlin does.
"""

from __future__ import annotations

import hashlib
import json
import random
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from edge_melanoma.picture import PictureError, decode, jpeg, open_picture

from ..places import GOLDEN

PICTURES = GOLDEN / "pictures"
SEED = 20
MUTANTS_PER_PICTURE = 40
LARGEST_MUTATED = 4096  # bytes: large pictures take long and have no other headers
EDITED_BYTES = 300  # where headers are


def write_decoded(out: Path) -> None:
    """`decoded/PICTURE-REDUCTION.rgb` for every JPEG and reduction that golden.json asks for."""
    (out / "decoded").mkdir()
    vectors = json.loads((GOLDEN / "golden.json").read_text(encoding="utf-8"))["vectors"]
    wanted = sorted({(one["picture"], one["reduction"]) for one in vectors if one["picture"].endswith(".jpg")})
    for name, reduction in wanted:
        file = open_picture(PICTURES / name, name=name)
        stored = jpeg.decode(file, reduction)
        (out / "decoded" / f"{name}-{reduction}.rgb").write_bytes(np.asarray(stored).tobytes())


def write_mutants(out: Path) -> None:
    """`mutants.json`: golden pictures with a few bytes changed or cut off, and what Python says of each."""
    rng = random.Random(SEED)
    found = []
    for path in sorted(PICTURES.iterdir()):
        data = path.read_bytes()
        if not 0 < len(data) <= LARGEST_MUTATED:
            continue
        for number in range(MUTANTS_PER_PICTURE):
            mutant = _mutant(data, rng, repair=number % 2 == 0)
            edits = [[at, mutant[at]] for at in range(len(mutant)) if mutant[at] != data[at]]
            found.append({"picture": path.name, "length": len(mutant), "edits": edits, **_verdict(mutant)})
    (out / "mutants.json").write_text(json.dumps(found), encoding="utf-8")


def _mutant(data: bytes, rng: random.Random, *, repair: bool) -> bytes:
    changed = bytearray(data)
    if rng.random() < 0.15:
        del changed[rng.randrange(len(changed)) :]
    for _ in range(rng.choice((1, 1, 2, 3))):
        if changed:
            reach = min(len(changed), EDITED_BYTES if rng.random() < 0.8 else len(changed))
            changed[rng.randrange(reach)] = rng.choice((0, 1, 2, 8, 16, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return _with_right_sums(bytes(changed)) if repair else bytes(changed)


def _with_right_sums(data: bytes) -> bytes:
    """A PNG with the checksums of its chunks put right: behind them, most changes would not be looked at."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    changed, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            break
        changed[end - 4 : end] = zlib.crc32(data[at + 4 : end - 4]).to_bytes(4, "big")
        at = end
    return bytes(changed)


def _verdict(data: bytes) -> dict[str, Any]:
    """The reason of the refusal; else the facts and the SHA-256 of the pixels, of a JPEG that of the decoder's part."""
    try:
        file = open_picture(data)
        if file.facts.refused:
            return {"refused": file.facts.refused}
        facts = {"size": [file.facts.width, file.facts.height], "orientation": file.facts.orientation}
        if file.facts.format == "JPEG":
            return facts | {"essential": hashlib.sha256(file.essential).hexdigest()}
        return facts | {"pixels": hashlib.sha256(np.asarray(decode(file)).tobytes()).hexdigest()}
    except PictureError as error:
        return {"refused": error.reason}
