"""Which engine this machine has, and a model that runs in it.

    model = Model(bundle.model, threads=4)
    logits = model.logits(tensors)          # uint8 [n,H,W,3] -> float32 [n,classes]

A model is read and bounds-checked before the engine gets it. What that cannot see, a child process finds out: the
engine is native code, and a model that crashes it must not take the caller along. `trial.check_in_child` opens a model
and runs it once in a process of its own; do that with every model that is met for the first time.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.bundle.tensors import TensorFacts, ends
from edge_melanoma.errors import ArtifactError, DataError, EdgeMelanomaError, MissingExtraError, RecipeError
from edge_melanoma.machine import installed
from edge_melanoma.native_log import without_notes
from edge_melanoma.parallel import usable_cores
from edge_melanoma.runtime.engines import ENGINES, install_command
from edge_melanoma.tflite.model import read_model

MOST_UNTRIED_THREADS = 4  # small networks gain little beyond
_LONGEST = 200  # characters of what the engine says: it may quote the whole model
_ROUTINE = re.compile(rb"INFO: (Created|Initialized) TensorFlow Lite")


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
    for kind in ENGINES:
        version = kind.version
        if version is None:
            continue
        trouble = kind.known_trouble
        try:
            if trouble is None:
                interpreter = importlib.import_module(kind.module).Interpreter
                return Engine(name=kind.name, version=version, slow_engine=kind.slow, interpreter=interpreter)
        except (ImportError, OSError) as error:
            trouble = _first_line(error)
        troubles.append(f"{kind.name} {version}: {trouble}")
    if installed("tensorflow") is not None:
        from edge_melanoma import backend

        tf, version = backend.tensorflow(), str(installed("tensorflow"))
        return Engine(name="tensorflow", version=version, slow_engine=None, interpreter=tf.lite.Interpreter)
    found = f" ({'; '.join(troubles)})" if troubles else ""
    raise NoEngineError(f"running a model needs an engine, and none works here{found}: {install_command()}")


def usual_threads() -> int:
    """How many threads a model gets where nobody says and nothing was tried (`threads.py` tries)."""
    return min(MOST_UNTRIED_THREADS, usable_cores())


def most_threads() -> int:
    """How many threads are run at most: far more than help, and far fewer than crash the engine."""
    return max(64, 4 * usable_cores())


def check_threads(threads: int | None) -> None:
    """Refuse a number of threads that no machine like this one has a use for; None is as many as help."""
    if threads is not None and not 1 <= threads <= most_threads():
        raise RecipeError(f"{threads} threads: 1 to {most_threads()} are taken on this machine")


class Model:
    """A .tflite in the engine of this machine: allocated once, one picture at a time."""

    def __init__(self, model: bytes, *, threads: int | None = None, name: str = "model", quiet: bool = True) -> None:
        check_threads(threads)
        self.input, self.output = ends(read_model(model, name=name))
        self.name, self.engine = name, engine()
        self.threads = threads or usual_threads()
        self._bytes = model  # the engine reads from it as long as it lives
        self._pixels = self.input.pixels()
        # TensorFlow's own interpreter warns that it will be deleted, each time
        with without_notes(_ROUTINE) if quiet else nullcontext(), warnings.catch_warnings(action="ignore"):
            try:
                self._interpreter = self.engine.interpreter(model_content=model, num_threads=self.threads)
                self._interpreter.allocate_tensors()
            except (RuntimeError, ValueError, TypeError, MemoryError) as error:
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
        if len(batch) == 1:
            return self._one(batch)
        outputs = np.empty((len(batch), self.output.shape[1]), self.output.dtype)
        for place in range(len(batch)):
            outputs[place] = self._one(batch[place : place + 1])[0]
        return outputs

    def _one(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        """The same for a batch of one, in microseconds: a small network takes no more than a hundred."""
        # straight into the engine's memory; a view of it must not outlive the line
        self._given()[...] = batch if self._pixels is None else self._pixels[batch]
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ArtifactError(f"{self.name}: {self.engine} cannot run it ({_first_line(error)})") from error
        return self._returned().copy()

    def logits(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The logits for tensors uint8 [n,H,W,3]: float32 [n,classes]."""
        return self.output.logits(self.raw(batch))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:_LONGEST]
