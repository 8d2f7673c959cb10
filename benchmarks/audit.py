"""How many pictures a second the audit decodes and checks, with one worker and with two, in one run.

The pictures are made: 600x450 JPEGs (as HAM10000 has) with texture of all scales, of about the same number of bytes.
Run: python -m edge_melanoma.benchmarks.audit [--out FOLDER]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from edge_melanoma.data import audit
from edge_melanoma.data.fingerprint import fingerprint
from edge_melanoma.data.index import Index, conform

from .host import RESULTS, write_result

DRAWN, TIMES = 1_000, 8  # each is there under so many names: with less, starting the workers is what is measured
PICTURES = DRAWN * TIMES
SIZE = (600, 450)
WORKERS = (1, 2)
ROUNDS = 3  # the fastest counts


def textured(number: int) -> Image.Image:
    """Skin-coloured, with blots of all sizes and grain."""
    rng = np.random.default_rng(number)
    levels = np.zeros(SIZE[::-1], np.float32)
    for across in (4, 8, 16, 32, 64, 128, 600):
        blots = Image.fromarray(rng.normal(0, 120 / across**0.8, (across * 3 // 4, across)).astype(np.float32))
        levels += np.asarray(blots.resize(SIZE, Image.Resampling.BICUBIC))
    levels += rng.normal(0, 3, levels.shape)
    pixels = levels[..., None] * np.array([0.8, 1.0, 0.9]) + np.array([200, 150, 140])
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def make_index(folder: Path) -> tuple[Index, float, float]:
    """The pictures and their index; kilobytes a picture, and fingerprints a second on one core."""
    names = [f"P{number:05}.jpg" for number in range(PICTURES)]
    for number, name in enumerate(names):
        if number < DRAWN:
            textured(number).save(folder / name, quality=90)
        else:
            (folder / name).hardlink_to(folder / names[number % DRAWN])
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        drawn = [fingerprint((folder / name).read_bytes(), name) for name in names[:DRAWN]]
        seconds.append(time.perf_counter() - start)
    prints = drawn * TIMES
    table = pl.DataFrame(
        {
            "image_id": [name[:6] for name in names],
            "image_path": names,
            "sha256": [one.sha256 for one in prints],
            "phash": [one.phash for one in prints],
            "source": "made",
            "dx_raw": "NV",
            "dx": "NV",
            "y_mel": 0,
        }
    )
    kilobytes = sum((folder / name).stat().st_size for name in names) / PICTURES / 1e3
    return Index(table=conform(table), roots={"made": folder}), kilobytes, DRAWN / min(seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Audit the same pictures with each number of workers, by turns."""
    parser = argparse.ArgumentParser(
        prog="python -m edge_melanoma.benchmarks.audit", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where the result goes")
    out = parser.parse_args(arguments).out
    seconds: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    load = os.getloadavg()[0]  # what else the machine does: 2 workers need 2 free cores
    with tempfile.TemporaryDirectory() as folder:
        index, kilobytes, fingerprints = make_index(Path(folder))
        for _ in range(ROUNDS):
            for workers in WORKERS:
                start = time.perf_counter()
                report = audit.examine(index, workers=workers)
                seconds[workers].append(time.perf_counter() - start)
                assert not report.failed
    speed = {workers: PICTURES / min(taken) for workers, taken in seconds.items()}
    ratio = speed[WORKERS[-1]] / speed[WORKERS[0]]
    path = write_result(
        "audit",
        f"Auditing {PICTURES:,} JPEGs of {SIZE[0]}x{SIZE[1]}, {kilobytes:.0f} kB each",
        {
            "pictures": PICTURES,
            "size": SIZE,
            "kilobytes_per_picture": kilobytes,
            "seconds": seconds,
            "pictures_per_s": speed,
            "ratio": ratio,
            "load_before": load,
            "fingerprints_per_s_one_core": fingerprints,
        },
        ("workers", "pictures/s"),
        [(workers, f"{value:.0f}") for workers, value in speed.items()],
        remarks=(
            f"{WORKERS[-1]} workers are {ratio:.2f} times as fast as {WORKERS[0]}; starting them is included "
            f"(load of the machine before: {load:.1f}).",
            f"Each picture is read, hashed (SHA-256) and fully decoded; the fastest of {ROUNDS} rounds.",
            f"Ingest fingerprints {fingerprints:.0f} pictures/s on one core: it decodes at a reduced size.",
        ),
        packages=("numpy", "pillow", "polars"),
        folder=out,
    )
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
