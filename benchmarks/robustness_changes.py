"""Changes of a picture that leave the lesion what it is: light, sharpness, position, and what lies on the skin.

Each is made of the decoded picture, before the contract resizes it, and depends on nothing but the picture's name and
the change, so that the same picture is changed alike whoever does it and in whatever order.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from edge_melanoma.errors import MissingExtraError

from .capture_copies import exposed, from_light, jpeg, to_light, with_artefact

OF_TRAINING, OF_GENERATOR = "training's drawing", "the generator's drawing"
COUNTERFACTUALS = (OF_TRAINING, OF_GENERATOR)  # kinds: the same lesion with something on it


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change in one strength; `make` is a top-level function, so that it can be sent to another process."""

    kind: str
    name: str
    make: Callable[[Image.Image, np.random.Generator], Image.Image]

    def of(self, picture: Image.Image, image_id: str) -> Image.Image:
        """The picture, changed."""
        words = f"{self.kind}\n{self.name}\n{image_id}".encode()
        seed = int.from_bytes(hashlib.sha256(words).digest()[:8])
        return self.make(picture, np.random.default_rng(seed))


def _balanced(picture: Image.Image, rng: np.random.Generator, *, ratio: float) -> Image.Image:
    """So many times the red light for the same blue; green stays."""
    return from_light(to_light(picture) * np.array([ratio**0.5, 1.0, ratio**-0.5]))


def _exposed(picture: Image.Image, rng: np.random.Generator, *, stops: float) -> Image.Image:
    return exposed(picture, stops)


def _saturated(picture: Image.Image, rng: np.random.Generator, *, times: float) -> Image.Image:
    return ImageEnhance.Color(picture).enhance(times)


def _contrasted(picture: Image.Image, rng: np.random.Generator, *, times: float) -> Image.Image:
    return ImageEnhance.Contrast(picture).enhance(times)


def _blurred(picture: Image.Image, rng: np.random.Generator, *, share: float) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(share * picture.height))


def _noisy(picture: Image.Image, rng: np.random.Generator, *, levels: float) -> Image.Image:
    """As much in each channel, apart."""
    noisy = np.asarray(picture) + rng.normal(0, levels, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def _compressed(picture: Image.Image, rng: np.random.Generator, *, quality: int) -> Image.Image:
    return jpeg(picture, quality)


def _resolved(picture: Image.Image, rng: np.random.Generator, *, rows: int) -> Image.Image:
    """Reduced to so many rows, and up again; a picture that has no more is left as it is."""
    if picture.height <= rows:
        return picture
    small = picture.resize((max(1, picture.width * rows // picture.height), rows), Image.Resampling.BILINEAR)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def _transposed(picture: Image.Image, rng: np.random.Generator, *, how: Image.Transpose) -> Image.Image:
    return picture.transpose(how)


def _drawn_in_training(picture: Image.Image, rng: np.random.Generator, *, name: str) -> Image.Image:
    """What augmentation draws onto a fifth of the training pictures."""
    from edge_melanoma.fitting import artefacts

    return Image.fromarray(getattr(artefacts, name)(np.asarray(picture), rng))


def require_opencv() -> None:
    """Say what is missing before the work, not after it."""
    try:
        importlib.import_module("cv2")
    except ImportError as error:
        raise MissingExtraError("drawing training's artefacts", "train", "OpenCV") from error


def _colour() -> list[Change]:
    made = {
        **{f"white balance warm, red/blue x {ratio}": partial(_balanced, ratio=ratio) for ratio in (1.2, 1.5)},
        **{f"white balance cold, blue/red x {ratio}": partial(_balanced, ratio=1 / ratio) for ratio in (1.2, 1.5)},
        **{f"exposure {stops:+g} stops": partial(_exposed, stops=stops) for stops in (-1.0, -0.5, 0.5, 1.0)},
        **{f"saturation x {times}": partial(_saturated, times=times) for times in (0.5, 0.75, 1.25, 1.5)},
        **{f"contrast x {times}": partial(_contrasted, times=times) for times in (0.5, 0.75, 1.25, 1.5)},
    }
    return [Change(kind="colour", name=name, make=make) for name, make in made.items()]


def _sharpness() -> list[Change]:
    made = {
        **{f"blur, sigma {share:.1%} of the height": partial(_blurred, share=share) for share in (0.005, 0.01, 0.02)},
        **{f"noise, sigma {levels:g} of 255": partial(_noisy, levels=levels) for levels in (5.0, 10.0, 20.0)},
        **{f"JPEG {quality}": partial(_compressed, quality=quality) for quality in (90, 70, 50, 30)},
        **{f"reduced to {rows} rows": partial(_resolved, rows=rows) for rows in (96, 64)},
    }
    return [Change(kind="sharpness", name=name, make=make) for name, make in made.items()]


def _position() -> list[Change]:
    turns = {
        "turned by 90°": Image.Transpose.ROTATE_90,
        "turned by 180°": Image.Transpose.ROTATE_180,
        "mirrored": Image.Transpose.FLIP_LEFT_RIGHT,
    }
    return [Change(kind="position", name=name, make=partial(_transposed, how=how)) for name, how in turns.items()]


def _counterfactual() -> list[Change]:
    """By two hands: a model may know the one that it was trained with, and not the artefact."""
    drawings = (
        (OF_TRAINING, _drawn_in_training, ("hair", "ruler", "vignette", "bubble")),
        (OF_GENERATOR, with_artefact, ("hair", "ruler", "vignette", "bubble", "ink", "patch")),
    )
    return [
        Change(kind=kind, name=name, make=partial(draw, name=name)) for kind, draw, names in drawings for name in names
    ]


CHANGES = (*_colour(), *_sharpness(), *_position(), *_counterfactual())
