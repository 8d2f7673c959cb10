"""Arborizing vessels, the sign of basal cell carcinoma: trunks that enter from the side and branch into fine twigs."""

from __future__ import annotations

import numpy as np

from edge_melanoma.data.synth.colour import Array
from edge_melanoma.data.synth.strokes import Stroke
from edge_melanoma.data.synth.view import View

_STEP_RADII = 0.05  # a vessel is drawn in steps of this part of the lesion's radius
_TRUNK_MM = (0.06, 0.12)


def vessel_tree(draw: np.random.Generator, view: View, radius_mm: float) -> list[Stroke]:
    """The strokes of two to four trees, in pixels of the view."""
    strokes: list[Stroke] = []
    for _ in range(int(draw.integers(2, 5))):
        side = draw.uniform(0, 2 * np.pi)
        root = radius_mm * draw.uniform(0.5, 0.95) * np.array([np.cos(side), np.sin(side)])
        inwards = side + np.pi + draw.normal(0, 0.5)
        strokes += _branch(draw, view, root, inwards, draw.uniform(*_TRUNK_MM), radius_mm, depth=3)
    return strokes


def _branch(
    draw: np.random.Generator,
    view: View,
    start: Array,
    heading: float,
    width_mm: float,
    radius_mm: float,
    depth: int,
) -> list[Stroke]:
    steps = int(draw.integers(6, 13))
    places = [start]
    for _ in range(steps):
        heading += draw.normal(0, 0.28)
        places.append(places[-1] + _STEP_RADII * radius_mm * np.array([np.cos(heading), np.sin(heading)]))
    path = np.array(places)
    column, row = view.to_picture(path[:, 0], path[:, 1])
    width = max(0.5, width_mm / view.mm_per_pixel)
    strokes = [Stroke(points=np.stack([column, row], axis=1), width=width)]
    if depth:
        for turn in (draw.uniform(0.3, 0.9), -draw.uniform(0.3, 0.9)):
            strokes += _branch(draw, view, path[-1], heading + turn, 0.68 * width_mm, 0.85 * radius_mm, depth - 1)
    return strokes
