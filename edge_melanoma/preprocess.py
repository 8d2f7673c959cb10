"""Picture -> uint8 tensor, the only such code in Python: training, calibration, parity and devices go through here.

Contract, version 1, in short (tests/golden/README.md is the full text, with which other languages reproduce every
byte): decode to upright RGB with values as stored; a large JPEG at 1/2, 1/4 or 1/8 of its size, as long as the part
that is used stays at least twice as large as the tensor; crop, pad or squash in integers; Pillow's antialiased
bilinear resize; uint8 [H, W, 3]. A change of one number anywhere below is a new version: models are bound to it.

    tensor = PreprocessContract(width=224, height=224).to_tensor(Path("lesion.jpg"))
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.picture import PictureFacts, decode, open_picture
from edge_melanoma.picture.jpeg import REDUCTIONS, reduced_size

CONTRACT_VERSION = 1
MAX_TENSOR_SIDE = 4096
SPARE = 2  # after a reduced decode, what is resized keeps at least this many times the size that it gets
BLACK = (0, 0, 0)

GeometryName = Literal["crop", "pad", "squash"]


class Geometry(NamedTuple):
    """What becomes of a picture of one size: `region` of it is resized to `resized` and put at `place`."""

    region: tuple[int, int, int, int]  # x, y, width, height in the picture
    resized: tuple[int, int]  # width, height
    place: tuple[int, int]  # x, y in the tensor; not (0, 0) only where there is a border


@dataclass(frozen=True, kw_only=True)
class PreprocessContract:
    """How every picture becomes the input of one model."""

    version: int = CONTRACT_VERSION
    width: int
    height: int
    geometry: GeometryName = "crop"
    pad_rgb: tuple[int, int, int] = BLACK  # the border of "pad"

    def __post_init__(self) -> None:
        if type(self.version) is not int or self.version != CONTRACT_VERSION:
            raise RecipeError(
                f"preprocessing: version {self.version!r} is unknown; this package has {CONTRACT_VERSION}"
            )
        for name, side in (("width", self.width), ("height", self.height)):
            if type(side) is not int or not 1 <= side <= MAX_TENSOR_SIDE:
                raise RecipeError(f"preprocessing: {name} is {side!r}; it must be an integer, 1 to {MAX_TENSOR_SIDE}")
        if self.geometry not in get_args(GeometryName):
            raise RecipeError(f"preprocessing: geometry {self.geometry!r} is unknown; known: crop, pad, squash")
        colour = self.pad_rgb
        if not isinstance(colour, tuple) or len(colour) != 3 or not all(_is_sample(value) for value in colour):
            raise RecipeError(f"preprocessing: pad_rgb is {colour!r}; it must be three integers, 0 to 255")
        if colour != BLACK and self.geometry != "pad":
            raise RecipeError(f"preprocessing: pad_rgb has no effect with geometry {self.geometry!r}; leave it out")

    def to_tensor(self, source: Path | bytes, *, name: str | None = None) -> NDArray[np.uint8]:
        """The tensor [H, W, 3] of a picture file; raises PictureError (a DataError) where it is not taken."""
        file = open_picture(source, name=name)
        return self.image_to_tensor(decode(file, self.reduction(file.facts)))

    def image_to_tensor(self, image: Image.Image) -> NDArray[np.uint8]:
        """The tensor [H, W, 3] of a picture that is decoded already: upright and in RGB."""
        if image.mode != "RGB":
            raise ValueError(f"an RGB image is needed, this one is {image.mode}; read it with read_picture")
        (x, y, width, height), resized, place = self.geometry_of(*image.size)
        if (width, height) != image.size:
            # a real crop, so that the filter never sees what lies outside; not crop(), which has a size limit
            region = Image.new("RGB", (width, height), None)
            region.paste(image, (-x, -y))
            image = region
        # across, then down, in two calls: in one call Pillow from 13 on takes tall pictures the other way round
        for size in ((resized[0], height), resized):
            image = image.resize(size, Image.Resampling.BILINEAR)
        if resized != (self.width, self.height):
            tensor = Image.new("RGB", (self.width, self.height), self.pad_rgb)
            tensor.paste(image, place)
            image = tensor
        return np.array(image)

    def reduction(self, facts: PictureFacts) -> int:
        """The largest of 8, 4, 2, 1 by which a JPEG can shrink while decoding without the tensor losing detail."""
        if facts.format != "JPEG":
            return 1
        for reduction in REDUCTIONS:
            (_, _, width, height), resized, _ = self.geometry_of(*reduced_size(*facts.upright_size, reduction))
            if width >= SPARE * resized[0] and height >= SPARE * resized[1]:
                return reduction
        return 1

    def geometry_of(self, width: int, height: int) -> Geometry:
        """What becomes of an upright picture of this size; all in integers."""
        wider = width * self.height > height * self.width  # than the tensor
        if self.geometry == "squash":
            return Geometry((0, 0, width, height), (self.width, self.height), (0, 0))
        if self.geometry == "crop":
            w = max(1, height * self.width // self.height) if wider else width
            h = height if wider else max(1, width * self.height // self.width)
            return Geometry(((width - w) // 2, (height - h) // 2, w, h), (self.width, self.height), (0, 0))
        w = self.width if wider else max(1, _round_half_up(width * self.height, height))
        h = max(1, _round_half_up(height * self.width, width)) if wider else self.height
        return Geometry((0, 0, width, height), (w, h), ((self.width - w) // 2, (self.height - h) // 2))

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "pad_rgb": list(self.pad_rgb)}

    @classmethod
    def from_json(cls, value: object) -> PreprocessContract:
        """The contract that an artefact carries; every key must be there and none other."""
        keys = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(value, Mapping):
            raise ArtifactError(
                f"preprocessing: is {type(value).__name__}; it must be an object with {', '.join(keys)}"
            )
        unknown, missing = sorted(map(str, value.keys() - set(keys))), [key for key in keys if key not in value]
        if unknown or missing:
            wrong = [f"unknown: {', '.join(unknown)}"] * bool(unknown) + [f"missing: {', '.join(missing)}"] * bool(
                missing
            )
            raise ArtifactError(f"preprocessing: {'; '.join(wrong)}; the keys must be {', '.join(keys)}")
        colour = value["pad_rgb"]
        try:
            return cls(**{**value, "pad_rgb": tuple(colour) if isinstance(colour, list) else colour})
        except RecipeError as error:
            raise ArtifactError(str(error)) from error

    @property
    def sha256(self) -> str:
        """The identity of the contract: equal exactly where every tensor is."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _is_sample(value: object) -> bool:
    return type(value) is int and 0 <= value <= 255


def _round_half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
