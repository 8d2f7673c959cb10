"""What lies between lesion and camera: hairs, a ruler, ink, gel bubbles, a coloured patch, a dark rim.

Each artefact dims the light and adds some, pixel by pixel, from a random stream of its own; where it is not, it changes
nothing. So a picture can be drawn with and without it, and differs in its footprint only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.data.synth.colour import Array, ramp
from edge_melanoma.data.synth.latents import Lesion
from edge_melanoma.data.synth.streams import Stream, stream
from edge_melanoma.data.synth.strokes import Stroke, bend, stroke_mask
from edge_melanoma.data.synth.view import View

_INK = np.array([0.10, 0.05, 0.30])  # linear RGB of gentian violet
_PATCHES = np.array([[0.75, 0.55, 0.05], [0.05, 0.25, 0.60], [0.10, 0.50, 0.15]])  # yellow, blue, green stickers


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """An artefact in linear light: picture * gain + glow."""

    gain: Array  # (height, width)
    glow: Array  # (height, width, 3)

    def over(self, picture: Array) -> Array:
        """The picture behind the artefact."""
        return picture * self.gain[..., None] + self.glow

    @property
    def footprint(self) -> NDArray[np.bool_]:
        """Where it changes the light."""
        return np.asarray((self.gain != 1) | (self.glow != 0).any(axis=-1))


def overlay(name: str, lesion: Lesion, view: View, number: int) -> Overlay:
    """The artefact `name` on a lesion's view number `number`."""
    component, draw_it = _ARTEFACTS[name]
    return draw_it(stream(lesion.seed, lesion.index, component, number), lesion, view)


def _opaque(mask: Array, colour: Array) -> Overlay:
    return Overlay(gain=1 - mask, glow=mask[..., None] * colour)


def _hair(draw: np.random.Generator, lesion: Lesion, view: View) -> Overlay:
    """Terminal hairs .06 to .14 mm thick, most of them in one direction."""
    person = lesion.person
    count = int(draw.integers(6, 26) if person.hairy else draw.integers(2, 9))
    along = draw.uniform(0, np.pi)
    strokes = []
    for _ in range(count):
        direction = along + draw.normal(0, 0.45)
        length, middle = draw.uniform(0.35, 1.1) * view.size, draw.uniform(-0.05, 1.05, 2) * view.size
        half = 0.5 * length * np.array([np.cos(direction), np.sin(direction)])
        aside = np.array([-half[1], half[0]]) * draw.normal(0, 0.35)
        curve = bend(draw, np.stack([middle - half, middle + aside, middle + half]))
        strokes.append(Stroke(points=curve, width=max(0.7, draw.uniform(0.06, 0.14) / view.mm_per_pixel)))
    opacity = draw.uniform(0.7, 0.95)
    return _opaque(opacity * stroke_mask(view.size, strokes), np.array(person.hair_colour))


def _ruler(draw: np.random.Generator, lesion: Lesion, view: View) -> Overlay:
    """A millimetre scale along one side, every fifth tick longer."""
    size, side = view.size, int(draw.integers(4))
    inset, start = draw.uniform(0.02, 0.06) * size, draw.uniform(0, 5)
    strokes = []
    for tick in range(int(view.field_of_view_mm) + 6):
        along = (tick - start) / view.mm_per_pixel
        length = (0.06 if tick % 5 == 0 else 0.035) * size
        strokes.append(Stroke(points=np.array([[inset, along], [inset + length, along]]), width=max(0.8, size / 160)))
    mask = np.rot90(stroke_mask(size, strokes), side)
    return _opaque(0.85 * mask, np.full(3, 0.01))


def _ink(draw: np.random.Generator, lesion: Lesion, view: View) -> Overlay:
    """A surgeon's pen mark: an arc around the lesion, fainter where the pen ran dry."""
    size = view.size
    centre, radius = draw.uniform(0.42, 0.58, 2) * size, draw.uniform(0.30, 0.44) * size
    start, length = draw.uniform(0, 2 * np.pi), draw.uniform(1.0, 2.6)
    angle = start + np.linspace(0, length, 40)
    wobble = radius * (1 + 0.03 * np.sin(3 * angle + draw.uniform(0, 6.3)))
    points = centre + wobble[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    mask = stroke_mask(size, [Stroke(points=points, width=draw.uniform(0.022, 0.038) * size)])
    dry = np.asarray(draw.uniform(0.55, 0.95, (size, size)))
    return _opaque(0.8 * mask * dry, _INK)


def _bubble(draw: np.random.Generator, lesion: Lesion, view: View) -> Overlay:
    """Air in the immersion gel: a dark ring, a bright reflex."""
    size = view.size
    row, column = np.mgrid[0:size, 0:size] + 0.5
    gain, glow = np.ones((size, size)), np.zeros((size, size, 3))
    for _ in range(int(draw.integers(1, 7))):
        x, y = draw.uniform(0, size, 2)
        radius = draw.uniform(0.02, 0.075) * size
        distance = np.hypot(column - x, row - y) / radius
        ring = 1 - ramp(np.abs(distance - 1), 0.0, 0.28)
        reflex = 1 - ramp(np.hypot(column - x + 0.42 * radius, row - y + 0.42 * radius) / radius, 0.05, 0.34)
        gain = gain * (1 - 0.32 * ring) * np.where(distance < 1, 1.06, 1.0)
        glow = glow + (0.5 * reflex)[..., None]
    return Overlay(gain=gain, glow=glow)


def _patch(draw: np.random.Generator, lesion: Lesion, view: View) -> Overlay:
    """A round coloured sticker at the edge, as pasted beside the lesions of many children in the ISIC archive."""
    size = view.size
    row, column = np.mgrid[0:size, 0:size] + 0.5
    x, y = draw.choice([0.04, 0.96]) * size, draw.uniform(0.1, 0.9) * size
    radius = draw.uniform(0.16, 0.24) * size
    return _opaque(1 - ramp(np.hypot(column - x, row - y) / radius, 0.95, 1.0), _PATCHES[draw.integers(len(_PATCHES))])


def _vignette(draw: np.random.Generator, lesion: Lesion, view: View) -> Overlay:
    """The dark rim of a round field of view."""
    size = view.size
    row, column = np.mgrid[0:size, 0:size] + 0.5
    distance = np.hypot(column - size / 2, row - size / 2) / size
    radius, softness = draw.uniform(0.50, 0.62), draw.uniform(0.008, 0.03)
    return _opaque(ramp(distance, radius - softness, radius + softness), np.full(3, 0.0015))


_ARTEFACTS: dict[str, tuple[Stream, Callable[[np.random.Generator, Lesion, View], Overlay]]] = {
    "hair": (Stream.HAIR, _hair),
    "ink": (Stream.INK, _ink),
    "patch": (Stream.PATCH, _patch),
    "bubble": (Stream.BUBBLE, _bubble),
    "ruler": (Stream.RULER, _ruler),
    "vignette": (Stream.VIGNETTE, _vignette),
}
LAYERS = tuple(_ARTEFACTS)  # from the skin up
