"""The skin around the lesion: tone from the typology angle, mottling, furrows, follicles."""

from __future__ import annotations

import numpy as np

from edge_melanoma.data.synth.colour import Array, lab_to_linear, ramp
from edge_melanoma.data.synth.latents import Lesion
from edge_melanoma.data.synth.noise import Band, cells, sample, smooth_tiles
from edge_melanoma.data.synth.streams import Stream, stream
from edge_melanoma.data.synth.view import View

_TILE_MM = 24.0  # wider than any field of view, so that no repetition is seen
_MOTTLING = (Band(1.7, 2, 16), Band(2.5, 1, 12), Band(2.5, 1, 12))  # of lightness, red-green, yellow-blue
_GRAIN = (Band(1.2, 10, 60),)


def paint_skin(lesion: Lesion, view: View) -> tuple[Array, float]:
    """Linear RGB of bare skin, and its lightness L*."""
    draw = stream(lesion.seed, lesion.index, Stream.SKIN)
    everywhere = slice(None)
    x, y = view.to_lesion(everywhere, everywhere)
    yellow = float(np.clip(draw.normal(15, 2), 9, 21))
    red = float(np.clip(draw.normal(13, 2.2), 7, 20))
    # the definition of ITA, solved for L*
    lightness = float(np.clip(50 + yellow * np.tan(np.radians(lesion.person.ita)), 24, 82))
    slope = draw.normal(0, 2.5, 2) / view.field_of_view_mm  # L* per mm: the light falls in from one side

    mottled = draw.uniform(1.0, 2.2)  # L*
    light, reds, yellows = sample(smooth_tiles(draw, _MOTTLING, 64), x, y, _TILE_MM)
    (grain,) = sample(smooth_tiles(draw, _GRAIN, 256), x, y, _TILE_MM)
    relief = _relief(draw, x, y, view)
    plane = lightness + mottled * light + 0.8 * grain + relief + slope[0] * x + slope[1] * y
    return lab_to_linear(plane, red + 1.4 * reds - 0.15 * relief, yellow + 0.9 * yellows), lightness


def _relief(draw: np.random.Generator, x: Array, y: Array, view: View) -> Array:
    """Furrows, darker, between plateaus of about a millimetre; the points of the grid are pale follicles."""
    cell = max(float(draw.uniform(0.7, 1.1)), 1.5 * view.finest_mm)
    depth, follicles = draw.uniform(0.4, 1.8), draw.uniform(0, 2.0)
    nearest, second = cells(draw, x, y, cell, 0.9)
    return follicles * (1 - ramp(nearest, 0.05, 0.16)) - depth * (1 - ramp(second - nearest, 0.0, 0.30))
