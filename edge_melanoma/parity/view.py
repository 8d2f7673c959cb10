"""What was found under one rule, before and after: the values that the gate, the page and the JSON read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_melanoma.decision import DECISIONS, Decision
from edge_melanoma.metrics import DeLong, McNemar, Rate
from edge_melanoma.metrics.estimate import number
from edge_melanoma.parity.grid import Grid
from edge_melanoma.parity.recipe import Flipped
from edge_melanoma.parity.scoring import Scored

Crossing = tuple[Decision, Decision]  # decision before and after


@dataclass(frozen=True, kw_only=True)
class Change:
    """A figure before and after, and the interval of the difference on the same rows."""

    before: float
    after: float
    low: float | None = None
    high: float | None = None
    interval_by: str = ""  # what the interval was made by; empty where there is none

    @property
    def difference(self) -> float:
        """After less before."""
        return self.after - self.before

    def to_json(self) -> dict[str, Any]:
        """The change in numbers."""
        return {
            "before": number(self.before),
            "after": number(self.after),
            "difference": number(self.difference),
            "low": number(self.low),
            "high": number(self.high),
            "interval_by": self.interval_by or None,
        }


@dataclass(frozen=True, kw_only=True)
class Found:
    """The positives that `refer` finds; a case can be lost while another is gained."""

    positives: int
    before: int
    after: int
    lost: int
    gained: int

    @property
    def net_lost(self) -> int:
        """Lost less gained."""
        return self.lost - self.gained

    @property
    def change(self) -> float:
        """Of the sensitivity."""
        return -self.net_lost / self.positives if self.positives else 0.0

    def to_json(self) -> dict[str, Any]:
        """The cases in numbers."""
        return {**vars(self), "net_lost": self.net_lost, "sensitivity_change": number(self.change)}


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A picture whose decision changed."""

    image_id: str
    lesion_id: str | None
    dx: str
    answer: str  # the class of the task
    positive: bool
    p_before: float
    p_after: float
    before: Decision
    after: Decision
    distance: float  # of the score before from the nearest threshold, in log-odds

    def to_json(self) -> dict[str, Any]:
        """The flip as it is."""
        rounded = {name: number(getattr(self, name)) for name in ("p_before", "p_after", "distance")}
        return {**vars(self), **rounded}


@dataclass(frozen=True, kw_only=True)
class SubgroupChange:
    """One subgroup: whom the change hits."""

    attribute: str
    value: str
    rows: int
    flips: int
    found: Found
    judged: bool  # enough positives, and it is told who they are

    def to_json(self) -> dict[str, Any]:
        """The subgroup in numbers."""
        return {**vars(self), "found": self.found.to_json()}


@dataclass(frozen=True, kw_only=True)
class LesionView:
    """The same by lesion, from the mean logits of its pictures; shown, not judged."""

    lesions: int
    auc: Change
    found: Found
    flips: Rate
    refer_flips: Rate

    def to_json(self) -> dict[str, Any]:
        """The lesions in numbers."""
        return {name: value if name == "lesions" else value.to_json() for name, value in vars(self).items()}


@dataclass(frozen=True, kw_only=True)
class ViewResult:
    """Everything that was found under one rule."""

    name: str  # frozen, refitted
    auc: Change
    pauc80: Change
    sensitivity: Change
    specificity: Change
    ece: Change
    delong: DeLong
    mcnemar: McNemar  # on who is right, decisions of `refer`
    found: Found
    crossings: Mapping[Crossing, tuple[int, int]]  # positives, negatives
    flip_rates: Mapping[Flipped, Rate]
    near_rates: Mapping[Flipped, Rate]  # among the pictures nearest to a threshold
    abstain_agreement: Rate
    flips: tuple[Flip, ...]  # any change, positives first
    mean_probability_change: float  # of the absolute change
    p99_probability_change: float
    max_probability_change: float
    grid: Grid
    subgroups: tuple[SubgroupChange, ...]
    lesion: LesionView | None  # None where no lesion has two pictures
    after: Scored = field(repr=False)

    def positives_moved(self, after: Decision) -> int:
        """Positives that got this decision and had a more careful one."""
        worse = DECISIONS[DECISIONS.index(after) + 1 :]
        return sum(self.crossings[before, after][0] for before in worse)

    def to_json(self) -> dict[str, Any]:
        """The view in numbers."""
        plain = ("auc", "pauc80", "sensitivity", "specificity", "ece", "delong", "mcnemar", "found", "grid")
        return {
            "name": self.name,
            **{name: getattr(self, name).to_json() for name in plain},
            "positives_to_low": self.positives_moved("low"),
            "positives_to_uncertain": self.positives_moved("uncertain"),
            "decisions": [
                {"before": before, "after": after, "positives": counts[0], "negatives": counts[1]}
                for (before, after), counts in self.crossings.items()
            ],
            "flip_rates": {name: rate.to_json() for name, rate in self.flip_rates.items()},
            "flip_rates_near_threshold": {name: rate.to_json() for name, rate in self.near_rates.items()},
            "abstain_agreement": self.abstain_agreement.to_json(),
            "probability_change": {
                "mean": number(self.mean_probability_change),
                "p99": number(self.p99_probability_change),
                "max": number(self.max_probability_change),
            },
            "subgroups": [group.to_json() for group in self.subgroups],
            "lesion": self.lesion and self.lesion.to_json(),
            "flips": [flip.to_json() for flip in self.flips],
        }
