"""Draws the golden pictures of test_synth.py anew; only together with a new GENERATOR_VERSION.

Run: python tests/golden/synth/renew.py
"""

import hashlib
import json
from pathlib import Path

from PIL import Image

from edge_melanoma.data.synth.dataset import picture_of
from edge_melanoma.data.synth.latents import case_of
from edge_melanoma.data.synth.recipe import SynthRecipe

HERE = Path(__file__).parent
CHOSEN = [  # name, recipe, index of the lesion, view
    ("melanoma_hair", {"size": 64, "seed": 1}, 3, 0),
    ("nevus_second_view", {"size": 64}, 0, 1),
    ("hypomelanotic", {"size": 64, "seed": 1}, 15, 0),
    ("vignette_ruler", {"size": 64, "seed": 1}, 26, 0),
    ("keratosis", {"size": 64, "seed": 2, "classes": 7, "p_mel": 0.05}, 5, 0),
    ("vascular", {"size": 64, "seed": 2, "classes": 7, "p_mel": 0.05}, 7, 0),
    ("basal_cell", {"size": 64, "seed": 2, "classes": 7, "p_mel": 0.05}, 14, 0),
    ("fibroma", {"size": 64, "seed": 2, "classes": 7, "p_mel": 0.05}, 15, 0),
]

if __name__ == "__main__":
    entries = []
    for name, options, index, view in CHOSEN:
        recipe = SynthRecipe(**options)
        pixels = picture_of(recipe, case_of(recipe, index), view)
        Image.fromarray(pixels).save(HERE / f"{name}.png", optimize=True)
        digest = hashlib.sha256(pixels.tobytes()).hexdigest()
        entries.append({"name": name, "recipe": options, "index": index, "view": view, "sha256": digest})
    (HERE / "pictures.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
