"""What is tried on an emulated device, a line for each, and how its answer is judged against this machine's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_melanoma.bundle.agreement import MOST_LEVELS, MOST_SHARE

from .device import Device
from .process import Done

INSIDE = "edge_melanoma.benchmarks.pi.inside"
TOOL = "edge_melanoma"

BRIEFLY = ("--seconds", "0", "--repeats", "1", "--no-sweep")  # an emulator's milliseconds mean nothing


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the programs are given."""

    bundle: Path
    sha256: str  # of the bundle
    pictures: Path  # a folder of them
    picture: Path  # a small one, where it is measured how long one takes
    golden: Path  # golden.json, beside the pictures that it is about


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came out of a comparison."""

    passed: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """A command line that runs on the device and here; `judge` gets what it printed there, then here."""

    name: str
    module: str
    arguments: Callable[[Job], Sequence[str]]
    judge: Callable[[Device, str, str], Verdict]
    here_too: bool = True  # else `judge` gets nothing of here
    of_bundle: bool = True  # else once for a device, whatever the bundles


def judge(task: Task, device: Device, there: Done, here: Done | None) -> Verdict:
    """Both must have ended alike; then what they printed is compared."""
    expected = here.code if here else 0
    if there.code != expected:
        instead = f"; this machine ends with {expected}" if here else ""
        return Verdict(passed=False, detail=f"{there.complaint}{instead}")
    try:
        return task.judge(device, there.stdout, here.stdout if here else "")
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return Verdict(passed=False, detail=f"printed what cannot be compared ({type(error).__name__}: {error})")


def _doctor(device: Device, there: str, _: str) -> Verdict:
    """Does it know where it is, and is nothing wrong with its engine?"""
    facts = json.loads(there)
    machine, engine = facts["machine"], facts["engines"]["ai-edge-litert"]
    wanted = (device.board.model, "aarch64", f"({device.suite.name})", "asimddp" in device.board.features)
    found = (machine["board"], machine["architecture"], machine["system"], "asimddp" in machine["features"])
    same = all(a in b if isinstance(a, str) else a == b for a, b in zip(wanted, found, strict=True))
    works = bool(engine["version"]) and not engine["trouble"]
    detail = f"{machine['board']}, Python {machine['python']}, {machine['c_library']}, ai-edge-litert "
    return Verdict(passed=same and works, detail=detail + (engine["trouble"] or f"{engine['version']} works"))


def _verify(_: Device, there: str, __: str) -> Verdict:
    """The golden outputs of the bundle, which were recorded elsewhere."""
    (found,) = json.loads(there)
    detail = next((check["detail"] for check in found["checks"] if check["check"] == "golden outputs"), "")
    return Verdict(passed=found["passed"], detail=detail.split(";")[0] if found["passed"] else found["verdict"])


def _vectors(_: Device, there: str, here: str) -> Verdict:
    """Tensors to the byte, and pictures that must be refused, for the same reason."""
    found, expected = json.loads(there), json.loads(here)
    apart = sum(a != b for name in expected for a, b in zip(found[name], expected[name], strict=True))
    counts = f"{len(found['tensors'])} tensors to the byte, {len(found['refusals'])} refusals"
    return Verdict(passed=not apart, detail=f"{apart} of {counts} differ" if apart else counts)


def _outputs(_: Device, there: str, here: str) -> Verdict:
    """The model's own numbers within what may lie between engines; decisions exactly."""
    found, expected = json.loads(there), json.loads(here)
    is_integer = expected["dtype"] in ("int8", "uint8")
    numbers = "raw" if is_integer else "logits"
    if found["pictures"].keys() != expected["pictures"].keys():
        return Verdict(passed=False, detail="takes other pictures than this machine")
    ours, theirs = (np.array([one[numbers] for one in each["pictures"].values()], float) for each in (found, expected))
    limit = MOST_LEVELS if is_integer else MOST_SHARE[expected["format"]] * max(1.0, float(np.abs(theirs).max()))
    apart = np.abs(ours - theirs)
    worst = float(apart.max()) if np.isfinite(apart).all() else float("inf")
    flips = [
        name for name, one in expected["pictures"].items() if found["pictures"][name]["decision"] != one["decision"]
    ]
    unit = ("level" if worst == 1 else "levels") if is_integer else "in the logits"
    detail = f"{np.mean(apart > 0):.1%} of the values of {len(ours)} pictures differ, by up to {worst:.2g} {unit}"
    if not worst:
        detail = f"the values of {len(ours)} pictures are equal to the byte"
    changed = f"; other decisions: {', '.join(flips)}" if flips else "; decisions equal"
    return Verdict(passed=worst <= limit and not flips, detail=detail + changed)


def _predict(_: Device, there: str, here: str) -> Verdict:
    """Line by line: the same picture, decision, reasons and errors."""
    found, expected = ([json.loads(line) for line in text.splitlines()] for text in (there, here))
    words = ("picture", "decision", "reason_codes", "error")
    wrong = [
        str(b["picture"]) for a, b in zip(found, expected, strict=True) if any(a[word] != b[word] for word in words)
    ]
    apart = [
        abs(a["melanoma_probability"] - b["melanoma_probability"])
        for a, b in zip(found, expected, strict=True)
        if a["decision"] and b["decision"]
    ]
    judged = f"{len(apart)} pictures judged, {len(found) - len(apart)} refused"
    if wrong:
        return Verdict(passed=False, detail=f"{judged}; not as here: {', '.join(Path(name).name for name in wrong)}")
    return Verdict(passed=bool(apart), detail=f"{judged}, as here; probabilities within {max(apart, default=0):.1g}")


def _bench(device: Device, there: str, _: str) -> Verdict:
    """Its figures mean nothing here; that it measures, and what it finds of parity, does."""
    (found,) = json.loads(there)["measurements"]
    failed = [check["detail"] for check in found["checks"] if check["passed"] is False]
    on_board = found["device"]["machine"]["board"] == device.board.model
    detail = "; ".join(failed) or f"measures and writes its report; {len(found['checks'])} checks of parity"
    return Verdict(passed=on_board and bool(found["checks"]) and not failed, detail=detail)


TASKS = (
    Task(
        name="doctor",
        module=TOOL,
        arguments=lambda job: ("doctor", "--json"),
        judge=_doctor,
        here_too=False,
        of_bundle=False,
    ),
    Task(
        name="tensors",
        module=INSIDE,
        arguments=lambda job: ("vectors", str(job.golden)),
        judge=_vectors,
        of_bundle=False,
    ),
    Task(
        name="verify",
        module=TOOL,
        arguments=lambda job: ("verify", str(job.bundle), "--json"),
        judge=_verify,
        here_too=False,
    ),
    Task(
        name="outputs",
        module=INSIDE,
        arguments=lambda job: ("outputs", str(job.bundle), str(job.pictures)),
        judge=_outputs,
    ),
    Task(
        name="predict",
        module=TOOL,
        arguments=lambda job: ("predict", str(job.pictures), "--model", str(job.bundle), "--json"),
        judge=_predict,
    ),
    Task(
        name="bench",
        module=TOOL,
        arguments=lambda job: ("bench", str(job.bundle), *BRIEFLY, "--picture", str(job.picture), "--json"),
        judge=_bench,
        here_too=False,
    ),
)
TASK: Mapping[str, Task] = {task.name: task for task in TASKS}
