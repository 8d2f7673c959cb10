"""What one picture is like in numbers: colour, light, sharpness, noise, dark corners, the tone of the skin.

Everything is measured on the picture reduced to at most 256 pixels a side (never enlarged), so that the numbers of
large and small pictures compare as far as they can; sharpness and noise are those of the reduced picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_melanoma.data.pictures import Picture
from edge_melanoma.errors import DataError
from edge_melanoma.picture import PictureError, decode, open_picture

SIDE = 256
STATISTICS = (
    *("width", "height", "aspect", "brightness", "contrast"),
    *("red_mean", "red_sd", "green_mean", "green_sd", "blue_mean", "blue_sd"),  # 0 to 255
    *("lab_l_mean", "lab_l_sd", "lab_a_mean", "lab_a_sd", "lab_b_mean", "lab_b_sd"),  # CIE L*a*b*, D65
    *("hue_mean_deg", "hue_concentration", "saturation_mean", "saturation_sd", "value_mean", "value_sd"),
    *("laplacian_variance", "noise_sigma", "dark_corner_share", "ita_deg"),
)
TONES: tuple[tuple[str, float], ...] = (  # each is above its limit in degrees
    ("very light", 55.0),
    ("light", 41.0),
    ("intermediate", 28.0),
    ("tan", 10.0),
    ("brown", -30.0),
    ("dark", -180.0),
)

_SMALLEST_SIDE = 16  # below, a picture has neither texture nor a border
_DARK = 20  # luma of what no light reached
_RIM = 0.04  # of each side: scale bars, frames
_CELLS = 8  # a side is cut into so many; the outer ones are the border patches
_FEWEST_PATCHES = 4
_FLAT_SD = 2.0  # luma: below, there is nothing to tell a lesion from

Array = NDArray[np.float32]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SRGB = np.arange(256) / 255
_LINEAR = np.where(_SRGB <= 0.04045, _SRGB / 12.92, ((_SRGB + 0.055) / 1.055) ** 2.4).astype(np.float32)
_TO_XYZ = np.array(  # IEC 61966-2-1; each row is divided by its sum, which is the white point D65
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TO_RELATIVE_XYZ = (_TO_XYZ / _TO_XYZ.sum(axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The statistics of one picture, or why it has none."""

    values: Array | None  # in the order of STATISTICS; NaN where the picture does not have that one
    problem: str = ""


def measure(picture: Picture) -> Measured:
    """The statistics of a picture of an index."""
    try:
        image, size = read_small(picture)
    except DataError as error:
        return Measured(values=None, problem=error.problem if isinstance(error, PictureError) else str(error))
    return Measured(values=statistics(np.asarray(image), size))


def read_small(picture: Picture, side: int = SIDE) -> tuple[Image.Image, tuple[int, int]]:
    """The picture upright in RGB, reduced to at most `side`, and the size it had."""
    file = open_picture(picture.read(), name=picture.name)
    width, height = file.facts.upright_size
    # a JPEG can be decoded at a part of its size, in a part of the time
    reductions = (8, 4, 2, 1) if file.facts.format == "JPEG" else (1,)
    image = decode(file, next(r for r in reductions if max(width, height) >= side * r or r == 1))
    image.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=None)
    return image, (width, height)


def statistics(rgb: NDArray[np.uint8], size: tuple[int, int] | None = None) -> Array:
    """The statistics of RGB values (row, column, channel), in the order of STATISTICS; `size`: of the original."""
    width, height = size or (rgb.shape[1], rgb.shape[0])
    luma, lab = rgb.astype(np.float32) @ _LUMA, to_lab(rgb)
    values: list[float] = [width, height, width / height, luma.mean(), luma.std()]
    for channels in (rgb, lab):
        planes = channels.reshape(-1, 3).T.astype(np.float32, order="C")  # several times faster than the last axis
        values += [number for plane in planes for number in (plane.mean(), plane.std())]
    values += _hsv_moments(rgb)
    values += [laplacian_variance(luma), noise_sigma(luma), dark_corner_share(luma), ita_deg(lab, luma)]
    return np.array(values, np.float32)


def to_lab(rgb: NDArray[np.uint8]) -> Array:
    """CIE L*a*b* (D65) of sRGB values."""
    xyz = _LINEAR[rgb] @ _TO_RELATIVE_XYZ.T
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * np.float32((29 / 6) ** 2 / 3) + np.float32(4 / 29))
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def _hsv_moments(rgb: NDArray[np.uint8]) -> list[float]:
    hsv = np.asarray(Image.fromarray(rgb).convert("HSV"), np.float32) / 255
    hue, saturation, value = hsv[..., 0] * 2 * np.pi, hsv[..., 1], hsv[..., 2]
    weight = float(saturation.sum())  # gray has no hue
    around = complex((saturation * np.cos(hue)).sum(), (saturation * np.sin(hue)).sum()) / weight if weight else 0j
    mean_deg = float(np.degrees(np.angle(around)) % 360) if weight else float("nan")
    return [
        *(mean_deg, abs(around) if weight else float("nan")),
        *(float(saturation.mean()), float(saturation.std()), float(value.mean()), float(value.std())),
    ]


def laplacian_variance(luma: Array) -> float:
    """The variance of the second difference over the four neighbours: low where a picture is blurred."""
    if min(luma.shape) < _SMALLEST_SIDE:
        return float("nan")
    centre = luma[1:-1, 1:-1]
    return float((luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * centre).var())


def noise_sigma(luma: Array) -> float:
    """The standard deviation of the noise in gray levels (Immerkær 1996): what a kernel leaves that removes planes."""
    if min(luma.shape) < _SMALLEST_SIDE:
        return float("nan")
    rows = luma[:-2] - 2 * luma[1:-1] + luma[2:]
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]).mean())


def dark_corner_share(luma: Array) -> float:
    """How much of the picture is black outside the inscribed ellipse: the tube of the dermatoscope; at most .215."""
    height, width = luma.shape
    y = (np.arange(height) + 0.5) / height * 2 - 1
    x = (np.arange(width) + 0.5) / width * 2 - 1
    outside = x[None, :] ** 2 + y[:, None] ** 2 > 1
    return float((outside & (luma < _DARK)).mean())


def ita_deg(lab: Array, luma: Array) -> float:
    """The individual typology angle of the skin around the lesion, in degrees: an image-estimated tone, not a measured
    one, because the light of the dermatoscope is in it. NaN where too little skin is seen.

    The median over the border patches inside a rim of 4 %, without what Otsu's threshold calls lesion or corner.
    """
    if min(luma.shape) < _SMALLEST_SIDE:
        return float("nan")
    top, left = (round(_RIM * side) for side in luma.shape)
    lab, luma = lab[top : len(lab) - top, left : lab.shape[1] - left], luma[top : len(luma) - top, left : -left or None]
    skin = luma > max(_DARK, otsu_threshold(luma) if luma.std() >= _FLAT_SD else 0)
    rows, columns = (np.linspace(0, side, _CELLS + 1).astype(int) for side in luma.shape)
    angles = []
    for i in range(_CELLS):
        for j in range(_CELLS):
            if {i, j} & {0, _CELLS - 1}:
                patch = slice(rows[i], rows[i + 1]), slice(columns[j], columns[j + 1])
                if skin[patch].mean() >= 0.5:
                    l_star, _, b_star = np.median(lab[patch][skin[patch]], axis=0)
                    angles.append(np.degrees(np.arctan2(l_star - 50, b_star)))
    return float(np.median(angles)) if len(angles) >= _FEWEST_PATCHES else float("nan")


def otsu_threshold(luma: Array) -> float:
    """The gray level that parts dark from light with the least variance inside the two parts (Otsu 1979)."""
    counts = np.bincount(luma.astype(np.uint8).ravel(), minlength=256).astype(np.float64)
    below, levels = np.cumsum(counts), np.arange(256)
    sum_below = np.cumsum(counts * levels)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sum_below / below - (sum_below[-1] - sum_below) / above) ** 2
    best = np.nan_to_num(between)
    plateau = np.flatnonzero(best >= best.max())  # empty levels between the parts are equally good: their middle
    return float(plateau.mean()) + 0.5


def tone_of(ita: NDArray[np.float64]) -> list[str | None]:
    """The name of each angle's tone, None where there is no angle."""
    limits = [limit for _, limit in TONES]
    return [next(name for name, limit in TONES if a > limit or limit == limits[-1]) if a == a else None for a in ita]
