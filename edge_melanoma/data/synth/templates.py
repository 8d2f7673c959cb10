"""The looks of the five diagnoses that are neither melanoma nor nevus, after their textbook signs.

Each has structures of its own, so that a model of seven classes has something to learn. They use the attributes of the
lesion for variety only: for these classes z is drawn without a class.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_melanoma.data.synth.colour import BLOOD, MELANIN, Array, absorb, blend, ramp
from edge_melanoma.data.synth.latents import Attributes, Lesion
from edge_melanoma.data.synth.noise import cells
from edge_melanoma.data.synth.outline import Ground
from edge_melanoma.data.synth.streams import Stream, stream
from edge_melanoma.data.synth.strokes import stroke_mask
from edge_melanoma.data.synth.structures import milia_cysts, vessel_dots
from edge_melanoma.data.synth.vessels import vessel_tree

# How lopsided and how ragged each look is at most, and its median diameter in mm.
_SHAPES = {"bkl": (0.5, 0.45, 7.0), "bcc": (0.6, 0.5, 6.5), "akiec": (0.7, 0.8, 7.0), "vasc": (0.3, 0.25, 4.6)}
_SHAPES["df"] = (0.2, 0.15, 5.4)


def shape_of(lesion: Lesion) -> Attributes:
    """The attributes that the outline of this look follows."""
    asymmetry, border, _ = _SHAPES[lesion.kind]
    own = lesion.attributes
    return Attributes(
        asymmetry=asymmetry * own.asymmetry,
        border=border * own.border,
        colour=own.colour,
        diameter=own.diameter,
        structures=own.structures,
    )


def diameter_mm_of(lesion: Lesion) -> float:
    """The diameter of this look."""
    median = _SHAPES[lesion.kind][2]
    spread = stream(lesion.seed, lesion.index, Stream.MORPHOLOGY).normal(0, 0.22)
    return float(np.clip(median * np.exp(spread), 2.2, 0.72 * lesion.field_of_view_mm))


def paint_template(ground: Ground, skin: Array, lesion: Lesion) -> Array:
    """Linear RGB of the window with the lesion in it."""
    draw = stream(lesion.seed, lesion.index, Stream.TEMPLATE)
    return _LOOKS[lesion.kind](draw, ground, skin)


def _dermatofibroma(draw: np.random.Generator, ground: Ground, skin: Array) -> Array:
    """A white scar in the middle, a delicate brown network around it."""
    noise, cover = ground.noise, ground.cover
    nearest, second = cells(draw, ground.x, ground.y, ground.cell_mm(draw.uniform(0.24, 0.34)), 0.3)
    lines = 1 - ramp(second - nearest, 0.0, 0.26)
    rim = ramp(ground.reach + 0.05 * noise["middle"], 0.35, 0.70)
    melanin = draw.uniform(0.16, 0.30) * (0.55 + 0.45 * rim) + draw.uniform(0.16, 0.28) * lines * rim
    melanin = melanin * (1 + 0.15 * noise["broad"] + 0.12 * noise["fine"])
    picture = absorb(skin, 2 * np.clip(melanin, 0, 3) * cover, MELANIN)
    picture = absorb(picture, draw.uniform(0.10, 0.28) * (1 + 0.3 * noise["middle"]).clip(0) * cover, BLOOD)
    scar = (1 - ramp(ground.reach + 0.12 * noise["middle"] + 0.10 * noise["fine"], 0.10, 0.75)) * cover
    return blend(picture, skin * np.array([1.12, 1.06, 1.08]), draw.uniform(0.55, 0.85) * scar)


def _vascular(draw: np.random.Generator, ground: Ground, skin: Array) -> Array:
    """Red, purple or nearly black lacunae, parted by paler septa under a whitish veil."""
    noise, cover = ground.noise, 1 - ramp(ground.reach + 0.03 * ground.noise["middle"], 0.88, 1.08)
    cell = ground.cell_mm(draw.uniform(0.6, 1.1), pixels=7)
    bent = 0.08 * cell
    x, y = ground.x + bent * noise["warp_x"], ground.y + bent * noise["warp_y"]
    nearest, second = cells(draw, x, y, cell, 0.9)
    size = 0.36 + 0.05 * noise["dots"]
    lacunae = (1 - ramp(nearest, size, size + 0.12)) * ramp(second - nearest, 0.02, 0.20)
    picture = absorb(skin, (0.40 + 1.0 * lacunae * (1 + 0.25 * noise["broad"])).clip(0) * cover, BLOOD)
    purple = draw.uniform(0.0, 1.0)  # thrombosed lacunae absorb red light too
    deep = lacunae * ramp(noise["blue"], 1.2 - 1.6 * purple, 2.2 - 1.6 * purple)
    picture = absorb(picture, 1.5 * deep * cover, np.array([1.0, 0.9, 0.55]))
    veil = ramp(noise["veil"], 0.2, 1.4) * cover
    return blend(picture, np.full(3, 0.42) * skin.mean(axis=(0, 1)) + 0.12, 0.28 * veil)


def _basal_cell_carcinoma(draw: np.random.Generator, ground: Ground, skin: Array) -> Array:
    """Pink and translucent, with branching vessels in focus, blue-grey ovoid nests and small erosions."""
    noise, cover = ground.noise, ground.cover
    pink = (0.30 + 0.10 * noise["broad"] + 0.06 * noise["middle"]).clip(0)
    picture = absorb(skin, pink * cover, BLOOD)
    picture = blend(picture, skin * np.array([1.08, 1.0, 1.02]), 0.30 * ramp(noise["white"], 0.2, 1.2) * cover)

    cell = ground.cell_mm(draw.uniform(1.0, 1.7), pixels=9)
    nearest, _ = cells(draw, ground.x + 0.3 * cell * noise["warp_x"], ground.y, cell, 1.0)
    size = 0.22 + 0.08 * noise["dots"]
    nests = (1 - ramp(nearest, size, size + 0.14)) * ramp(noise["patchy"], -0.4, 0.3)
    blue = np.array([0.13, 0.14, 0.19]) * (1 + 0.15 * noise["fine"])[..., None]
    picture = blend(picture, blue, draw.uniform(0.55, 0.85) * nests * cover)
    erosion = ramp(noise["black"], 1.5, 2.0) * (draw.random() < 0.5)
    picture = blend(picture, np.array([0.45, 0.12, 0.05]), 0.7 * erosion * cover)

    tree = stroke_mask(ground.view.size, vessel_tree(draw, ground.view, ground.radius_mm))[ground.window]
    return absorb(picture, 1.5 * tree * ramp(cover, 0.0, 0.3), np.array([0.30, 1.0, 0.85]))


def _benign_keratosis(draw: np.random.Generator, ground: Ground, skin: Array) -> Array:
    """Stuck on: a sharp edge, ridges like a brain, milia-like cysts, comedo-like openings."""
    noise = ground.noise
    moth_eaten = 0.05 * noise["middle"] + 0.03 * noise["fine"]
    cover = 1 - ramp(ground.reach + moth_eaten, 0.93, 1.04)
    cell = ground.cell_mm(draw.uniform(0.5, 0.9), pixels=6)
    bent = 0.30 * cell
    x, y = ground.x + bent * noise["warp_x"], ground.y + bent * noise["warp_y"]
    nearest, second = cells(draw, x, y, cell, 0.95)
    fissures = (1 - ramp(second - nearest, 0.0, 0.45)) * (0.6 + 0.4 * ramp(noise["width"], -0.8, 0.8))
    openings, _ = cells(draw, ground.x + 5.0, ground.y + 1.0, ground.cell_mm(1.1, pixels=9), 1.0)
    size = 0.13 + 0.05 * noise["dots"]
    plugs = (1 - ramp(openings, size, size + 0.08)) * ramp(noise["patchy"], -0.2, 0.3)
    melanin = draw.uniform(0.18, 0.55) * (1 + 0.25 * noise["broad"] + 0.12 * noise["fine"])
    melanin = melanin + draw.uniform(0.12, 0.35) * fissures + 0.9 * plugs
    picture = absorb(skin, 2 * np.clip(melanin, 0, 3) * cover, MELANIN)
    waxy = draw.uniform(0.0, 0.35)  # horn turns brown to grey
    picture = blend(picture, picture.mean(axis=-1, keepdims=True) * np.array([1.05, 1.0, 0.92]), waxy * cover)
    return blend(picture, skin * np.array([1.05, 1.02, 0.88]), 0.85 * milia_cysts(draw, ground) * cover)


def _keratosis_or_carcinoma_in_situ(draw: np.random.Generator, ground: Ground, skin: Array) -> Array:
    """A red network around pale follicles ("strawberry"), white-yellow scale, in some clusters of dotted vessels."""
    noise, cover = ground.noise, ground.cover
    cell = ground.cell_mm(draw.uniform(0.5, 0.75), pixels=6)
    nearest, second = cells(draw, ground.x, ground.y, cell, 0.7)
    follicles = 1 - ramp(nearest, 0.14, 0.34)
    blood = (0.42 + 0.14 * noise["broad"] + 0.08 * noise["fine"]).clip(0) * (1 - 0.75 * follicles)
    blood = blood + 0.25 * (1 - ramp(second - nearest, 0.0, 0.4))
    if draw.random() < 0.5:
        blood = blood + 1.2 * vessel_dots(draw, ground)
    picture = absorb(skin, blood * cover, BLOOD)
    brown = draw.uniform(0.0, 0.25) * ramp(noise["patchy"], -0.2, 1.0)
    picture = absorb(picture, 2 * brown * cover, MELANIN)
    flakes = ramp(noise["white"] + 0.55 * noise["fine"], 0.9, 1.5) * ramp(noise["fine"], -0.8, 0.2)
    scale = np.clip(skin * 1.15, 0, 1) * 0.6 + 0.4 * np.array([0.80, 0.74, 0.60]) * skin.max()
    return blend(picture, scale, draw.uniform(0.5, 0.85) * flakes * cover)


_LOOKS: dict[str, Callable[[np.random.Generator, Ground, Array], Array]] = {
    "df": _dermatofibroma,
    "vasc": _vascular,
    "bcc": _basal_cell_carcinoma,
    "bkl": _benign_keratosis,
    "akiec": _keratosis_or_carcinoma_in_situ,
}
