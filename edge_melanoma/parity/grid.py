"""What an output of few levels can say: an int8 logit has 256 values, and a threshold must lie among them.

The score is the log-odds of the positive classes at the rule's temperature. With one positive class, moving its logit
by one level moves the log-odds by scale / temperature, whatever the other logits are; moving any other logit moves
them by at most that much, by the logit's share in its side. So scale / temperature is the step of the score, and the
step of the probability at a threshold t is the larger of what one step up and one step down from t change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_melanoma.decision import DecisionRule, logit, probability_of
from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.metrics.estimate import Floats, number
from edge_melanoma.parity.scoring import Scored

_CODES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
_FLOATS = ("float32", "float16")
_OFF_THE_GRID = 0.02  # of a level: what float32 leaves of 32,767 · scale
_MANY = 5  # pictures on the smaller side of a threshold; a flip or two can empty a smaller one, and is counted there
TELLING = 10  # values for each level that is asked for; with fewer, many levels are not seen by chance


@dataclass(frozen=True, kw_only=True)
class Output:
    """How the model's logits are stored: as floats, or as whole numbers with (code − zero_point) · scale."""

    dtype: str = "float32"
    scale: float | None = None
    zero_point: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in (*_FLOATS, *_CODES):
            raise RecipeError(f"output of type {self.dtype!r}; known: {', '.join((*_FLOATS, *_CODES))}")
        if self.dtype in _FLOATS:
            if self.scale is not None or self.zero_point is not None:
                raise RecipeError(f"a {self.dtype} output has no scale and no zero point")
        elif self.scale is None or self.zero_point is None or not (math.isfinite(self.scale) and self.scale > 0):
            raise RecipeError(f"an {self.dtype} output needs a scale above 0 and a zero point")

    @property
    def available(self) -> int | None:
        """How many values a logit can have; None: no limit that matters."""
        return None if self.dtype in _FLOATS else _CODES[self.dtype][1] - _CODES[self.dtype][0] + 1

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest logit that can be said."""
        if self.scale is None or self.zero_point is None:
            return -math.inf, math.inf
        low, high = _CODES[self.dtype]
        return (low - self.zero_point) * self.scale, (high - self.zero_point) * self.scale

    def check(self, logits: Floats) -> None:
        """Refuse logits that this output cannot have said: they were made with another scale."""
        if self.scale is None:
            return
        codes = logits / self.scale
        low, high = (edge / self.scale for edge in self.span)
        off = np.abs(codes - np.rint(codes)) > _OFF_THE_GRID
        outside = (codes < low - _OFF_THE_GRID) | (codes > high + _OFF_THE_GRID)
        if off.any() or outside.any():
            value = float(logits[off | outside][0])
            raise DataError(
                f"a logit of {value:g} is not a value of an {self.dtype} output with scale {self.scale:g} and zero "
                f"point {self.zero_point}; dequantise with the facts of the very model that is judged"
            )

    def to_json(self) -> dict[str, Any]:
        """The output in numbers."""
        return {"dtype": self.dtype, "scale": self.scale, "zero_point": self.zero_point, "levels": self.available}


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The distinct values of the output, over all classes: they share one scale."""

    available: int | None
    seen: int
    spanned: int | None  # levels between the lowest and the highest seen; None for a float output
    values: int  # that were looked at

    def to_json(self) -> dict[str, Any]:
        """The levels in numbers."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where the scores of one rule can lie, where they do, and whether its thresholds divide anything."""

    reachable: tuple[float, float]  # log-odds of the lowest and highest score
    seen: tuple[float, float]
    step: float | None  # of the log-odds when one logit moves by one level
    probability_step: float | None  # at the threshold where it is larger
    outside: tuple[str, ...]  # thresholds that do not lie strictly inside what is reachable
    one_sided: tuple[str, ...]  # thresholds that divided these pictures before and no longer do

    def to_json(self) -> dict[str, Any]:
        """The grid in numbers; null where a float output has no limit."""
        return {
            "reachable_log_odds": [number(edge) for edge in self.reachable],
            "seen_log_odds": [number(edge) for edge in self.seen],
            "step_log_odds": number(self.step),
            "step_probability": number(self.probability_step),
            "outside": list(self.outside),
            "one_sided": list(self.one_sided),
        }


def levels_of(logits: Floats, output: Output) -> Levels:
    """How many values the output shows."""
    if output.scale is None:
        return Levels(available=None, seen=len(np.unique(logits)), spanned=None, values=logits.size)
    codes = np.rint(logits / output.scale).astype(np.int64)
    return Levels(
        available=output.available,
        seen=len(np.unique(codes)),
        spanned=int(codes.max() - codes.min()) + 1,
        values=logits.size,
    )


def grid_of(after: Scored, before: Scored, output: Output) -> Grid:
    """The grid under the rule of `after`."""
    rule = after.rule
    step = None if output.scale is None else output.scale / rule.temperature.value
    one_sided = [
        name for name in before.thresholds if _smaller_side(before, name) >= _MANY and not _smaller_side(after, name)
    ]
    low, high = _reachable(rule, output)
    at = {name: logit(value) for name, value in after.thresholds.items() if name == "refer" or value > 0}
    return Grid(
        reachable=(low, high),
        seen=(float(after.score.min()), float(after.score.max())),
        step=step,
        probability_step=None if step is None else max(_probability_step(x, step) for x in at.values()),
        outside=tuple(name for name, x in at.items() if not low < x < high),
        one_sided=tuple(one_sided),
    )


def _smaller_side(side: Scored, name: str) -> int:
    over = int((side.p >= side.thresholds[name]).sum())
    return min(over, len(side.p) - over)


def _reachable(rule: DecisionRule, output: Output) -> tuple[float, float]:
    lowest, highest = output.span
    if not math.isfinite(lowest):
        return -math.inf, math.inf
    positive = np.isin(np.arange(len(rule.classes)), rule.positive)
    least, most = rule.log_odds([np.where(side, highest, lowest) for side in (~positive, positive)])
    return float(least), float(most)


def _probability_step(at: float, step: float) -> float:
    below, here, above = probability_of([at - step, at, at + step])
    return float(max(here - below, above - here))
