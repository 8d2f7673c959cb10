"""Which dermoscopic signs a melanocytic lesion shows: drawn from its attributes, and scored by the ABCD rule.

Every chance below is a function of the attributes, never of the diagnosis: also that of a melanoma that hides, being
poor in pigment or still without features. That is what keeps the ceiling of ceiling.py true.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from edge_melanoma.data.synth.latents import Attributes, Lesion
from edge_melanoma.data.synth.streams import Stream, stream


@dataclass(frozen=True, kw_only=True)
class Morphology:
    """The signs, by name, and the attributes as the picture shows them."""

    shown: Attributes  # of a featureless lesion: blander than the lesion is
    diameter_mm: float
    colours: frozenset[str]  # of light_brown, dark_brown, black, red, blue_grey, white
    structures: frozenset[str]  # of network, globules, dots, streaks, structureless
    veil: bool  # blue-white veil
    peppering: bool  # grey dots of regression
    dotted_vessels: bool
    hypomelanotic: bool
    featureless: bool
    mimic: str  # "", "milia" (cysts as in seborrheic keratosis) or "starburst" (streaks all round, as in a Reed nevus)

    @property
    def total_dermoscopy_score(self) -> float:
        """The ABCD rule of dermoscopy: below 4.75 benign, above 5.45 melanoma (Nachbar et al. 1994).

        Its D is the number of differential structures, 1-5, not the diameter.
        """
        asymmetry = round(2 * self.shown.asymmetry)  # axes, 0-2
        border = round(8 * self.shown.border)  # abrupt segments, 0-8
        structures = len(self.structures)  # 1-5
        return round(1.3 * asymmetry + 0.1 * border + 0.5 * len(self.colours) + 0.5 * structures, 2)

    @property
    def findings(self) -> tuple[str, ...]:
        """Everything that is to be seen, by name."""
        flags = ("veil", "peppering", "dotted_vessels", "hypomelanotic", "featureless")
        named = [name for name in flags if getattr(self, name)]
        return (*sorted(self.structures), *sorted(self.colours), *named, *([self.mimic] if self.mimic else []))


def morphology_of(lesion: Lesion) -> Morphology:
    """Draw the signs of a lesion."""
    draw = stream(lesion.seed, lesion.index, Stream.MORPHOLOGY)
    seen = lesion.attributes
    # small lesions are more often too early to show anything
    featureless = _happens(draw, 0.20 * _rises(0.55 - seen.diameter, 8))
    shown = _bland(seen) if featureless else seen
    hypomelanotic = _happens(draw, 0.105 * _rises(seen.structures - 0.55, 9))
    spread = 0.16 * draw.standard_normal()
    colours = _colours(draw, shown)
    structures = _structures(draw, shown)
    veil = _happens(draw, _rises(shown.structures - 0.65, 6))
    peppering = "white" in colours and _happens(draw, 0.5)
    vessels = hypomelanotic or _happens(draw, 0.25 * _rises(shown.structures - 0.70, 8))
    mimic = _mimic(stream(lesion.seed, lesion.index, Stream.MIMIC), lesion.mimics)
    return Morphology(
        shown=shown,
        diameter_mm=_diameter_mm(lesion, shown, spread),
        colours=frozenset(colours),
        structures=frozenset(structures),
        veil=veil and not hypomelanotic,
        peppering=peppering,
        dotted_vessels=vessels,
        hypomelanotic=hypomelanotic,
        featureless=featureless,
        mimic=mimic,
    )


def _diameter_mm(lesion: Lesion, shown: Attributes, spread: float) -> float:
    median = 4.2 + 3.6 * shown.diameter
    return float(np.clip(math.exp(math.log(median) + spread), 2.2, 0.72 * lesion.field_of_view_mm))


def _colours(draw: np.random.Generator, shown: Attributes) -> set[str]:
    """Of the six colours of the ABCD rule; light brown is never missing."""
    thresholds = {"dark_brown": 0.20, "black": 0.42, "red": 0.62, "blue_grey": 0.62, "white": 0.68}
    return {"light_brown", *(name for name, k in thresholds.items() if _happens(draw, _rises(shown.colour - k, 5)))}


def _structures(draw: np.random.Generator, shown: Attributes) -> set[str]:
    chances = {
        "network": 0.70,
        "globules": 0.30 + 0.30 * shown.structures,
        "dots": _rises(shown.structures - 0.55, 5),
        "streaks": _rises(shown.structures - 0.55, 6),
        "structureless": _rises(shown.structures - 0.50, 5),
    }
    return {name for name, chance in chances.items() if _happens(draw, chance)} or {"structureless"}


def _mimic(draw: np.random.Generator, chance: float) -> str:
    position = draw.random()
    return "milia" if position < chance * 2 / 3 else "starburst" if position < chance else ""


def _bland(seen: Attributes) -> Attributes:
    """Towards what a nevus that shows nothing looks like; a fifth of the difference stays."""
    return replace(
        seen,
        asymmetry=0.25 + 0.2 * (seen.asymmetry - 0.25),
        border=0.25 + 0.2 * (seen.border - 0.25),
        colour=0.15 + 0.2 * (seen.colour - 0.15),
        structures=0.15 + 0.2 * (seen.structures - 0.15),
    )


def _rises(distance: float, steepness: float) -> float:
    return 1 / (1 + math.exp(-steepness * distance))


def _happens(draw: np.random.Generator, chance: float) -> bool:
    return bool(draw.random() < chance)
