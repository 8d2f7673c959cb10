"""How long `edge-melanoma --help` takes to answer, against a Python that does nothing.

Run: python -m edge_melanoma.benchmarks.cli_start [--out FOLDER]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .host import RESULTS, write_result

ROUNDS = 15
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "edge-melanoma --version": [sys.executable, "-m", "edge_melanoma", "--version"],
    "edge-melanoma --help": [sys.executable, "-m", "edge_melanoma", "--help"],
    "edge-melanoma data ingest --help": [sys.executable, "-m", "edge_melanoma", "data", "ingest", "--help"],
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Every command in turn, so that a slow moment of the machine hits all of them."""
    parser = argparse.ArgumentParser(
        prog="python -m edge_melanoma.benchmarks.cli_start", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where the result goes")
    out = parser.parse_args(arguments).out
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for round_number in range(ROUNDS + 1):
        for name, argv in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
            if round_number:  # the first one warms the disk cache
                times[name].append((time.perf_counter() - start) * 1000)
    median = {name: statistics.median(values) for name, values in times.items()}
    nothing = median["python -c pass"]
    rows = [(name, f"{value:.0f}", f"{value / nothing:.1f}") for name, value in median.items()]
    result = {"rounds": ROUNDS, "median_ms": median, "all_ms": times}
    headers = ("command", "median ms", "times `python -c pass`")
    title, packages = "How long help takes", ("typer", "rich")
    print(write_result("cli_start", title, result, headers, rows, packages=packages, folder=out).read_text())


if __name__ == "__main__":
    main()
