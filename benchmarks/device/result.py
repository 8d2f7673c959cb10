"""What a bench found, as a value that is the same on the device, over SSH, in a file and on the page.

A measurement is one artefact on one device, complete by itself: whoever finds its JSON knows what was measured on what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_melanoma.bundle.strict import added_later, fields_from_json, fields_to_json, parse
from edge_melanoma.bundle.verify import Check
from edge_melanoma.errors import EXIT_GATE_NOT_MET, ArtifactError
from edge_melanoma.machine import Machine

from .anatomy import Anatomy
from .cold import Cold
from .conditions import Conditions
from .data_parity import DataParity
from .stream import Series
from .subjects import Artefact

KIND = "bench"
SCHEMA_VERSION = 1
COMPARISON = "comparison"  # a key that --json adds, null without --compare; it is no part of the report


@dataclass(frozen=True, kw_only=True)
class Device:
    """The machine, the engine, and the state in which they were: no latency means anything without them."""

    label: str | None  # as --on named it; None: the machine that was asked
    machine: Machine
    engine: str
    engine_version: str
    slow_engine: str | None
    emulator: str | None  # in which all of this ran
    versions: Mapping[str, Any]  # edge_melanoma, numpy, pillow
    before: Conditions
    during: Conditions  # the worst that was seen right after runs
    after: Conditions
    others_share: float | None  # of all cores, that other programs took meanwhile
    marks: tuple[str, ...]  # reasons not to trust the latencies

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.label or self.machine.board or self.machine.cpu or self.machine.architecture


@dataclass(frozen=True, kw_only=True)
class EndToEnd:
    """From a picture file to a decision."""

    picture: str
    size: tuple[int, ...]
    file_bytes: int
    series: Series
    stages_ms: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How it was measured."""

    seconds: float
    repeats: int
    threads: int


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One artefact on one device."""

    device: Device
    artefact: Artefact
    settings: Settings
    model: Series
    end_to_end: tuple[EndToEnd, ...]  # none for a plain .tflite
    cold: tuple[Cold, ...]
    cold_picture: str | None
    sweep: tuple[Series, ...]  # by threads
    anatomy: Anatomy
    int8: tuple[str, ...]
    checks: tuple[Check, ...]  # of the golden outputs; none for a plain .tflite
    data: DataParity | None
    predict_threads: int | None = added_later()  # that `predict` takes here

    @property
    def name(self) -> str:
        return self.artefact.name

    @property
    def parity_passed(self) -> bool:
        """Does this device give what was promised, as far as it was asked?"""
        golden = all(check.passed is not False for check in self.checks)
        return golden and (self.data is None or self.data.passed)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of the outputs although they pass: not their levels agree, but their decisions."""
        return tuple(check.warning for check in self.checks if check.warning)

    @property
    def marks(self) -> tuple[str, ...]:
        """Everything that speaks against the figures: of the device, and of this artefact's runs."""
        found = list(self.device.marks)
        for what, series in self.all_series():
            if not series.agrees:
                found.append(f"{what}: repeated runs do not agree, their medians are {series.spread:.1%} apart")
            if not series.settled:
                found.append(f"{what}: the latencies had not settled after the warm-up")
        return tuple(found)

    def all_series(self) -> list[tuple[str, Series]]:
        """What was timed repeatedly."""
        return [("model only", self.model), *((f"end to end, {one.picture}", one.series) for one in self.end_to_end)]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A device that gave no measurement, and why."""

    label: str
    reason: str
    exit_code: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """All devices and artefacts of one call."""

    measurements: tuple[Measurement, ...]
    failures: tuple[Failure, ...] = ()
    kind: str = KIND
    schema_version: int = SCHEMA_VERSION

    @property
    def synthetic(self) -> bool:
        return any(one.artefact.synthetic for one in self.measurements)

    @property
    def exit_code(self) -> int:
        """0; the code of the first device that failed; 6 where a device does not give what was promised."""
        if self.failures:
            return self.failures[0].exit_code
        return 0 if all(one.parity_passed for one in self.measurements) else EXIT_GATE_NOT_MET

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return fields_to_json(self)


def read_report(data: bytes, *, name: str) -> Report:
    """A report as `--json` or `--out` wrote it."""
    value = parse(data, name)
    if not isinstance(value, Mapping) or value.get("kind") != KIND:
        raise ArtifactError(f"{name}: is no report of `edge-melanoma bench`; --json or --out writes one")
    if value.get("schema_version") != SCHEMA_VERSION:
        raise ArtifactError(
            f"{name}: is a report of schema version {value.get('schema_version')}; {SCHEMA_VERSION} is read: measure "
            "again with this version of edge-melanoma"
        )
    return fields_from_json(Report, {key: item for key, item in value.items() if key != COMPARISON}, name)
