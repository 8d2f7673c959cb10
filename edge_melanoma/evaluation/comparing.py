"""Several models on the same pictures: who is better, by how much, and is it more than chance?

Every model is measured under the same bootstrap draws, so that what they have in common cancels out of a difference.
Sensitivity and specificity are counted instead: draws of decisions that are all alike would say that nothing else can
happen. DeLong's test checks the AUC, McNemar's the decisions; p-values are not corrected for the number of models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_melanoma import metrics
from edge_melanoma.decision import called, probability_of
from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.evaluation.contestants import Contestant, read_contestants
from edge_melanoma.evaluation.rows import Bools
from edge_melanoma.metrics import Bootstrap, DeLong, Estimate, McNemar, Measures, Rate, RateChange

COSTS = {"parameters": "parameters", "macs": "multiply-adds", "size_bytes": "size in bytes"}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One model of a comparison."""

    name: str
    folder: str
    failures: tuple[str, ...]  # why its figures are not to be believed
    metrics: dict[str, Estimate | Rate]
    differences: dict[str, Estimate | RateChange]  # to the first, under the same draws; empty for the first
    delong: DeLong | None  # of the difference in AUC
    mcnemar: McNemar | None  # on who is right, decisions of `refer`
    mcnemar_positive: McNemar | None  # among the positives alone
    model: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The model in numbers."""
        return {
            "name": self.name,
            "folder": self.folder,
            "failures": list(self.failures),
            "model": self.model,
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
            "differences_to_first": {name: estimate.to_json() for name, estimate in self.differences.items()},
            "delong": self.delong and self.delong.to_json(),
            "mcnemar": self.mcnemar and self.mcnemar.to_json(),
            "mcnemar_positive": self.mcnemar_positive and self.mcnemar_positive.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several models on the same rows."""

    task: str
    split: str
    rows: int
    positives: int
    groups: int
    left_out: int  # rows that not all of them have
    synthetic: bool
    seed: int
    rounds: int
    level: float
    standings: tuple[Standing, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """Of which models the figures are not to be believed, and why."""
        return tuple(f"`{standing.name}`: {text}" for standing in self.standings for text in standing.failures)

    def to_json(self) -> dict[str, Any]:
        """The comparison in numbers."""
        return {
            "failures": list(self.failures),
            **vars(self),
            "standings": [standing.to_json() for standing in self.standings],
        }


def compare(
    folders: Sequence[Path],
    *,
    split: str = "test",
    common_rows: bool = False,
    seed: int = 0,
    rounds: int = 2000,
    level: float = 0.95,
) -> Comparison:
    """Compare evaluations, or the runs that hold them as evaluation-<split>; all against the first.

    `common_rows` compares on the pictures that all of them have, instead of refusing different ones.
    """
    if len(folders) < 2:
        raise RecipeError(f"{len(folders)} given: two or more evaluations are needed to compare")
    contestants, left_out = read_contestants(folders, split=split, common_rows=common_rows)
    first = contestants[0]
    y = first.positive
    if y.all() or not y.any():
        raise DataError(f"{int(y.sum()):,} of {len(y):,} common pictures are positive; both answers are needed")
    drawn = metrics.bootstrap(
        metrics.together(*(_measures(place, contestant) for place, contestant in enumerate(contestants))),
        first.answers,
        first.groups,
        rng=np.random.default_rng(seed),
        rounds=rounds,
        level=level,
    )
    return Comparison(
        task=first.facts["task"]["name"],
        split=first.facts["split"],
        rows=len(y),
        positives=int(y.sum()),
        groups=drawn.groups,
        left_out=left_out,
        synthetic=any(contestant.facts["synthetic"] for contestant in contestants),
        seed=seed,
        rounds=rounds,
        level=level,
        standings=tuple(_standing(place, contestants, drawn) for place in range(len(contestants))),
    )


def _measures(place: int, contestant: Contestant) -> Measures:
    """All metrics of a model, by its place; those of decisions and probabilities only where it has a rule."""
    y, classes = contestant.positive, contestant.classes
    parts = [metrics.ranking_measures(y, contestant.score)]
    if contestant.referred is not None:
        parts.append(metrics.decision_measures(y, contestant.referred, prefix="refer."))
        squares = (probability_of(contestant.score) - y) ** 2
        parts.append(lambda weights: {"brier": weights @ squares / weights.sum(axis=1)})
    if len(classes) > 2:
        parts.append(metrics.class_measures(contestant.answers, called(contestant.logits, contestant.rule), classes))
    return metrics.prefixed(f"{place}/", metrics.together(*parts))


def _standing(place: int, contestants: list[Contestant], drawn: Bootstrap) -> Standing:
    first, this = contestants[0], contestants[place]
    names = [name.partition("/")[2] for name in drawn.point if name.startswith(f"{place}/")]
    shared = [name for name in names if f"0/{name}" in drawn.point] if place else []
    y, lead, decided, found = first.positive, None, None, None
    measured: dict[str, Estimate | Rate] = {name: drawn.estimate(f"{place}/{name}") for name in names}
    measured |= _rates(this, drawn.level)
    differences: dict[str, Estimate | RateChange] = {
        name: drawn.difference(f"{place}/{name}", f"0/{name}") for name in shared
    }
    if place:
        differences |= _rate_changes(first, this, drawn.level)
        lead = metrics.delong_difference(y, this.score, first.score, first.groups, level=drawn.level)
    if place and first.referred is not None and this.referred is not None:
        right, base = this.referred == y, first.referred == y
        decided = metrics.mcnemar(right, base, first.groups)
        found = metrics.mcnemar(right[y], base[y], first.groups[y])
    return Standing(
        name=this.name,
        folder=this.folder.name if this.folder.parent == Path() else f"{this.folder.parent.name}/{this.folder.name}",
        failures=this.failures,
        metrics=measured,
        differences=differences,
        delong=lead,
        mcnemar=decided,
        mcnemar_positive=found,
        model=dict(this.facts["model"]),
    )


def _rates(this: Contestant, level: float) -> dict[str, Rate]:
    return {
        name: metrics.grouped_wilson(right[who], this.groups[who], level=level)
        for name, who, right in _decided_rightly(this)
    }


def _rate_changes(first: Contestant, this: Contestant, level: float) -> dict[str, RateChange]:
    return {
        name: metrics.grouped_change(base[who], right[who], first.groups[who], level=level)
        for (name, who, base), (_, _, right) in zip(_decided_rightly(first), _decided_rightly(this), strict=False)
    }


def _decided_rightly(contestant: Contestant) -> Iterator[tuple[str, Bools, Bools]]:
    """Of both rates: its name, the pictures it is of, and on which the decision is right; nothing without a rule."""
    if contestant.referred is not None:
        right = contestant.referred == contestant.positive
        yield "refer.sensitivity", contestant.positive, right
        yield "refer.specificity", ~contestant.positive, right
