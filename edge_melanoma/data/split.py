"""Train, validation, calibration and test by whole groups, and k folds beside them; stratified and deterministic.

A random split by picture of HAM10000 has a sibling of two thirds of its test melanomas in training. So groups
(data/groups.py) stay whole; the result is checked by a count that knows nothing of how it was made, and the leak that a
split by picture would have had is printed beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.calibration import FEWEST_POSITIVES
from edge_melanoma.data.groups import Groups, find_groups
from edge_melanoma.data.index import SPLITS, Index, write_index
from edge_melanoma.data.stratify import assign
from edge_melanoma.data.torn import count_torn
from edge_melanoma.errors import ArtifactError, DataError, RecipeError
from edge_melanoma.output import check_vacant

MAX_STRATUM_CENTRES = 12  # more centres than this make strata too small to balance
# what a new split mends, so it does not stand in its way
_ABOUT_THE_OLD_SPLIT = ("leak-group", "leak-hash", "augmented-outside-train")


@dataclass(frozen=True, kw_only=True)
class SplitRecipe:
    """How to split."""

    fractions: Mapping[str, float] = field(
        default_factory=lambda: {"train": 0.70, "val": 0.10, "calibration": 0.05, "test": 0.15}
    )
    folds: int = 5
    seed: int = 0
    held_out_centres: tuple[str, ...] = ()  # they are the test part, and the other parts share the rest

    def __post_init__(self) -> None:
        if tuple(self.fractions) != SPLITS or min(self.fractions.values()) < 0 or self.fractions["train"] <= 0:
            raise RecipeError(f"shares {self._told}: four for {', '.join(SPLITS)}, none negative, train above 0")
        if abs(sum(self.fractions.values()) - 1) > 1e-6:
            raise RecipeError(
                f"shares {self._told}: sum to {sum(self.fractions.values()):g}, not to 1; a share that is not given "
                "has its default"
            )
        if self.folds != 0 and not 2 <= self.folds <= 100:
            raise RecipeError(f"folds {self.folds}: between 2 and 100, or 0 for none")

    @property
    def _told(self) -> str:
        return ", ".join(f"{name} {share:g}" for name, share in self.fractions.items())


@dataclass(frozen=True, kw_only=True)
class Leak:
    """How much of the test part is known from the training part."""

    pictures: int
    leaked: int
    melanomas: int
    leaked_melanomas: int

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "leaked_share": self.leaked / self.pictures if self.pictures else None,
            "leaked_melanoma_share": self.leaked_melanomas / self.melanomas if self.melanomas else None,
        }


@dataclass(frozen=True, kw_only=True)
class SplitResult:
    """The split index, and the proof that it does not leak."""

    index: Index
    recipe: SplitRecipe
    groups: Groups
    torn: Mapping[str, int]  # patients, lesions, equal pictures with members in two parts or folds: the proof is all 0
    leak_by_picture: Leak  # what a random split by picture would have had
    remarks: tuple[str, ...]

    def counts(self) -> pl.DataFrame:
        """One row a part: pictures, lesions, patients, melanomas."""
        return _counts(self.index.table, "split", list(SPLITS))

    def fold_counts(self) -> pl.DataFrame:
        """The same for each fold."""
        return _counts(self.index.table, "fold", list(range(self.recipe.folds)))

    def to_json(self) -> dict[str, Any]:
        """The result in numbers."""
        return {
            "index": str(self.index.folder),
            "index_sha256": self.index.sha256,
            "recipe": asdict(self.recipe),
            "groups": self.groups.count,
            "largest_group": self.groups.largest,
            "joined_by": dict(self.groups.joined_by),
            "parts": self.counts().to_dicts(),
            "folds": self.fold_counts().to_dicts(),
            "torn": dict(self.torn),
            "leak_of_a_random_split_by_picture": self.leak_by_picture.to_json(),
            "remarks": list(self.remarks),
        }


def run(
    index: Index,
    recipe: SplitRecipe,
    out: Path,
    *,
    audit: Path | None = None,
    despite_audit: bool = False,
    force: bool = False,
) -> SplitResult:
    """Write the index with its `split` and `fold` columns filled to `out`."""
    check_vacant(out, kind="index", force=force)
    if not despite_audit:
        require_clean_audit(index, audit)
    table = index.table
    if not table.height:
        raise DataError(f"{index.folder}: has no rows; nothing to split")
    groups = find_groups(table)
    strata = _strata(table)
    rng = np.random.default_rng(recipe.seed)
    part = _parts(table, groups, strata, recipe, rng=rng)
    part[table["parent_id"].is_not_null().to_numpy() & (part != SPLITS.index("train"))] = -1
    _refuse_empty(part, groups, recipe, where=str(index.folder))
    names = [SPLITS[number] if number >= 0 else None for number in part]
    columns = [pl.Series("split", names, dtype=pl.String)]
    if recipe.folds:
        fold = assign(groups.of_row, strata, np.full(recipe.folds, 1 / recipe.folds), rng=rng)
        columns.append(pl.Series("fold", fold, dtype=pl.Int8))
    else:
        columns.append(pl.Series("fold", [None] * table.height, dtype=pl.Int8))
    by_picture = _random_by_picture(table.height, recipe, rng=rng)
    described = {
        "fractions": dict(recipe.fractions),
        "folds": recipe.folds,
        "seed": recipe.seed,
        **({"held_out_centres": list(recipe.held_out_centres)} if recipe.held_out_centres else {}),
    }
    result = index.with_table(table.with_columns(columns), split_recipe=described)
    torn = count_torn(result.table, groups)
    if any(torn.values()):
        raise AssertionError(f"the split leaks: {torn}")  # a bug of ours: nothing is written
    written = write_index(result, out, force=force)
    return SplitResult(
        index=written,
        recipe=recipe,
        groups=groups,
        torn=torn,
        leak_by_picture=_leak(table, groups, by_picture),
        remarks=_remarks(groups, table, recipe, part),
    )


def _parts(
    table: pl.DataFrame, groups: Groups, strata: NDArray[np.int64], recipe: SplitRecipe, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The part of every row; -1 for what belongs to a held-out centre's lesion and was taken elsewhere."""
    shares = np.array([recipe.fractions[name] for name in SPLITS])
    if not recipe.held_out_centres:
        return assign(groups.of_row, strata, shares, rng=rng)
    known = sorted(table["centre"].drop_nulls().unique())
    unknown = [centre for centre in recipe.held_out_centres if centre not in known]
    if unknown:
        raise DataError(f"held-out centre {unknown[0]!r}: the index has {', '.join(known) or 'no centres'}")
    held_out = table["centre"].is_in(recipe.held_out_centres).fill_null(False).to_numpy()
    touched = np.isin(groups.of_row, groups.of_row[held_out])
    if touched.all():
        raise DataError(f"held-out centres {', '.join(recipe.held_out_centres)}: nothing would be left for training")
    shares[SPLITS.index("test")] = 0
    of_rest = np.unique(groups.of_row[~touched], return_inverse=True)[1].astype(np.int64)
    of_stratum = np.unique(strata[~touched], return_inverse=True)[1].astype(np.int64)
    part = np.where(held_out, SPLITS.index("test"), -1)
    part[~touched] = assign(of_rest, of_stratum, shares / shares.sum(), rng=rng)
    return part


def _refuse_empty(part: NDArray[np.int64], groups: Groups, recipe: SplitRecipe, *, where: str) -> None:
    """Refuse a split in which a part that was to get something got nothing."""
    empty = [name for number, name in enumerate(SPLITS) if recipe.fractions[name] > 0 and not (part == number).any()]
    if empty:
        raise DataError(
            f"{where}: nothing is left for {', '.join(empty)}, because the largest of {groups.count:,} groups has "
            f"{groups.largest:,} of {len(part):,} pictures; see whether their patient and lesion ids are right, use "
            "more data, or give these parts a share of 0"
        )


def require_clean_audit(index: Index, audit: Path | None) -> None:
    """Refuse an index that nobody has audited, or whose audit failed on more than its old split."""
    folder = audit or (index.folder or Path()) / "audit"
    where = str(index.folder)
    try:
        found = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
        failing = [c for c in found["checks"] if c["level"] == "fail" and c["count"]]
        audited = found["index_sha256"]
    except OSError as error:
        raise ArtifactError(
            f"{where}: has not been audited; run: edge-melanoma data audit {where} (or give --despite-audit)"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{folder / 'audit.json'}: is not an audit; run: edge-melanoma data audit {where}"
        ) from error
    if audited != index.sha256:
        raise ArtifactError(f"{folder}: is the audit of another index; run: edge-melanoma data audit {where}")
    standing = [c for c in failing if c["name"] not in _ABOUT_THE_OLD_SPLIT]
    if standing:
        told = ", ".join(f"{check['name']} ({check['count']})" for check in standing)
        raise DataError(f"{where}: fails its audit: {told}; mend the data and ingest again, or give --despite-audit")


def _strata(table: pl.DataFrame) -> NDArray[np.int64]:
    """Pictures that should be spread alike: the same diagnosis, source and, where they are few, centre."""
    columns = ["dx", "source"]
    if table["centre"].n_unique() <= MAX_STRATUM_CENTRES:
        columns.append("centre")
    key = table.select(pl.concat_str([pl.col(c).fill_null("?") for c in columns], separator="|").alias("key"))["key"]
    return np.unique(key.to_numpy().astype(str), return_inverse=True)[1].astype(np.int64)


def _random_by_picture(rows: int, recipe: SplitRecipe, *, rng: np.random.Generator) -> NDArray[np.str_]:
    shares = np.array([recipe.fractions[name] for name in SPLITS])
    ends = np.round(np.cumsum(shares) * rows).astype(int)
    part = np.searchsorted(ends, np.arange(rows), side="right").clip(max=len(SPLITS) - 1)
    dealt: NDArray[np.str_] = np.array(SPLITS)[rng.permutation(part)]
    return dealt


def _leak(table: pl.DataFrame, groups: Groups, part: NDArray[Any]) -> Leak:
    in_train = np.zeros(groups.count, bool)
    in_train[groups.of_row[part == "train"]] = True
    test = part == "test"
    melanoma = test & (table["y_mel"].fill_null(0).to_numpy() == 1)
    known = in_train[groups.of_row]
    return Leak(
        pictures=int(test.sum()),
        leaked=int((test & known).sum()),
        melanomas=int(melanoma.sum()),
        leaked_melanomas=int((melanoma & known).sum()),
    )


def _counts(table: pl.DataFrame, column: str, parts: list[Any]) -> pl.DataFrame:
    kept = pl.DataFrame({column: pl.Series(parts, dtype=table.schema[column])})
    counted = table.group_by(column).agg(
        pl.len().alias("pictures"),
        pl.col("lesion_id").drop_nulls().n_unique().alias("lesions"),
        pl.col("patient_id").drop_nulls().n_unique().alias("patients"),
        (pl.col("y_mel") == 1).sum().alias("melanomas"),
    )
    return kept.join(counted, on=column, how="left", maintain_order="left").fill_null(0)


def _remarks(groups: Groups, table: pl.DataFrame, recipe: SplitRecipe, part: NDArray[np.int64]) -> tuple[str, ...]:
    remarks = []
    if table["patient_id"].null_count() == table.height and table["lesion_id"].null_count() == table.height:
        remarks.append(
            "no patient and no lesion ids: only equal and near-duplicate pictures are known to belong together"
        )
    copy = table["parent_id"].is_not_null().to_numpy()
    apart = int((copy & (part < 0)).sum())
    if apart:
        remarks.append(f"{apart:,} augmented copies of pictures outside the training part are in no part")
    if recipe.held_out_centres:
        beside = int((~copy & (part < 0)).sum())
        told = f"; {beside:,} pictures of the same lesions from other centres are in no part" if beside else ""
        remarks.append(f"the test part is all of {', '.join(recipe.held_out_centres)}{told}")
    smallest = min((f for f in recipe.fractions.values() if f > 0), default=1.0)
    if groups.largest > smallest * table.height:
        remarks.append(f"the largest group has {groups.largest:,} pictures, more than the smallest part was to get")
    calibrating = int(((table["y_mel"] == 1).fill_null(False).to_numpy() & (part == SPLITS.index("calibration"))).sum())
    if calibrating < FEWEST_POSITIVES and recipe.fractions["calibration"] > 0:
        remarks.append(
            f"melanomas in the calibration part: {calibrating}; thresholds are chosen on {FEWEST_POSITIVES} at least, "
            "so give it a larger share (--calibration), or convert will refuse"
        )
    return tuple(remarks)
