"""An evaluation as a value; pages and command lines come later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from edge_melanoma.decision import DecisionRule
from edge_melanoma.evaluation.baseline import Baseline
from edge_melanoma.evaluation.level import Level
from edge_melanoma.evaluation.remarks import Remark
from edge_melanoma.evaluation.rows import OUT_OF_FOLD
from edge_melanoma.evaluation.subgroups import Subgroup, Worst
from edge_melanoma.labels import Task
from edge_melanoma.metrics import Estimate, Rate
from edge_melanoma.metrics.estimate import number
from edge_melanoma.models import beside
from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER

KIND = "evaluation"
METRICS_FILE, PREDICTIONS_FILE, PAGE_FILE = "metrics.json", "predictions.parquet", "index.html"
HEADLINE = (
    *("roc_auc", "pauc80", "average_precision"),
    *("refer.sensitivity", "refer.specificity", "low.sensitivity"),  # the last: of the positives, not called low
)


def evaluation_folder(subject: Path, split: str) -> Path:
    """Where the evaluation of a run lies, inside it, and that of a bundle, beside it."""
    name = f"evaluation-{split}"
    is_bundle = subject.is_file() or subject.suffix == ".tflite"
    return beside(subject).with_suffix(f".{name}") if is_bundle else subject / name


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything that is known of a model on one part of an index."""

    task: Task
    split: str
    rule: DecisionRule | None
    seed: int
    rounds: int
    level: float
    synthetic: bool
    synthetic_ceiling: float | None  # the best AUC that any model of the pictures can have
    image: Level
    lesion: Level | None  # None where no lesion has two pictures
    subgroups: tuple[Subgroup, ...]
    worst: Worst | None
    baseline: Baseline | None
    remarks: tuple[Remark, ...]
    model: Mapping[str, Any]  # name, parameters, macs, size_bytes, sha256 …, as far as the caller knows them
    about: Mapping[str, Any]  # index_sha256 …
    predictions: pl.DataFrame = field(repr=False)  # image_id, lesion_id, group, answer, logits, probability, decision

    @property
    def title(self) -> str:
        """What was measured on what."""
        where = "out-of-fold predictions" if self.split == OUT_OF_FOLD else f"the {self.split} part"
        return f"{self.model.get('name') or 'A model'} on {where}"

    @property
    def histology(self) -> Estimate | None:
        """The AUC on pictures confirmed by histology: easy nevi that were only followed up are not among them."""
        found = (g for g in self.subgroups if g.attribute == "dx_confirm" and g.value.startswith("histo"))
        return next((g.auc for g in found if g.auc is not None), None)

    def headline(self) -> dict[str, Estimate | Rate]:
        """The few metrics to see first; of a rate its operating point's, as draws of all right answers never vary."""
        metrics: dict[str, Estimate | Rate] = {
            name: self.image.metrics[name] for name in HEADLINE if name in self.image.metrics
        }
        for point in self.image.operating_points:
            rates = {f"{point.name}.{kind}": getattr(point, kind) for kind in ("sensitivity", "specificity")}
            metrics.update({name: rate for name, rate in rates.items() if name in metrics})
        several = self.image.metrics.get("classes.balanced_accuracy")
        return metrics if several is None else {**metrics, "classes.balanced_accuracy": several}

    def to_json(self) -> dict[str, Any]:
        """The evaluation in numbers; what metrics.json holds."""
        return {
            "task": self.task.to_json(),
            "split": self.split,
            "seed": self.seed,
            "rounds": self.rounds,
            "level": self.level,
            "synthetic": self.synthetic,
            "synthetic_ceiling": number(self.synthetic_ceiling),
            "notice": NOTICE,
            "banner": SYNTHETIC_BANNER if self.synthetic else None,
            "model": dict(self.model),
            "about": dict(self.about),
            "headline": {name: estimate.to_json() for name, estimate in self.headline().items()},
            "histology_confirmed_auc": self.histology and self.histology.to_json(),
            "worst_group": self.worst and self.worst.to_json(),
            "remarks": [remark.to_json() for remark in self.remarks],
            "rule": self.rule and self.rule.to_json(),
            "image": self.image.to_json(),
            "lesion": self.lesion and self.lesion.to_json(),
            "subgroups": [group.to_json() for group in self.subgroups],
            "no_pixel_baseline": self.baseline and self.baseline.to_json(),
        }

    def summary(self) -> tuple[str, ...]:
        """The result in a few lines."""
        lines = [SYNTHETIC_BANNER] if self.synthetic else []
        image = self.image
        lines.append(f"{self.title}: {image.rows:,} pictures, {image.positives:,} positive, {image.groups:,} groups")
        lines += [f"{name} {estimate}" for name, estimate in self.headline().items()]
        if self.synthetic_ceiling is not None:
            lines.append(f"ceiling of these synthetic pictures: AUC {self.synthetic_ceiling:.3f}")
        if self.lesion is not None:
            lines.append(f"by lesion: roc_auc {self.lesion.metrics['roc_auc']}")
        if self.baseline is not None and self.baseline.best is not None:
            lines.append(f"without a pixel: roc_auc {self.baseline.auc[self.baseline.best]} from {self.baseline.best}")
        if self.worst is not None:
            group = self.worst.group
            lines.append(f"least found among {group.attribute} {group.value}: sensitivity {group.sensitivity}")
        return (*lines, *(f"{remark.tone}: {remark.text}" for remark in self.remarks))
