"""The lesion's shape: a radius that varies with the angle, warped by noise, with an edge that is soft or abrupt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_melanoma.data.synth.colour import Array, ramp
from edge_melanoma.data.synth.latents import Attributes, Lesion
from edge_melanoma.data.synth.noise import Band, sample, smooth_tiles
from edge_melanoma.data.synth.streams import Stream, stream
from edge_melanoma.data.synth.view import View

_ANGLES = 720  # the radius is tabulated at so many angles
_TILE_RADII = 4.4  # the period of the lesion's noises; the lesion fits into it
_TILE_GRID = 128

# Every noise that a look may use. Order and bands belong to the version of the generator.
_BANDS = {
    "warp_x": Band(2.6, 2, 10),
    "warp_y": Band(2.6, 2, 10),
    "broad": Band(3.0, 1, 4),
    "middle": Band(2.2, 3, 14),
    "fine": Band(1.4, 8, 30),
    "patchy": Band(2.6, 2, 6),
    "width": Band(2.2, 2, 10),
    "dots": Band(2.2, 3, 12),
    "black": Band(2.6, 2, 7),
    "red": Band(2.6, 1, 5),
    "white": Band(2.6, 1, 5),
    "blue": Band(2.8, 1, 4),
    "veil": Band(3.0, 1, 3),
}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The part of a picture that holds the lesion, in the terms in which a lesion is drawn; planes (height, width)."""

    window: tuple[slice, slice]  # rows, columns of the picture
    view: View
    radius_mm: float
    x: Array  # mm, lesion coordinates
    y: Array
    reach: Array  # distance from the centre: 0 there, 1 on the outline
    angle: Array  # radians
    cover: Array  # 0 outside, 1 inside
    noise: dict[str, Array]  # mean 0, deviation 1

    def cell_mm(self, wanted_mm: float, pixels: float = 4) -> float:
        """The cell of a pattern: as wanted, or the finest that this picture resolves."""
        return max(wanted_mm, pixels * self.view.mm_per_pixel)

    def sector(self, direction: float, start: float, end: float) -> Array:
        """1 towards a direction, 0 away from it; start and end are cosines of the angle between."""
        return ramp(np.cos(self.angle - direction), start, end)


def outline(lesion: Lesion, shape: Attributes, diameter_mm: float, view: View) -> Ground:
    """The ground for a lesion of this shape and size."""
    draw = stream(lesion.seed, lesion.index, Stream.OUTLINE)
    radius, border = diameter_mm / 2, shape.border
    squeeze = draw.uniform(0.76, 1.0)
    profile = _profile(draw, shape)
    sectors, phase = int(draw.integers(1, 4)), draw.uniform(0, 2 * np.pi)

    warp = (0.02 + 0.06 * border) * radius
    window = view.window(radius * float(profile.max()) * 1.6 + 3 * warp)
    x, y = view.to_lesion(*window)
    tiles = smooth_tiles(stream(lesion.seed, lesion.index, Stream.FIELDS), list(_BANDS.values()), _TILE_GRID)
    noise = dict(zip(_BANDS, sample(tiles, x, y, _TILE_RADII * radius), strict=True))

    warped_x, warped_y = x + warp * noise["warp_x"], (y + warp * noise["warp_y"]) / squeeze
    angle = np.arctan2(warped_y, warped_x)
    place = np.linspace(-np.pi, np.pi, _ANGLES + 1)
    reach = np.hypot(warped_x, warped_y) / (radius * np.interp(angle, place, profile))
    abrupt = 0.5 + 0.5 * np.cos(sectors * angle + phase)  # a melanoma's edge is cut off in some sectors only
    softness = 0.32 - 0.20 * border * abrupt - 0.06 * border
    frayed = reach + 0.025 * noise["fine"] + 0.03 * noise["middle"]
    cover = 1 - ramp(frayed, 1 - softness, 1 + softness * 0.6)
    return Ground(
        window=window, view=view, radius_mm=radius, x=x, y=y, reach=reach, angle=angle, cover=cover, noise=noise
    )


def _profile(draw: np.random.Generator, shape: Attributes) -> Array:
    """Radius, 1 on average, at _ANGLES + 1 angles from -π to π: lopsided by asymmetry, ragged by border."""
    angle = np.linspace(-np.pi, np.pi, _ANGLES + 1)
    phases = draw.uniform(0, 2 * np.pi, 12)
    profile = np.ones_like(angle)
    for k in (1, 3):
        profile += (0.03 + 0.20 * shape.asymmetry) * draw.uniform(0.5, 1) * np.cos(k * angle + phases[k]) / k
    for k in range(4, 12):
        ragged = (0.008 + 0.050 * shape.border) / (k / 4) ** (2.0 - 1.1 * shape.border)
        profile += ragged * draw.normal() * np.cos(k * angle + phases[k])
    return np.clip(profile, 0.45, 1.8)
