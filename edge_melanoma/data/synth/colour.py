"""Colours: skin in CIE Lab, pigments as optical depth, light in linear RGB, pictures in sRGB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MELANIN = np.array([0.55, 1.00, 1.50])  # absorbance relative to green, of red, green and blue light
BLOOD = np.array([0.18, 1.00, 0.80])

# sRGB primaries under D65 (IEC 61966-2-1).
_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_XYZ_TO_RGB = np.linalg.inv(_RGB_TO_XYZ)
_WHITE = np.array([0.95047, 1.0, 1.08883])


def lab_to_linear(lightness: Array, red_green: Array, yellow_blue: Array) -> Array:
    """Lab planes -> linear RGB (height, width, 3), not clipped at 1."""
    middle = (lightness + 16) / 116
    xyz = np.stack([middle + red_green / 500, middle, middle - yellow_blue / 200], axis=-1)
    cubed = xyz * xyz * xyz
    linear = np.where(xyz > 6 / 29, cubed, 3 * (6 / 29) ** 2 * (xyz - 4 / 29)) * _WHITE
    # three sums, not a matrix product: BLAS adds in an order that depends on the machine
    x, y, z = (linear[..., k, None] * _XYZ_TO_RGB[:, k] for k in range(3))
    return np.asarray(np.maximum(x + y + z, 0))


def linear_to_srgb(linear: Array) -> Array:
    """Linear light -> sRGB, both from 0 to 1."""
    light = np.clip(linear, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def absorb(light: Array, optical_depth: Array, absorbance: Array) -> Array:
    """Beer-Lambert: the light that is left behind a layer of pigment."""
    return light * np.exp(-optical_depth[..., None] * absorbance)


def blend(below: Array, above: Array, cover: Array) -> Array:
    """`above` laid over `below`, as opaque as `cover` (height, width) says."""
    return below + (above - below) * cover[..., None]


def ramp(value: Array, start: float | Array, end: float | Array) -> Array:
    """0 up to `start`, 1 from `end` on, smooth between."""
    t = np.clip((value - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)
