"""The capture gate that a bundle carries: limits, what they were fitted on, and the reasons against a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_melanoma.capture.limits import CHECKS, CaptureLimits, Check
from edge_melanoma.capture.measures import CaptureMeasures
from edge_melanoma.errors import RecipeError

GATE_VERSION = 1  # of the measures' arithmetic and of the checks


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a picture should not be judged: a code that programs translate by, and words for people."""

    code: str
    words: str


@dataclass(frozen=True, kw_only=True)
class CaptureGate:
    """What a picture has to be like before a model is asked about it."""

    version: int = GATE_VERSION
    limits: CaptureLimits
    fitted_on: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.version != GATE_VERSION:
            raise RecipeError(f"capture gate: version {self.version} is unknown; this package has {GATE_VERSION}")

    def broken(self, measures: CaptureMeasures) -> tuple[Check, ...]:
        """The checks that the picture does not pass, one a code, in the order of CHECKS."""
        failed = {check.code: check for check in reversed(CHECKS) if check.breaks(self.limits, measures)}
        return tuple(check for check in CHECKS if failed.get(check.code) is check)

    def reasons(self, measures: CaptureMeasures) -> tuple[Reason, ...]:
        """Why the picture should not be judged; none: it may be."""
        return tuple(
            Reason(code=check.code, words=check.words(self.limits, measures)) for check in self.broken(measures)
        )

    def to_json(self) -> dict[str, Any]:
        """The gate as a bundle carries it."""
        return {"version": self.version, "limits": asdict(self.limits), "fitted_on": dict(self.fitted_on)}

    @classmethod
    def from_json(cls, value: Any) -> CaptureGate:
        """The gate that a bundle carries; every key must be there and none other, every number finite."""
        # not at the top: a bundle's manifest holds a gate, and its package would be imported in a circle
        from edge_melanoma.bundle.strict import fields_from_json

        return fields_from_json(cls, value, "capture gate")
