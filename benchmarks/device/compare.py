"""Is this device slower than it was? Today's figures beside those of an earlier report, with a stated tolerance.

Figures of another machine, engine or number of threads are not compared unless that is asked for: they differ for
reasons that are no regression.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edge_melanoma.bundle.strict import fields_to_json
from edge_melanoma.errors import RecipeError
from edge_melanoma.machine import Machine

from .result import Measurement, Report
from .telling import typical

TOLERANCE = 0.05


@dataclass(frozen=True, kw_only=True)
class Change:
    """One figure of one artefact on one device, before and now."""

    device: str
    artefact: str
    figure: str
    before: float
    now: float
    tolerance: float
    remark: str  # why to doubt it, or what else changed

    @property
    def ratio(self) -> float:
        return self.now / self.before if self.before else float("inf") if self.now else 1.0

    @property
    def is_regression(self) -> bool:
        return self.ratio > 1 + self.tolerance

    def to_json(self) -> dict[str, Any]:
        """With what follows from it; a ratio to nothing is null."""
        ratio = self.ratio if math.isfinite(self.ratio) else None
        return {**fields_to_json(self), "ratio": ratio, "is_regression": self.is_regression}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that both reports have."""

    changes: tuple[Change, ...]
    left_out: tuple[str, ...]  # measurements of this report that the earlier one has not

    @property
    def regressions(self) -> tuple[Change, ...]:
        return tuple(one for one in self.changes if one.is_regression)

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return fields_to_json(self)


@dataclass(frozen=True, kw_only=True)
class Side:
    """What is measured on what: it has to agree for a comparison, and most of it is known before."""

    name: str  # of the artefact
    sha256: str
    label: str | None  # of the device
    machine: str | None = None  # None, here and below: not known before it is measured
    engine: str | None = None
    threads: int | None = None


def side_of(found: Measurement) -> Side:
    """Of a measurement, where everything is known."""
    device = found.device
    return Side(
        name=found.name,
        sha256=found.artefact.sha256,
        label=device.label,
        machine=machine_in_words(device.machine),
        engine=f"{device.engine} {device.engine_version}",
        threads=found.settings.threads,
    )


def machine_in_words(machine: Machine) -> str:
    """By what two machines are told apart."""
    return f"{machine.board or machine.cpu or 'unknown'}, {machine.architecture}, {machine.cores} cores"


def check_tolerance(tolerance: float) -> None:
    """RecipeError where it is no share."""
    if not 0 <= tolerance < 10:
        raise RecipeError(f"--tolerance {tolerance:g}: a share is needed, as 0.05")


def compare(now: Report, before: Report, *, tolerance: float = TOLERANCE, across: bool = False) -> Comparison:
    """Figure by figure; RecipeError where the reports have nothing in common, or were not made alike."""
    check_tolerance(tolerance)
    sides = [side_of(found) for found in now.measurements]
    changes: list[Change] = []
    left_out = []
    for found, earlier in zip(now.measurements, partners(sides, before, across=across), strict=True):
        if earlier is None:
            left_out.append(f"{found.name} on {found.device.name}")
        else:
            changes += _changes(found, earlier, tolerance)
    return Comparison(changes=tuple(changes), left_out=tuple(left_out))


def partners(now: Sequence[Side], before: Report, *, across: bool = False) -> list[Measurement | None]:
    """What each is compared with; RecipeError as of `compare`, which asks this before anything is measured too."""
    found = [_partner(one, before, alone=len(now) == 1) for one in now]
    for one, earlier in zip(now, found, strict=True):
        differs = [] if earlier is None else _differences(one, side_of(earlier))
        if differs and not across:
            raise RecipeError(
                f"{one.name}: the earlier report is of {'; of '.join(differs)}; give --across to compare all the same"
            )
    if not any(found):
        told = ", ".join(sorted({one.name for one in before.measurements})) or "nothing"
        raise RecipeError(f"the earlier report has none of these artefacts; it has {told}")
    return found


def _partner(one: Side, before: Report, *, alone: bool) -> Measurement | None:
    """The same file, whatever it is called, else the same name, best on the same device; a lone one is another's."""

    def likeness(earlier: Measurement) -> tuple[bool, bool, bool]:
        is_same_file, is_same_name = earlier.artefact.sha256 == one.sha256, earlier.name == one.name
        return earlier.device.label == one.label and (is_same_file or is_same_name), is_same_file, is_same_name

    liked = [earlier for earlier in before.measurements if any(likeness(earlier))]
    if not liked and alone and len(before.measurements) == 1:
        liked = list(before.measurements)
    return max(liked, key=likeness, default=None)


def _differences(one: Side, earlier: Side) -> list[str]:
    """In what the two are not measured alike, as far as that is known."""
    facts = [
        ("another machine", earlier.machine, one.machine),
        ("another engine", earlier.engine, one.engine),
        ("another number of threads", earlier.threads, one.threads),
    ]
    return [f"{what} ({then}, now {today})" for what, then, today in facts if today is not None and then != today]


def _changes(found: Measurement, earlier: Measurement, tolerance: float) -> Iterator[Change]:
    differs = _differences(side_of(found), side_of(earlier))
    doubts = [f"{when} is marked" for when, one in (("then", earlier), ("now", found)) if one.marks]
    remark = "; ".join(
        [*differs, *doubts, *(["another file"] if found.artefact.sha256 != earlier.artefact.sha256 else [])]
    )
    then = dict(_figures(earlier))
    for name, now in _figures(found):
        before = then.get(name)
        if before is not None and now is not None:
            yield Change(
                device=found.device.name,
                artefact=found.name,
                figure=name,
                before=before,
                now=now,
                tolerance=tolerance,
                remark=remark,
            )


def _figures(found: Measurement) -> Iterator[tuple[str, float | None]]:
    """What may not get worse: the more, the worse."""
    yield "model only, p50 ms", found.model.p50_ms
    for one in found.end_to_end:
        yield f"from {one.picture}, p50 ms", one.series.p50_ms
    yield "peak MB", typical(found, "peak_mb")
    yield "file kB", found.artefact.size_bytes / 1e3
