"""Where the dermatoscope stands: between pixels of a picture and millimetres on the lesion.

Everything is drawn in millimetres and the field of view varies, so a size in pixels says nothing about the class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_melanoma.data.synth.colour import Array
from edge_melanoma.data.synth.latents import Lesion
from edge_melanoma.data.synth.streams import Stream, stream


@dataclass(frozen=True, kw_only=True)
class View:
    """One picture's geometry."""

    size: int  # pixels
    mm_per_pixel: float
    turn: float  # radians
    off_centre_mm: tuple[float, float]  # where the lesion lies in the picture, right and down

    @property
    def field_of_view_mm(self) -> float:
        """Width of the picture."""
        return self.size * self.mm_per_pixel

    @property
    def finest_mm(self) -> float:
        """The smallest cell of a pattern that this picture resolves: four pixels."""
        return 4 * self.mm_per_pixel

    def to_lesion(self, rows: slice, columns: slice) -> tuple[Array, Array]:
        """Lesion coordinates x, y in mm of the pixels in a window."""
        right = (np.arange(self.size)[columns] + 0.5 - self.size / 2) * self.mm_per_pixel - self.off_centre_mm[0]
        down = (np.arange(self.size)[rows] + 0.5 - self.size / 2) * self.mm_per_pixel - self.off_centre_mm[1]
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        return cos * right[None, :] + sin * down[:, None], cos * down[:, None] - sin * right[None, :]

    def to_picture(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Pixels (column, row) of places in lesion coordinates."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        right, down = cos * x - sin * y, sin * x + cos * y
        middle = self.size / 2
        return (
            (right + self.off_centre_mm[0]) / self.mm_per_pixel + middle,
            (down + self.off_centre_mm[1]) / self.mm_per_pixel + middle,
        )

    def window(self, radius_mm: float) -> tuple[slice, slice]:
        """Rows and columns that hold a disc around the lesion's centre."""
        centre_column, centre_row = self.to_picture(np.zeros(1), np.zeros(1))
        reach = radius_mm / self.mm_per_pixel + 1
        return _cut(float(centre_row[0]), reach, self.size), _cut(float(centre_column[0]), reach, self.size)


def _cut(centre: float, reach: float, size: int) -> slice:
    return slice(max(0, int(centre - reach)), min(size, int(centre + reach) + 2))


def look_at(lesion: Lesion, view: int, size: int) -> View:
    """The geometry of a lesion's picture number `view`: turned, a little off centre, a little nearer or farther."""
    draw = stream(lesion.seed, lesion.index, Stream.VIEW, view)
    field_mm = lesion.field_of_view_mm * draw.uniform(0.92, 1.08)
    right, down = draw.normal(0, 0.07, 2).clip(-0.16, 0.16) * field_mm
    return View(
        size=size,
        mm_per_pixel=float(field_mm / size),
        turn=float(draw.uniform(0, 2 * np.pi)),
        off_centre_mm=(float(right), float(down)),
    )
