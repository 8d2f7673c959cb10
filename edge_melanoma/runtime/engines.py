"""Which engines run models, and what is known against them; imports none, so that it serves where one crashes."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import numpy as np

from edge_melanoma.machine import engine_works, installed

SLOW = "tflite-runtime runs int8 models some fifty times slower than ai-edge-litert on x86-64, and slower on arm64 too"


@dataclass(frozen=True, kw_only=True)
class EngineKind:
    """One distribution that can run models."""

    name: str
    module: str  # that has its Interpreter
    slow: str | None = None  # what it costs, where a faster one exists
    needs_numpy_1: bool = False
    rounds_twice: bool = False  # int8: its outputs lie some levels from what every other engine gives

    @property
    def version(self) -> str | None:
        """The version that is installed, or None."""
        return installed(self.name)

    @property
    def known_trouble(self) -> str | None:
        """Why it fails here although it can be imported."""
        if self.needs_numpy_1 and int(np.__version__.split(".")[0]) >= 2:
            return f"needs numpy<2, and this is {np.__version__}"
        return None

    def trouble(self) -> str | None:
        """Why it does not work here, found out in a process of its own; None where it works."""
        return self.known_trouble or engine_works(self.module)

    def mend(self) -> str:
        """What makes it work: a reinstallation, unless something else is the matter."""
        return install_command() if self.known_trouble else f"pip install --force-reinstall {self.name}"


# the fastest first; an installed TensorFlow brings one more, which `runtime` takes where none of these works
ENGINES = (
    EngineKind(name="ai-edge-litert", module="ai_edge_litert.interpreter"),
    EngineKind(
        name="tflite-runtime",
        module="tflite_runtime.interpreter",
        slow=SLOW,
        needs_numpy_1=True,
        rounds_twice=True,
    ),
)
_TENSORFLOW = EngineKind(name="tensorflow", module="tensorflow")


def kind_of(name: str) -> EngineKind:
    """What is known of the engine of this name."""
    return next(kind for kind in (*ENGINES, _TENSORFLOW) if kind.name == name)


def only_slow_engines() -> bool:
    """Is this 32-bit ARM, for which the fast engine is not made?"""
    return platform.machine() in ("armv6l", "armv7l")


def install_command() -> str:
    """What brings an engine to this machine."""
    return "pip install 'edge-melanoma[runtime]'" if only_slow_engines() else "pip install ai-edge-litert"
