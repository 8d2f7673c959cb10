"""How long Kotlin takes from decoded pixels to the tensor, against Pillow: the step `times`.

Both take turns in one run, because machines are noisy, and the time is the processor's, because others use it too. The
JVM is warm: its first rounds, in which it interprets and compiles, are not counted.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edge_melanoma.machine import installed, this_machine
from edge_melanoma.output import write_file, write_json
from edge_melanoma.picture import jpeg, open_picture
from edge_melanoma.picture.reading import UPRIGHT
from edge_melanoma.preprocess import PreprocessContract
from edge_melanoma.report import markdown_table

from .core import MAIN, TESTS, compile_core_tests
from .fetch import fetch
from .java import class_path, java
from .parts import JNA_PART, JUNIT, KOTLIN, STDLIB
from .places import GOLDEN, PROJECT
from .report import StepReport

RESULTS = PROJECT / "benchmarks" / "results"
PICTURE = GOLDEN / "pictures" / "big_12mp.jpg"
SIDE = 224
MOST_TIMES = 3.0  # Pillow's time
WARM_UP, ROUNDS = 15, 25
COMMAND = "cd android_demo && python -m tooling times"
MAIN_CLASS = "edgemelanoma.core.desktop.PreprocessTimesKt"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way from decoded pixels to a tensor."""

    name: str
    reduction: int
    orientation: int


@dataclass(frozen=True, kw_only=True)
class Times:
    """What was measured of one case, in milliseconds of processor time."""

    case: Case
    pillow_ms: tuple[float, ...]
    kotlin_ms: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Kotlin's time over Pillow's: the median over the rounds."""
        return statistics.median(k / p for k, p in zip(self.kotlin_ms, self.pillow_ms, strict=True))

    def row(self) -> tuple[str, str, str, str]:
        middle = (f"{statistics.median(times):.1f}" for times in (self.pillow_ms, self.kotlin_ms))
        return (self.case.name, *middle, f"{self.ratio:.2f}")  # type: ignore[return-value]


CASES = (
    Case(name="12 megapixels at full size", reduction=1, orientation=1),
    Case(name="12 megapixels at full size, turned by EXIF", reduction=1, orientation=6),
    Case(name="12 megapixels as the contract decodes them, at 1/4", reduction=4, orientation=1),
    Case(name="12 megapixels at 1/4, turned by EXIF", reduction=4, orientation=6),
)


def times(_: Path) -> StepReport:
    """Measure every case and write benchmarks/results/android_preprocess.{json,md}."""
    compile_core_tests()
    found = [measured(case) for case in CASES]
    write_results(found, RESULTS)
    facts = {one.case.name: f"{one.ratio:.2f} times Pillow's time" for one in found}
    slow = tuple(
        f"{one.case.name}: {one.ratio:.2f} times; {MOST_TIMES} wanted" for one in found if one.ratio > MOST_TIMES
    )
    return StepReport(name="times", facts=facts, problems=slow)


def measured(case: Case) -> Times:
    """Both languages in turn."""
    stored = jpeg.decode(open_picture(PICTURE), case.reduction)
    contract = PreprocessContract(width=SIDE, height=SIDE)
    pillow, kotlin = [], []
    with _kotlin(stored) as process:
        for number in range(WARM_UP + ROUNDS):
            spent, tensor = _pillow(stored, case, contract)
            theirs, beginning = _ask(process, case)
            if tensor.tobytes()[:8].hex() != beginning:
                raise RuntimeError(f"{case.name}: Kotlin's tensor begins with {beginning}")
            if number >= WARM_UP:
                pillow.append(spent)
                kotlin.append(theirs)
    return Times(case=case, pillow_ms=tuple(pillow), kotlin_ms=tuple(kotlin))


def _pillow(stored: Image.Image, case: Case, contract: PreprocessContract) -> tuple[float, np.ndarray[Any, Any]]:
    begun = time.thread_time()
    upright = stored.transpose(UPRIGHT[case.orientation]) if case.orientation != 1 else stored
    tensor = contract.image_to_tensor(upright)
    return (time.thread_time() - begun) * 1000, tensor


@contextmanager
def _kotlin(stored: Image.Image) -> Iterator[subprocess.Popen[str]]:
    with tempfile.TemporaryDirectory() as folder:
        pixels = Path(folder) / "pixels.rgb"
        pixels.write_bytes(np.asarray(stored).tobytes())
        classes = class_path([MAIN, TESTS, *fetch([STDLIB, JUNIT, JNA_PART]).values()])
        command = [java(), "-Xmx2g", "-cp", classes, MAIN_CLASS, str(pixels), *map(str, (*stored.size, SIDE))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
            yield process
            if process.stdin:
                process.stdin.close()


def _ask(process: subprocess.Popen[str], case: Case) -> tuple[float, str]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipe to Java")
    process.stdin.write(f"{case.orientation}\n")
    answer = process.stdout.readline().split()
    if len(answer) != 3:
        raise RuntimeError(f"Java ended: {process.wait()}")
    return int(answer[1]) / 1e6, answer[2]


def write_results(found: list[Times], folder: Path) -> None:
    """Everything as JSON, the medians as a page."""
    host = this_machine().to_json()
    versions = {"pillow": installed("pillow"), "kotlin": KOTLIN, "java": _java_version()}
    cases = [
        {**vars(one.case), "pillow_ms": one.pillow_ms, "kotlin_ms": one.kotlin_ms, "ratio": one.ratio} for one in found
    ]
    content = {"command": COMMAND, "host": host, "versions": versions, "load": os.getloadavg()[0], "cases": cases}
    write_json(folder / "android_preprocess.json", content)
    lines = [
        "# Preprocessing in Kotlin on the JVM against Pillow",
        "",
        f"From decoded pixels (big_12mp.jpg, 4000x3000) to the {SIDE}x{SIDE} tensor: orientation, crop, resize. "
        f"Milliseconds of processor time of the working thread, medians of {ROUNDS} rounds in which both take turns; "
        f"the JVM is warm after {WARM_UP}. Wanted: at most {MOST_TIMES:g} times Pillow's time.",
        "",
        markdown_table(("pixels", "Pillow, ms", "Kotlin, ms", "times Pillow's"), [one.row() for one in found]).rstrip(),
        "",
        f"`{COMMAND}` on {host['cpu']}, {host['cores']} cores, {host['system'].split(',')[0]}, Pillow "
        f"{versions['pillow']}, Kotlin {KOTLIN}, Java {versions['java']}; load at the end {content['load']:.1f}. A "
        "phone's runtime is another: this says that the code is not slow by its making.",
    ]
    write_file(folder / "android_preprocess.md", "\n".join(lines) + "\n")


def _java_version() -> str:
    said = subprocess.run([java(), "-version"], capture_output=True, text=True).stderr
    return said.split('"')[1] if '"' in said else "unknown"
