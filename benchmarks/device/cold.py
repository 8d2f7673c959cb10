"""A process that only loads a model and decides on one picture: how long that takes, and how much memory.

In a process of its own, because what this one measures must not hold what the measuring needs. The figures count from
the moment when the process is started. Child: python -P -m edge_melanoma.benchmarks.device.cold
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import edge_melanoma
from edge_melanoma.errors import ArtifactError, EdgeMelanomaError

TIMEOUT_S = 600.0
BUNDLE, TFLITE = "bundle", "tflite"
NO_MEMORY = "needs more memory than this machine gives it"


@dataclass(frozen=True, kw_only=True)
class Cold:
    """One process from its start to its first answer."""

    start_ms: float  # Python and the libraries
    open_ms: float  # the file read, hashed and checked
    load_ms: float  # into the engine, ready to run
    first_inference_ms: float
    first_decision_ms: float | None  # from the start of the process to the decision on a picture file
    libraries_mb: float | None  # memory before the model is there
    peak_mb: float | None


def measure_cold(path: Path, *, is_bundle: bool, threads: int | None, picture: Path | None) -> Cold:
    """Start the process and read what it says; ArtifactError where it does not live to say it."""
    kind = BUNDLE if is_bundle else TFLITE
    arguments = [kind, str(path), str(threads or 0), *([str(picture)] if picture else [])]
    command = [sys.executable, "-P", "-m", "edge_melanoma.benchmarks.device.cold", str(time.monotonic_ns()), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, env=_environment())
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(f"{path}: no decision in {TIMEOUT_S:g} s, in a process of its own") from error
    said = done.stdout.decode("utf-8", "replace")
    if done.returncode == ArtifactError.exit_code:
        raise ArtifactError(said.strip())
    if done.returncode in (-9, 137):
        raise ArtifactError(f"{path}: {NO_MEMORY}: the process that loaded it was killed")
    if done.returncode:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [""])[-1][:200]
        raise ArtifactError(f"{path}: a process that loads it ends with code {done.returncode} ({last})")
    return Cold(**json.loads(said.splitlines()[-1]))


def _environment() -> dict[str, str]:
    """The child finds this very package."""
    here = str(Path(edge_melanoma.__file__).resolve().parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])}


def peak_megabytes() -> float | None:
    """The most memory that this process has held so far."""
    # getrusage's maximum counts what the parent held when it started this process; the kernel's own mark does not
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


def _first_answers(started_ns: int, kind: str, path: Path, threads: int | None, picture: Path | None) -> Cold:
    import numpy as np

    from edge_melanoma.bundle import open_bundle
    from edge_melanoma.bundle.reading import read_whole
    from edge_melanoma.runtime import Model, Predictor, engine

    engine()
    libraries_mb, imported = peak_megabytes(), time.monotonic_ns()
    bundle, data = (open_bundle(path), b"") if kind == BUNDLE else (None, read_whole(path))
    opened = time.monotonic_ns()
    predictor = None if bundle is None else Predictor(bundle, threads=threads)
    model = Model(data, threads=threads, name=str(path)) if predictor is None else predictor.model
    loaded = time.monotonic_ns()
    model.raw(np.zeros(model.input.shape, np.uint8))
    inferred = time.monotonic_ns()
    if predictor is not None and picture is not None:
        predictor.predict(picture)
    decided = time.monotonic_ns()
    return Cold(
        start_ms=(imported - started_ns) / 1e6,
        open_ms=(opened - imported) / 1e6,
        load_ms=(loaded - opened) / 1e6,
        first_inference_ms=(inferred - loaded) / 1e6,
        first_decision_ms=(decided - started_ns) / 1e6 if predictor is not None and picture is not None else None,
        libraries_mb=libraries_mb,
        peak_mb=peak_megabytes(),
    )


def main(started_ns: str, kind: str, path: str, threads: str, picture: str | None = None) -> int:
    """The child: figures as one line of JSON, or what went wrong."""
    result = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever native code prints is no result
    try:
        shown = Path(picture) if picture else None
        found = _first_answers(int(started_ns), kind, Path(path), int(threads) or None, shown)
    except (EdgeMelanomaError, MemoryError) as error:
        print(f"{path}: {NO_MEMORY}" if isinstance(error, MemoryError) else error, file=result, flush=True)
        return ArtifactError.exit_code
    print(json.dumps(vars(found)), file=result, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
