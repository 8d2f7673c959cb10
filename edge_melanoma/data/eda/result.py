"""What a look at a data set found, as a value; pages and command lines come later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_melanoma.data.eda.counts import Counts
from edge_melanoma.data.eda.measuring import Measurements
from edge_melanoma.data.eda.metadata import Metadata
from edge_melanoma.data.eda.samples import Row
from edge_melanoma.data.no_pixel import NoPixelBaseline
from edge_melanoma.notice import SYNTHETIC_BANNER


@dataclass(frozen=True, kw_only=True)
class EdaResult:
    """Everything that is on the page."""

    title: str  # of the data set
    index_sha256: str
    synthetic: bool
    seed: int
    counts: Counts
    metadata: Metadata
    measured: Measurements
    samples: tuple[Row, ...]
    baseline: NoPixelBaseline

    @property
    def melanoma_share(self) -> float:
        """Of all pictures."""
        everything = self.counts.all
        return everything.melanomas / everything.pictures if everything.pictures else 0.0

    def to_json(self) -> dict[str, Any]:
        """The result in numbers."""
        return {
            "title": self.title,
            "index_sha256": self.index_sha256,
            "synthetic": self.synthetic,
            "seed": self.seed,
            "counts": self.counts.to_json(),
            "metadata": self.metadata.to_json(),
            "pictures": self.measured.to_json(),
            "samples": {row.name: list(row.chosen) for row in self.samples},
            "no_pixel_baseline": self.baseline.to_json(),
        }

    def in_short(self) -> str:
        """What the data set is, in one sentence."""
        counted = self.counts.all
        of_lesions = f" of {counted.lesions:,} lesions" if counted.lesions else ""
        of_patients = f" of {counted.patients:,} patients" if counted.patients else ""
        return (
            f"{counted.pictures:,} pictures{of_lesions}{of_patients}, "
            f"{counted.melanomas:,} of them melanoma ({100 * self.melanoma_share:.1f} %)"
        )

    def summary(self) -> tuple[str, ...]:
        """The result in a few lines."""
        lines = [SYNTHETIC_BANNER] if self.synthetic else []
        lines.append(f"{self.title}: {self.in_short()}")
        measured = self.measured
        of_all = f" (a sample of {measured.available:,})" if measured.sampled else ""
        unreadable = f", {len(measured.unreadable):,} cannot be read" if measured.unreadable else ""
        lines.append(f"measured {measured.table.height:,} pictures{of_all}{unreadable}")
        for inputs, auc in self.baseline.auc.items():
            lines.append(f"without a pixel: melanoma AUC {auc} from {inputs}")
        for inputs, reason in self.baseline.why_not.items():
            lines.append(f"without a pixel: no AUC from {inputs} ({reason})")
        return tuple(lines)
