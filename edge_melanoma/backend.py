"""The one door to TensorFlow and Keras: import, quiet logs, seeds, determinism, versions.

Keras here is `tf_keras`, which tensorflow-model-optimization needs; `tf.keras` is never touched. Importing this module
imports nothing heavy; the first call of `tensorflow()` or `keras()` takes seconds.

    keras = backend.keras()
    backend.set_seeds(7)
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from edge_melanoma.errors import MissingExtraError, RecipeError
from edge_melanoma.native_log import without_notes

SEED_LIMIT = 2**32  # NumPy takes no larger one
_DISTRIBUTIONS = {
    "tensorflow": "tensorflow",
    "tf_keras": "tf-keras",
    "tfmot": "tensorflow-model-optimization",
    "numpy": "numpy",
}
_NEEDED_FOR = {
    "tensorflow": ("training", "tensorflow"),
    "tf_keras": ("training", "tf-keras"),
    "tensorflow_model_optimization": ("quantisation-aware training", "tensorflow-model-optimization"),
}
_NO_GPU = b"" if Path("/dev/nvidiactl").exists() else rb"|E0000 .*cuInit"
_ROUTINE = re.compile(
    rb"I0000 |WARNING: All log messages before absl|To enable the following instructions:|fully_quantize: " + _NO_GPU
)


@cache
def tensorflow() -> Any:
    """The module `tensorflow`, quiet, with Keras 2 behind it."""
    _prepare_environment()
    with quiet_native_log():
        tf = _import("tensorflow")
        tf.config.list_physical_devices()  # looks for a GPU now, while what it says about having none is caught
    tf.get_logger().setLevel("ERROR")
    return tf


@cache
def keras() -> Any:
    """The module `tf_keras`: the Keras of training, pruning and quantisation alike."""
    tensorflow()
    with quiet_native_log():
        return _import("tf_keras")


@cache
def model_optimization() -> Any:
    """The module `tensorflow_model_optimization`: wrappers and quantisers for quantisation-aware training."""
    keras()
    with warnings.catch_warnings(), quiet_native_log():
        # it compares versions with distutils while it is imported; nothing a user could do about it
        warnings.filterwarnings("ignore", "distutils Version classes are deprecated", DeprecationWarning)
        return _import("tensorflow_model_optimization")


@cache
def lite_quantiser() -> Any:
    """The converter's own step from measured ranges to integers: `convert` calls it, and it alone takes a list of
    operators that are to stay float."""
    tensorflow()
    with quiet_native_log():
        return importlib.import_module("tensorflow.lite.python.convert").mlir_quantize


def _prepare_environment() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"


@contextmanager
def quiet_native_log() -> Iterator[None]:
    """Standard error without the routine notes of TensorFlow's native code; whatever else is written comes out after.

    Needed because those notes are printed "before absl::InitializeLog", whatever TF_CPP_MIN_LOG_LEVEL says. Who sets
    that variable to 0 or 1 sees everything, and should where a process dies inside (a CPU without AVX).
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1") or sys.platform == "win32":
        yield
        return
    with without_notes(_ROUTINE):
        yield


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:  # it is there, and something that it needs is not: not ours to explain away
            raise
        purpose, distribution = _NEEDED_FOR[name]
        raise MissingExtraError(purpose, "train", distribution) from error


def set_seeds(seed: int) -> None:
    """Seed Python, NumPy's global generator and TensorFlow: all that Keras draws from."""
    if type(seed) is not int or not 0 <= seed < SEED_LIMIT:
        raise RecipeError(f"seed is {seed!r}; it must be an integer, 0 to {SEED_LIMIT - 1}")
    keras().utils.set_random_seed(seed)


def be_deterministic() -> None:
    """The same seeds give the same weights from here on, in this process for good; on a GPU it costs time."""
    tensorflow().config.experimental.enable_op_determinism()


def versions() -> dict[str, str | None]:
    """What a run records of the libraries that made it; imports none of them."""
    from edge_melanoma.machine import installed

    return {name: installed(distribution) for name, distribution in _DISTRIBUTIONS.items()}
