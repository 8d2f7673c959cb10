"""How the model does for whom: by age, sex, site, skin tone, place, and how the diagnosis was made.

Groups with fewer than ten positives are counted but not measured: a share of so few says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from edge_melanoma.data.eda.image_stats import TONES, tone_of
from edge_melanoma.decision import DecisionRule
from edge_melanoma.evaluation.rows import Bools, Floats, Rows
from edge_melanoma.evaluation.tone import estimated_tones
from edge_melanoma.metrics import Bootstrap, Estimate, Measures, Rate, grouped_wilson, weighted_roc_auc

FEWEST = 10  # positives, and negatives
NOT_TOLD = "not told"
ESTIMATED_TONE = "tone (estimated)"
_AGES = ((30, "under 30"), (45, "30–44"), (60, "45–59"), (75, "60–74"), (1000, "75 and over"))
TITLES: Mapping[str, str] = {
    "age": "age",
    "sex": "sex",
    "site": "site",
    "skin_type": "Fitzpatrick skin type",
    "tone": "skin tone",
    ESTIMATED_TONE: ESTIMATED_TONE,
    "place": "source and centre",
    "dx_confirm": "how the diagnosis was made",
}
# whom the headline's worst group is looked for among
PEOPLE = ("age", "sex", "site", "skin_type", "tone", ESTIMATED_TONE)


@dataclass(frozen=True, kw_only=True)
class Subgroup:
    """One group: counts always, figures where there are enough of both answers."""

    attribute: str  # of TITLES
    value: str
    rows: int
    positives: int
    auc: Estimate | None
    sensitivity: Rate | None  # at the refer threshold
    specificity: Rate | None

    def to_json(self) -> dict[str, Any]:
        """The group in numbers; null where there are too few to say."""
        figures = {name: getattr(self, name) for name in ("auc", "sensitivity", "specificity")}
        return {**vars(self), **{name: figure and figure.to_json() for name, figure in figures.items()}}


@dataclass(frozen=True, kw_only=True)
class Worst:
    """The group in which the fewest positives are found, and how far that is below all."""

    group: Subgroup
    gap: float
    compared: int  # groups that were large enough

    def to_json(self) -> dict[str, Any]:
        """The group in numbers."""
        return {
            "attribute": self.group.attribute,
            "value": self.group.value,
            "sensitivity": self.group.sensitivity and self.group.sensitivity.to_json(),
            "gap": round(self.gap, 6),
            "compared": self.compared,
        }


def members(rows: Rows) -> dict[tuple[str, str], Bools]:
    """(attribute, value) -> who belongs; an attribute that is the same for all is left out."""
    table = rows.table
    place = pl.concat_str("source", "centre", separator=": ", ignore_nulls=True)
    columns = {
        "age": pl.Series([_age_band(age) for age in table["age"]], dtype=pl.String),
        "sex": table["sex"],
        "site": table["site_group"],
        "skin_type": table["fst"].cast(pl.String),
        "tone": pl.Series(tone_of(table["ita"].cast(pl.Float64).to_numpy()), dtype=pl.String),
        ESTIMATED_TONE: estimated_tones(table),
        "place": table.select(place).to_series(),
        "dx_confirm": table["dx_confirm"],
    }
    found: dict[tuple[str, str], Bools] = {}
    for attribute, column in columns.items():
        values = column.fill_null(NOT_TOLD).to_numpy()
        names = _in_order(attribute, values)
        if [name for name in names if name != NOT_TOLD] and len(names) > 1:
            found |= {(attribute, name): values == name for name in names}
    return found


def subgroup_measures(rows: Rows, score: Floats) -> Measures:
    """The AUC of every group that is large enough, under the same draws as everything else."""
    y = rows.positive
    large = {key: np.flatnonzero(who) for key, who in members(rows).items() if _large(y, who)}

    def measures(weights: Floats) -> dict[str, Floats]:
        return {
            f"subgroup.{attribute}.{value}": weighted_roc_auc(y[who], score[who], weights[:, who])
            for (attribute, value), who in large.items()
        }

    return measures


def subgroups(rows: Rows, rule: DecisionRule | None, drawn: Bootstrap) -> tuple[Subgroup, ...]:
    """Every group with its figures."""
    y, groups = rows.positive, rows.groups
    over = None if rule is None else rule.probability(rows.logits) >= rule.threshold_refer.value
    found = []
    for (attribute, value), who in members(rows).items():
        name = f"subgroup.{attribute}.{value}"
        enough = [over is not None and (who & side).sum() >= FEWEST for side in (y, ~y)]
        rates = [
            grouped_wilson(hit[who & side], groups[who & side], level=drawn.level) if many and hit is not None else None
            for many, hit, side in zip(enough, (over, None if over is None else ~over), (y, ~y), strict=True)
        ]
        found.append(
            Subgroup(
                attribute=attribute,
                value=value,
                rows=int(who.sum()),
                positives=int((who & y).sum()),
                auc=drawn.estimate(name) if name in drawn.point else None,
                sensitivity=rates[0],
                specificity=rates[1] if rates[0] is not None else None,
            )
        )
    return tuple(found)


def worst_of(found: tuple[Subgroup, ...], overall: float) -> Worst | None:
    """The group of people in which the refer threshold finds the fewest positives."""
    measured = {g: g.sensitivity.value for g in found if g.attribute in PEOPLE and g.sensitivity is not None}
    told = {group: value for group, value in measured.items() if group.value != NOT_TOLD}
    if len(told) < 2:
        return None
    group = min(told, key=lambda g: told[g])
    return Worst(group=group, gap=overall - told[group], compared=len(told))


def _large(y: Bools, who: Bools) -> bool:
    return bool(min((who & y).sum(), (who & ~y).sum()) >= FEWEST)


def _age_band(age: float | None) -> str | None:
    return None if age is None else next(name for limit, name in _AGES if age < limit)


def _in_order(attribute: str, values: Any) -> list[str]:
    """Bands in their order, words by how frequent they are, what is not told last."""
    names, counts = np.unique(values, return_counts=True)
    by_count = names[np.argsort(-counts, kind="stable")].tolist()
    tones = [name for name, _ in TONES]
    orders = {"tone": tones, ESTIMATED_TONE: tones, "age": [name for _, name in _AGES], "skin_type": names.tolist()}
    order = {name: place for place, name in enumerate(orders.get(attribute, by_count))}
    return sorted((str(name) for name in names), key=lambda name: (name == NOT_TOLD, order.get(name, 0)))
