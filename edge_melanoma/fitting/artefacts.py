"""Hair, ruler, bubbles and a dark rim drawn onto a training picture, so that a model learns to look past them.

Class-independent by construction: nothing here knows the label. Plain drawings of ours with OpenCV, fast enough to be
made anew for every picture of every epoch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Mask = NDArray[np.floating[Any]]


def hair(picture: Picture, rng: np.random.Generator) -> Picture:
    """Three to eighteen curved hairs, dark or light."""
    import cv2

    side = max(picture.shape[:2])
    mask = np.zeros(picture.shape[:2], np.uint8)
    along = rng.uniform(0, np.pi)
    shift = 4  # OpenCV's fixed point: sixteenths of a pixel
    for _ in range(int(rng.integers(3, 19))):
        direction = along + rng.normal(0, 0.5)
        length, bend = rng.uniform(0.3, 1.1) * side, rng.normal(0, 0.12) * side
        t = np.linspace(-0.5, 0.5, 16)
        x = rng.uniform(0, side) + t * length * np.cos(direction) - bend * (4 * t**2) * np.sin(direction)
        y = rng.uniform(0, side) + t * length * np.sin(direction) + bend * (4 * t**2) * np.cos(direction)
        points = np.round(np.stack([x, y], axis=1) * 2**shift).astype(np.int32)
        thickness = max(1, round(rng.uniform(0.004, 0.012) * side))
        cv2.polylines(mask, [points[:, None]], False, 255, thickness, cv2.LINE_AA, shift)
    colour = rng.uniform(15, 70, 3) if rng.random() < 0.85 else rng.uniform(150, 210, 3)
    return _blend(picture, mask.astype(np.float32) / 255 * np.float32(rng.uniform(0.6, 0.95)), colour)


def ruler(picture: Picture, rng: np.random.Generator) -> Picture:
    """Ticks along one side, every fifth one longer."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.float32)
    step = rng.uniform(0.05, 0.11) * width
    edge = int(rng.uniform(0.0, 0.06) * height)
    thickness = max(1, round(0.006 * width))
    for number, x in enumerate(np.arange(rng.uniform(0, step), width, step)):
        length = round((0.07 if number % 5 == 0 else 0.04) * height)
        mask[edge : edge + length, int(x) : int(x) + thickness] = 0.75
    turned = np.rot90(mask, int(rng.integers(4)))
    if turned.shape != mask.shape:
        turned = mask
    return _blend(picture, np.ascontiguousarray(turned), rng.uniform(10, 60, 3))


def bubble(picture: Picture, rng: np.random.Generator) -> Picture:
    """One to five gel bubbles: a ring and a highlight."""
    import cv2

    side = max(picture.shape[:2])
    light = np.zeros(picture.shape[:2], np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        radius = max(2, round(rng.uniform(0.015, 0.06) * side))
        centre = (int(rng.uniform(0, side)), int(rng.uniform(0, side)))
        cv2.circle(light, centre, radius, int(rng.integers(90, 170)), max(1, radius // 6), cv2.LINE_AA)
        spot = (centre[0] - radius // 3, centre[1] - radius // 3)
        cv2.circle(light, spot, max(1, radius // 5), 230, -1, cv2.LINE_AA)
    return _blend(picture, light.astype(np.float32) / 255, np.array([245.0, 245.0, 245.0]))


def vignette(picture: Picture, rng: np.random.Generator) -> Picture:
    """The dark rim of a round lens."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot(x / width - 0.5 - rng.normal(0, 0.02), y / height - 0.5 - rng.normal(0, 0.02))
    radius, softness = rng.uniform(0.46, 0.66), rng.uniform(0.01, 0.06)
    mask = np.clip((distance - radius) / softness, 0, 1).astype(np.float32)
    return _blend(picture, mask, np.full(3, rng.uniform(0, 20)))


def _blend(picture: Picture, mask: Mask, colour: NDArray[np.float64]) -> Picture:
    mixed = picture + (colour.astype(np.float32) - picture) * mask[..., None]
    return np.clip(mixed + np.float32(0.5), 0, 255).astype(np.uint8)
