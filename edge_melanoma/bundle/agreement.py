"""Does an engine give the golden outputs that were recorded? To the byte, nearly, or at least the same decisions.

Where they were recorded (engine, version, architecture, instruction sets) they must be equal to the byte. On another
machine rounding may differ: by one level of an integer output, or by a small share of a float one.

One engine, tflite-runtime, rounds int8 twice, and its outputs lie several levels from those of every other engine. What
a level is worth depends on the model, so there the decisions are asked: all as recorded, and no probability moved by
more than the conversion gate lets pass. That is less than the levels would promise, so it comes with a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.bundle.manifest import Format, GoldenIdentity
from edge_melanoma.bundle.reading import Bundle
from edge_melanoma.decision import MOST_PROBABILITY_CHANGE, Decision
from edge_melanoma.machine import this_machine
from edge_melanoma.runtime.engines import kind_of
from edge_melanoma.trial import Trial

MOST_LEVELS = 1  # by which an integer output may differ on another machine
# The same for logits of other outputs, as a share of the largest logit or of 1. Dynamic models round activations
# inside: XNNPACK and the reference kernels were apart by 8 % on a MobileNetV2, and by 1e-5 (float), 6e-5 (int16x8).
MOST_SHARE: Mapping[Format, float] = {"float32": 1e-4, "float16": 1e-4, "int16x8": 1e-3, "dynamic": 1e-1}


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How the outputs of a trial lie to the recorded ones."""

    passed: bool
    detail: str
    warning: str | None = None  # it passes by its decisions only


@dataclass(frozen=True, kw_only=True)
class _Distance:
    """How far apart outputs are, and how far they may be."""

    worst: float
    share: float  # of the values, that differ at all
    limit: float
    unit: str

    @property
    def in_words(self) -> str:
        return f"{self.share:.1%} of values differ, by up to {self.amount(self.worst)}"

    def amount(self, value: float) -> str:
        return f"{value:.2g} {self.unit}" + ("s" if self.unit == "level" and value != 1 else "")


def agreement(bundle: Bundle, trial: Trial) -> Agreement:
    """By bytes, by levels, or by decisions."""
    golden = bundle.manifest.golden
    exact, apart = _recorded_here(golden, trial), _distance(bundle, trial)
    where = f"recorded with {golden.engine} {golden.engine_version} on {golden.architecture}{', as here' * exact}"
    allowed = "so they have to be equal" if exact else f"up to {apart.amount(apart.limit)} may lie between"
    found = Agreement(
        passed=apart.worst == 0 if exact else apart.worst <= apart.limit,
        detail=f"{apart.in_words if apart.worst else 'equal to the byte'}; {where}, {allowed}",
    )
    if found.passed or exact or apart.unit != "level" or not kind_of(trial.engine).rounds_twice:
        return found
    return _by_decisions(bundle, trial, apart, f"{apart.in_words}; {where}")


def decided(bundle: Bundle, trial: Trial) -> tuple[list[Decision], list[Decision], float]:
    """The decisions as recorded and as found, and the most that a probability moved; DataError if one is no number."""
    rule = bundle.rule
    probability = rule.probability(bundle.manifest.model.output.logits(trial.outputs))
    moved = float(np.abs(probability - bundle.golden.probability).max())
    return rule.decisions(bundle.golden.probability), rule.decisions(probability), moved


def _by_decisions(bundle: Bundle, trial: Trial, apart: _Distance, detail: str) -> Agreement:
    """What is left where the levels do not agree: is every decision the same, and every probability nearly?"""
    expected, found, moved = decided(bundle, trial)
    changed = sum(a != b for a, b in zip(expected, found, strict=True))
    engine, count = f"{trial.engine} {trial.engine_version}", len(expected)
    told = (
        f"probabilities move by up to {moved:.2g}, of which {MOST_PROBABILITY_CHANGE:g} are allowed, and {changed} of "
        f"{count} decisions change, of which none may"
    )
    if changed or not moved <= MOST_PROBABILITY_CHANGE:
        return Agreement(passed=False, detail=f"{detail}; by decisions: {told}")
    warning = (
        f"{engine} rounds int8 otherwise than the engine on which this bundle was measured: its golden outputs lie up "
        f"to {apart.amount(apart.worst)} apart, and the probability up to {moved:.2g}; it is used because all {count} "
        "golden decisions are the same, which other pictures need not be"
    )
    return Agreement(passed=True, detail=f"{detail}; by decisions: {told}", warning=warning)


def _distance(bundle: Bundle, trial: Trial) -> _Distance:
    """Between levels where the output is an integer of 8 bits, else between logits."""
    model, golden = bundle.manifest.model, bundle.golden
    if model.output.dtype in ("int8", "uint8"):
        return _between(trial.outputs, golden.outputs, MOST_LEVELS, "level")
    limit = MOST_SHARE.get(model.format, 0.0) * max(1.0, float(np.abs(golden.logits).max()))
    return _between(model.output.logits(trial.outputs), golden.logits, limit, "in the logits")


def _between(found: NDArray[np.generic], expected: NDArray[np.generic], limit: float, unit: str) -> _Distance:
    apart = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    worst = float(apart.max()) if np.isfinite(apart).all() else float("inf")
    return _Distance(worst=worst, share=float((apart > 0).mean()), limit=limit, unit=unit)


def _recorded_here(golden: GoldenIdentity, trial: Trial) -> bool:
    machine = this_machine()
    here = (trial.engine, trial.engine_version, machine.architecture, machine.features)
    return here == (golden.engine, golden.engine_version, golden.architecture, golden.features)
