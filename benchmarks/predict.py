"""What `predict` costs beyond the model: against a minimal script, a plain loop, and what a phone demo usually does.

- One picture, the whole process: against a script that imports, decodes, resizes and runs, and does nothing else.
- A 12-megapixel JPEG in memory to its decision, one thread: against decoding it fully and the float model.
- A thousand pictures on disk: against a loop over the same script's lines.
All ways alternate in one run; ratios are per lap.
Run: python -m edge_melanoma.benchmarks.predict INT8_BUNDLE FLOAT32_BUNDLE [--quick]
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edge_melanoma.bundle import Bundle, open_bundle
from edge_melanoma.prediction import Given, run
from edge_melanoma.runtime import Model, Predictor

from .decode import photo_like
from .host import write_result

MINIMAL = """
import sys
import numpy as np
from PIL import Image
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
given, returned = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
_, height, width, _ = given["shape"]
for name in sys.argv[2:]:
    picture = Image.open(name).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    interpreter.set_tensor(given["index"], np.asarray(picture)[None])
    interpreter.invoke()
    print(name, interpreter.get_tensor(returned["index"])[0])
"""
# a process of its own, small: the peak of a child begins with the memory of whoever started it
STARTER = """
import resource, subprocess, sys, time
started = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wall = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
QUALITY = 90
FOLDER_SIZE = (1024, 768)  # of a picture in the folder
DRAWN = 20  # different pictures there; the others are copies
WARM_UP = 2


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One process, from its start to its end."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def process(command: Sequence[str]) -> Cost:
    """Run a command to its end; its output is thrown away."""
    started_by = [sys.executable, "-S", "-c", STARTER, *command]
    wall, cpu, peak_kb = map(float, subprocess.run(started_by, check=True, capture_output=True).stdout.split())
    return Cost(wall_s=wall, cpu_s=cpu, peak_mb=peak_kb / 1024)


def laps(ways: Mapping[str, Callable[[], float]], count: int) -> dict[str, list[float]]:
    """Every way in turn, `count` times, after a warm-up."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for lap in range(WARM_UP + count):
        for name, way in ways.items():
            value = way()
            if lap >= WARM_UP:
                found[name].append(value)
    return found


def seconds(function: Callable[[], Any]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def ratio(times: Sequence[float], base: Sequence[float]) -> tuple[float, ...]:
    """Quartiles of the ratio, lap by lap."""
    return tuple(float(q) for q in np.quantile(np.array(times) / np.array(base), (0.25, 0.5, 0.75)))


def whole_process(bundle: Path, picture: Path, count: int) -> dict[str, Any]:
    """`edge-melanoma predict` against the minimal script."""
    ours = [sys.executable, "-m", "edge_melanoma", "predict", str(picture), "--model", str(bundle)]
    minimal = [sys.executable, "-c", MINIMAL, str(bundle), str(picture)]
    costs: dict[str, list[Cost]] = {"minimal": [], "ours": []}
    for lap in range(WARM_UP + count):
        for name, command in (("minimal", minimal), ("ours", ours)):
            cost = process(command)
            if lap >= WARM_UP:
                costs[name].append(cost)
    walls, cpus = (
        {name: [getattr(c, key) for c in all_] for name, all_ in costs.items()} for key in ("wall_s", "cpu_s")
    )
    return {
        "wall_ratio": ratio(walls["ours"], walls["minimal"]),
        "cpu_ratio": ratio(cpus["ours"], cpus["minimal"]),
        **{f"{name}_wall_s": statistics.median(each) for name, each in walls.items()},
        **{f"{name}_cpu_s": statistics.median(each) for name, each in cpus.items()},
        **{f"{name}_peak_mb": statistics.median(c.peak_mb for c in each) for name, each in costs.items()},
    }


def large_picture(int8: Bundle, float32: Bundle, count: int) -> dict[str, Any]:
    """12 megapixels to a decision, one thread: our way, and full decoding with the float model."""
    data = photo_like(QUALITY)
    predictor, usual = Predictor(int8, threads=1), Model(float32.model, threads=1)
    size = (float32.contract.width, float32.contract.height)

    def as_usual() -> None:
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        region = picture.crop((left, top, left + side, top + side))
        usual.raw(np.asarray(region.resize(size, Image.Resampling.BILINEAR))[None])

    ways = {"usual": lambda: seconds(as_usual), "ours": lambda: seconds(lambda: predictor.predict(data))}
    found = laps(ways, count)
    return {
        "speed_up": ratio(found["usual"], found["ours"]),
        **{f"{name}_ms": 1000 * statistics.median(times) for name, times in found.items()},
    }


def folder(bundle: Bundle, pictures: int, count: int) -> dict[str, Any]:
    """Pictures a second from a folder: a plain loop, and ours with one and two workers."""
    with tempfile.TemporaryDirectory() as where:
        paths = _drawn(Path(where), pictures)
        given = [Given(name=str(path), source=path) for path in paths]
        plain, predictor = Model(bundle.model, threads=1), Predictor(bundle, threads=1)
        size = (bundle.contract.width, bundle.contract.height)

        def loop() -> None:
            for path in paths:
                picture = Image.open(path).convert("RGB").resize(size, Image.Resampling.BILINEAR)
                plain.raw(np.asarray(picture)[None])

        def ours(workers: int) -> float:
            return seconds(lambda: list(run(predictor, given, workers=workers)))

        found = laps({"loop": lambda: seconds(loop), "one": lambda: ours(1), "two": lambda: ours(2)}, count)
    return {
        "pictures": pictures,
        "one_over_loop": ratio(found["loop"], found["one"]),
        "two_over_loop": ratio(found["loop"], found["two"]),
        **{f"{name}_pictures_per_s": pictures / statistics.median(times) for name, times in found.items()},
    }


def _drawn(where: Path, pictures: int) -> list[Path]:
    """JPEGs of a photograph's grain, some of them different."""
    with Image.open(io.BytesIO(photo_like(QUALITY))) as opened:
        photo = opened.convert("RGB")
    paths: list[Path] = []
    for number in range(pictures):
        path = where / f"{number:04}.jpg"
        if number < DRAWN:
            shift = 40 * number
            box = (shift, shift, shift + 2 * FOLDER_SIZE[0], shift + 2 * FOLDER_SIZE[1])
            photo.resize(FOLDER_SIZE, Image.Resampling.BILINEAR, box=box).save(path, quality=QUALITY)
        else:
            path.write_bytes(paths[number % DRAWN].read_bytes())
        paths.append(path)
    return paths


def _shown(quartiles: Sequence[float]) -> str:
    low, middle, high = quartiles
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Measure all three and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("int8", type=Path, metavar="INT8_BUNDLE")
    parser.add_argument("float32", type=Path, metavar="FLOAT32_BUNDLE")
    parser.add_argument("--quick", action="store_true", help="a trial: few laps, nothing kept")
    arguments = parser.parse_args()
    int8, float32 = open_bundle(arguments.int8), open_bundle(arguments.float32)
    with tempfile.TemporaryDirectory() as where:
        (picture,) = _drawn(Path(where), 1)
        one = whole_process(arguments.int8, picture, 2 if arguments.quick else 21)
    large = large_picture(int8, float32, 2 if arguments.quick else 31)
    many = folder(int8, 40 if arguments.quick else 1000, 1 if arguments.quick else 5)
    rows = [
        ("one picture, whole process: wall time / minimal script", _shown(one["wall_ratio"]), "≤ 1.2"),
        ("the same, processor time", _shown(one["cpu_ratio"]), ""),
        (
            "the same, peak memory in MB (minimal script)",
            f"{one['ours_peak_mb']:.0f} ({one['minimal_peak_mb']:.0f})",
            "≤ 110",
        ),
        ("12 MP JPEG to decision: full decoding and float model / ours", _shown(large["speed_up"]), "≥ 5"),
        ("the same in ms: ours (usual)", f"{large['ours_ms']:.1f} ({large['usual_ms']:.1f})", ""),
        ("1,000 pictures: speed with one worker / plain loop", _shown(many["one_over_loop"]), ""),
        ("1,000 pictures: speed with two workers / plain loop", _shown(many["two_over_loop"]), ""),
        (
            "pictures a second: loop, one worker, two",
            ", ".join(f"{many[f'{name}_pictures_per_s']:.0f}" for name in ("loop", "one", "two")),
            "",
        ),
    ]
    if arguments.quick:
        print(*rows, sep="\n")
        return
    model = int8.manifest.model
    path = write_result(
        "predict",
        f"What `predict` costs beyond the model: {model.backbone} at {int8.contract.width}, int8",
        {"model": model.name, "one_picture": one, "large_picture": large, "folder": many},
        ("what", "median (quartiles)", "aim"),
        rows,
        arguments=("INT8_BUNDLE", "FLOAT32_BUNDLE"),
        packages=("numpy", "pillow", "ai-edge-litert", "typer"),
        remarks=(
            "The minimal script imports NumPy, Pillow and the engine, resizes without a crop or a contract, and prints "
            "raw outputs: no check of the file, no decision, no capture gate.",
            f"Pictures in the folder: {FOLDER_SIZE[0]}x{FOLDER_SIZE[1]}, JPEG quality {QUALITY}, in the page cache; "
            "the model on one thread. The 12 MP picture is drawn with a photograph's grain, "
            f"quality {QUALITY}, and lies in memory.",
        ),
    )
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
