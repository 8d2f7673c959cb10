"""Is this device slower than it was? Today's figures beside those of an earlier report, with a stated tolerance.

Figures of another machine, engine or number of threads are not compared unless that is asked for: they differ for
reasons that are no regression.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_melanoma.errors import RecipeError

from .result import Device, Measurement, Report
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


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that both reports have."""

    changes: tuple[Change, ...]
    left_out: tuple[str, ...]  # measurements of this report that the earlier one has not

    @property
    def regressions(self) -> tuple[Change, ...]:
        return tuple(one for one in self.changes if one.is_regression)


def compare(now: Report, before: Report, *, tolerance: float = TOLERANCE, across: bool = False) -> Comparison:
    """Figure by figure; RecipeError where the reports have nothing in common, or were not made alike."""
    if not 0 <= tolerance < 10:
        raise RecipeError(f"--tolerance {tolerance:g}: a share is needed, as 0.05")
    changes: list[Change] = []
    left_out = []
    for found in now.measurements:
        earlier = _partner(found, now, before)
        if earlier is None:
            left_out.append(f"{found.name} on {found.device.name}")
            continue
        differs = _differences(found, earlier)
        if differs and not across:
            raise RecipeError(
                f"{found.name}: the earlier report is of {'; of '.join(differs)}; give --across to compare all the same"
            )
        changes += _changes(found, earlier, tolerance, differs)
    if not changes:
        told = ", ".join(sorted({one.name for one in before.measurements})) or "nothing"
        raise RecipeError(f"the earlier report has none of these artefacts; it has {told}")
    return Comparison(changes=tuple(changes), left_out=tuple(left_out))


def _partner(found: Measurement, now: Report, before: Report) -> Measurement | None:
    """The same artefact, by name, on the same device where there are several; a lone one is another's partner."""
    named = [one for one in before.measurements if one.name == found.name]
    if not named and len(now.measurements) == len(before.measurements) == 1:
        named = list(before.measurements)
    labelled = [one for one in named if one.device.label == found.device.label]
    return next(iter(labelled or named), None)


def _differences(found: Measurement, earlier: Measurement) -> list[str]:
    """In what the two were not measured alike."""
    facts = [
        ("another machine", _machine(earlier.device), _machine(found.device)),
        ("another engine", _engine(earlier.device), _engine(found.device)),
        ("another number of threads", str(earlier.settings.threads), str(found.settings.threads)),
    ]
    return [f"{what} ({then}, now {today})" for what, then, today in facts if then != today]


def _machine(device: Device) -> str:
    machine = device.machine
    return f"{machine.board or machine.cpu or 'unknown'}, {machine.architecture}, {machine.cores} cores"


def _engine(device: Device) -> str:
    return f"{device.engine} {device.engine_version}"


def _changes(found: Measurement, earlier: Measurement, tolerance: float, differs: list[str]) -> Iterator[Change]:
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
