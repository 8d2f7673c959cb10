"""What a converted model has to keep to be shipped: every limit of the gate, with its default and the reason for it.

Two ways to look at a converted model are always measured:

    frozen    the float model's temperature and thresholds on the converted logits: what the conversion alone did
    refitted  temperature and thresholds fitted anew on the converted logits: what ships

A recipe says for each check which of the two decides. Ranking, shown probabilities and the step of the output are
judged as they ship. Flips and abstentions are judged frozen: a refitted threshold rests on a few positives of the
calibration part, and its noise would be taken for damage. Sensitivity, subgroups and whether the thresholds can be
reached at all must hold both ways: the frozen view sees the damage, the refitted one what a patient would meet.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from edge_melanoma.decision import MOST_PROBABILITY_CHANGE
from edge_melanoma.errors import RecipeError

View = Literal["frozen", "refitted", "both"]
Flipped = Literal["any change", "refer or not", "low or not"]
Flips = Literal["either threshold", "any change", "refer or not"]


@dataclass(frozen=True, kw_only=True)
class GateRecipe:
    """The limits. `max` and `min` must hold to pass; beyond `hard` a model is broken; an `aim` is shown, never judged.

    Shares are of 1. A limit that is less than one picture lets one go: 1 % of 55 melanomas is half a melanoma.
    """

    min_positives: int = 10  # with fewer, losing one says nothing
    max_float_logit_difference: float = 1e-4  # Keras against TFLite, both float: more is another graph
    hard_float_logit_difference: float = 1e-3

    max_auc_drop: float = 0.01  # by the lower bound of the paired interval
    hard_auc_drop: float = 0.02  # by the value
    aim_auc_drop: float = 0.002
    max_pauc80_drop: float = 0.005  # by the lower bound of the paired interval

    max_sensitivity_drop: float = 0.01  # of `refer`, net: found positives that are lost, less those that are gained
    hard_sensitivity_drop: float = 0.03
    max_subgroup_drop: float = 0.03  # the same, in every subgroup with ten positives

    # at the threshold that more pictures cross; or every change among low, uncertain and refer; or at refer alone
    flips_are: Flips = "either threshold"
    max_flips: float = 0.015
    hard_flips: float = 0.03
    aim_flips: float = 0.005
    near: float = 0.10  # the share of the pictures that lie nearest to a threshold
    max_flips_near: float = 0.15
    max_positives_to_low: int | None = None  # positives that were not `low` before; None: only counted and listed
    # pictures on which both say `uncertain`, or neither: what two thresholds can cost that each flip max_flips
    min_abstain_agreement: float = 0.97

    min_levels: int = 128  # distinct values of the output
    hard_levels: int = 64
    max_step: float = 0.01  # change of the probability at a threshold when the deciding logit moves by one level
    max_probability_change: float = MOST_PROBABILITY_CHANGE  # of the 99th percentile, at the prevalence of use
    max_ece_rise: float = 0.01
    min_temperature_ratio: float = 0.8  # fitted on the converted logits / on the float ones
    max_temperature_ratio: float = 1.25

    ranking_view: View = "refitted"  # with two classes, both views rank alike
    sensitivity_view: View = "both"
    subgroup_view: View = "both"
    flips_view: View = "frozen"
    abstain_view: View = "frozen"
    threshold_view: View = "both"
    step_view: View = "refitted"
    probability_view: View = "refitted"

    def __post_init__(self) -> None:
        for field in fields(self):
            self._check(field.name, getattr(self, field.name))
        for name in ("float_logit_difference", "auc_drop", "sensitivity_drop", "flips"):
            self._in_order(f"max_{name}", f"hard_{name}")
        for name in ("auc_drop", "flips"):
            self._in_order(f"aim_{name}", f"max_{name}")
        self._in_order("hard_levels", "min_levels")
        if not 0 < self.min_temperature_ratio <= 1 <= self.max_temperature_ratio:
            raise RecipeError(
                f"temperature ratio {self.min_temperature_ratio} to {self.max_temperature_ratio}: 1 must lie between"
            )

    def _check(self, name: str, value: object) -> None:
        if name.endswith("_view"):
            if value not in ("frozen", "refitted", "both"):
                raise RecipeError(f"{name} {value!r}: 'frozen', 'refitted' or 'both'")
        elif name == "flips_are":
            if value not in get_args(Flips):
                raise RecipeError(f"flips_are {value!r}: one of {', '.join(map(repr, get_args(Flips)))} is needed")
        elif name == "min_positives" or name.endswith("_levels"):
            if not isinstance(value, int) or value < 1:
                raise RecipeError(f"{name} {value!r}: a whole number from 1 on is needed")
        elif name == "max_positives_to_low":
            if value is not None and (not isinstance(value, int) or value < 0):
                raise RecipeError(f"{name} {value!r}: a whole number from 0 on is needed, or nothing")
        elif not isinstance(value, int | float) or not 0 <= value <= (10 if "ratio" in name else 1):
            raise RecipeError(f"{name} {value!r}: a share between 0 and 1 is needed")

    def _in_order(self, lower: str, upper: str) -> None:
        if getattr(self, lower) > getattr(self, upper):
            raise RecipeError(
                f"{lower} {getattr(self, lower)} lies above {upper} {getattr(self, upper)}; it is the stricter one"
                if "levels" not in lower
                else f"{lower} {getattr(self, lower)} lies above {upper} {getattr(self, upper)}; it is the laxer one"
            )
