"""What tells melanoma without a look at the picture: the place it comes from, or any one column of the table.

Both checks are made to stay silent by chance: the association is corrected for its bias and has to beat shuffled
labels; the area under the curve of a category comes from rows that did not teach its rate, and has to lie far from .5
for the number of lesions there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.data.stratify import assign
from edge_melanoma.metrics import roc_auc

STRONG_ASSOCIATION = 0.3  # Cramér's V
TELLING_AUC = 0.75
FOLDS = 5
_SHUFFLES = 200
_DEVIATIONS = 4.5  # of the shuffles: one set in 300,000 by chance
_STANDARD_ERRORS = 5.0  # from .5; one column in three million by chance, were all lesions alike
_PSEUDO_ROWS = 5.0  # by which a category's rate is drawn to the overall one

Integers = NDArray[np.int64]

PLACES = ("source", "centre")
NUMBERS = ("age", "width", "height", "fst", "ita")
WORDS = ("sex", "site", "site_group", "source", "centre", "modality", "dx_confirm", "license")


class Association(NamedTuple):
    """How far one column goes with another."""

    column: str
    target: str
    cramers_v: float
    lesions: int
    deviations: float  # above shuffled labels, in standard deviations; nan: V is not above the limit

    @property
    def strong(self) -> bool:
        """Strong, and not by chance."""
        return self.cramers_v > STRONG_ASSOCIATION and self.deviations > _DEVIATIONS


class Told(NamedTuple):
    """How well one column alone tells melanoma."""

    column: str
    auc: float
    melanomas: int  # lesions
    others: int

    @property
    def telling(self) -> bool:
        """Above the limit, and not by chance."""
        error = np.sqrt((self.melanomas + self.others + 1) / (12 * self.melanomas * self.others))
        return self.auc > TELLING_AUC and self.auc - 0.5 > _STANDARD_ERRORS * error


def associations(rows: pl.DataFrame, *, seed: int = 0) -> list[Association]:
    """Every place against melanoma and against the diagnosis; a lesion counts once."""
    rng = np.random.default_rng(seed)
    found = []
    for column in PLACES:
        for target in ("y_mel", "dx"):
            # a centre is one of its source: equal names in two sources are two centres
            place = pl.concat_str(["source", "centre"], separator=": ") if column == "centre" else pl.col("source")
            told = rows.select(group_of().alias("lesion"), place.alias("place"), target).drop_nulls()
            told = told.unique("lesion", keep="first", maintain_order=True)
            if told["place"].n_unique() < 2 or told[target].n_unique() < 2:
                continue
            x, y = (told[name].rank("dense").to_numpy().astype(np.int64) - 1 for name in ("place", target))
            found.append(_association(column, target, x, y, rng))
    return found


def _association(column: str, target: str, x: Integers, y: Integers, rng: np.random.Generator) -> Association:
    value, deviations = cramers_v(x, y), float("nan")
    if value > STRONG_ASSOCIATION:
        # the cube root makes chi-square nearly normal (Wilson and Hilferty), whatever its degrees of freedom
        shuffled = np.cbrt([_phi_square(x, rng.permutation(y)) for _ in range(_SHUFFLES)])
        deviations = float((np.cbrt(_phi_square(x, y)) - shuffled.mean()) / max(shuffled.std(), 1e-12))
    return Association(column=column, target=target, cramers_v=value, lesions=len(x), deviations=deviations)


def cramers_v(x: Integers, y: Integers) -> float:
    """Cramér's V of two columns of categories 0, 1, 2 …, corrected for its bias (Bergsma 2013)."""
    n, sides = len(x), (int(x.max()) + 1, int(y.max()) + 1)
    excess = max(0.0, _phi_square(x, y) - (sides[0] - 1) * (sides[1] - 1) / (n - 1))
    smaller = min(side - (side - 1) ** 2 / (n - 1) for side in sides) - 1
    return float(np.sqrt(excess / smaller)) if smaller > 0 else 0.0


def _phi_square(x: Integers, y: Integers) -> float:
    """Chi-square of the table of x and y, by row of data."""
    sides = (int(x.max()) + 1, int(y.max()) + 1)
    table = np.bincount(x * sides[1] + y, minlength=sides[0] * sides[1]).reshape(sides).astype(np.float64)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / len(x)
    return float(((table - expected) ** 2 / expected).sum() / len(x))


def telling_columns(rows: pl.DataFrame, *, seed: int = 0) -> list[Told]:
    """Every column that says something, by how well it alone tells melanoma."""
    rows = rows.filter(pl.col("y_mel").is_not_null() & pl.col("parent_id").is_null())
    y = (rows["y_mel"] == 1).to_numpy().astype(np.int64)
    group = rows.select(group_of().rank("dense")).to_series().to_numpy().astype(np.int64) - 1
    melanomas, others = (len(np.unique(group[y == answer])) for answer in (1, 0))
    if min(melanomas, others) < FOLDS:
        return []
    fold = assign(group, y, np.full(FOLDS, 1 / FOLDS), rng=np.random.default_rng(seed))
    found = []
    for name, column in _columns(rows).items():
        known = column.is_not_null().to_numpy()
        if column.n_unique() < 2 or len(np.unique(y[known])) < 2:
            continue
        if column.dtype.is_numeric():
            auc = roc_auc(y[known], column.drop_nulls().cast(pl.Float64).to_numpy())
            auc = max(auc, 1 - auc)
        else:
            auc = _auc_of_categories(column, y, fold)
        counts = (len(np.unique(group[known & (y == answer)])) for answer in (1, 0))
        found.append(Told(name, auc, *counts))
    return sorted(found, key=lambda told: (-told.auc, told.column))


def _columns(rows: pl.DataFrame) -> dict[str, pl.Series]:
    """Numbers as they are, words as they are, sizes, and whether a number is there at all."""
    columns = {name: rows[name] for name in (*NUMBERS, *WORDS)}
    columns["width x height"] = rows.select(pl.format("{}x{}", "width", "height")).to_series()
    for name in ("age", "fst", "ita"):
        columns[f"{name} is known"] = rows[name].is_not_null().cast(pl.String)
    return columns


def _auc_of_categories(column: pl.Series, y: Integers, fold: Integers) -> float:
    """Each row scored by the share of melanomas that its category has in the other folds; null is a category."""
    code = column.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    size = int(code.max()) + 1
    rows, positives = (np.zeros((FOLDS, size)) for _ in range(2))
    np.add.at(rows, (fold, code), 1)
    np.add.at(positives, (fold, code), y)
    others, of_others = rows.sum(axis=0) - rows, positives.sum(axis=0) - positives
    # one prior for all folds: a prior of its own would tell each fold's share of melanomas
    rate = (of_others + _PSEUDO_ROWS * y.mean()) / (others + _PSEUDO_ROWS)
    return roc_auc(y, rate[fold, code])


def group_of() -> pl.Expr:
    """The lesion of a row, else the row itself."""
    return pl.coalesce(pl.lit("lesion:") + pl.col("lesion_id"), pl.lit("image:") + pl.col("image_id"))


def as_text(association: Association) -> str:
    """An association in words."""
    return (
        f"{association.column} and {association.target}: Cramér's V {association.cramers_v:.2f} "
        f"over {association.lesions:,} lesions"
    )


def to_json(found: Sequence[Association | Told]) -> list[dict[str, Any]]:
    """The measured values, also of what did not fire."""
    return [
        {key: round(value, 6) if isinstance(value, float) else value for key, value in one._asdict().items()}
        for one in found
    ]
