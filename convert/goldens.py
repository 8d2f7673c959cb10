"""The pictures whose outputs a bundle carries: drawn, never of a person, and one that no camera makes.

They are what every device proves itself by, so they reach the ends of every channel, and they may be given to anybody.
Few, because they lie uncompressed in the bundle: at 224 pixels each takes 150 kB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_melanoma.data.synth import SynthRecipe
from edge_melanoma.data.synth.dataset import picture_of
from edge_melanoma.data.synth.latents import case_of
from edge_melanoma.preprocess import PreprocessContract

DRAWN = 3
SIDE_FACTOR = 1.5  # drawn larger than the model sees them, so that preprocessing has something to do


def golden_pictures(contract: PreprocessContract) -> NDArray[np.uint8]:
    """The same for every model of a size: skin lesions drawn by the synthetic generator, then the extremes."""
    recipe = SynthRecipe(lesions=DRAWN, size=max(64, round(SIDE_FACTOR * max(contract.width, contract.height))))
    drawn = [
        contract.image_to_tensor(Image.fromarray(picture_of(recipe, case_of(recipe, number), 0)))
        for number in range(DRAWN)
    ]
    return np.stack([*drawn, _extremes(contract.height, contract.width)])


def _extremes(height: int, width: int) -> NDArray[np.uint8]:
    """Bands of black, white, every grey, and noise."""
    ramp = np.linspace(0, 255, width).round().astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    band = height // 4
    noise[:band], noise[band : 2 * band] = 0, 255
    noise[2 * band : 3 * band] = ramp[None, :, None]
    return noise
