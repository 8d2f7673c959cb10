"""The dermatoscope's camera: light falling off to the corners, white balance, exposure, focus, sensor noise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from edge_melanoma.data.synth.colour import Array, linear_to_srgb
from edge_melanoma.data.synth.latents import Lesion
from edge_melanoma.data.synth.streams import Stream, stream

Pixels = NDArray[np.uint8]

# Devices of the three centres differ in colour; which centre a patient comes from says nothing about the class.
_CENTRE_GAIN = {"syn_north": (1.00, 1.00, 1.00), "syn_south": (1.08, 0.95, 0.93), "syn_coast": (0.96, 1.00, 1.07)}


class Camera:
    """The settings of one picture."""

    def __init__(self, lesion: Lesion, number: int, nuisance: float) -> None:
        draw = stream(lesion.seed, lesion.index, Stream.CAMERA, number)
        balance = np.exp(draw.normal(0, 0.05, 3) * nuisance) * np.power(_CENTRE_GAIN[lesion.person.centre], nuisance)
        self._gain = balance * math.exp(draw.normal(0, 0.12) * nuisance)
        self._falloff = draw.uniform(0, 0.9) * nuisance
        self._blur = abs(draw.normal(0, 0.45)) * nuisance  # deviation in pixels of a picture 128 wide
        self._grey_noise, self._colour_noise = 2.0 * nuisance, 1.2 * nuisance  # grey levels
        self._sensor = stream(lesion.seed, lesion.index, Stream.SENSOR, number)

    def blur_px(self, size: int) -> float:
        """Deviation of the blur; a picture that is sharp within a third of a pixel is left alone."""
        wide = self._blur * size / 128
        return wide if wide > 0.3 else 0.0

    def blur_reach(self, size: int) -> int:
        """How many pixels the blur carries light: Pillow's is three box filters of this width."""
        deviation = self.blur_px(size)
        if not deviation:
            return 0
        return 3 * math.ceil((math.sqrt(4 * deviation * deviation + 1) - 1) / 2)

    def shoot(self, light: Array) -> Pixels:
        """Linear light (size, size, 3) -> the picture as stored before JPEG."""
        size = light.shape[0]
        off = ((np.arange(size) + 0.5) / size - 0.5) ** 2
        corners = 1 - self._falloff * (off[:, None] + off[None, :])
        exposed = linear_to_srgb(light * (self._gain * corners[..., None]))
        picture = Image.fromarray((exposed * 255 + 0.5).astype(np.uint8))
        if self.blur_px(size):
            picture = picture.filter(ImageFilter.GaussianBlur(self.blur_px(size)))
        noise = self._grey_noise * self._sensor.standard_normal((size, size, 1))
        noise = noise + self._colour_noise * self._sensor.standard_normal((size, size, 3))
        return np.clip(np.rint(np.asarray(picture) + noise), 0, 255).astype(np.uint8)
