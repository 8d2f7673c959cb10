"""Which licences allow commercial use, and what a model inherits from its pictures and its first weights.

A model made from non-commercial pictures is non-commercial, whatever else it is made of. A licence that is not on the
list below, and one that nobody stated, is unknown, and an unknown licence allows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from edge_melanoma.errors import RecipeError

NOT_STATED = "not stated"

# also the audit's question of an index: written so that Python's and Rust's regular expressions read it alike
NON_COMMERCIAL = r"(?i)(^|[^a-z])nc([^a-z]|$)|non-?commercial|(research|education|academic)\b.*\bonly"
_COMMERCIAL = re.compile(r"(CC0|CC-BY|CC-BY-SA|MIT|APACHE|BSD-[23]-CLAUSE|PDDL|ODC-BY)(-\d+(\.\d+)*)?")
_REMARK = re.compile(r"\s*\([^()]*\)")  # "CC0-1.0 (synthetic)"


def allows_commercial_use(licence: str) -> bool | None:
    """Whether a licence allows commercial use; None where it is unknown."""
    if re.search(NON_COMMERCIAL, licence):
        return False
    plain = re.sub(r"[\s_]+", "-", _REMARK.sub("", licence).strip().upper())
    return True if _COMMERCIAL.fullmatch(plain) else None


@dataclass(frozen=True, kw_only=True)
class Licence:
    """Under what a model may be used, and why; `commercial` cannot be true where something it is made of forbids it."""

    model: str  # the licence that the model is given
    data: tuple[str, ...]  # of the pictures it was trained and calibrated with
    weights: tuple[str, ...]  # of the weights that training began with; none for fresh ones
    commercial: bool
    reasons: tuple[str, ...]  # against commercial use

    def __post_init__(self) -> None:
        if not self.model.strip() or not self.data or not all(text.strip() for text in (*self.data, *self.weights)):
            raise RecipeError(f"licence: none of its parts may be empty; say {NOT_STATED!r} where it is not known")
        against = _reasons(self.model, self.data, self.weights)
        if self.commercial and (against or self.reasons):
            raise RecipeError(f"licence: commercial use is not allowed: {'; '.join(against or self.reasons)}")
        missing = [reason for reason in against if reason not in self.reasons]
        if missing:
            raise RecipeError(f"licence: the reason {missing[0]!r} against commercial use is missing")
        if not self.commercial and not self.reasons:
            raise RecipeError("licence: non-commercial without a reason; say which")


def inherited(*, model: str, data: Iterable[str | None], weights: Iterable[str | None] = ()) -> Licence:
    """The licence of a model from those of what it is made of; None is a licence that was not stated."""
    of_data, of_weights = (tuple(sorted({text or NOT_STATED for text in texts})) for texts in (data, weights))
    reasons = _reasons(model, of_data, of_weights)
    return Licence(model=model, data=of_data, weights=of_weights, commercial=not reasons, reasons=reasons)


def _reasons(model: str, data: tuple[str, ...], weights: tuple[str, ...]) -> tuple[str, ...]:
    said = {False: "does not allow commercial use", None: "is unknown, so commercial use is not allowed"}
    each = [("model", model), *(("data", text) for text in data), *(("weights", text) for text in weights)]
    verdicts = [(what, text, allows_commercial_use(text)) for what, text in each]
    return tuple(f"{what}: {text} {said[verdict]}" for what, text, verdict in verdicts if verdict is not True)
