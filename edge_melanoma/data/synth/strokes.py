"""Thin curves (hairs, vessels, pen marks) as masks, drawn larger and averaged down so that their edges are soft."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from edge_melanoma.data.synth.colour import Array


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """A line through points (column, row), in pixels."""

    points: Array  # (n, 2)
    width: float


def stroke_mask(size: int, strokes: Iterable[Stroke]) -> Array:
    """How much of each pixel the strokes cover, 0 to 1; exactly 0 where they are not."""
    times = 4 if size < 256 else 2
    board = Image.new("L", (size * times, size * times), 0)
    pen = ImageDraw.Draw(board)
    for stroke in strokes:
        places = [(float(column) * times, float(row) * times) for column, row in stroke.points]
        pen.line(places, fill=255, width=max(1, round(stroke.width * times)), joint="curve")
    return np.asarray(board.reduce(times), np.float64) / 255


def bend(draw: np.random.Generator, control: Array, points: int = 28) -> Array:
    """A quadratic Bézier curve through three control points, slightly shaken: (points, 2)."""
    t = np.linspace(0, 1, points)[:, None]
    curve = (1 - t) ** 2 * control[0] + 2 * t * (1 - t) * control[1] + t**2 * control[2]
    length = float(np.hypot(*(control[2] - control[0])))
    shake = np.sin(t * draw.uniform(3, 9) + draw.uniform(0, 6.3)) * draw.normal(0, 0.012, 2) * length
    return np.asarray(curve + shake, np.float64)
