"""Two kinds of noise, both drawn in lesion coordinates so that they turn and zoom with the view.

Smooth noise: spectral, 1/f^slope within a band, on a periodic tile that is drawn once and sampled where it is needed.
Cellular noise (Worley): distances to the points of a jittered hexagonal grid; networks, globules, furrows, lacunae.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_melanoma.data.synth.colour import Array

_CHUNK = 2048  # pixels sampled at a time: what fits into the processor's cache, and bounds the memory
_CELLS = 64  # the jitter repeats after so many cells, several times the field of view


@dataclass(frozen=True)
class Band:
    """Spectrum of a smooth noise: power falls as 1/f^slope from `lowest` to `highest` cycles per tile."""

    slope: float
    lowest: int
    highest: int


def smooth_tiles(draw: np.random.Generator, bands: Sequence[Band], grid: int) -> Array:
    """One periodic noise per band, mean 0 and deviation 1: (grid, grid, bands)."""
    spectrum = np.zeros((len(bands), grid, grid // 2 + 1), complex)
    for plane, band in zip(spectrum, bands, strict=True):
        rows = np.arange(-band.highest, band.highest + 1)
        columns = np.arange(band.highest + 1)
        frequency = np.hypot(rows[:, None], columns[None, :])
        inside = (frequency >= band.lowest) & (frequency <= band.highest)
        amplitude = np.where(inside, np.maximum(frequency, 1) ** (-band.slope / 2), 0)
        real, imaginary = draw.standard_normal((2, *frequency.shape))
        plane[rows[:, None], columns[None, :]] = amplitude * (real + 1j * imaginary)
    tiles = np.fft.irfft2(spectrum, s=(grid, grid), axes=(1, 2))
    tiles /= tiles.std(axis=(1, 2), keepdims=True)
    return np.ascontiguousarray(np.moveaxis(tiles, 0, -1))


def sample(tiles: Array, x: Array, y: Array, period: float) -> Array:
    """Tiles (grid, grid, n) at the places x, y, repeating with `period`: (n, height, width), bilinear."""
    sampled = np.empty((tiles.shape[2], *x.shape))
    rows = max(1, _CHUNK // x.shape[1])
    for start in range(0, x.shape[0], rows):
        part = slice(start, start + rows)
        sampled[:, part] = np.moveaxis(_bilinear(tiles, x[part], y[part], period), -1, 0)
    return sampled


def _bilinear(tiles: Array, x: Array, y: Array, period: float) -> Array:
    grid = tiles.shape[0]
    column, row = x * (grid / period), y * (grid / period)
    left, top = np.floor(column), np.floor(row)
    across, down = (column - left)[..., None], (row - top)[..., None]
    c0, r0 = left.astype(np.int64) % grid, top.astype(np.int64) % grid
    c1, r1 = (c0 + 1) % grid, (r0 + 1) % grid
    flat = tiles.reshape(grid * grid, -1)
    upper = flat[r0 * grid + c0]
    upper += (flat[r0 * grid + c1] - upper) * across
    lower = flat[r1 * grid + c0]
    lower += (flat[r1 * grid + c1] - lower) * across
    lower -= upper
    lower *= down
    upper += lower
    return np.asarray(upper)


def cells(draw: np.random.Generator, x: Array, y: Array, cell: float, jitter: float) -> tuple[Array, Array]:
    """Distances, in cells, to the nearest and the second nearest point; `cell` is in the unit of x and y.

    jitter 0 is a honeycomb, 1 is disorder.
    """
    across, down = draw.uniform(-0.5, 0.5, (2, _CELLS * _CELLS)) * jitter
    height = np.sqrt(3) / 2  # between the rows of a hexagonal grid of unit cells
    column, row = x / cell, y / (cell * height)
    base = np.floor(row).astype(np.int64)
    nearest = np.full(x.shape, np.inf)
    second = np.full(x.shape, np.inf)
    for up in (-1, 0, 1):
        r = base + up
        shift = (r & 1) * 0.5  # odd rows are moved by half a cell
        first = np.floor(column - shift).astype(np.int64)
        wrapped = (r % _CELLS) * _CELLS
        to_row, to_column = row - r, column - shift - first
        for right in (-1, 0, 1):
            key = wrapped + (first + right) % _CELLS
            aside = to_column - right - across[key]
            above = (to_row - down[key]) * height
            squared = aside * aside + above * above
            np.minimum(second, np.maximum(squared, nearest), out=second)
            np.minimum(nearest, squared, out=nearest)
    return np.sqrt(nearest), np.sqrt(second)
