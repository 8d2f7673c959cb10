"""Does this bundle hold what it promises, on this machine?

First everything that `open_bundle` asks, then the model is run on its golden vectors, in a process of its own; how
near its outputs have to come to the recorded ones stands in `agreement.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.bundle.agreement import agreement, decided
from edge_melanoma.bundle.golden import Golden, golden_of
from edge_melanoma.bundle.manifest import GoldenIdentity
from edge_melanoma.bundle.reading import CHECKS, Bundle, opening
from edge_melanoma.bundle.strict import added_later
from edge_melanoma.bundle.tensors import ends
from edge_melanoma.decision import DecisionRule
from edge_melanoma.errors import EXIT_GATE_NOT_MET, ArtifactError, EdgeMelanomaError
from edge_melanoma.machine import this_machine
from edge_melanoma.names import bytes_of
from edge_melanoma.runtime.engines import kind_of
from edge_melanoma.tflite.model import read_model
from edge_melanoma.trial import TIMEOUT_S, Trial, run_in_child

RUNNING = ("engine", "golden outputs", "decisions")  # the checks after those of reading.CHECKS


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was asked; `passed` is None where it was not come to."""

    check: str
    passed: bool | None
    detail: str
    warning: str | None = added_later()  # it passed, by less than was hoped for


@dataclass(frozen=True, kw_only=True)
class Verification:
    """All checks of one bundle."""

    bundle: str
    checks: tuple[Check, ...]
    exit_code: int
    remarks: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def verdict(self) -> str:
        """One line: passes, or what is wrong."""
        wrong = [f"{check.check}: {check.detail}" for check in self.checks if check.passed is False]
        return ("passes by decisions" if self.warnings else "passes") if self.passed else "; ".join(wrong)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before using it here although it passes."""
        return tuple(check.warning for check in self.checks if check.warning)

    def to_json(self) -> dict[str, Any]:
        return {
            "bundle": self.bundle,
            **bytes_of(self.bundle, key="bundle"),
            "passed": self.passed,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "checks": [vars(check) for check in self.checks],
            "warnings": list(self.warnings),
            "remarks": list(self.remarks),
        }


def verify(path: Path, *, timeout_s: float = TIMEOUT_S) -> Verification:
    """Check a bundle, all of it; what is wrong is in the value, not raised."""
    checks: list[Check] = []
    remarks: tuple[str, ...] = ()
    try:
        for check in _checking(path, timeout_s):
            if isinstance(check, Check):
                checks.append(check)
            else:
                remarks = _remarks(check)
        code = 0 if all(check.passed for check in checks) else EXIT_GATE_NOT_MET
    except EdgeMelanomaError as error:
        checks.append(Check(check=(*CHECKS, *RUNNING)[len(checks)], passed=False, detail=_without(path, error)))
        code = error.exit_code
    return Verification(bundle=str(path), checks=_all(checks), exit_code=code, remarks=remarks)


def not_found(named: Path, error: EdgeMelanomaError) -> Verification:
    """The same of one that was named and is not there."""
    check = Check(check=CHECKS[0], passed=False, detail=_without(named, error))
    return Verification(bundle=str(named), checks=_all([check]), exit_code=error.exit_code)


def _all(checks: Sequence[Check]) -> tuple[Check, ...]:
    """With those that were not come to."""
    left = (*CHECKS, *RUNNING)[len(checks) :]
    return (*checks, *(Check(check=name, passed=None, detail="not reached") for name in left))


def _without(path: Path, error: EdgeMelanomaError) -> str:
    """The message without the file's name, which stands above it."""
    return str(error).removeprefix(str(path)).lstrip(":, ")


def _checking(path: Path, timeout_s: float) -> Iterator[Check | Bundle]:
    steps = opening(path)
    while True:
        try:
            name, detail = next(steps)
        except StopIteration as end:
            bundle: Bundle = end.value
            break
        yield Check(check=name, passed=True, detail=detail)
    yield bundle
    yield from prove(bundle, timeout_s=timeout_s)


def prove(bundle: Bundle, *, timeout_s: float = TIMEOUT_S) -> Iterator[Check]:
    """Run an opened bundle on its golden pictures, in a process of its own, and compare."""
    trial = run_in_child(bundle.model, bundle.golden.inputs, name=bundle.name, timeout_s=timeout_s)
    slow = kind_of(trial.engine).slow
    runs = f"{trial.engine} {trial.engine_version} opens and runs it"
    yield Check(check="engine", passed=True, detail=f"{runs}; {slow}" if slow else runs)
    yield _same_outputs(bundle, trial)
    yield _same_decisions(bundle, trial)


def _same_outputs(bundle: Bundle, trial: Trial) -> Check:
    found = agreement(bundle, trial)
    return Check(check="golden outputs", passed=found.passed, detail=found.detail, warning=found.warning)


def _same_decisions(bundle: Bundle, trial: Trial) -> Check:
    try:
        expected, found, _ = decided(bundle, trial)
    except EdgeMelanomaError as error:  # logits that are not finite
        return Check(check="decisions", passed=False, detail=str(error))
    wrong = [f"picture {i}: {b} instead of {a}" for i, (a, b) in enumerate(zip(expected, found, strict=True)) if a != b]
    counts = ", ".join(f"{expected.count(word)} {word}" for word in dict.fromkeys(expected))
    return Check(check="decisions", passed=not wrong, detail="; ".join(wrong) or f"as recorded: {counts}")


def _remarks(bundle: Bundle) -> tuple[str, ...]:
    manifest = bundle.manifest
    remarks = [manifest.synthetic_banner] if manifest.synthetic_banner else []
    if not manifest.licence.commercial:
        remarks.append(f"not for commercial use: {'; '.join(manifest.licence.reasons)}")
    if manifest.gate.not_met:
        remarks.append(f"was written although the gate was not met: {', '.join(manifest.gate.not_met)}")
    return tuple(remarks)


def record_golden(
    model: bytes, inputs: NDArray[np.uint8], rule: DecisionRule, *, name: str, timeout_s: float = TIMEOUT_S
) -> tuple[Golden, GoldenIdentity]:
    """Golden vectors as this machine computes them, in the way in which `verify` will ask for them again."""
    _, returned = ends(read_model(model, name=name))
    trial = run_in_child(model, inputs, name=name, timeout_s=timeout_s)
    if not np.isfinite(trial.outputs.astype(np.float64)).all():
        raise ArtifactError(f"{name}: returns values that are not finite for a golden picture; the model is broken")
    machine = this_machine()
    identity = GoldenIdentity(
        pictures=len(inputs),
        engine=trial.engine,
        engine_version=trial.engine_version,
        architecture=machine.architecture,
        features=machine.features,
    )
    return golden_of(inputs, trial.outputs, returned, rule), identity
