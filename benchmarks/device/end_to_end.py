"""From a picture file to a decision, as `predict` does it: the whole, and each stage by itself.

Without a picture of the user's, two are drawn: one as data sets have them, and one as a phone takes it, 12 megapixels,
stored lying down, so that it has to be turned.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from edge_melanoma.capture import measure
from edge_melanoma.errors import RecipeError
from edge_melanoma.names import one_line
from edge_melanoma.picture import decode, decode_as_stored, open_picture, turned_upright
from edge_melanoma.runtime import Look, Prediction, Predictor

STAGES = ("read", "decode", "turn upright", "resize", "capture gate", "infer", "decide")
STAGE_ROUNDS = 16
TURNED = 6  # the EXIF orientation of a picture taken upright by a phone
_ORIENTATION = 0x0112


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture to decide on."""

    name: str
    path: Path = field(repr=False)
    size: tuple[int, int]  # upright
    file_bytes: int


def given_pictures(paths: Sequence[Path]) -> list[Picture]:
    """The user's own; PictureError (code 3) where one cannot be used."""
    pictures = [_described(path, one_line(path.name)) for path in paths]
    if len({picture.name for picture in pictures}) < len(pictures):
        raise RecipeError("two of the pictures have the same name; rename one, the report tells them apart by name")
    return pictures


def drawn_pictures(folder: Path) -> list[Picture]:
    """A data set's picture and a phone's, written into the folder."""
    small, large = folder / "small.jpg", folder / "phone.jpg"
    small.write_bytes(_jpeg(_texture(600, 450), orientation=1))
    large.write_bytes(_jpeg(_texture(4000, 3000), orientation=TURNED))
    return [_described(small, "drawn, 600x450"), _described(large, "drawn, 12 MP, turned")]


def _described(path: Path, name: str) -> Picture:
    facts = open_picture(path).facts
    if facts.refused and facts.problem:
        open_and_decode = open_picture(path)
        decode(open_and_decode)  # raises what is wrong with it
    return Picture(name=name, path=path, size=facts.upright_size, file_bytes=path.stat().st_size)


def _texture(width: int, height: int) -> Image.Image:
    """Skin-coloured, with blots and grain: an empty picture would decode too fast."""
    rng = np.random.default_rng(0)
    blots = Image.fromarray(rng.integers(60, 200, (12, 16), dtype=np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    grain = Image.fromarray(rng.integers(0, 24, (256, 256), dtype=np.uint8))
    sheet = Image.new("L", (width, height))
    for left in range(0, width, grain.width):
        for top in range(0, height, grain.height):
            sheet.paste(grain, (left, top))
    red = Image.blend(blots, sheet, 0.3)
    return Image.merge("RGB", (red, Image.blend(blots, sheet, 0.5), sheet))


def _jpeg(picture: Image.Image, *, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def by_stages(predictor: Predictor, picture: Path) -> tuple[Prediction, tuple[float, ...]]:
    """A prediction, and the milliseconds of each of STAGES: what Predictor.predict does, with clocks in between."""
    contract, gate = predictor.bundle.contract, predictor.bundle.manifest.capture_gate
    clock = time.perf_counter_ns
    ticks = [clock()]
    file = open_picture(picture)
    ticks.append(clock())
    stored = decode_as_stored(file, contract.reduction(file.facts))
    ticks.append(clock())
    image = turned_upright(stored, file.facts)
    ticks.append(clock())
    tensor = contract.image_to_tensor(image)
    ticks.append(clock())
    reasons = () if gate is None else gate.reasons(measure(tensor, contract, file.facts.upright_size))
    ticks.append(clock())
    logits = predictor.infer(tensor)
    ticks.append(clock())
    prediction = predictor.decide(logits, Look(tensor=tensor, reasons=reasons))
    ticks.append(clock())
    return prediction, tuple(step / 1e6 for step in np.diff(ticks))


def stage_medians(predictor: Predictor, picture: Path) -> dict[str, float]:
    """The median milliseconds of each stage."""
    rounds = np.array([by_stages(predictor, picture)[1] for _ in range(STAGE_ROUNDS)])
    return dict(zip(STAGES, (round(float(value), 4) for value in np.median(rounds, axis=0)), strict=True))
