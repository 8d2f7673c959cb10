"""Dermoscopic structures of melanocytic lesions, each a plane of optical depth or of cover.

A sign that a lesion has not got costs nothing and moves nothing: each function draws its numbers from a child of the
stream, so that the next structure does not depend on whether this one is there.
"""

from __future__ import annotations

import numpy as np

from edge_melanoma.data.synth.colour import Array, ramp
from edge_melanoma.data.synth.morphology import Morphology
from edge_melanoma.data.synth.noise import cells
from edge_melanoma.data.synth.outline import Ground


def network(draw: np.random.Generator, ground: Ground, signs: Morphology) -> Array:
    """Brown lines between the holes of a honeycomb: thin and even in a nevus, broad and broken in a melanoma."""
    (draw,) = draw.spawn(1)
    if "network" not in signs.structures:
        return np.zeros_like(ground.reach)
    atypical, noise = signs.shown.structures, ground.noise
    cell = ground.cell_mm(draw.uniform(0.20, 0.32))
    bent = cell * 0.25 * atypical
    nearest, second = cells(
        draw, ground.x + bent * noise["warp_x"], ground.y + bent * noise["warp_y"], cell, 0.15 + 0.75 * atypical
    )
    width = 0.28 + 0.10 * atypical * np.clip(noise["width"], -1, 2)
    lines = 1 - ramp(second - nearest, 0.0, width)
    spots = (1 - atypical) + atypical * ramp(noise["patchy"], -0.3, 0.7)
    fading = 1 - 0.6 * ramp(ground.reach, 0.5, 1.0) * (1 - atypical)  # a nevus' network thins out to the edge
    return np.asarray(draw.uniform(0.25, 0.5) * lines * spots * fading)


def globules(draw: np.random.Generator, ground: Ground, signs: Morphology) -> Array:
    """Brown clods: central and alike in a nevus, at one side of the rim and unequal in a melanoma; dots are smaller."""
    (draw,) = draw.spawn(1)
    atypical, noise = signs.shown.structures, ground.noise
    depth = np.zeros_like(ground.reach)
    rim = ground.sector(draw.uniform(0, 2 * np.pi), -0.3, 0.6) * ramp(ground.reach, 0.45, 0.9)
    middle = 1 - ramp(ground.reach, 0.3, 0.9)
    where = (1 - atypical) * middle + atypical * rim
    for name, wanted_mm, strength in (("globules", draw.uniform(0.34, 0.5), 0.5), ("dots", 0.22, 0.65)):
        if name not in signs.structures:
            continue
        cell = ground.cell_mm(wanted_mm, pixels=5)
        nearest, _ = cells(draw, ground.x + 7.7, ground.y + 2.4, cell, 0.2 + 0.75 * atypical)
        radius = (0.24 if name == "globules" else 0.15) + 0.12 * atypical * noise["dots"]
        depth = depth + strength * (1 - ramp(nearest, radius, radius + 0.16)) * where
    return depth


def streaks(draw: np.random.Generator, ground: Ground, signs: Morphology) -> Array:
    """Radial lines that reach over the edge, in one sector: 0 to 1."""
    (draw,) = draw.spawn(1)
    if "streaks" not in signs.structures:
        return np.zeros_like(ground.reach)
    count = int(draw.integers(14, 28))
    length = 1.16 + 0.05 * ground.noise["middle"]
    comb = ramp(np.cos(count * ground.angle + 0.8 * ground.noise["warp_x"]), 0.35, 0.95)
    along = ramp(ground.reach, 0.70, 0.86) * (1 - ramp(ground.reach, length - 0.2, length))
    return np.asarray(comb * along * ground.sector(draw.uniform(0, 2 * np.pi), 0.0, 0.6))


def peppering(draw: np.random.Generator, ground: Ground) -> Array:
    """Fine grey dots where a melanoma regresses: 0 to 1."""
    (draw,) = draw.spawn(1)
    nearest, _ = cells(draw, ground.x + 3.1, ground.y + 5.2, ground.cell_mm(0.16, pixels=3.2), 0.9)
    radius = 0.20 + 0.07 * ground.noise["dots"]
    return 1 - ramp(nearest, radius, radius + 0.15)


def vessel_dots(draw: np.random.Generator, ground: Ground) -> Array:
    """Dotted vessels, tips of capillaries seen end-on: 0 to 1."""
    (draw,) = draw.spawn(1)
    nearest, _ = cells(draw, ground.x + 1.7, ground.y + 8.3, ground.cell_mm(0.34, pixels=4.5), 0.9)
    patches = ramp(ground.noise["patchy"], -0.5, 0.6)
    return np.asarray((1 - ramp(nearest, 0.13, 0.28)) * patches)


def starburst(ground: Ground) -> Array:
    """Streaks all round and all alike, as in a Reed nevus: a look-alike of the streaks of melanoma."""
    comb = ramp(np.cos(22 * ground.angle), 0.4, 0.95)
    return np.asarray(comb * ramp(ground.reach, 0.72, 0.88) * (1 - ramp(ground.reach, 1.0, 1.16)))


def milia_cysts(draw: np.random.Generator, ground: Ground) -> Array:
    """White-yellow cysts, as in seborrheic keratosis: 0 to 1."""
    (draw,) = draw.spawn(1)
    cell = ground.cell_mm(draw.uniform(0.7, 1.1), pixels=8)
    nearest, _ = cells(draw, ground.x + 4.4, ground.y + 0.9, cell, 1.0)
    radius = 0.12 + 0.03 * ground.noise["dots"]
    return np.asarray((1 - ramp(nearest, radius, radius + 0.10)) * ramp(ground.noise["width"], -0.6, 0.2))
