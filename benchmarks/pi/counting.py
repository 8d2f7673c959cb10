"""Instructions per inference on an emulated core: the one figure of speed that an emulator can give.

A process is run with few and with many inferences, and the difference is divided: neither Python's start nor the
loading of the model counts. With a fixed seed for Python's hashes the counts are equal from run to run, and within
0.1 % wherever the files lie. They are no milliseconds: caches, memory and what a core does at once are not in them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_melanoma.errors import ArtifactError
from edge_melanoma.parallel import usable_cores

from .build import RECIPE, Workshop, build
from .cache import Say, key_of, part
from .device import Device
from .needs import need_program, run_tool
from .process import Done
from .tasks import INSIDE, TOOL

FEW, MANY = 20, 40  # Python rewrites a loop within its first ten rounds, which costs more than a tiny model
COUNTED_SUITE = "bookworm"
TOLERANCE = 0.02
TIMEOUT_S = 300.0
SOURCE = Path(__file__).with_name("instructions.c")
PLUGIN = "instructions.so"
# One thread (counters are not shared safely), and hashes that are the same in every run.
_REPEATABLE = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, kw_only=True)
class Count:
    """Instructions that were executed."""

    all: float
    vector: float  # of them, in the vector unit
    dot: float  # of those, int8 dot products

    def __sub__(self, other: Count) -> Count:
        return Count(all=self.all - other.all, vector=self.vector - other.vector, dot=self.dot - other.dot)

    def __truediv__(self, number: int) -> Count:
        return Count(all=self.all / number, vector=self.vector / number, dot=self.dot / number)

    def to_json(self) -> dict[str, int]:
        return {name: round(value) for name, value in asdict(self).items()}


def compile_plugin(cache: Path, *, say: Say) -> Path:
    """The plugin, compiled by this machine's C compiler."""
    compiler = need_program("gcc", "gcc libc6-dev")
    source = SOURCE.read_text(encoding="utf-8")

    def make(draft: Path) -> Mapping[str, Any]:
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(draft / PLUGIN), str(SOURCE)]
        run_tool(command, what="compiling the counter of instructions", timeout_s=120)
        return {}

    return part(cache, "plugin", key_of(RECIPE, source), make, say=say) / PLUGIN


def set_up(workshop: Workshop, board_names: Iterable[str]) -> tuple[Path, list[Device]]:
    """The counter, and the devices that are counted on."""
    plugin = compile_plugin(workshop.cache, say=workshop.say)
    return plugin, build(workshop, board_names=board_names, suite_names=[COUNTED_SUITE])


def count_inference(device: Device, model: Path, plugin: Path) -> Count:
    """Instructions of one inference, in one thread."""
    _succeeded(device.run_module(INSIDE, "infer", str(model.absolute()), "1", timeout_s=TIMEOUT_S))  # compiles Python
    counts = [
        _counted(device, plugin, INSIDE, "infer", str(model.absolute()), str(number), env=_REPEATABLE)
        for number in (FEW, MANY)
    ]
    return (counts[1] - counts[0]) / (MANY - FEW)


def count_predict(device: Device, bundle: Path, picture: Path, plugin: Path) -> Count:
    """Instructions of the whole process of `predict` with one picture, for a bundle that was met before."""
    arguments = ("predict", str(picture.absolute()), "--model", str(bundle.absolute()), "--threads", "1")
    with tempfile.TemporaryDirectory(prefix="edge-melanoma-pi-") as folder:
        env = {**_REPEATABLE, "XDG_CACHE_HOME": folder}
        _succeeded(device.run_module(TOOL, *arguments, timeout_s=TIMEOUT_S, env=env))
        return _counted(device, plugin, TOOL, *arguments, env=env)


def on_each_core(devices: Sequence[Device], count: Callable[..., Count], *arguments: Path) -> dict[str, Any]:
    """Core -> what `count` finds there; they are counted at the same time, which a count does not mind."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        counts = list(pool.map(lambda device: count(device, *arguments), devices))
    return {device.board.core: found.to_json() for device, found in zip(devices, counts, strict=True)}


def _counted(device: Device, plugin: Path, module: str, *arguments: str, env: Mapping[str, str]) -> Count:
    with tempfile.TemporaryDirectory(prefix="edge-melanoma-count-") as folder:
        out = Path(folder) / "counts"
        options = {**env, "QEMU_PLUGIN": f"{plugin},out={out}"}
        _succeeded(device.run_module(module, *arguments, timeout_s=TIMEOUT_S, env=options))
        lines = out.read_text(encoding="ascii").splitlines() if out.exists() else []
    if not lines:
        raise ArtifactError(f"{device.name}: the emulator counted nothing; it did not load {plugin}")
    return read_counts(lines)


def read_counts(lines: Sequence[str]) -> Count:
    """The counts of a process and its children, a line each."""
    total, vector, dot = (sum(column) for column in zip(*(map(int, line.split()) for line in lines), strict=True))
    return Count(all=total, vector=vector, dot=dot)


def _succeeded(done: Done) -> None:
    if done.code:
        raise ArtifactError(f"counting instructions: {done.complaint}")


@dataclass(frozen=True, kw_only=True)
class Change:
    """A figure beside the one that is committed."""

    model: str
    core: str
    counted: int
    committed: int

    @property
    def share(self) -> float:
        return self.counted / self.committed - 1

    @property
    def passed(self) -> bool:
        return abs(self.counted - self.committed) <= TOLERANCE * self.committed

    def __str__(self) -> str:
        limit = f"at most {TOLERANCE:.0%} may lie between; look why, and commit the new figure if it is right"
        said = f"{self.model} on {self.core}: {self.counted:,} instructions, {self.share:+.2%} of the committed"
        return said if self.passed else f"{said} {self.committed:,}; {limit}"


def changes(counted: Mapping[str, Any], committed: Mapping[str, Any]) -> list[Change]:
    """Every figure that both have: {model: {"instructions": {core: {"all": …}}}}."""
    return [
        Change(model=model, core=core, counted=found["all"], committed=committed[model]["instructions"][core]["all"])
        for model, about in counted.items()
        for core, found in about["instructions"].items()
        if core in committed.get(model, {}).get("instructions", {})
    ]
