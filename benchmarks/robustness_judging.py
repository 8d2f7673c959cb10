"""What a change costs: the same pictures before and after, under the same draws of whole groups, by the frozen rule.

Decisions are those of the model and its thresholds. What the capture gate refuses is counted beside them and changes
none: a copy that is refused and one that is judged wrongly are two different faults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import metrics
from edge_melanoma.decision import DecisionRule
from edge_melanoma.metrics import Bootstrap, Estimate, Measures, Rate, RateChange

from .robustness_answers import FOUND, UNCHANGED, Answer
from .robustness_changes import Change

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
NO_CHANGE = ("unchanged", "")
OTHER_COPY = ("other copy", "the same pictures from another copy of the data set")


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Whom everything is measured on."""

    ids: tuple[str, ...]
    positive: Bools
    groups: NDArray[Any]

    def only(self, who: Bools) -> Pictures:
        """Some of them."""
        ids = tuple(image_id for image_id, kept in zip(self.ids, who, strict=True) if kept)
        return Pictures(ids=ids, positive=self.positive[who], groups=self.groups[who])


@dataclass(frozen=True, kw_only=True)
class State:
    """The pictures in one form, as one bundle judges them."""

    kind: str
    name: str
    score: Floats  # log-odds
    decision: NDArray[np.str_]
    refused: Bools  # by the capture gate

    @property
    def referred(self) -> Bools:
        """At the refer threshold."""
        return np.asarray(self.decision == "refer")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One change and one bundle."""

    bundle: str
    kind: str
    name: str
    pictures: int
    positives: int
    figures: Mapping[str, Estimate | Rate]  # auc, sensitivity, specificity
    differences: Mapping[str, Estimate | RateChange]  # to the same pictures unchanged; none for those themselves
    changed: Rate  # decisions low, uncertain, refer
    changed_unnoticed: int  # of these, on pictures that the gate takes
    positives_lost: int  # referred before, not after
    positives_lost_unnoticed: int  # of these, on pictures that the gate takes
    positives_found: int
    positives_to_low: int  # not low before
    negatives_referred: int  # not before
    negatives_spared: int  # referred before
    refused: int
    refused_before: int

    def to_json(self) -> dict[str, Any]:
        """The row in numbers."""
        return {
            **vars(self),
            "figures": {name: estimate.to_json() for name, estimate in self.figures.items()},
            "differences": {name: estimate.to_json() for name, estimate in self.differences.items()},
            "changed": self.changed.to_json(),
        }


def judge(
    bundle: str,
    place: int,
    rule: DecisionRule,
    pictures: Pictures,
    answers: Sequence[Answer],
    changes: Sequence[Change],
    *,
    rounds: int,
    seed: int,
) -> list[Row]:
    """The rows of the bundle at this place: unchanged, every change, and the other copy where there are some."""
    logits = np.stack([answer.logits[place] for answer in answers])
    refused = np.stack([answer.refused[place] for answer in answers])
    names = [NO_CHANGE, *((change.kind, change.name) for change in changes)]
    everyone = np.ones(len(answers), bool)
    states = [_state(name, rule, logits[:, at], refused[:, at], everyone) for at, name in enumerate(names)]
    rows = _rows(bundle, pictures, states, rounds=rounds, seed=seed)
    there = np.array([answer.other_copy == FOUND for answer in answers])
    if can_be_judged(pictures.positive[there]):
        at = (UNCHANGED, len(names))
        pair = [
            _state(name, rule, logits[:, k], refused[:, k], there)
            for k, name in zip(at, (NO_CHANGE, OTHER_COPY), strict=True)
        ]
        rows += _rows(bundle, pictures.only(there), pair, rounds=rounds, seed=seed)[1:]
    return rows


def can_be_judged(positive: Bools) -> bool:
    """Are there pictures of both answers?"""
    return bool(positive.any() and not positive.all())


def _state(name: tuple[str, str], rule: DecisionRule, logits: Any, refused: Bools, who: Bools) -> State:
    mine = logits[who]
    decision = np.array(rule.decisions(rule.probability(mine)))
    return State(kind=name[0], name=name[1], score=rule.log_odds(mine), decision=decision, refused=refused[who])


def _rows(bundle: str, pictures: Pictures, states: Sequence[State], *, rounds: int, seed: int) -> list[Row]:
    """A row for each state; the first is what the others are compared with."""
    y, groups = pictures.positive, pictures.groups
    parts = [metrics.prefixed(f"{at}/", _measures(y, state)) for at, state in enumerate(states)]
    drawn = metrics.bootstrap(metrics.together(*parts), y, groups, rng=np.random.default_rng(seed), rounds=rounds)
    return [_row(bundle, pictures, states[UNCHANGED], state, at, drawn) for at, state in enumerate(states)]


def _measures(y: Bools, state: State) -> Measures:
    def measures(weights: Floats) -> dict[str, Floats]:
        return {"auc": metrics.weighted_roc_auc(y, state.score, weights)}

    return measures


def _row(bundle: str, pictures: Pictures, before: State, after: State, at: int, drawn: Bootstrap) -> Row:
    y, changed = pictures.positive, np.asarray(before.decision != after.decision)
    lost, gained = before.referred & ~after.referred, after.referred & ~before.referred
    to_low = (after.decision == "low") & (before.decision != "low")
    sides = {"sensitivity": y, "specificity": ~y}
    right, base = after.referred == y, before.referred == y
    figures: dict[str, Estimate | Rate] = {"auc": drawn.estimate(f"{at}/auc")}
    differences: dict[str, Estimate | RateChange] = {"auc": drawn.difference(f"{at}/auc", f"{UNCHANGED}/auc")}
    for name, who in sides.items():
        groups = pictures.groups[who]
        figures[name] = metrics.grouped_wilson(right[who], groups, level=drawn.level)
        differences[name] = metrics.grouped_change(base[who], right[who], groups, level=drawn.level)
    return Row(
        bundle=bundle,
        kind=after.kind,
        name=after.name,
        pictures=len(y),
        positives=int(y.sum()),
        figures=figures,
        differences=differences if at != UNCHANGED else {},
        changed=metrics.grouped_wilson(changed, pictures.groups, level=drawn.level),
        changed_unnoticed=int((changed & ~after.refused).sum()),
        positives_lost=int((y & lost).sum()),
        positives_lost_unnoticed=int((y & lost & ~after.refused).sum()),
        positives_found=int((y & gained).sum()),
        positives_to_low=int((y & to_low).sum()),
        negatives_referred=int((~y & gained).sum()),
        negatives_spared=int((~y & lost).sum()),
        refused=int(after.refused.sum()),
        refused_before=int(before.refused.sum()),
    )
