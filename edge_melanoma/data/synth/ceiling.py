"""How good a model of the pictures can possibly be, in closed form.

Melanoma and nevus differ in nothing but the severity z ~ N(±Δ/2, 1), and the picture is drawn from z and from
randomness that knows no class. So no score of a picture separates the two better than z itself does:

    AUC(mel against nv) ≤ A = Φ(Δ/√2)

The other five diagnoses are drawn with structures of their own, and how well they can be told is not known. But the AUC
against mixed negatives is the mean of the AUCs against each kind of them, weighted by how many there are; with 1 for
the unknown ones that is an upper bound, which is reached only if all of them are recognised without fail.
A melanoma called a nevus, or the reverse, mixes the two sides; the AUC is linear in that mixture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from edge_melanoma.data.synth.recipe import SynthRecipe

_MALIGNANT = ("mel", "bcc", "akiec")
_phi = NormalDist().cdf


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The best possible figures for the labels as they are in the table, shares as the recipe asks."""

    melnv_auc: float  # melanoma against nevus: exact
    mel_auc: float  # melanoma against the rest: exact for two classes, an upper bound for seven
    mal_auc: float  # mel, bcc, akiec against the rest: likewise
    balanced_accuracy: float  # mean recall over all classes: likewise
    shortcut_auc: float | None  # melanoma against nevus by severity and confounder together, a confound given
    exact: bool

    def to_json(self) -> dict[str, Any]:
        """The figures and what they mean."""
        return {
            "melnv_auc": round(self.melnv_auc, 6),
            "mel_auc": round(self.mel_auc, 6),
            "mal_auc": round(self.mal_auc, 6),
            "balanced_accuracy": round(self.balanced_accuracy, 6),
            "shortcut_auc": None if self.shortcut_auc is None else round(self.shortcut_auc, 6),
            "exact": self.exact,
            "meaning": _MEANING_EXACT if self.exact else _MEANING_BOUND,
            "holds_for": "pictures alone; age is informative too, and is not counted here",
        }


_MEANING_EXACT = "no model of the pictures can have a higher expected value; one that does has found a leak"
_MEANING_BOUND = (
    "melnv_auc is exact; the others are upper bounds, reached only if every diagnosis but mel and nv is always "
    "recognised; how well those can be recognised is not known"
)


def ceiling(recipe: SynthRecipe) -> Ceiling:
    """The ceiling of a recipe."""
    shares, noise = recipe.shares, recipe.label_noise
    called_mel = shares["mel"] * (1 - noise) + shares["nv"] * noise
    called_nv = shares["nv"] * (1 - noise) + shares["mel"] * noise
    mel_among_mel = shares["mel"] * (1 - noise) / called_mel
    mel_among_nv = shares["mel"] * noise / called_nv
    purity = mel_among_mel - mel_among_nv  # 1 without label noise

    best = _phi(recipe.separation / math.sqrt(2))
    melnv = 0.5 + purity * (best - 0.5)
    malignant = sum(shares[dx] for dx in _MALIGNANT if dx in shares and dx != "mel") + called_mel
    # chance that a pair (positive, negative) is one of a melanoma and a nevus; all other pairs count as won
    hard_pairs_mel = called_nv / (1 - called_mel)
    hard_pairs_mal = called_mel / malignant * called_nv / (1 - malignant)
    return Ceiling(
        melnv_auc=melnv,
        mel_auc=1 - hard_pairs_mel * (1 - melnv),
        mal_auc=1 - hard_pairs_mal * (1 - melnv),
        balanced_accuracy=(recipe.classes - 2 + 1 + purity * (2 * _phi(recipe.separation / 2) - 1)) / recipe.classes,
        shortcut_auc=None if recipe.confound is None else 0.5 + purity * (_with_shortcut(recipe) - 0.5),
        exact=recipe.classes == 2,
    )


def _with_shortcut(recipe: SynthRecipe) -> float:
    """AUC of the likelihood ratio of severity and confounder: normal given the confounder on either side."""
    delta, p_mel, p_benign = recipe.separation, recipe.confound_p_mel, recipe.confound_p_benign
    total = 0.0
    for in_mel, in_benign in ((p_mel, p_benign), (1 - p_mel, 1 - p_benign)):  # the positive has it, or has it not
        for other_mel, other_benign in ((p_mel, p_benign), (1 - p_mel, 1 - p_benign)):  # the negative
            weight = in_mel * other_benign
            if weight:
                advantage = _log_ratio(in_mel, in_benign) - _log_ratio(other_mel, other_benign)
                total += weight * _wins(delta, advantage)
    return total


def _log_ratio(in_mel: float, in_benign: float) -> float:
    if in_mel == in_benign:
        return 0.0
    return math.inf if in_benign == 0 else -math.inf if in_mel == 0 else math.log(in_mel / in_benign)


def _wins(delta: float, advantage: float) -> float:
    """P(Δ·z₁ + advantage > Δ·z₀): the log likelihood ratio of z is Δ·z; a tie counts half."""
    if math.isnan(advantage):  # ∞ - ∞ comes with weight 0 only
        return 0.5
    if delta == 0:
        return 0.5 if advantage == 0 else float(advantage > 0)
    return _phi((delta * delta + advantage) / (delta * math.sqrt(2)))
