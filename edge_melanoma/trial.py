"""A model's first run, in a process of its own: what crashes, hangs or eats memory there is a sentence here.

The parent hands over bytes that it has checked; so what was checked is what runs. Child: python -m edge_melanoma.trial
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.bundle.arrays import array_bytes, array_of
from edge_melanoma.bundle.tensors import ends
from edge_melanoma.errors import ArtifactError, EdgeMelanomaError
from edge_melanoma.runtime import Model, NoEngineError, engine
from edge_melanoma.tflite.model import read_model

TIMEOUT_S = 120.0  # a large network without vector instructions takes seconds a picture
_SPARE_BYTES = 4 << 30  # what a model may ask for beyond what the process has anyway
_GRAY = 128
_SIZES = struct.Struct("<QQ")  # of the pictures and of the model


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """What a model returned, and the engine that ran it."""

    outputs: NDArray[Any]
    engine: str
    engine_version: str


def check_in_child(model: bytes, *, name: str, timeout_s: float = TIMEOUT_S) -> None:
    """Open a model and run it once, on a gray picture, in a child process; ArtifactError says how that ended badly."""
    given, _ = ends(read_model(model, name=name))
    run_in_child(model, np.full(given.shape, _GRAY, np.uint8), name=name, timeout_s=timeout_s)


def run_in_child(model: bytes, batch: NDArray[np.uint8], *, name: str, timeout_s: float = TIMEOUT_S) -> Trial:
    """What a model returns for tensors uint8 [n,H,W,3], in a child process with one thread."""
    pictures = array_bytes(batch)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "edge_melanoma.trial", name],
            input=b"".join((_SIZES.pack(len(pictures), len(model)), pictures, model)),
            capture_output=True,
            timeout=timeout_s,
            env={**os.environ, "PYTHONPATH": _search_path()},
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(
            f"{name}: did not come to an end in {timeout_s:g} s, in a process of its own; it was stopped"
        ) from error
    if done.returncode:
        raise _error(done, name)
    about, _, outputs = done.stdout.partition(b"\n")
    try:
        return Trial(outputs=array_of(outputs, name=name), **json.loads(about))
    except (ArtifactError, ValueError, TypeError) as error:
        raise ArtifactError(f"{name}: a process of its own did not answer; it cannot be used here") from error


def _search_path() -> str:
    """The child finds this very package, and nothing that happens to lie in the working directory."""
    here = str(Path(__file__).resolve().parents[1])
    return os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])


def _error(done: subprocess.CompletedProcess[bytes], name: str) -> EdgeMelanomaError:
    if done.returncode == ArtifactError.exit_code:
        return ArtifactError(done.stdout.decode("utf-8", "replace"))
    if done.returncode == NoEngineError.exit_code:
        return NoEngineError(done.stdout.decode("utf-8", "replace"))
    last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [""])[-1][:200]
    said = f" ({last})" if last else ""
    if done.returncode < 0:
        return ArtifactError(f"{name}: crashes the engine: {_signal(-done.returncode)}{said}; it cannot be used here")
    return ArtifactError(
        f"{name}: a process of its own ended with code {done.returncode}{said}; it cannot be used here"
    )


def _signal(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name + (", as for want of memory" if number == signal.SIGKILL else "")
    return f"signal {number}"


def main(name: str) -> int:
    """The child: pictures and a model on standard input, what the model returns on standard output."""
    result = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever native code prints is no result
    data = sys.stdin.buffer.read()
    pictures, size = _SIZES.unpack_from(data)
    batch = array_of(data[_SIZES.size : _SIZES.size + pictures], name=name)
    try:
        which = engine()
        _limit_resources()
        outputs = Model(data[-size:], threads=1, name=name, quiet=False).raw(batch)
    except EdgeMelanomaError as error:
        result.write(str(error).encode("utf-8", "replace"))
        result.close()
        return error.exit_code
    about = {"engine": which.name, "engine_version": which.version}
    result.write(json.dumps(about).encode() + b"\n" + array_bytes(outputs))
    result.close()
    return 0


def _limit_resources() -> None:
    """No core file, and an allocation that asks for all memory fails here instead of taking the machine down."""
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (used + _SPARE_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    except (ImportError, OSError, ValueError):  # not Linux, or already limited below that
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
