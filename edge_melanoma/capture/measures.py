"""What can be told of a picture from its tensor and its size: light, sharpness, skin, a lesion.

Integers only, until exact whole numbers are divided at the end, so that every language gives every number to the last
bit. The normative text is tests/golden/CAPTURE.md; what a measure is worth is in benchmarks/results/capture.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.preprocess import PreprocessContract

BLACK_BELOW = 20  # the brightest channel: the tube of the dermatoscope, a covered lens; black lesions reach it hardly
NEAR_BLACK = 2  # pixels
CLIPPED_FROM = 250  # the middle channel: red alone reaches its end in whole clinics, and little is lost with it
WHITE_FROM = 240  # the darkest channel: a reflection, paper
SKIN_RED, SKIN_GREEN = 25, 26  # skin: 25 R >= 26 G. Blood takes the green out of it, whatever the tone, lamp or lesion
_LINES = {(0, 1): 2, (1, 0): 2, (1, 1): 1, (1, -1): 1}  # (down, right): weight; a diagonal neighbour is further away
_LUMA = (19595, 38470, 7471)  # of 65536: Rec. 601, as Pillow has it

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class CaptureMeasures:
    """One picture in numbers; a share without another word is one of the pixels that are seen."""

    width_px: int  # of the part of the upright original that the tensor is made of
    height_px: int
    black_share: float  # of the largest ellipse in the picture; what of it is not near black is seen
    mean_luma: float  # 0 to 255
    clipped_share: float  # of pixels with two channels at their end
    glare_share: float  # of pixels near white
    sharpness: float  # mean square of second differences over the mean luma
    skin_share: float
    contrast: float  # of lesion and surroundings, in blue: 0 for none, 1 for black on light
    lesion_share: float
    centre_share: float  # how much of the inner half of the ellipse is lesion
    scatter_share: float  # of neighbouring pixels, those with a border of the lesion between them


def measure(tensor: Bytes, contract: PreprocessContract, upright_size: tuple[int, int]) -> CaptureMeasures:
    """The measures of a tensor [H, W, 3] that the contract made of a picture of this upright size."""
    if tensor.dtype != np.uint8 or tensor.shape != (contract.height, contract.width, 3):
        wanted = f"uint8 {[contract.height, contract.width, 3]}"
        raise ValueError(f"{tensor.dtype} {list(tensor.shape)} is no tensor of this contract; {wanted} is")
    (_, _, width, height), _, _ = contract.geometry_of(*upright_size)
    red, green, blue = np.ascontiguousarray(np.moveaxis(_without_border(tensor, contract, upright_size), 2, 0))
    brightest, darkest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    ellipse, centre = _ellipses(*red.shape)
    middle = np.maximum(np.minimum(red, green), np.minimum(np.maximum(red, green), blue))
    black = brightest < BLACK_BELOW
    seen = ellipse & ~_widened(black)
    count = int(seen.sum())
    luma, wide = _luma(red, green, blue), red.astype(np.int32)
    return CaptureMeasures(
        width_px=width,
        height_px=height,
        black_share=_ratio(int((ellipse & black).sum()), int(ellipse.sum())),
        mean_luma=_ratio(int(luma.sum(where=seen, dtype=np.int64)), count),
        clipped_share=_ratio(int((seen & (middle >= CLIPPED_FROM)).sum()), count),
        glare_share=_ratio(int((seen & (darkest >= WHITE_FROM)).sum()), count),
        sharpness=_sharpness(luma, seen),
        skin_share=_ratio(int((seen & (SKIN_RED * wide >= SKIN_GREEN * green.astype(np.int32))).sum()), count),
        **_lesion(blue, seen, centre),
    )


def _without_border(tensor: Bytes, contract: PreprocessContract, upright_size: tuple[int, int]) -> Bytes:
    """What of the tensor is picture. Beside a border one pixel more is left out: after a reduced decoding the place
    can differ by one from that of the full size."""
    _, (width, height), (x, y) = contract.geometry_of(*upright_size)
    if width < contract.width:
        tensor = tensor[:, x + 1 : x + width - 1]
    if height < contract.height:
        tensor = tensor[y + 1 : y + height - 1]
    return tensor


def _ellipses(height: int, width: int) -> tuple[Mask, Mask]:
    """The largest ellipse in a picture, and the one of half its size."""
    x, y = 2 * np.arange(width, dtype=np.int64) + 1 - width, 2 * np.arange(height, dtype=np.int64) + 1 - height
    distance = (x * height)[None, :] ** 2 + (y * width)[:, None] ** 2
    return distance <= (width * height) ** 2, 4 * distance <= (width * height) ** 2


def _widened(black: Mask) -> Mask:
    """With all that lies within NEAR_BLACK rows and columns: the edge of a field of view is soft, and is no lesion."""
    if not black.any():
        return black
    rows = black.copy()
    for shift in range(1, NEAR_BLACK + 1):
        rows[:, shift:] |= black[:, :-shift]
        rows[:, :-shift] |= black[:, shift:]
    square = rows.copy()
    for shift in range(1, NEAR_BLACK + 1):
        square[shift:] |= rows[:-shift]
        square[:-shift] |= rows[shift:]
    return square


def _luma(red: Bytes, green: Bytes, blue: Bytes) -> Ints:
    total = sum(part * plane.astype(np.int32) for part, plane in zip(_LUMA, (red, green, blue), strict=True))
    return np.asarray((total + 32768) >> 16)


def _sharpness(luma: Ints, seen: Mask) -> float:
    """Of the pixels whose eight neighbours are seen too: the second differences along the line where there are least of
    them. Blur takes them away along every line, a shaken hand along one."""
    if min(luma.shape) < 3:
        return 0.0
    height, width = luma.shape

    def at(values: NDArray[Any], down: int, right: int) -> NDArray[Any]:
        return values[1 + down : height - 1 + down, 1 + right : width - 1 + right]

    inside, centre = at(seen, 0, 0).copy(), at(luma, 0, 0)
    squares = []
    for (down, right), weight in _LINES.items():
        first, second = (down, right), (-down, -right)
        inside &= at(seen, *first) & at(seen, *second)
        squares.append(weight * (at(luma, *first) + at(luma, *second) - 2 * centre) ** 2)
    sums = [int(each[inside].sum(dtype=np.int64)) for each in squares]
    return _ratio(min(sums), int(centre[inside].sum(dtype=np.int64)))


def _lesion(blue: Bytes, seen: Mask, centre: Mask) -> dict[str, float]:
    """What is darker than Otsu's threshold, and how it lies; in blue, which pigment and blood take and ink does not."""
    counts = np.bincount(blue[seen], minlength=256).astype(np.int64)
    limit = otsu_level(counts)
    if limit is None:
        return {"contrast": 0.0, "lesion_share": 0.0, "centre_share": 0.0, "scatter_share": 0.0}
    weighted = counts * np.arange(256)
    inside, outside = slice(0, limit + 1), slice(limit + 1, None)
    dark, light = (_ratio(int(weighted[part].sum()), int(counts[part].sum())) for part in (inside, outside))
    lesion, middle = seen & (blue <= limit), seen & centre
    borders = pairs = 0
    for first, second in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        both = seen[first] & seen[second]
        pairs += int(both.sum())
        borders += int((both & (lesion[first] != lesion[second])).sum())
    return {
        "contrast": (light - dark) / light,
        "lesion_share": _ratio(int(counts[inside].sum()), int(counts.sum())),
        "centre_share": _ratio(int((lesion & centre).sum()), int(middle.sum())),
        "scatter_share": _ratio(borders, pairs),
    }


def otsu_level(counts: NDArray[np.int64]) -> int | None:
    """The highest level of the darker part by Otsu's criterion; of equally good levels the lowest; None where all
    pixels are of one level."""
    below, sum_below = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    both = (below > 0) & (below < below[-1])
    if not both.any():
        return None
    difference = (sum_below[-1] * below - below[-1] * sum_below).astype(np.float64)
    sizes = np.where(both, below * (below[-1] - below), 1).astype(np.float64)
    return int(np.argmax(np.where(both, difference * difference / sizes, -1.0)))


def _ratio(part: int, whole: int) -> float:
    """Two whole numbers as doubles, divided once; 0 of nothing."""
    return float(part) / float(whole) if whole else 0.0
