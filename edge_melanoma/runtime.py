"""The one door to LiteRT: which engine this machine has, and a model that runs in it.

    model = Model(bundle.model, threads=4)
    logits = model.logits(tensors)          # uint8 [n,H,W,3] -> float32 [n,classes]

A model is read and bounds-checked before the engine gets it. What that cannot see, a child process finds out: the
engine is native code, and a model that crashes it must not take the caller along. `trial.check_in_child` opens a model
and runs it once in a process of its own; do that with every model that is met for the first time.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.bundle.tensors import TensorFacts, ends
from edge_melanoma.errors import ArtifactError, DataError, EdgeMelanomaError, MissingExtraError, RecipeError
from edge_melanoma.machine import installed
from edge_melanoma.parallel import usable_cores
from edge_melanoma.tflite.model import read_model

MOST_THREADS = 4  # unless asked for more: small networks gain nothing beyond
SLOW = (
    "tflite-runtime runs int8 models 20 to 40 times slower than ai-edge-litert on x86-64 and with 2 to 4 times the "
    "instructions on arm64"
)


class NoEngineError(MissingExtraError):
    """Nothing here can run a model."""

    def __init__(self, message: str) -> None:
        EdgeMelanomaError.__init__(self, message)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What runs models on this machine."""

    name: str
    version: str
    slow_engine: str | None  # what it costs, where a faster one exists
    interpreter: Any

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@cache
def engine() -> Engine:
    """ai-edge-litert; else tflite-runtime, which is slow; else the interpreter of an installed TensorFlow."""
    troubles = []
    for name, module, slow in _ENGINES:
        version = installed(name)
        if version is None:
            continue
        trouble = _known_trouble(name)
        try:
            if trouble is None:
                interpreter = importlib.import_module(module).Interpreter
                return Engine(name=name, version=version, slow_engine=slow, interpreter=interpreter)
        except (ImportError, OSError) as error:
            trouble = str(error).splitlines()[0]
        troubles.append(f"{name} {version}: {trouble}")
    if installed("tensorflow") is not None:
        from edge_melanoma import backend

        tf, version = backend.tensorflow(), str(installed("tensorflow"))
        return Engine(name="tensorflow", version=version, slow_engine=None, interpreter=tf.lite.Interpreter)
    found = f" ({'; '.join(troubles)})" if troubles else ""
    mend = "pip install 'edge-melanoma[runtime]'" if _is_arm32() else "pip install ai-edge-litert"
    raise NoEngineError(f"running a model needs an engine, and none works here{found}: {mend}")


_ENGINES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter", None),
    ("tflite-runtime", "tflite_runtime.interpreter", SLOW),
)


def _known_trouble(name: str) -> str | None:
    """Why an engine that can be imported fails later."""
    if name == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
        return f"needs numpy<2, and this is {np.__version__}"
    return None


def _is_arm32() -> bool:
    return os.name == "posix" and os.uname().machine in ("armv6l", "armv7l")


class Model:
    """A .tflite in the engine of this machine: allocated once, one picture at a time."""

    def __init__(self, model: bytes, *, threads: int | None = None, name: str = "model", quiet: bool = True) -> None:
        if threads is not None and threads < 1:
            raise RecipeError(f"{threads} threads; 1 or more are needed")
        self.input, self.output = ends(read_model(model, name=name))
        self.name, self.engine = name, engine()
        self.threads = threads or min(MOST_THREADS, usable_cores())
        self._bytes = model  # the engine reads from it as long as it lives
        self._pixels = self.input.pixels()
        # TensorFlow's own interpreter warns that it will be deleted, each time
        with _quiet() if quiet else nullcontext(), warnings.catch_warnings(action="ignore"):
            try:
                self._interpreter = self.engine.interpreter(model_content=model, num_threads=self.threads)
                self._interpreter.allocate_tensors()
            except (RuntimeError, ValueError, MemoryError) as error:
                raise ArtifactError(f"{name}: {self.engine} does not open it ({_first_line(error)})") from error
        self._given = self._end(self._interpreter.get_input_details(), self.input)
        self._returned = self._end(self._interpreter.get_output_details(), self.output)

    def _end(self, details: Any, stated: TensorFacts) -> Callable[[], NDArray[Any]]:
        """The engine's own memory of an input or output, if the engine agrees with the file on what that is."""
        found = [(tuple(one["shape"].tolist()), np.dtype(one["dtype"]).name) for one in details]
        if found != [(stated.shape, stated.dtype)]:
            raise ArtifactError(f"{self.name}: says {stated}, and {self.engine} makes {found} of it; it is damaged")
        memory: Callable[[], NDArray[Any]] = self._interpreter.tensor(details[0]["index"])
        return memory

    def raw(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        """What the model returns for tensors uint8 [n,H,W,3], in its own type: [n,classes]."""
        wanted = self.input.shape[1:]
        if batch.dtype != np.uint8 or batch.shape[1:] != wanted or batch.ndim != 4:
            raise DataError(
                f"{self.name}: was given {batch.dtype} {list(batch.shape)}; uint8 [n, {', '.join(map(str, wanted))}], "
                "as its preprocessing contract makes them, is needed"
            )
        outputs = np.empty((len(batch), self.output.shape[1]), self.output.dtype)
        for picture, row in zip(batch, outputs, strict=True):
            # straight into the engine's memory; a view of it must not outlive the line
            self._given()[0] = picture if self._pixels is None else self._pixels[picture]
            try:
                self._interpreter.invoke()
            except RuntimeError as error:
                raise ArtifactError(f"{self.name}: {self.engine} cannot run it ({_first_line(error)})") from error
            row[:] = self._returned()[0]
        return outputs

    def logits(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The logits for tensors uint8 [n,H,W,3]: float32 [n,classes]."""
        return self.output.logits(self.raw(batch))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Standard error without the engine's routine note; whatever else it says comes out after."""
    try:
        terminal = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    with tempfile.TemporaryFile() as caught:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            caught.seek(0)
            os.write(2, b"".join(line for line in caught if not line.startswith(_ROUTINE)))


_ROUTINE = (b"INFO: Created TensorFlow Lite", b"INFO: Initialized TensorFlow Lite")
