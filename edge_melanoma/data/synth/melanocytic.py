"""The look of nevus and melanoma: pigment, the colours of the ABCD rule, and dermoscopic structures.

One function for both: it sees attributes and signs, no diagnosis.
"""

from __future__ import annotations

import numpy as np

from edge_melanoma.data.synth.colour import BLOOD, MELANIN, Array, absorb, blend, ramp
from edge_melanoma.data.synth.latents import Lesion
from edge_melanoma.data.synth.morphology import Morphology
from edge_melanoma.data.synth.outline import Ground
from edge_melanoma.data.synth.streams import Stream, stream
from edge_melanoma.data.synth.structures import (
    globules,
    milia_cysts,
    network,
    peppering,
    starburst,
    streaks,
    vessel_dots,
)

# Melanin deep in the skin looks blue-grey: short waves are scattered back before they reach it (linear RGB at L* 60).
_SCATTERED = np.array([0.125, 0.148, 0.185])


def paint_melanocytic(ground: Ground, skin: Array, lightness: float, lesion: Lesion, signs: Morphology) -> Array:
    """Linear RGB of the window with the lesion in it."""
    draw = stream(lesion.seed, lesion.index, Stream.PIGMENT)
    colours = _colour_areas(ground, signs)
    melanin = _melanin(draw, ground, signs) + 0.75 * colours["black"]
    melanin = melanin * (1 - 0.75 * colours["white"])
    blood = 0.06 + 0.10 * ramp(ground.noise["middle"], 0.2, 1.5) + 0.45 * colours["red"]
    cover = ground.cover

    draw = stream(lesion.seed, lesion.index, Stream.STRUCTURES)
    melanin = melanin + network(draw, ground, signs) + globules(draw, ground, signs)
    rays = streaks(draw, ground, signs)
    melanin, cover = melanin + 0.5 * rays, np.maximum(cover, 0.7 * rays)
    vessels = vessel_dots(draw, ground) if signs.dotted_vessels else 0.0
    grey_dots = peppering(draw, ground) * colours["white"] if signs.peppering else None
    if signs.mimic == "starburst":
        melanin = melanin + 0.4 * starburst(ground)
    if signs.hypomelanotic:
        melanin, blood = 0.22 * melanin, blood + 0.30 + 0.08 * ground.noise["broad"]

    picture = absorb(skin, 2.0 * np.clip(melanin, 0, 3.2) * cover, MELANIN)
    picture = absorb(picture, np.clip(blood + 1.3 * vessels, 0, 1.8) * cover, BLOOD)
    picture = _veils(ground, picture, skin, lightness, colours, cover * (0.3 if signs.hypomelanotic else 1.0))
    if grey_dots is not None:
        picture = blend(picture, 0.75 * _scattered(ground, lightness), 0.7 * grey_dots * cover)
    if signs.mimic == "milia":
        milia = stream(lesion.seed, lesion.index, Stream.TEMPLATE)
        picture = blend(picture, skin * np.array([1.0, 0.97, 0.88]), 0.75 * milia_cysts(milia, ground) * cover)
    return picture


def _melanin(draw: np.random.Generator, ground: Ground, signs: Morphology) -> Array:
    """Optical depth of the epidermal pigment: concentric in a nevus, lopsided and blotchy the more the colour tells."""
    colour, noise = signs.shown.colour, ground.noise
    depth = draw.uniform(0.42, 0.78) * (1.25 if "dark_brown" in signs.colours else 0.85)
    # darker or paler in the middle
    concentric = draw.choice([-0.25, 0.35, 0.35]) * (1 - np.clip(ground.reach, 0, 1.2))
    lopsided = (0.10 + 0.45 * colour) * 0.55 * noise["broad"]
    mottled = 0.13 * noise["middle"] + 0.09 * noise["fine"]
    return np.asarray(depth * (1 + (1 - colour) * concentric + lopsided + mottled))


def _colour_areas(ground: Ground, signs: Morphology) -> dict[str, Array]:
    """Where each further colour lies, 0 to 1; nowhere if the lesion has not got it."""
    noise, none = ground.noise, np.zeros_like(ground.reach)
    inside = 1 - ramp(ground.reach, 0.70, 1.08)
    grain = 0.25 * noise["middle"] + 0.12 * noise["fine"]  # no colour ends in a smooth line
    # the more the colour tells, the larger the black areas
    black = ramp(noise["black"] + grain, 1.1 - 0.9 * signs.shown.colour, 2.1 - 0.9 * signs.shown.colour)
    areas = {
        "black": black,
        "red": ramp(noise["red"], 0.4, 1.7),
        "white": ramp(noise["white"] + grain, 0.6, 1.6) * inside,
        "blue_grey": ramp(noise["blue"] + grain, 0.3, 1.8) * inside,
        "veil": ramp(noise["veil"] + grain, 0.1, 1.7) * inside,
    }
    present = signs.colours | ({"veil"} if signs.veil else set())
    return {name: area if name in present else none for name, area in areas.items()}


def _veils(
    ground: Ground, picture: Array, skin: Array, lightness: float, colours: dict[str, Array], cover: Array
) -> Array:
    """What lies over or under the pigment: blue-grey depth, the blue-white veil, scars of regression."""
    blue = (0.42 * colours["blue_grey"] + 0.50 * colours["veil"]) * cover
    picture = blend(picture, _scattered(ground, lightness), np.clip(blue, 0, 0.85))
    white = np.clip(0.35 * colours["white"] + 0.12 * colours["veil"], 0, 1) * cover
    return blend(picture, skin * np.array([0.98, 0.93, 0.95]), white)


def _scattered(ground: Ground, lightness: float) -> Array:
    grain = 1 + 0.18 * ground.noise["middle"] + 0.10 * ground.noise["fine"]
    return np.asarray(_SCATTERED * min(1.3, lightness / 60) * grain[..., None])
