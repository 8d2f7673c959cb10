"""Would other calibration pictures have given another model? Two disjoint halves of the draw, a model of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.decision import positive_classes, positive_log_odds
from edge_melanoma.runtime import Model as Runner

from .export import to_tflite
from .graph import Model
from .material import CHOICE, Material
from .recipe import ConvertRecipe
from .turns import turned


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How two models of disjoint calibration pictures differ on the validation part."""

    pictures: int  # in each half
    flips: float  # share of the pictures on two sides of a float model's threshold, of the worse one
    log_odds: float  # mean difference
    output_scales: tuple[float, ...]  # one level of the logits, in each
    limit: float

    @property
    def steady(self) -> bool:
        """Do they differ less than a conversion may change?"""
        return self.flips <= self.limit

    @property
    def words(self) -> str:
        """What it means."""
        told = (
            f"two models from disjoint halves of the calibration pictures ({self.pictures} each) differ in "
            f"{self.flips:.2%} of the decisions at one threshold and by {self.log_odds:.3f} in the log-odds on average"
        )
        if self.steady:
            return f"{told}: no more than the gate lets a conversion change ({self.limit:.1%})"
        return f"{told}, more than the gate lets a conversion change ({self.limit:.1%}): take more calibration.pictures"

    def to_json(self) -> dict[str, Any]:
        """The stability in numbers."""
        return {**vars(self), "steady": self.steady, "words": self.words}


def stability(
    network: Model,
    pictures: NDArray[np.uint8],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    material: Material,
    recipe: ConvertRecipe,
) -> Stability:
    """Convert after training with each half, and compare."""
    rule, positive = material.rule_before(), positive_classes(material.task.classes)
    tensors = material.tensors(CHOICE)
    halves = (to_tflite(network, recipe.format, calibration=pictures[half]) for half in (first, second))
    runners = [Runner(turned(half, material.run.turns), name="a half") for half in halves]
    logits = [runner.logits(tensors) for runner in runners]
    decisions = [np.array(rule.decisions(rule.probability(each))) for each in logits]
    scores = [positive_log_odds(each, positive) for each in logits]
    return Stability(
        pictures=len(second),
        flips=max(float(np.mean((decisions[0] == side) != (decisions[1] == side))) for side in ("low", "refer")),
        log_odds=float(np.abs(scores[0] - scores[1]).mean()),
        output_scales=tuple(float(runner.output.scale or 0.0) for runner in runners),
        limit=recipe.gate.max_flips,
    )
