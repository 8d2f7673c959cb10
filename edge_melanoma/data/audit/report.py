"""The result of an audit as a value: what was checked, what was found, what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import polars as pl

from edge_melanoma.data.audit import files, shortcuts, table
from edge_melanoma.data.audit.checks import Check
from edge_melanoma.data.fingerprint import HASH_BITS, NEAR_LIMIT

LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "near-duplicate": f"at most {NEAR_LIMIT} of {HASH_BITS} bits of the perceptual hash apart",
        "size-outlier": f"more than {files.FAR:g} times the median of the source, or less than 1/{files.FAR:g} of it, "
        f"and more than {files.SPREADS:g} robust standard deviations off, and at most {files.RARE:.0%} of the source "
        "so far to that side",
        "few-positives": f"fewer than {table.FEW_POSITIVES} melanomas in a part",
        "source-label": f"Cramér's V, corrected for its bias, above {shortcuts.STRONG_ASSOCIATION:g}",
        "metadata-leak": f"an AUC for melanoma above {shortcuts.TELLING_AUC:g}, and not by chance",
    }
)


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """What an audit found."""

    name: str  # of the index
    index_sha256: str
    rows: int
    pictures: int
    synthetic: bool
    checks: tuple[Check, ...]  # all of them, also those that found nothing
    associations: tuple[shortcuts.Association, ...]
    told: tuple[shortcuts.Told, ...]

    @property
    def failed(self) -> bool:
        """Did a check fire that must not?"""
        return any(check.fired and check.level == "fail" for check in self.checks)

    def check(self, name: str) -> Check:
        """The check of that name."""
        return next(check for check in self.checks if check.name == name)

    def table(self, *, fired_only: bool = False) -> list[tuple[str, str, int, int, str]]:
        """One row a check: name, level, findings, pictures, the first finding in words; what fired first."""
        rows: list[tuple[str, str, int, int, str]] = []
        for check in sorted(self.checks, key=lambda check: (not check.fired, check.level)):
            if check.fired or not fired_only:
                found, example = check.to_json(), check.examples(1)
                rows.append((check.name, check.level, check.count, found["pictures"], example[0] if example else ""))
        return rows

    def findings(self) -> pl.DataFrame:
        """Every picture of every finding of every check: nothing is cut."""
        parts = [check.findings.select(pl.lit(check.name).alias("check"), pl.all()) for check in self.checks]
        return pl.concat(parts)

    def to_json(self) -> dict[str, Any]:
        """The report in numbers, with a few examples a check."""
        fired = [check for check in self.checks if check.fired]
        failing = sum(check.level == "fail" for check in fired)
        return {
            "index": self.name,
            "index_sha256": self.index_sha256,
            "synthetic": self.synthetic,
            "rows": self.rows,
            "pictures": self.pictures,
            "passes": not self.failed,
            "failing": failing,
            "warning": len(fired) - failing,
            "checks": [check.to_json() for check in self.checks],
            "limits": dict(LIMITS),
            "measured": {
                "source_label": shortcuts.to_json(self.associations),
                "metadata_leak": shortcuts.to_json(self.told),
            },
        }
