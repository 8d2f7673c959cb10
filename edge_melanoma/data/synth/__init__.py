"""Procedural dermoscopy: pictures with known labels, known sizes, known artefacts and a known ceiling, from a seed.

Melanoma and nevus differ in one number only, the severity z, so that the best possible AUC is Φ(Δ/√2): a result above
it is a leak. Runs with NumPy and Pillow alone: edge-melanoma data synth --out pictures

    recipe.py      what can be asked for
    latents.py     who the patient is, how severe the lesion is: the last place that knows the diagnosis
    morphology.py  which dermoscopic signs it shows, and its ABCD score
    render.py      skin, lesion (melanocytic.py, templates.py), artefacts, camera
    dataset.py     the folder; defects.py spoils it on purpose, as the test set of the audit
    ceiling.py     how good a model can be
"""

from edge_melanoma.data.synth.ceiling import Ceiling, ceiling
from edge_melanoma.data.synth.dataset import NOTICE, SynthResult, run
from edge_melanoma.data.synth.recipe import SynthRecipe
from edge_melanoma.data.synth.streams import GENERATOR_VERSION

__all__ = ["GENERATOR_VERSION", "NOTICE", "Ceiling", "SynthRecipe", "SynthResult", "ceiling", "run"]
