"""What is decided before anything is drawn: who the patient is, what the lesion is, how severe it looks.

The one path from class to picture is diagnosis -> severity z -> five attributes. `Lesion`, all that the renderer is
given, holds neither the diagnosis nor z: a melanoma and a nevus with the same attributes are the same picture.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from edge_melanoma.data.synth.recipe import ARTEFACTS, SynthRecipe
from edge_melanoma.data.synth.streams import Stream, stream

BLOCK = 30  # lesions; classes are balanced and patients are whole within a block
_GOLDEN = (math.sqrt(5) - 1) / 2
_PATIENT_SIZES = (0.50, 0.22, 0.12, 0.08, 0.05, 0.03)  # of 1 … 6 lesions
_TONE_CENTRES = (62.0, 48.0, 35.0, 19.0, -5.0, -40.0)  # ITA in degrees
_CENTRES = {"syn_north": 0.5, "syn_south": 0.3, "syn_coast": 0.2}
_AGE_MEAN, _AGE_SPREAD = 51.0, 16.0  # years; HAM10000 has 51.9 and 17.0
# Pictures in HAM10000; "unknown" is what it calls a missing value.
_SITES = {
    **{"back": 2192, "lower extremity": 2077, "trunk": 1404, "upper extremity": 1118, "abdomen": 1022, "face": 745},
    **{"chest": 407, "foot": 319, "unknown": 234, "neck": 168, "scalp": 128, "hand": 90, "ear": 56, "genital": 48},
    **{"acral": 7},
}
_UNKNOWN_SHARE = 0.006  # of patients without age, and without sex (HAM10000: 57 of 10,015)
# Share of pictures with an artefact at nuisance 1. Coloured patches appear only where a recipe asks for them.
_ARTEFACT_SHARES = {"ruler": 0.12, "ink": 0.06, "bubble": 0.15, "patch": 0.0, "vignette": 0.25}
_HAIR_SHARES = (0.12, 0.85)  # of people with little and with much body hair
_HAIRY = 0.32  # share of people with much body hair: 35 % of pictures show hair


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """How far, from 0 to 1, each of the five signs points to melanoma."""

    asymmetry: float
    border: float
    colour: float
    diameter: float
    structures: float


@dataclass(frozen=True, kw_only=True)
class Person:
    """What of a patient is to be seen, and so is shared by all pictures of them."""

    patient: int
    ita: float  # individual typology angle of the skin, degrees
    hairy: bool
    hair_colour: tuple[float, float, float]  # linear RGB
    centre: str  # whose camera was used


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """All that the renderer may know."""

    seed: int
    index: int
    kind: str  # "melanocytic" for mel and nv alike; else the diagnosis, which has a look of its own
    attributes: Attributes
    field_of_view_mm: float
    mimics: float  # chance of a look-alike structure
    person: Person


@dataclass(frozen=True, kw_only=True)
class Case:
    """A lesion and what the table says about it."""

    lesion: Lesion
    dx: str  # as it will be labelled
    true_dx: str
    severity: float | None  # z; only melanoma and nevus have one
    age: int | None  # of the patient, in years, steps of five
    sex: str
    site: str
    confounded: bool
    views: int


def case_of(recipe: SynthRecipe, index: int, *, severity: float | None = None, true_dx: str | None = None) -> Case:
    """The lesion number `index` of a recipe: the same whatever number of lesions is asked for.

    `true_dx` and `severity` replace what would be drawn, to prove that the picture depends on the latter alone.
    """
    seed = recipe.seed
    true_dx = diagnosis_of(recipe, index) if true_dx is None else true_dx
    melanocytic, patient = true_dx in ("mel", "nv"), patient_of(recipe, index)
    if severity is None:
        severity = float(stream(seed, index, Stream.SEVERITY).standard_normal())
        severity += {"mel": 0.5, "nv": -0.5}.get(true_dx, 0.0) * recipe.separation
    lesion = Lesion(
        seed=seed,
        index=index,
        kind="melanocytic" if melanocytic else true_dx,
        attributes=_attributes(recipe, index, severity),
        field_of_view_mm=float(stream(seed, index, Stream.FIELD_OF_VIEW).uniform(9, 16)),
        mimics=recipe.mimics,
        person=person_of(recipe, patient),
    )
    age, sex = _record(recipe, patient)
    return Case(
        lesion=lesion,
        dx=_label(recipe, index, true_dx),
        true_dx=true_dx,
        severity=severity if melanocytic else None,
        age=age,
        sex=sex,
        site=str(stream(seed, index, Stream.SITE).choice(list(_SITES), p=np.array([*_SITES.values()]) / _ALL_SITES)),
        confounded=_is_confounded(recipe, index, true_dx),
        views=views_of(recipe, index),
    )


_ALL_SITES = sum(_SITES.values())


def diagnosis_of(recipe: SynthRecipe, index: int) -> str:
    """The diagnosis: shares hold within a lesion or two for any number of lesions; the order in a block is random.

    A golden-ratio sequence fills [0, 1) evenly from any start to any end; cutting it by the shares gives the classes.
    """
    names, bounds = list(recipe.shares), np.cumsum(list(recipe.shares.values()))
    position = _positions(recipe.seed, index // BLOCK)[index % BLOCK]
    return names[min(int(np.searchsorted(bounds, position, side="right")), len(names) - 1)]


@lru_cache(maxsize=64)
def _positions(seed: int, block: int) -> tuple[float, ...]:
    """Of the lesions of a block in [0, 1)."""
    start = float(stream(seed, 0, Stream.CLASS_START).random())
    turns = block * BLOCK + stream(seed, block, Stream.CLASS_ORDER).permutation(BLOCK)
    return tuple((start + int(turn) * _GOLDEN) % 1.0 for turn in turns)


def views_of(recipe: SynthRecipe, index: int) -> int:
    """How many pictures there are of a lesion."""
    return min(recipe.views, int(stream(recipe.seed, index, Stream.VIEW_COUNT).geometric(0.6)))


def patient_of(recipe: SynthRecipe, index: int) -> int:
    """The patient, named by the number of the first lesion: 1 to 6 neighbouring lesions, within one block."""
    return max(first for first in _first_lesions(recipe.seed, index // BLOCK) if first <= index)


@lru_cache(maxsize=64)
def _first_lesions(seed: int, block: int) -> tuple[int, ...]:
    draws = stream(seed, block, Stream.PATIENT_SIZES).choice(6, size=BLOCK, p=_PATIENT_SIZES) + 1
    starts = np.concatenate([[0], np.cumsum(draws)])
    return tuple(block * BLOCK + int(start) for start in starts if start < BLOCK)


def person_of(recipe: SynthRecipe, patient: int) -> Person:
    """The patient whose first lesion has this number."""
    draw = stream(recipe.seed, patient, Stream.PERSON)
    weights = np.array(recipe.tone_weights, float) / sum(recipe.tone_weights)
    ita = float(np.clip(draw.choice(_TONE_CENTRES, p=weights) + draw.normal(0, 4), -55, 75))
    fair = max(0.0, ita / 75) * draw.random()  # fair hair goes with light skin
    hair = np.array([0.020, 0.014, 0.010]) + fair * np.array([0.16, 0.10, 0.04])
    return Person(
        patient=patient,
        ita=ita,
        hairy=bool(draw.random() < _HAIRY),
        hair_colour=(float(hair[0]), float(hair[1]), float(hair[2])),
        centre=str(draw.choice(list(_CENTRES), p=list(_CENTRES.values()))),
    )


def _record(recipe: SynthRecipe, patient: int) -> tuple[int | None, str]:
    """Age and sex. Patients with more melanomas among their lesions are older; sex tells nothing."""
    draw = stream(recipe.seed, patient, Stream.RECORD)
    no_age, no_sex = draw.random(2) < _UNKNOWN_SHARE
    firsts = [*_first_lesions(recipe.seed, patient // BLOCK), (patient // BLOCK + 1) * BLOCK]
    lesions = range(patient, min(first for first in firsts if first > patient))
    share = sum(diagnosis_of(recipe, lesion) == "mel" for lesion in lesions) / len(lesions)
    # A lesion is 1/k of a patient's k lesions, and 1/k averages, over lesions, to one over the mean k: by so much the
    # effect on a lesion is weaker than that on a patient. The 6 % make good for clipping and rounding (measured).
    mean_size = sum(size * part for size, part in enumerate(_PATIENT_SIZES, start=1))
    effect = 1.06 * math.sqrt(2) * NormalDist().inv_cdf(recipe.age_auc) * mean_size
    years = _AGE_MEAN + _AGE_SPREAD * (effect * (share - recipe.melanoma_share) + draw.standard_normal())
    age = int(np.clip(5 * round(years / 5), 10, 85))
    sex = str(draw.choice(["male", "female"], p=[0.54, 0.46]))
    return (None if no_age else age), ("unknown" if no_sex else sex)


def _attributes(recipe: SynthRecipe, index: int, severity: float) -> Attributes:
    own = stream(recipe.seed, index, Stream.ATTRIBUTES).standard_normal(5)
    visible = 1.3 * (recipe.rho * severity + math.sqrt(1 - recipe.rho**2) * own)
    asymmetry, border, colour, diameter, structures = (float(value) for value in 1 / (1 + np.exp(-visible)))
    return Attributes(asymmetry=asymmetry, border=border, colour=colour, diameter=diameter, structures=structures)


def _label(recipe: SynthRecipe, index: int, true_dx: str) -> str:
    wrong = stream(recipe.seed, index, Stream.LABEL_NOISE).random() < recipe.label_noise
    return {"mel": "nv", "nv": "mel"}.get(true_dx, true_dx) if wrong else true_dx


def _is_confounded(recipe: SynthRecipe, index: int, true_dx: str) -> bool:
    if recipe.confound is None:
        return False
    chance = recipe.confound_p_mel if true_dx == "mel" else recipe.confound_p_benign
    # the stream of a view that no lesion has: all views of a lesion share the confounder
    return bool(stream(recipe.seed, index, Stream.WHICH_ARTEFACTS, view=99).random() < chance)


def artefacts_of(recipe: SynthRecipe, case: Case, view: int) -> frozenset[str]:
    """Which artefacts a picture has: drawn without a look at the class, but for a confounder that was asked for."""
    draws = stream(recipe.seed, case.lesion.index, Stream.WHICH_ARTEFACTS, view).random(len(ARTEFACTS))
    shares = {**_ARTEFACT_SHARES, "hair": _HAIR_SHARES[case.lesion.person.hairy]}
    found = {name for name, draw in zip(ARTEFACTS, draws, strict=True) if draw < shares[name] * recipe.nuisance}
    if recipe.confound is not None:
        found.discard(recipe.confound)
        found |= {recipe.confound} if case.confounded else set()
    return frozenset(found)


def values(attributes: Attributes) -> tuple[float, ...]:
    """The five attributes in the order A, B, C, D, S."""
    return astuple(attributes)
