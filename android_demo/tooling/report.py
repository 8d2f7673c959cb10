"""What a step found: printed, written as JSON, and read by tests/test_android.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One step of the proof."""

    name: str
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    skipped: str | None = None  # the reason, where the step did not run
    duration_s: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.problems and self.skipped is None

    def to_text(self) -> str:
        """The step as a person reads it."""
        verdict = f"skipped: {self.skipped}" if self.skipped else "passed" if self.passed else "FAILED"
        lines = [f"{self.name}: {verdict} ({self.duration_s:.1f} s)"]
        lines += [f"  {what}: {found}" for what, found in self.facts.items()]
        lines += [f"  problem: {problem}" for problem in self.problems]
        return "\n".join(lines)


def write_reports(reports: Iterable[StepReport], path: Path) -> None:
    """All steps as one JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = [asdict(report) | {"passed": report.passed} for report in reports]
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
