"""An index of 400,000 rows, the size of ISIC 2024: written, read, and split, each in a process of its own.

The rows are made (patients, lesions, perceptual hashes of the same statistics as benchmarks/near_duplicates.py), so no
picture is opened: this is the cost of the table, the groups and the split.
Run: python -m edge_melanoma.benchmarks.large_index [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from edge_melanoma.data import split
from edge_melanoma.data.index import Index, conform, read_index, write_index

from .host import RESULTS, write_result
from .near_duplicates import correlated_hashes

ROWS = 400_000
PATIENTS = 1_042  # as ISIC 2024 has
STEPS = ("write", "read", "split by patient", "split by lesion")


def make_index(rows: int) -> Index:
    """Patients of some 400 pictures, lesions of one to three, one melanoma in a thousand."""
    rng = np.random.default_rng(0)
    lesion = np.sort(rng.integers(0, rows * 2 // 3, rows))
    melanoma = (rng.random(rows * 2 // 3) < 1e-3)[lesion]
    table = pl.DataFrame(
        {
            "image_id": [f"ISIC_{i:07}" for i in range(rows)],
            "image_path": [f"train-image.hdf5#ISIC_{i:07}" for i in range(rows)],
            "sha256": [rng.bytes(32).hex() for _ in range(rows)],
            "phash": correlated_hashes(rows, rng=rng),
            "lesion_id": [f"IL_{i}" for i in lesion],
            "patient_id": [f"IP_{i * PATIENTS // rows}" for i in lesion],
            "source": ["isic2024"] * rows,
            "dx": np.where(melanoma, "MEL", "OTHER_BEN"),
            "y_mel": melanoma.astype(np.int8),
            "age": rng.integers(4, 18, rows) * 5.0,
        }
    )
    return Index(table=conform(table), roots={"isic2024": Path()})


def measure(step: str, folder: Path) -> dict[str, float]:
    """One step in this process: seconds and peak memory, less what making its input took."""
    if step == "write":
        index = make_index(ROWS)
        start = time.perf_counter()
        write_index(index, folder / "index")
    elif step == "read":
        start = time.perf_counter()
        read_index(folder / "index")
    else:
        index = read_index(folder / "index")
        if step == "split by lesion":
            index = index.with_table(index.table.with_columns(patient_id=pl.lit(None, pl.String)))
        start = time.perf_counter()
        split.run(index, split.SplitRecipe(), folder / step.replace(" ", "_"), despite_audit=True)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main(arguments: Sequence[str] | None = None) -> None:
    """Each step in a child, so that one step's memory is not another's."""
    parser = argparse.ArgumentParser(
        prog="python -m edge_melanoma.benchmarks.large_index", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where the result goes")
    out = parser.parse_args(arguments).out
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for step in STEPS:
            argv = [sys.executable, "-m", "edge_melanoma.benchmarks.large_index", "--child", step, folder]
            found[step] = json.loads(subprocess.check_output(argv, text=True))
    rows = [(step, f"{value['seconds']:.1f}", f"{value['peak_mb']:.0f}") for step, value in found.items()]
    headers = ("step", "seconds", "peak memory of its process, MB")
    title = f"An index of {ROWS:,} rows"
    result, packages = {"rows": ROWS, "steps": found}, ("numpy", "polars")
    print(write_result("large_index", title, result, headers, rows, packages=packages, folder=out).read_text())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
    else:
        main()
