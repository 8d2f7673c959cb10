"""Why the capture gate measures what it does: each choice beside the other ways that were tried, on HAM10000.

A way to measure sharpness or clipping gets the limit that refuses one picture in a hundred as it is; what counts is
what it then finds of spoiled copies, and takes of natural ones. A channel is judged by how well the lesion that Otsu's
threshold finds in it overlaps with the drawn one.
Run: python -m edge_melanoma.benchmarks.capture_choices INDEX MASKS [--pictures 1000]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from edge_melanoma.capture.fit import any_of, fit_capture_gate, measure_pictures, refused_by
from edge_melanoma.capture.measures import otsu_level
from edge_melanoma.data.index import Index, read_index
from edge_melanoma.data.pictures import Picture
from edge_melanoma.parallel import map_over_cores
from edge_melanoma.picture import read_picture
from edge_melanoma.preprocess import PreprocessContract

from .capture_copies import NATURAL, SPOILED
from .host import write_result

SIDE = 128
CONTRACT = PreprocessContract(width=SIDE, height=SIDE)
COPIES = {
    "blur of 1 %": SPOILED["blur, sigma 1.0% of the height"],
    "blur of 2 %": SPOILED["blur, sigma 2.0% of the height"],
    "shaken by 6 %": SPOILED["shaken by 6% of the width"],
    "shaken aslant": SPOILED["shaken by 6% of the width, at 30 degrees"],
    "15 % brighter": NATURAL["brightness x 1.15"],
    "+1 stop": SPOILED["exposure +1 stops"],
}
SHARPNESS = ("blur of 1 %", "blur of 2 %", "shaken by 6 %", "shaken aslant")
CLIPPING = ("15 % brighter", "+1 stop")
AS_IT_IS = "as it is"

Floats = NDArray[np.float64]
_at = (2 * np.arange(SIDE) + 1 - SIDE) ** 2
ELLIPSE = _at[:, None] + _at[None, :] <= SIDE**2
_INNER = ELLIPSE[1:-1, 1:-1]


def _luma(rgb: Floats) -> Floats:
    return np.asarray(rgb @ np.array([0.299, 0.587, 0.114]))


def sharpness(rgb: Floats) -> dict[str, float]:
    """Ways to measure it; ours first."""
    luma = _luma(rgb)

    def at(down: int, right: int) -> Floats:
        return luma[1 + down : SIDE - 1 + down, 1 + right : SIDE - 1 + right]

    around = sum(at(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)) - 9 * at(0, 0)
    lines = {(i, j): at(i, j) + at(-i, -j) - 2 * at(0, 0) for i, j in ((0, 1), (1, 0), (1, 1), (1, -1))}
    energy = min((2 if 0 in at else 1) * float((line[_INNER] ** 2).mean()) for at, line in lines.items())
    mean, variance = float(luma[ELLIPSE].mean()), float(luma[ELLIPSE].var())
    return {
        "least of four lines, over the mean luma": energy / mean,
        "the same, over nothing": energy,
        "the same, over the square of the mean luma": energy / mean**2,
        "the same, over the variance of the luma": energy / (variance + 1),
        "the same, over the deviation of the luma": energy / (variance + 1) ** 0.5,
        "all eight neighbours, over the mean luma": float((around[_INNER] ** 2).mean()) / mean,
    }


def clipping(rgb: Floats) -> dict[str, float]:
    """Ways to measure it; ours first."""
    pixels = np.sort(rgb[ELLIPSE], axis=1)
    return {
        "two channels of 250 or more": float((pixels[:, 1] >= 250).mean()),
        "one channel of 250 or more": float((pixels[:, 2] >= 250).mean()),
        "a luma of 250 or more": float((_luma(rgb)[ELLIPSE] >= 250).mean()),
    }


CHANNELS: Mapping[str, Callable[[Floats], Floats]] = {
    "blue": lambda rgb: rgb[..., 2],
    "green": lambda rgb: rgb[..., 1],
    "red": lambda rgb: rgb[..., 0],
    "luma": _luma,
    "mean of green and blue": lambda rgb: rgb[..., 1:].mean(axis=-1),
    "mean of three": lambda rgb: rgb.mean(axis=-1),
    "least of three": lambda rgb: rgb.min(axis=-1),
}


def studied(item: tuple[int, Picture], *, masks: Path) -> dict[str, Any]:
    """Everything that is measured of one picture and its copies."""
    number, picture = item
    image = read_picture(picture.read(), name=picture.name)
    x, y, width, height = CONTRACT.geometry_of(*image.size).region
    base = image.crop((x, y, x + width, y + height))
    made = {name: change(base, np.random.default_rng(number)) for name, change in COPIES.items()}
    tensors = {name: _tensor(copy) for name, copy in {AS_IT_IS: base, **made}.items()}
    with Image.open(masks / f"{picture.image_id}_segmentation.png") as drawn:
        lesion = _tensor(drawn.convert("RGB"))[..., 0] > 127
    blue = _darker(tensors[AS_IT_IS][..., 2])
    return {
        "sharpness": {name: sharpness(rgb) for name, rgb in tensors.items()},
        "clipping": {name: clipping(rgb) for name, rgb in tensors.items()},
        "overlap": {name: _overlap(_darker(mix(tensors[AS_IT_IS])), lesion) for name, mix in CHANNELS.items()},
        "borders": {"found by Otsu": _borders(blue), "drawn": _borders(lesion)},
    }


def _tensor(image: Image.Image) -> Floats:
    return CONTRACT.image_to_tensor(image).astype(np.float64)


def _darker(gray: Floats) -> NDArray[np.bool_]:
    levels = gray.round().astype(np.int64)
    limit = otsu_level(np.bincount(levels[ELLIPSE], minlength=256))
    return np.asarray(levels <= (-1 if limit is None else limit))


def _overlap(found: NDArray[np.bool_], drawn: NDArray[np.bool_]) -> float:
    return float((found & drawn & ELLIPSE).sum() / max(1, ((found | drawn) & ELLIPSE).sum()))


def _borders(lesion: NDArray[np.bool_]) -> int:
    """Borders of which the lesion covers at least half of the middle half."""
    middle = slice(SIDE // 4, -SIDE // 4)
    sides = (lesion[0, middle], lesion[-1, middle], lesion[middle, 0], lesion[middle, -1])
    return sum(bool(side.mean() >= 0.5) for side in sides)


def shares(found: Sequence[Mapping[str, Any]], kind: str, copies: Sequence[str]) -> list[tuple[str, dict[str, float]]]:
    """Of every way, the share of copies beyond the limit that refuses one in a hundred as it is."""
    rows = []
    for way in found[0][kind][AS_IT_IS]:
        values = {name: np.array([one[kind][name][way] for one in found]) for name in (AS_IT_IS, *copies)}
        if kind == "sharpness":
            limit = float(np.quantile(values[AS_IT_IS], 0.01))
            rows.append((way, {name: float((values[name] < limit).mean()) for name in copies}))
        else:
            limit = max(0.05, float(np.quantile(values[AS_IT_IS], 0.99)))
            rows.append((way, {name: float((values[name] > limit).mean()) for name in copies}))
    return rows


def by_diagnosis(index: Index) -> dict[str, dict[str, float]]:
    """What a gate of the training part refuses of each diagnosis elsewhere, with and without a care for them."""
    parts = {name: index.table.filter((pl.col("split") == "train") == (name == "train")) for name in ("train", "rest")}
    measured = {name: measure_pictures(index.pictures(rows), CONTRACT) for name, rows in parts.items()}
    diagnoses, found = parts["train"]["dx"].to_list(), {}
    for name, groups in (("diagnoses cared for", diagnoses), ("pictures alike", None)):
        gate = fit_capture_gate(measured["train"], CONTRACT, groups=groups)
        refused, dx = any_of(refused_by(gate, measured["rest"])), parts["rest"]["dx"].to_numpy()
        of_each = {str(value): float(refused[dx == value].mean()) for value in np.unique(dx)}
        found[name] = {"all": float(refused.mean()), **of_each}
    return found


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("index", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--pictures", type=int, default=1000)
    given = parser.parse_args()
    index = read_index(given.index)
    rows = index.table.filter(pl.col("split") != "test").sample(given.pictures, seed=0).sort("image_id")
    items = list(enumerate(index.pictures(rows)))
    found = map_over_cores(partial(studied, masks=given.masks), items)
    ways = {kind: shares(found, kind, copies) for kind, copies in (("sharpness", SHARPNESS), ("clipping", CLIPPING))}
    overlap = {name: float(np.mean([one["overlap"][name] for one in found])) for name in CHANNELS}
    dx = rows["dx"].to_numpy()
    borders = {
        kind: {
            name: float(np.mean([one["borders"][kind] > 2 for one in np.array(found)[member]]))
            for name, member in (("all", np.ones(len(dx), bool)), ("BCC", dx == "BCC"))
        }
        for kind in ("found by Otsu", "drawn")
    }
    groups = by_diagnosis(index)
    table = [(kind, way, _shown(values)) for kind, each in ways.items() for way, values in each]
    table += [("channel of the lesion", name, f"overlap {value:.3f}") for name, value in overlap.items()]
    table += [("lesions on three borders or more", name, _shown(values)) for name, values in borders.items()]
    table += [("refused, limits set with", name, _shown(values)) for name, values in groups.items()]
    path = write_result(
        "capture_choices",
        "What the capture gate measures, beside other ways",
        {"pictures": len(found), "ways": ways, "overlap": overlap, "borders": borders, "refused": groups},
        ("choice", "way", "found"),
        table,
        arguments=["INDEX", "MASKS", "--pictures", str(given.pictures)],
        remarks=(
            "Sharpness and clipping: the share of copies that is refused by a limit that refuses 1 % of the pictures "
            "as they are (for clipping, or 5 % of the pixels where that is laxer). Blurred, shaken and overexposed "
            "copies should be refused; one that is 15 % brighter should not.",
            "The first way of each is ours.",
        ),
        packages=("numpy", "pillow", "polars"),
    )
    print(path.read_text(encoding="utf-8"))


def _shown(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.1%}" for name, value in values.items())


if __name__ == "__main__":
    main()
