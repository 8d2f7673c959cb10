"""Augmented pictures: the only place that knows albumentations (2.0.8, the last MIT release), update check off.

Every picture of every epoch has its own random stream, made from the seed, the epoch and the row; so an augmented
picture does not depend on which process made it, or on what was made before.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.errors import MissingExtraError, RecipeError
from edge_melanoma.fitting.artefacts import bubble, hair, ruler, vignette

Picture = NDArray[np.uint8]

SETS = ("none", "light", "derm", "strong", "seed004", "seed004-degrees")


class Augmenter:
    """One set of augmentations."""

    def __init__(self, name: str, *, seed: int) -> None:
        if name not in SETS:
            raise RecipeError(f"augmentation set {name!r} is unknown; known: {', '.join(SETS)}")
        self.name = name
        self.seed = seed
        self._compose = None if name == "none" else _compose(name)

    def __call__(self, picture: Picture, *, epoch: int, place: int, row: int) -> Picture:
        """The picture as this epoch shows it at this place."""
        if self._compose is None:
            return picture
        stream = np.random.SeedSequence([self.seed, 2, epoch, place, row])
        if self.name in ("derm", "strong"):
            picture = _with_artefacts(picture, np.random.default_rng(stream.spawn(1)[0]))
        # not compose.set_random_seed: it gives every transform the same stream, so that all of them happen or none
        numbers = np.random.default_rng(stream)
        words = random.Random(int(numbers.integers(2**63)))
        for transform in self._compose.transforms:
            transform.set_random_state(numbers, words)
        augmented: Picture = self._compose(image=picture)["image"]
        return augmented


def _with_artefacts(picture: Picture, rng: np.random.Generator) -> Picture:
    """Hair, ruler, vignette and bubbles, a fifth of the pictures each: adding them beats removing them."""
    for draw in (hair, ruler, bubble, vignette):
        if rng.random() < 0.2:
            picture = draw(picture, rng)
    return picture


def albumentations() -> Any:
    """The library, silent about its updates."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    try:
        import albumentations as module
    except ImportError as error:
        raise MissingExtraError("augmentation", "train", "albumentations") from error
    return module


def _compose(name: str) -> Any:
    a = albumentations()
    return a.Compose({"light": _light, "derm": _derm, "strong": _strong}.get(name, _seed004)(a, name))


def _light(a: Any, name: str) -> list[Any]:
    return [
        a.HorizontalFlip(p=0.5),
        a.VerticalFlip(p=0.5),
        a.RandomRotate90(p=0.5),
        a.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1, p=0.5),
    ]


def _derm(a: Any, name: str) -> list[Any]:
    """Dermoscopy has no up; its colours are diagnostic, so they move little. Borders reflect: streaks would be new."""
    return [
        a.HorizontalFlip(p=0.5),
        _affine(a, rotate=180, scale=0.2, shift=0.1, shear=8),
        a.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.6),
        a.HueSaturationValue(hue_shift_limit=4, sat_shift_limit=38, val_shift_limit=0, p=0.4),  # ±.02, ±.15
        a.RGBShift(r_shift_limit=10, g_shift_limit=10, b_shift_limit=10, p=0.4),  # white balance, ±5 %
        a.GaussianBlur(blur_limit=0, sigma_limit=(0.1, 1.0), p=0.2),
        a.ImageCompression(quality_range=(60, 100), p=0.3),
        a.GaussNoise(std_range=(0.01, 0.04), p=0.2),
        a.CoarseDropout(num_holes_range=(1, 3), hole_height_range=(0.05, 0.2), hole_width_range=(0.05, 0.2), p=0.2),
    ]


def _strong(a: Any, name: str) -> list[Any]:
    return [
        a.HorizontalFlip(p=0.5),
        _affine(a, rotate=180, scale=0.35, shift=0.15, shear=15),
        a.RandomBrightnessContrast(brightness_limit=0.35, contrast_limit=0.35, p=0.8),
        a.HueSaturationValue(hue_shift_limit=8, sat_shift_limit=64, val_shift_limit=10, p=0.6),
        a.RGBShift(r_shift_limit=20, g_shift_limit=20, b_shift_limit=20, p=0.6),
        a.GaussianBlur(blur_limit=0, sigma_limit=(0.1, 2.0), p=0.3),
        a.ImageCompression(quality_range=(30, 100), p=0.4),
        a.GaussNoise(std_range=(0.01, 0.08), p=0.3),
        a.CoarseDropout(num_holes_range=(1, 5), hole_height_range=(0.05, 0.3), hole_width_range=(0.05, 0.3), p=0.4),
    ]


def _seed004(a: Any, name: str) -> list[Any]:
    """The table of study 004: rotation ±20°, shifts, shear and zoom .2, horizontal flip, brightness .8-1.2, nearest.

    Keras reads a shear of .2 as degrees, which is next to nothing; `seed004-degrees` does so too. `seed004` takes it
    for a slope of .2, as the study probably meant it.
    """
    import cv2

    shear = 0.2 if name == "seed004-degrees" else float(np.degrees(np.arctan(0.2)))
    return [
        _affine(a, rotate=20, scale=0.2, shift=0.2, shear=shear, border=cv2.BORDER_REPLICATE),
        a.HorizontalFlip(p=0.5),
        a.MultiplicativeNoise(multiplier=(0.8, 1.2), per_channel=False, elementwise=False, p=1.0),
    ]


def _affine(a: Any, *, rotate: float, scale: float, shift: float, shear: float, border: int | None = None) -> Any:
    import cv2

    return a.Affine(
        rotate=(-rotate, rotate),
        scale=(1 - scale, 1 + scale),
        translate_percent=(-shift, shift),
        shear=(-shear, shear),
        interpolation=cv2.INTER_LINEAR,
        border_mode=cv2.BORDER_REFLECT_101 if border is None else border,
        p=1.0,
    )
