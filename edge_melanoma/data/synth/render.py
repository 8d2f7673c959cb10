"""A lesion becomes a picture. What comes in holds no diagnosis of melanoma or nevus: see latents.Lesion."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.data.synth.artefacts import LAYERS, overlay
from edge_melanoma.data.synth.camera import Camera, Pixels
from edge_melanoma.data.synth.latents import Lesion
from edge_melanoma.data.synth.melanocytic import paint_melanocytic
from edge_melanoma.data.synth.morphology import morphology_of
from edge_melanoma.data.synth.outline import outline
from edge_melanoma.data.synth.skin import paint_skin
from edge_melanoma.data.synth.templates import diameter_mm_of, paint_template, shape_of
from edge_melanoma.data.synth.view import look_at


def render(lesion: Lesion, *, view: int, size: int, artefacts: Set[str], nuisance: float) -> Pixels:
    """The picture (size, size, 3) of one view, before JPEG."""
    geometry = look_at(lesion, view, size)
    light, lightness = paint_skin(lesion, geometry)
    signs = morphology_of(lesion)
    if lesion.kind == "melanocytic":
        ground = outline(lesion, signs.shown, signs.diameter_mm, geometry)
        light[ground.window] = paint_melanocytic(ground, light[ground.window], lightness, lesion, signs)
    else:
        ground = outline(lesion, shape_of(lesion), diameter_mm_of(lesion), geometry)
        light[ground.window] = paint_template(ground, light[ground.window], lesion)
    for name in LAYERS:
        if name in artefacts:
            light = overlay(name, lesion, geometry, view).over(light)
    return Camera(lesion, view, nuisance).shoot(light)


def footprint(lesion: Lesion, name: str, *, view: int, size: int, nuisance: float) -> NDArray[np.bool_]:
    """Where the artefact `name` can change a pixel of that picture: its own area, spread by the camera's blur."""
    touched = overlay(name, lesion, look_at(lesion, view, size), view).footprint
    reach = Camera(lesion, view, nuisance).blur_reach(size)
    padded = np.pad(touched, reach)
    for axis in (0, 1):
        spread = padded.copy()
        for step in range(1, reach + 1):  # the padding is as wide, so nothing rolls over into the picture
            spread |= np.roll(padded, step, axis) | np.roll(padded, -step, axis)
        padded = spread
    return padded[reach : reach + size, reach : reach + size]
