"""One version of the model on the rows of a part: scores, probabilities and decisions under one rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.decision import DecisionRule, logit
from edge_melanoma.evaluation.level import log_odds_of
from edge_melanoma.evaluation.rows import Rows
from edge_melanoma.metrics.estimate import Bools, Floats

_EQUAL_DIGITS = 9  # logits on a grid have equal differences that floats make unequal in the sixteenth digit


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Rows under a rule."""

    rows: Rows
    rule: DecisionRule
    score: Floats  # log-odds at the prevalence of use
    p: Floats  # what a user is shown
    calibrated: Floats  # log-odds at the prevalence of the calibration part, where calibration can be measured
    decision: NDArray[Any]  # low, uncertain, refer

    @property
    def referred(self) -> Bools:
        """Is the decision `refer`?"""
        return np.asarray(self.decision == "refer")

    @property
    def rank(self) -> Floats:
        """The scores with ties that are ties: those of a coarse output are many."""
        return np.asarray(np.round(self.score, _EQUAL_DIGITS))

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probabilities that divide the answers."""
        return {"refer": self.rule.threshold_refer.value, "low": self.rule.threshold_low.value}

    def distance(self, *names: str) -> Floats:
        """How far each score lies from the nearest of these thresholds, in log-odds."""
        with np.errstate(invalid="ignore"):
            apart = np.stack([np.abs(self.score - logit(self.thresholds[name])) for name in names])
        return np.asarray(apart.min(axis=0))


def scored(rows: Rows, rule: DecisionRule) -> Scored:
    """The rows under the rule."""
    p = rule.probability(rows.logits)
    return Scored(
        rows=rows,
        rule=rule,
        score=rule.log_odds(rows.logits),
        p=p,
        calibrated=log_odds_of(rows, rule),
        decision=np.array(rule.decisions(p)),
    )
