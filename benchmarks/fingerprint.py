"""Which perceptual hash tells dermoscopy pictures apart: 64 or 256 bits, and how many of them may differ.

Two things are counted on a folder of HAM10000 pictures: near pairs within a lesion and across lesions (the latter are
looked at: --sheet draws them), and how far copies of a picture come to lie from it. Hashes are compared all with all.
Run: python -m edge_melanoma.benchmarks.fingerprint PICTURES METADATA.csv [--sheet pairs.png]
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance

from edge_melanoma.data.fingerprint import NEAR_LIMIT, fingerprint
from edge_melanoma.parallel import map_over_cores

from .host import write_result

Bits = NDArray[np.uint8]  # packed

COPIED_EVERY = 10  # every tenth picture is copied
LIMITS: Mapping[str, tuple[int, ...]] = {
    "64 bits, 8x8 by median": (0, 2, 4, 6),
    "256 bits, 16x16 by median": (16, 20, 24, 32, 40, 48),
    "ours": (16, 20, 24, 32, 40, 44, 48),
}
# pairs across lesions that show the same picture, judged by eye among all within 48 of our 256 bits
SAME_PICTURE = {("ISIC_0025226", "ISIC_0030074"), ("ISIC_0027027", "ISIC_0029036")}
SHOWN_WITHIN = 48


def by_median(gray: Image.Image, side: int) -> Bits:
    """The usual pHash: the lowest side x side frequencies of the DCT at four times the size, above their median."""
    n = 4 * side
    pixels = np.asarray(gray.resize((n, n), Image.Resampling.LANCZOS), np.float64)
    dct = np.cos(np.pi * np.arange(side)[:, None] * (2 * np.arange(n) + 1) / (2 * n))
    coefficients = dct @ pixels @ dct.T
    return np.packbits(coefficients > np.median(coefficients))


def hashes(data: bytes) -> dict[str, Bits]:
    """All hashes of a picture."""
    with Image.open(io.BytesIO(data)) as opened:
        gray = opened.convert("L")
    ours = fingerprint(data, "picture").phash
    assert ours is not None
    return {
        "64 bits, 8x8 by median": by_median(gray, 8),
        "256 bits, 16x16 by median": by_median(gray, 16),
        "ours": np.frombuffer(bytes.fromhex(ours), np.uint8),
    }


def copies(picture: Image.Image) -> Iterator[tuple[str, Image.Image, int]]:
    """Name, picture and JPEG quality of what people make of a picture."""
    width, height = picture.size
    for quality in (60, 75, 95):
        yield f"JPEG quality {quality}", picture, quality
    half, thrice = (width // 2, height // 2), (3 * width, 3 * height)
    yield "half the size, quality 75", picture.resize(half, Image.Resampling.BILINEAR), 75
    yield "three times the size, quality 90", picture.resize(thrice, Image.Resampling.BICUBIC), 90
    for factor in (0.9, 1.1):
        yield f"brightness x {factor}, quality 90", ImageEnhance.Brightness(picture).enhance(factor), 90
    yield "contrast x 1.1, quality 90", ImageEnhance.Contrast(picture).enhance(1.1), 90
    inner = picture.crop((width // 100, height // 75, width - width // 100, height - height // 75))
    yield "2 % cut off, quality 90", inner.resize((width, height), Image.Resampling.BICUBIC), 90


def study(path: Path, *, copied: bool) -> tuple[dict[str, Bits], dict[str, dict[str, int]]]:
    """The hashes of a picture, and copy -> hash -> bits that differ."""
    data = path.read_bytes()
    original = hashes(data)
    apart: dict[str, dict[str, int]] = {}
    if copied:
        with Image.open(io.BytesIO(data)) as opened:
            picture = opened.convert("RGB")
        for name, changed, quality in copies(picture):
            buffer = io.BytesIO()
            changed.save(buffer, "JPEG", quality=quality)
            of_copy = hashes(buffer.getvalue())
            apart[name] = {kind: int(np.bitwise_count(of_copy[kind] ^ original[kind]).sum()) for kind in original}
    return original, apart


def all_pairs(packed: Bits, limit: int) -> NDArray[np.int64]:
    """(i, j, distance) by brute force."""
    words = np.ascontiguousarray(packed).view(np.uint64)
    found = []
    for i in range(len(words) - 1):
        distance = np.bitwise_count(words[i + 1 :] ^ words[i]).sum(axis=1, dtype=np.int64)
        near = np.flatnonzero(distance <= limit)
        found.append(np.column_stack([np.full(len(near), i), near + i + 1, distance[near]]))
    return np.concatenate(found)


def count_pairs(paths: list[Path], packed: Mapping[str, Bits], lesion: Callable[[str], str]) -> list[dict[str, Any]]:
    """One row a hash and limit: pairs in a lesion, across lesions, and of the latter those of the same picture."""
    lesions = np.array([lesion(path.stem) for path in paths])
    rows = []
    for kind, limits in LIMITS.items():
        pairs = all_pairs(packed[kind], max(limits))
        across = lesions[pairs[:, 0]] != lesions[pairs[:, 1]]
        same = np.array([(paths[i].stem, paths[j].stem) in SAME_PICTURE for i, j, _ in pairs])
        for limit in limits:
            near = pairs[:, 2] <= limit
            counts = {"within": near & ~across, "across": near & across, "same_picture": near & across & same}
            rows.append({"hash": kind, "limit": limit, **{name: int(chosen.sum()) for name, chosen in counts.items()}})
    return rows


def draw_sheet(paths: list[Path], packed: Bits, lesion: Callable[[str], str], out: Path) -> None:
    """The pairs across lesions, the nearest first."""
    pairs = [
        pair for pair in all_pairs(packed, SHOWN_WITHIN) if lesion(paths[pair[0]].stem) != lesion(paths[pair[1]].stem)
    ]
    sheet = Image.new("RGB", (420, 170 * len(pairs)), "white")
    for row, (i, j, distance) in enumerate(sorted(pairs, key=lambda pair: pair[2])):
        for column, path in enumerate((paths[i], paths[j])):
            with Image.open(path) as picture:
                sheet.paste(picture.resize((200, 150)), (210 * column, 170 * row))
        text = f"{distance} bits: {paths[i].stem} {paths[j].stem}"
        ImageDraw.Draw(sheet).text((0, 170 * row + 152), text, fill="black")
    sheet.save(out)


def main() -> None:
    """Count, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("metadata", type=Path)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    paths = sorted(given.pictures.glob("*.jpg"))
    table = pl.read_csv(given.metadata, glob=False)
    lesion = dict(zip(table["image_id"], table["lesion_id"], strict=True)).__getitem__
    studied = map_over_cores(partial(study, copied=False), paths)
    copied = map_over_cores(partial(study, copied=True), paths[::COPIED_EVERY])
    packed = {kind: np.array([found[kind] for found, _ in studied]) for kind in LIMITS}
    pairs = count_pairs(paths, packed, lesion)
    if given.sheet:
        draw_sheet(paths, packed["ours"], lesion, given.sheet)
    apart = {
        kind: {name: [int(q) for q in _quantiles([one[name][kind] for _, one in copied])] for name in copied[0][1]}
        for kind in LIMITS
    }
    rows = [(row["hash"], row["limit"], row["within"], row["across"], row["same_picture"]) for row in pairs]
    result = {"pictures": len(paths), "copied": len(copied), "pairs": pairs, "copies_median_p99_max": apart}
    furthest = [f"{name}: {p99} / {most}" for name, (_, p99, most) in apart["ours"].items()]
    path = write_result(
        "fingerprint",
        f"Near pairs among {len(paths):,} pictures of HAM10000",
        result,
        ("hash", "limit, bits", "pairs in a lesion", "pairs across lesions", "of these the same picture"),
        rows,
        remarks=(
            "The same picture: judged by eye, among all pairs across lesions within 48 of our bits.",
            f"Copies of every {COPIED_EVERY}th picture, bits of ours from the original, 99th percentile / most: "
            + "; ".join(furthest)
            + f". The limit is {NEAR_LIMIT}.",
        ),
        packages=("numpy", "pillow", "polars"),
    )
    print(path.read_text(encoding="utf-8"))


def _quantiles(values: list[int]) -> NDArray[np.float64]:
    return np.ceil(np.quantile(values, [0.5, 0.99, 1.0]))


if __name__ == "__main__":
    main()
