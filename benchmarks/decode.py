"""What reduced decoding saves: the contract's way from a 12-megapixel JPEG to a tensor, against decoding all of it.

Both ways alternate inside one run, so that a busy machine slows both. Bytes in memory to tensor: no disk. Everything is
measured twice, because the full picture needs 84 MB and much of its time goes into getting them: with memory as the
system gives it (a command that predicts once), and with memory that the process keeps (a service).
Run: python -m edge_melanoma.benchmarks.decode tests/golden/pictures/big_12mp.jpg --out benchmarks/results
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import io
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, features

from edge_melanoma.errors import EXIT_GATE_NOT_MET, EdgeMelanomaError
from edge_melanoma.machine import Machine, this_machine
from edge_melanoma.output import write_file, write_json
from edge_melanoma.picture import decode, open_picture
from edge_melanoma.preprocess import PreprocessContract

WANTED_RATIO = 4.0
SEED = 20
WARM_UP = 2  # rounds
PHOTO_SIZE = (4000, 3000)
QUALITIES = (80, 90, 95)
# Detail of every size, as a photograph has it: noise of this many pixels, with this standard deviation.
PHOTO_GRAIN = ((900, 24.0), (300, 14.0), (90, 9.0), (30, 6.0), (12, 4.5), (6, 4.0), (3, 3.0), (1, 2.0))


Memory = Literal["fresh", "kept"]


@dataclass(frozen=True, kw_only=True)
class Way:
    """Median times of one way from bytes to tensor; the parts exclude giving the memory back."""

    total_ms: float
    decode_ms: float
    geometry_ms: float  # crop and resize


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One picture, both ways."""

    picture: str
    memory: Memory
    bytes: int
    sha256: str
    width: int
    height: int
    reduction: int
    rounds: int
    full: Way
    contract: Way
    ratio: float  # median of the rounds' ratios
    ratio_lower_quartile: float
    ratio_upper_quartile: float
    decode_eighth_ms: float  # hardly more than the entropy decoder, which no scale spares
    pixel_difference_mean: float  # of 0..255, between the two tensors
    pixel_difference_max: int


@dataclass(frozen=True, kw_only=True)
class DecodeReport:
    """What was measured, where, and with what."""

    command: str
    machine: Machine
    load_before: float | None  # of the last minute; the machine may be shared
    pillow: str
    libjpeg_turbo: str | None
    contract: PreprocessContract
    comparisons: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        return all(comparison.ratio >= WANTED_RATIO for comparison in self.comparisons)

    def to_json(self) -> dict[str, Any]:
        return {
            "benchmark": "decode",
            "command": self.command,
            "machine": self.machine.to_json(),
            "load_before": self.load_before,
            "pillow": self.pillow,
            "libjpeg_turbo": self.libjpeg_turbo,
            "contract": self.contract.to_json(),
            "contract_sha256": self.contract.sha256,
            "wanted_ratio": WANTED_RATIO,
            "passed": self.passed,
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
        }

    def to_markdown(self) -> str:
        machine = self.machine
        return PAGE.format(
            size=f"{self.contract.width}x{self.contract.height}",
            geometry=self.contract.geometry,
            contract=self.contract.sha256[:12],
            wanted=f"{WANTED_RATIO:g}",
            verdict=f"met in {sum(c.ratio >= WANTED_RATIO for c in self.comparisons)} of {len(self.comparisons)} rows",
            rows="\n".join(map(_row, self.comparisons)),
            parts="\n".join(map(_parts, self.comparisons)),
            host=f"{machine.cpu}, {machine.cores} cores, {machine.architecture}, {machine.system}",
            versions=f"Python {machine.python}, Pillow {self.pillow}, libjpeg-turbo {self.libjpeg_turbo}",
            load=f"{self.load_before:.2f}" if self.load_before is not None else "unknown",
            command=self.command,
        )


PAGE = """# Reduced decoding against full decoding

From the bytes of a 12-megapixel JPEG in memory to a {size} tensor (geometry {geometry}, contract `{contract}`).
*Full*: the whole picture is decoded, then the same geometry and resize. *Contract*: decoded at the scale that the
contract's rule chooses. Both alternate in one run. Times are medians, the ratio is the median over the rounds with its
quartiles. *Memory*: fresh from the system each time, as a command that predicts once has it, or kept by the process
between pictures, as a tuned service would. Wanted: at least {wanted} times faster: **{verdict}**.

| picture | KB | scale | memory | full, ms | contract, ms | times faster | wanted {wanted} | mean difference | largest |
|---|---:|---:|---|---:|---:|---:|---|---:|---:|
{rows}

Differences are in levels of 0 to 255 between the two tensors. Two ways of averaging: neither is the truth.

Where the time goes, in ms:

| picture | memory | full: decode | full: crop, resize | contract: decode | contract: crop, resize | decode at 1/8 |
|---|---|---:|---:|---:|---:|---:|
{parts}

At 1/8 almost only the entropy decoder is left. It reads every coefficient at any scale: its time is the floor, and the
less a picture is compressed, the nearer the contract is to it. The rest of a total is giving the memory back.

Host: {host}; {versions}.
Load before the run: {load}.
Command: `{command}`
"""


def _row(c: Comparison) -> str:
    ratio = f"{c.ratio:.1f} ({c.ratio_lower_quartile:.1f} to {c.ratio_upper_quartile:.1f})"
    times = (
        f"{c.full.total_ms:.1f} | {c.contract.total_ms:.1f} | {ratio} | {'yes' if c.ratio >= WANTED_RATIO else 'no'}"
    )
    differences = f"{c.pixel_difference_mean:.2f} | {c.pixel_difference_max}"
    return f"| {c.picture} | {c.bytes / 1000:.0f} | 1/{c.reduction} | {c.memory} | {times} | {differences} |"


def _parts(c: Comparison) -> str:
    full, contract = (f"{way.decode_ms:.1f} | {way.geometry_ms:.1f}" for way in (c.full, c.contract))
    return f"| {c.picture} | {c.memory} | {full} | {contract} | {c.decode_eighth_ms:.1f} |"


def photo_like(quality: int) -> bytes:
    """A JPEG of 12 megapixels with detail of every size, as large as a telephone's; drawn, not taken."""
    rng = np.random.default_rng(SEED)
    width, height = PHOTO_SIZE
    picture = np.full((height, width, 3), (186.0, 146.0, 128.0), np.float32)
    for grain, deviation in PHOTO_GRAIN:
        noise = rng.normal(128, 40, (height // grain + 2, width // grain + 2)).clip(0, 255).astype(np.uint8)
        layer = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        picture += ((np.asarray(layer, np.float32) - 128) / 40 * deviation)[..., None] * (1.0, 0.92, 0.85)
    stream = io.BytesIO()
    image = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    image.save(stream, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
    return stream.getvalue()


def one_way(data: bytes, contract: PreprocessContract, *, full: bool) -> tuple[NDArray[np.uint8], float, float]:
    """The tensor, and the seconds for decoding and for the rest; not full is what contract.to_tensor does."""
    start = time.perf_counter()
    file = open_picture(data)
    image = decode(file, 1 if full else contract.reduction(file.facts))
    decoded = time.perf_counter()
    tensor = contract.image_to_tensor(image)
    return tensor, decoded - start, time.perf_counter() - decoded


def timed(data: bytes, contract: PreprocessContract, *, full: bool) -> tuple[float, float, float]:
    """Milliseconds: all of it, decoding, the rest."""
    start = time.perf_counter()
    _, decoding, rest = one_way(data, contract, full=full)
    return (time.perf_counter() - start) * 1000, decoding * 1000, rest * 1000


def compare(
    picture: str, data: bytes, contract: PreprocessContract, *, rounds: int, memory: Memory = "fresh"
) -> Comparison:
    """Both ways on one picture, alternating, each first in every second round."""
    file = open_picture(data, name=picture)
    times: dict[bool, list[tuple[float, float, float]]] = {True: [], False: []}
    eighth = []
    for number in range(WARM_UP + rounds):
        for full in (True, False) if number % 2 else (False, True):
            times[full].append(timed(data, contract, full=full))
        start = time.perf_counter()
        decode(file, 8)
        eighth.append((time.perf_counter() - start) * 1000)
    slow, fast = (np.array(times[full][WARM_UP:]) for full in (True, False))
    lower, middle, upper = np.quantile(slow[:, 0] / fast[:, 0], [0.25, 0.5, 0.75])
    difference = np.abs(one_way(data, contract, full=True)[0].astype(int) - contract.to_tensor(data))
    return Comparison(
        picture=picture,
        memory=memory,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        width=file.facts.width,
        height=file.facts.height,
        reduction=contract.reduction(file.facts),
        rounds=rounds,
        full=_way(slow),
        contract=_way(fast),
        ratio=float(middle),
        ratio_lower_quartile=float(lower),
        ratio_upper_quartile=float(upper),
        decode_eighth_ms=median(eighth[WARM_UP:]),
        pixel_difference_mean=float(difference.mean()),
        pixel_difference_max=int(difference.max()),
    )


def _way(times_ms: NDArray[np.float64]) -> Way:
    total, decoding, rest = (float(value) for value in np.median(times_ms, axis=0))
    return Way(total_ms=total, decode_ms=decoding, geometry_ms=rest)


def keep_memory() -> bool:
    """Let this process keep what it frees; False where the C library is not glibc."""
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    try:
        library = ctypes.CDLL(None)
        return bool(library.mallopt(trim_threshold, 2**31 - 1) and library.mallopt(mmap_threshold, 2**25))
    except (AttributeError, OSError, TypeError):
        return False


def run(pictures: Sequence[Path], *, size: int, rounds: int, command: str) -> DecodeReport:
    """Measure drawn photographs of three qualities, and any pictures that are given."""
    contract = PreprocessContract(width=size, height=size)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    sources = [(path.name, path.read_bytes()) for path in pictures]
    sources += [(f"photo-like, quality {quality}", photo_like(quality)) for quality in QUALITIES]
    comparisons = [compare(name, data, contract, rounds=rounds) for name, data in sources]
    if keep_memory():
        comparisons += [compare(name, data, contract, rounds=rounds, memory="kept") for name, data in sources]
    return DecodeReport(
        command=command,
        machine=this_machine(),
        load_before=load,
        pillow=PIL.__version__,
        libjpeg_turbo=features.version("libjpeg_turbo"),
        contract=contract,
        comparisons=tuple(comparisons),
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m edge_melanoma.benchmarks.decode", description=__doc__)
    parser.add_argument("pictures", nargs="*", type=Path, help="JPEGs to measure besides the drawn ones")
    parser.add_argument("--size", type=int, default=224, help="side of the tensor (default 224)")
    parser.add_argument("--rounds", type=int, default=31, help="rounds after two of warm-up (default 31)")
    parser.add_argument("--out", type=Path, help="folder for decode.json and decode.md")
    options = parser.parse_args(arguments)
    try:
        command = " ".join(["python -m edge_melanoma.benchmarks.decode", *arguments])
        report = run(options.pictures, size=options.size, rounds=options.rounds, command=command)
    except EdgeMelanomaError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if options.out:
        write_json(options.out / "decode.json", report.to_json())
        write_file(options.out / "decode.md", report.to_markdown())
    print(report.to_markdown())
    return 0 if report.passed else EXIT_GATE_NOT_MET


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
