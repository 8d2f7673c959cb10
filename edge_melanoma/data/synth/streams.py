"""Where randomness comes from: one stream of its own for every component of every lesion and view.

A component can be switched off, or added in a later version, without moving any other: so a picture with hair and the
same picture without it agree in every pixel that no hair covers.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

GENERATOR_VERSION = 1  # raised whenever the same recipe gives other pixels or another table
LARGEST_SEED = 2**32 - 1  # one word of the key, so that keys of different meaning never become equal


class Stream(IntEnum):
    """The components. A number once published keeps its meaning; the index is a lesion's unless said otherwise."""

    CLASS_START = 1  # index 0
    CLASS_ORDER = 2  # index of the block of lesions
    PATIENT_SIZES = 3  # index of the block of lesions
    PERSON = 4  # index of the patient
    RECORD = 5  # index of the patient
    VIEW_COUNT = 11
    SEVERITY = 6
    ATTRIBUTES = 7
    LABEL_NOISE = 8
    SITE = 9
    FIELD_OF_VIEW = 10
    MORPHOLOGY = 20
    SKIN = 21
    OUTLINE = 22
    FIELDS = 23
    PIGMENT = 24
    STRUCTURES = 25
    MIMIC = 26
    TEMPLATE = 27
    VIEW = 40
    CAMERA = 41
    SENSOR = 42
    JPEG = 43
    WHICH_ARTEFACTS = 50
    HAIR = 51
    RULER = 52
    INK = 53
    BUBBLE = 54
    PATCH = 55
    VIGNETTE = 56
    DEFECTS = 90  # index 0


def stream(seed: int, index: int, component: Stream, view: int = 0) -> np.random.Generator:
    """The generator of one component."""
    # all four words always: numpy pads keys with zeros, so [s, i, c] and [s, i, c, 0] would be the same stream
    return np.random.default_rng([seed, index, int(component), view])
