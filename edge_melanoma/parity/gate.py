"""The rows of the gate: what was asked, what was found under each view, and whether that passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_melanoma.metrics.estimate import number
from edge_melanoma.parity.grid import Levels
from edge_melanoma.parity.recipe import GateRecipe, View
from edge_melanoma.parity.view import ViewResult

MINUS = "−"
NOTHING = 1e-9  # below it a difference is what the order of additions makes of equal numbers


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a finding needs beyond its view."""

    rows: int
    positives: int
    positive_name: str  # melanoma, positive
    levels: Levels
    temperature_ratio: float
    float_logit_difference: float | None  # None: no float TFLite model was given


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found under one view."""

    value: float | None
    text: str  # the value as a table shows it
    passed: bool
    words: str
    hard: bool = False  # beyond the limit at which a model is broken
    low: float | None = None  # the interval of the value
    high: float | None = None
    aim_met: bool | None = None  # None: there is no aim
    judged: bool = True  # False: counted and listed only

    def to_json(self) -> dict[str, Any]:
        """The finding in numbers."""
        return {**vars(self), **{name: number(getattr(self, name)) for name in ("value", "low", "high")}}


@dataclass(frozen=True, kw_only=True)
class GateRow:
    """One check: it passes if every view that decides does."""

    name: str
    title: str
    asked: str
    view: View
    findings: Mapping[str, Finding]  # by view; the same twice where the view makes no difference

    @property
    def deciding(self) -> dict[str, Finding]:
        """The findings that decide, by view."""
        return {name: found for name, found in self.findings.items() if self.view in ("both", name)}

    @property
    def decisive(self) -> Finding:
        """The worst of the deciding findings."""
        return min(self.deciding.values(), key=lambda found: (found.passed, not found.hard))

    @property
    def passed(self) -> bool:
        """Do all deciding views pass?"""
        return all(found.passed for found in self.deciding.values())

    @property
    def hard(self) -> bool:
        """Is a limit passed at which a model is broken?"""
        return any(found.hard for found in self.deciding.values())

    @property
    def judged(self) -> bool:
        """Was a limit asked for?"""
        return any(found.judged for found in self.deciding.values())

    @property
    def aim_met(self) -> bool | None:
        """Is the aim reached, too? None: there is none."""
        met = [found.aim_met for found in self.deciding.values() if found.aim_met is not None]
        return all(met) if met else None

    @property
    def found(self) -> str:
        """What decided, as text; of both views where they differ."""
        texts = {name: found.text for name, found in self.deciding.items()}
        if len(set(texts.values())) == 1:
            return self.decisive.text
        return "; ".join(f"{name} {text}" for name, text in texts.items())

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the value that decided."""
        low, high = self.decisive.low, self.decisive.high
        return None if low is None or high is None else (low, high)

    @property
    def words(self) -> str:
        """What decided, in words."""
        return self.decisive.words

    @property
    def verdict(self) -> str:
        """Passed, with a word on the aim, failed, failed hard; or listed, where no limit was asked for."""
        if not self.judged:
            return "listed"
        return ("pass" if self.passed else "hard fail" if self.hard else "fail") + (
            ", short of the aim" if self.passed and self.aim_met is False else ""
        )

    def to_json(self) -> dict[str, Any]:
        """The row in numbers."""
        return {
            "name": self.name,
            "title": self.title,
            "asked": self.asked,
            "decided_by": self.view,
            "found": self.found,
            "interval": None if self.interval is None else [number(edge) for edge in self.interval],
            "passed": self.passed,
            "hard": self.hard,
            "aim_met": self.aim_met,
            "words": self.words,
            "views": {name: found.to_json() for name, found in self.findings.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What one finding is made from."""

    recipe: GateRecipe
    view: ViewResult
    facts: Facts


def signed(value: float, digits: int = 4) -> str:
    """A difference: with its sign, and 0 only if it is that but for the rounding of the computer."""
    if abs(value) < NOTHING:
        return "0"
    text = f"{value:+.{digits}f}" if abs(value) >= 0.5 * 10**-digits else f"{value:+.0e}"
    return text.replace("-", MINUS)


def points(value: float) -> str:
    """A difference of shares in percentage points."""
    return f"{signed(100 * value, 1)} pp"


def share(value: float, digits: int = 1) -> str:
    """A share in per cent."""
    return f"{100 * value:.{digits}f} %"


def per_cent(value: float) -> str:
    """A limit in per cent, without digits that mean nothing."""
    return f"{100 * value:g} %"


def allowed(limit: float, count: int) -> float:
    """How many of `count` a share allows: at least one, because less than one picture cannot change."""
    return max(1.0, limit * count + 1e-9)


def counted(number_of: int, noun: str) -> str:
    """`1 melanoma`, `2 melanomas`."""
    return f"{number_of:,} {noun}" + ("" if number_of == 1 else "s")


def on_cases(limit: float, count: int, noun: str) -> str:
    """The remark that a limit is finer than one picture, or nothing."""
    if limit * count >= 1 or not count:
        return ""
    return (
        f"decided on cases: one {noun} of {count:,} is {share(1 / count)}, more than the limit of {per_cent(limit)}, "
        "so one is let go and two are not"
    )


def sentence(*parts: str) -> str:
    """The parts that say something, as one remark."""
    return "; ".join(part for part in parts if part)
