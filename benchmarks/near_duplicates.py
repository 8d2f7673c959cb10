"""What finding near-duplicates costs at the size of HAM10000, of ISIC 2019 and 2020 together, and of ISIC 2024.

Each size runs in a process of its own, so that its peak memory is its own. The hashes are made: dark blobs of random
place, size and shape plus 1/f noise, through the DCT of data/fingerprint.py, which gives bits as correlated as those of
real pictures (how often chunks of bits agree is given for both); one hash in a hundred is nearly a copy.
Run: python -m edge_melanoma.benchmarks.near_duplicates [PICTURES …] [--out FOLDER]
PICTURES is a folder of JPEGs, which are searched too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.data.fingerprint import HASH_BITS, NEAR_LIMIT, fingerprint
from edge_melanoma.data.neighbours import near_pairs
from edge_melanoma.parallel import map_over_cores

from .host import RESULTS, write_result

SIZES = (10_000, 100_000, 400_000)
COPIES = 0.01
_SIDE, _FREQUENCIES = 32, np.arange(1, 17)
_NOISE = 0.6  # chosen so that hashes collide slightly more often than those of HAM10000 do
_COPY_NOISE = 0.02
_BLOCK = 500
_ROUNDS = 3  # the fastest counts: the others shared the machine with something
_CHUNKS = 13  # as the search has at this limit


def correlated_hashes(count: int, *, rng: np.random.Generator) -> list[str]:
    """Hashes with the statistics of dermoscopy pictures; one in a hundred is nearly a copy of the one before."""
    hashes: list[str] = []
    for start in range(0, count, _BLOCK):
        coefficients = _coefficients(min(_BLOCK, count - start), rng)
        copied = np.flatnonzero(rng.random(len(coefficients) - 1) < COPIES)
        shift = rng.normal(0, _COPY_NOISE, (len(copied), *coefficients.shape[1:])) / _falloff()
        coefficients[copied + 1] = coefficients[copied] + shift
        bits = (coefficients > 0).reshape(-1, HASH_BITS)
        hashes += [packed.tobytes().hex() for packed in np.packbits(bits, axis=1)]
    return hashes


def _coefficients(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(picture, frequency down, frequency across)."""
    at = (np.arange(_SIDE) - (_SIDE - 1) / 2) / (_SIDE / 2)
    x, y = rng.normal(0, 0.12, (2, count, 1, 1))
    size, stretch = rng.lognormal(-1.0, 0.45, (count, 1, 1)), rng.lognormal(0, 0.25, (count, 1, 1))
    turn = rng.uniform(0, np.pi, (count, 1, 1))
    across, down = at[None, None, :] - x, at[None, :, None] - y
    radius = ((across * np.cos(turn) + down * np.sin(turn)) * stretch / size) ** 2
    radius += ((down * np.cos(turn) - across * np.sin(turn)) / stretch / size) ** 2
    blob = -1 / (1 + np.exp(np.clip(3 * (radius - 1), -30, 30)))
    dct = np.cos(np.pi * _FREQUENCIES[:, None] * (2 * np.arange(_SIDE) + 1) / (2 * _SIDE)) / 4
    return np.asarray(dct @ blob @ dct.T + _NOISE * rng.normal(size=(count, 16, 16)) / _falloff())


def _falloff() -> NDArray[np.float64]:
    return np.hypot.outer(_FREQUENCIES, _FREQUENCIES)


def measure(hashes: list[str]) -> dict[str, Any]:
    """Time and memory of one search in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        pairs = near_pairs(hashes, limit=NEAR_LIMIT)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "hashes": len(hashes),
        "seconds": min(seconds),
        "all_seconds": seconds,
        "peak_mb": peak / 1024,
        "peak_before_mb": before / 1024,
        "pairs": len(pairs),
        "agreement": agreement(hashes[: SIZES[0]]),
    }


def agreement(hashes: list[str]) -> float:
    """How many times as often two hashes agree in a chunk of some twenty bits as fair coins would."""
    bits = np.unpackbits(np.array([list(bytes.fromhex(value)) for value in hashes], np.uint8), axis=1)
    times = []
    for chunk in (bits[:, k::_CHUNKS].astype(np.int64) for k in range(_CHUNKS)):
        sizes = np.unique(chunk @ (1 << np.arange(chunk.shape[1])), return_counts=True)[1]
        times.append((sizes * (sizes - 1)).sum() / (len(hashes) * (len(hashes) - 1)) * 2.0 ** chunk.shape[1])
    return float(np.mean(times))


def picture_hash(path: Path) -> str | None:
    return fingerprint(path.read_bytes(), path.name).phash


def child(argument: str) -> dict[str, Any]:
    """One measurement: so many made hashes, as many equal ones (`=400000`), or those of a folder of pictures."""
    if argument.isdigit():
        return {"kind": "made"} | measure(correlated_hashes(int(argument), rng=np.random.default_rng(0)))
    if argument.startswith("="):
        return {"kind": "all equal"} | measure(["00" * (HASH_BITS // 8)] * int(argument[1:]))
    found = map_over_cores(picture_hash, sorted(Path(argument).glob("*.jpg")))
    return {"kind": "real pictures"} | measure([value for value in found if value is not None])


def main(arguments: Sequence[str] | None = None) -> None:
    """Each size in a child, so that one size's memory is not another's."""
    given = _parsed(arguments)
    searches = [*map(str, SIZES), f"={SIZES[-1]}", *(str(folder.absolute()) for folder in given.pictures)]
    command = [sys.executable, "-m", "edge_melanoma.benchmarks.near_duplicates", "--child"]
    found = [json.loads(subprocess.check_output([*command, argument], text=True)) for argument in searches]
    made = [one for one in found if one["kind"] == "made"]
    exponents = [_exponent(small, large) for small, large in itertools.pairwise(made)]
    rows = [
        (one["kind"], f"{one['hashes']:,}", f"{one['seconds']:.2f}", f"{one['peak_mb']:.0f}", f"{one['pairs']:,}")
        for one in found
    ]
    remarks = [
        f"The fastest of {_ROUNDS} searches. Time grows with the size to the power of "
        + " and ".join(f"{e:.2f} ({a:,} to {b:,})" for e, a, b in zip(exponents, SIZES, SIZES[1:], strict=False))
        + "; comparing all with all has 2.",
        "Peak memory is of the whole process, interpreter, libraries and the hashes themselves included: "
        + ", ".join(f"{one['peak_before_mb']:.0f}" for one in found)
        + " MB were reached before the search began.",
        "Of the first 10,000 hashes, two agree in a chunk of some 20 bits so many times as often as fair coins: "
        + ", ".join(f"{one['agreement']:.0f} ({one['kind']})" for one in found if one["kind"] != "all equal")
        + ".",
    ]
    path = write_result(
        "near_duplicates",
        f"Near-duplicates among {HASH_BITS}-bit hashes, limit {NEAR_LIMIT}",
        {"limit": NEAR_LIMIT, "exponents": exponents, "searches": found},
        ("hashes", "number", "seconds", "peak memory, MB", "pairs found"),
        rows,
        arguments=["PICTURES"] * len(given.pictures),
        remarks=remarks,
        packages=("numpy",),
        folder=given.out,
    )
    print(path.read_text(encoding="utf-8"))


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; folders are looked at now, because the made hashes take minutes."""
    parser = argparse.ArgumentParser(
        prog="python -m edge_melanoma.benchmarks.near_duplicates", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("pictures", nargs="*", type=Path, metavar="PICTURES", help="folders of JPEGs, searched too")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where the result goes")
    given = parser.parse_args(arguments)
    for folder in given.pictures:
        if not any(folder.glob("*.jpg")):
            parser.error(f"{folder}: is no folder with pictures called *.jpg")
    return given


def _exponent(small: dict[str, Any], large: dict[str, Any]) -> float:
    return float(np.log(large["seconds"] / small["seconds"]) / np.log(large["hashes"] / small["hashes"]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(sys.argv[2])))
    else:
        main()
