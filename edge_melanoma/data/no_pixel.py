"""How far melanoma can be told without seeing a single pixel: from age, sex, site, and where the picture was taken.

A model trained on pictures is worth what it finds beyond this. The centre is the treacherous part: a camera leaves its
mark on every picture, so that a model may learn the centre and look as if it had learned melanoma.

Method: groups (patient, else lesion) are dealt out to five folds with equal shares of melanoma; histograms of gradient-
boosted trees answer for each fold after learning from the other four; one AUC over all answers, with an interval from
2,000 bootstrap rounds that draw whole groups. How a diagnosis was confirmed tells the diagnosis, so it is no input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.data.stratify import assign
from edge_melanoma.errors import MissingExtraError
from edge_melanoma.metrics import Estimate, cluster_bootstrap, weighted_roc_auc

INPUTS: Mapping[str, tuple[str, ...]] = {
    "centre": ("centre",),
    "age, sex, site": ("age", "sex", "site"),
    "age, sex, site, centre": ("age", "sex", "site", "centre"),
}
FOLDS = 5
_FEWEST_GROUPS = 2 * FOLDS  # of each class: below, a fold may have none
_MOST_CATEGORIES = 250  # what the trees can take; rarer ones share one place
# small, slow trees: on HAM10000 they are .01 better than the library's defaults, and a baseline should not be weak
TREES: Mapping[str, Any] = {"max_iter": 100, "learning_rate": 0.05, "max_leaf_nodes": 8, "early_stopping": False}


@dataclass(frozen=True, kw_only=True)
class NoPixelBaseline:
    """What was reached by which inputs, or why nothing could be."""

    target: str  # the column that was told
    rows: int
    positives: int
    groups: int
    seed: int
    auc: Mapping[str, Estimate]  # by the names of INPUTS
    why_not: Mapping[str, str]  # the reason for inputs that are missing from `auc`

    @property
    def best(self) -> Estimate | None:
        """The highest: what a model that sees the pictures has to beat."""
        return max(self.auc.values(), key=lambda estimate: estimate.value, default=None)

    def to_json(self) -> dict[str, Any]:
        """The baseline in numbers."""
        return {
            "target": self.target,
            "rows": self.rows,
            "positives": self.positives,
            "groups": self.groups,
            "folds": FOLDS,
            "seed": self.seed,
            "trees": dict(TREES),
            "auc": {name: estimate.to_json() for name, estimate in self.auc.items()},
            "why_not": dict(self.why_not),
        }


def no_pixel_baseline(table: pl.DataFrame, *, target: str = "y_mel", seed: int = 0) -> NoPixelBaseline:
    """The baseline over the rows of an index that have an answer in `target`; augmented copies do not count."""
    rows = table.filter(pl.col(target).is_not_null() & pl.col("parent_id").is_null())
    y = rows[target].to_numpy().astype(np.int64)
    names, group = np.unique(group_of(rows).to_numpy(), return_inverse=True)
    auc: dict[str, Estimate] = {}
    why_not = dict.fromkeys(INPUTS, _too_few(y, group))
    for inputs, columns in INPUTS.items():
        why_not[inputs] = why_not[inputs] or nothing_to_learn(rows, columns)
        if not why_not[inputs]:
            score = _answers_of_other_folds(rows, columns, y, group, seed=seed)
            rng = np.random.default_rng(seed)
            auc[inputs] = cluster_bootstrap(weighted_roc_auc, y, score, group, rng=rng)
    return NoPixelBaseline(
        target=target,
        rows=len(y),
        positives=int(y.sum()),
        groups=len(names),
        seed=seed,
        auc=auc,
        why_not={inputs: reason for inputs, reason in why_not.items() if reason},
    )


def group_of(table: pl.DataFrame) -> pl.Series:
    """The patient of a row, else its lesion, else the row itself."""
    named = [pl.lit(f"{column}:") + pl.col(column) for column in ("patient_id", "lesion_id", "image_id")]
    return table.select(pl.coalesce(named)).to_series()


def _too_few(y: NDArray[np.int64], group: NDArray[np.int64]) -> str:
    with_positive, with_negative = (len(np.unique(group[y == answer])) for answer in (1, 0))
    if min(with_positive, with_negative) >= _FEWEST_GROUPS:
        return ""
    return (
        f"{with_positive:,} groups with a positive and {with_negative:,} with a negative picture; "
        f"{FOLDS} folds need {_FEWEST_GROUPS} of each"
    )


def nothing_to_learn(rows: pl.DataFrame, columns: tuple[str, ...]) -> str:
    """Why these columns are no set of inputs of their own for these rows; empty where they are."""
    told = [column for column in columns if _values(rows, column).n_unique() > 1]
    if not told:
        return f"{', '.join(columns)}: not told, or the same for every picture"
    others = [column for column in columns if column not in told]
    # with nothing to add, the larger set would only repeat the smaller one under a grander name
    repeated = [name for name, smaller in INPUTS.items() if set(told) <= set(smaller) < set(columns)]
    if repeated and others:
        return f"{', '.join(others)}: not told, or the same for every picture; what is left is `{repeated[0]}`"
    return ""


def _values(rows: pl.DataFrame, column: str) -> pl.Series:
    """A column as it is learned from; a centre is one of its source, and a source without centres is its own."""
    if column == "centre":
        return rows.select(pl.concat_str("source", "centre", separator=": ", ignore_nulls=True)).to_series()
    return rows[column]


def _answers_of_other_folds(
    rows: pl.DataFrame, columns: tuple[str, ...], y: NDArray[np.int64], group: NDArray[np.int64], *, seed: int
) -> NDArray[np.float64]:
    # equal shares of melanoma in all folds: else the answers of different folds lie on different scales
    fold = assign(group, y, np.full(FOLDS, 1 / FOLDS), rng=np.random.default_rng(seed))
    score = np.empty(len(y))
    for held_out in range(FOLDS):
        test = fold == held_out
        score[test] = answers_of_trees(rows.filter(~test), y[~test], rows.filter(test), columns, seed=seed)
    return score


def answers_of_trees(
    learned_from: pl.DataFrame, y: NDArray[Any], asked: pl.DataFrame, columns: tuple[str, ...], *, seed: int
) -> NDArray[np.float64]:
    """What the trees say of the rows `asked` after learning from others: log-odds, which keep their distances."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits  # comes with scikit-learn
    except ImportError as error:
        raise MissingExtraError("the baseline without pixels", "data", "scikit-learn") from error
    names = list(dict.fromkeys((*columns, "source", "centre")))
    both = pl.concat([learned_from.select(names), asked.select(names)])
    features = np.column_stack([_as_numbers(_values(both, column)) for column in columns])
    train, test = features[: len(y)], features[len(y) :]
    # what has no two values here cannot be learned from, and the trees refuse it
    told = np.array([len(np.unique(values[np.isfinite(values)])) > 1 for values in train.T])
    positives = np.count_nonzero(y)
    if not told.any() or not 0 < positives < len(y):
        return np.full(len(test), np.log((positives + 0.5) / (len(y) - positives + 0.5)))
    is_category = np.array([column != "age" for column in columns])
    trees = HistGradientBoostingClassifier(categorical_features=is_category[told], random_state=seed, **TREES)
    # so small a fit gains nothing from threads, and beside other work they wait for each other: 3 to 10 times as long
    with threadpool_limits(1, user_api="openmp"):
        return np.asarray(trees.fit(train[:, told], y).decision_function(test[:, told]), np.float64)


def _as_numbers(values: pl.Series) -> NDArray[np.float64]:
    """Numbers as they are; words by how frequent they are, the rarest under one number; what is not told is NaN."""
    if values.dtype.is_numeric():
        return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    counted = pl.DataFrame({"value": values}).drop_nulls().group_by("value").len()
    ranked = counted.sort("len", "value", descending=[True, False])["value"].to_list()
    rank = {value: min(place, _MOST_CATEGORIES) for place, value in enumerate(ranked)}
    return values.replace_strict(rank, default=None, return_dtype=pl.Float64).fill_null(float("nan")).to_numpy()
