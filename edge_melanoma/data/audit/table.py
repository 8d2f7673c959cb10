"""Checks of the rows against each other: ids, labels, copies, parts, licences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.data.audit.checks import about_the_table, none_found, one_each, one_per
from edge_melanoma.data.fingerprint import HASH_BITS, NEAR_LIMIT
from edge_melanoma.data.index import SPLITS
from edge_melanoma.data.neighbours import near_pairs, union_find
from edge_melanoma.licences import NON_COMMERCIAL

FEW_POSITIVES = 30  # below, the interval of a sensitivity of .9 is wider than .2


def duplicate_id(rows: pl.DataFrame) -> pl.DataFrame:
    """One id in several rows."""
    return one_per(_repeated(rows, "image_id"), "image_id", pl.format("stands in {} rows", pl.len()))


def unknown_label(rows: pl.DataFrame) -> pl.DataFrame:
    """Labels without a diagnosis."""
    told = pl.format("label '{}' of {}", pl.col("dx_raw").fill_null("(none)"), pl.col("source").fill_null("(none)"))
    return one_each(rows.filter(pl.col("dx").is_null()), told)


def conflicting_label(rows: pl.DataFrame) -> pl.DataFrame:
    """One file, several labels."""
    told = pl.format("the same bytes are called {}", pl.col("dx_raw").drop_nulls().unique().sort().str.join(", "))
    return one_per(_copies(rows).filter("conflict"), "sha256", told)


def exact_duplicate(rows: pl.DataFrame) -> pl.DataFrame:
    """One file, several ids, one label."""
    copies = _copies(rows).filter(~pl.col("conflict") & (pl.col("image_id").n_unique().over("sha256") > 1))
    one = (pl.col("lesion_id").n_unique() == 1) & (pl.col("lesion_id").null_count() == 0)
    told = pl.when(one).then(pl.lit("the same bytes, of one lesion")).otherwise(pl.lit("the same bytes"))
    return one_per(copies, "sha256", told)


def _copies(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose bytes occur more than once; `conflict` where their labels cannot all be right."""
    # AKIEC says "AK or SCC, not told apart", so it contradicts neither
    vague = (pl.col("dx") == "AKIEC").any().over("sha256") & pl.col("dx").is_in(["AK", "SCC"])
    copies = _repeated(rows, "sha256").with_columns(pl.when(vague).then(pl.lit("AKIEC")).otherwise("dx").alias("said"))
    conflict = (pl.col("said").drop_nulls().n_unique() > 1).over("sha256")
    raw = (pl.col("dx_raw").n_unique().over("sha256", "source") > 1).any().over("sha256")
    return copies.with_columns((conflict | raw).alias("conflict"))


def _repeated(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.filter(pl.col(column).is_not_null() & (pl.len().over(column) > 1))


def lesion_of_several_patients(rows: pl.DataFrame) -> pl.DataFrame:
    """One lesion, several patients."""
    shared = rows.filter(pl.col("lesion_id").is_not_null() & pl.col("patient_id").is_not_null()).filter(
        pl.col("patient_id").n_unique().over("lesion_id") > 1
    )
    patients = pl.col("patient_id").n_unique()
    return one_per(shared, "lesion_id", pl.format("lesion {} of {} patients", pl.col("lesion_id").first(), patients))


def leak_group(rows: pl.DataFrame) -> pl.DataFrame:
    """Patients in several parts; of the others lesions; of the others pictures that lie apart from their copies."""
    rest = rows.filter(pl.col("split").is_not_null()).with_columns(original=pl.coalesce("parent_id", "image_id"))
    has_copies = pl.col("parent_id").is_not_null().any().over("original")
    rest = rest.with_columns(original=pl.when(has_copies).then("original"))
    found, count = [], 0
    for column, word in (("patient_id", "patient"), ("lesion_id", "lesion"), ("original", "copies of")):
        torn = _torn(rest, column)
        told = one_per(torn, column, pl.format("{} {} in {}", pl.lit(word), pl.col(column).first(), _parts()))
        found.append(told.with_columns((pl.col("finding") + count).cast(pl.UInt32)))
        count += told["finding"].n_unique()
        rest = rest.join(torn.select(column).unique(), on=column, how="anti", maintain_order="left")
    return pl.concat(found)


def leak_hash(rows: pl.DataFrame) -> pl.DataFrame:
    """One file in several parts."""
    torn = _torn(rows.filter(pl.col("split").is_not_null()), "sha256")
    return one_per(torn, "sha256", pl.format("the same bytes in {}", _parts()))


def _torn(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    return rows.filter(pl.col(key).is_not_null() & (pl.col("split").n_unique().over(key) > 1))


def _parts() -> pl.Expr:
    """As an aggregation: the parts in which the rows lie."""
    return pl.col("split").drop_nulls().unique().sort().str.join(" and ")


def augmented_outside_train(rows: pl.DataFrame) -> pl.DataFrame:
    """Augmented copies where results are measured."""
    outside = rows.filter(pl.col("parent_id").is_not_null() & (pl.col("split") != "train"))
    return one_each(outside, pl.format("copy of {} in {}", "parent_id", "split"))


def few_positives(rows: pl.DataFrame) -> pl.DataFrame:
    """Parts with too few melanomas."""
    split = rows.filter(pl.col("split").is_not_null())
    melanomas = {part: (split.filter(pl.col("split") == part)["y_mel"] == 1).sum() for part in SPLITS}
    there = set(split["split"].unique())
    few = {part: int(count) for part, count in melanomas.items() if part in there and count < FEW_POSITIVES}
    return about_the_table(f"{part} has {count} melanomas; at least {FEW_POSITIVES}" for part, count in few.items())


def published_counts(rows: pl.DataFrame, published: Mapping[str, Mapping[str, int]]) -> pl.DataFrame:
    """Sources whose numbers of pictures per label are not the published ones."""
    told = []
    for source, expected in published.items():
        counted = rows.filter(pl.col("source") == source).group_by("dx_raw").len()
        found = dict(counted.rows())
        for label in sorted({*expected, *(name for name in found if name is not None)}):
            have, want = found.get(label, 0), expected.get(label, 0)
            if have != want:
                told.append(f"{source}: {have:,} pictures of '{label}', published {want:,}")
    return about_the_table(told)


def licence_mix(rows: pl.DataFrame) -> pl.DataFrame:
    """One finding where some licences forbid commercial use and others do not."""
    known = rows.filter(pl.col("license").is_not_null())
    counted = known.group_by("license").len().sort("license")
    restricted = counted["license"].str.contains(NON_COMMERCIAL)
    if not restricted.any() or restricted.all():
        return none_found()
    each = ", ".join(f"{count:,} {license}" for license, count in counted.rows())
    return about_the_table([f"non-commercial beside others: {each}"])


def near_duplicates(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Clusters of near-duplicates of several families, and those of them that lie in several parts.

    A family is what the table ties together: patient, lesion, augmented copy. A finding is a cluster: what is within
    the limit of each other, directly or through pictures between. Byte-equal pictures alone make none.
    """
    rows = rows.with_columns(pl.Series("family", _families(rows))).filter(
        pl.col("phash").is_not_null() & pl.col("sha256").is_not_null()
    )
    looks = rows.unique("sha256", keep="first", maintain_order=True)
    pairs = near_pairs(looks["phash"].to_list(), limit=NEAR_LIMIT)
    cluster = union_find(looks.height, pairs)
    furthest = np.zeros(looks.height, np.int64)
    np.maximum.at(furthest, cluster[pairs[:, 0]], pairs[:, 2])
    looks = looks.select("sha256", pl.Series("cluster", cluster), pl.Series("furthest", furthest[cluster]))
    rows = rows.join(looks, on="sha256", maintain_order="left").filter(
        (pl.col("sha256").n_unique().over("cluster") > 1) & (pl.col("family").n_unique().over("cluster") > 1)
    )
    apart = pl.format(f"at most {{}} of {HASH_BITS} bits apart", pl.col("furthest").first())
    across = rows.filter(pl.col("split").drop_nulls().n_unique().over("cluster") > 1)
    in_parts = pl.format("{}, in {}", apart, _parts())
    return one_per(rows, "cluster", apart), one_per(across, "cluster", in_parts)


def _families(rows: pl.DataFrame) -> NDArray[np.int64]:
    """The family of every row."""
    nodes, ties = rows.height, [np.empty((0, 2), np.int64)]
    for column in ("patient_id", "lesion_id"):
        told = rows.select(pl.int_range(pl.len()).alias("row"), pl.col(column).rank("dense").alias("id")).drop_nulls()
        ties.append(told.select("row", pl.col("id") + nodes).to_numpy().astype(np.int64))
        nodes += told["id"].n_unique() + 1  # ranks begin at 1
    numbered = rows.select(pl.int_range(pl.len()).alias("row"), "image_id", "parent_id")
    parents = numbered.join(
        numbered.select("image_id", pl.col("row").alias("parent")), left_on="parent_id", right_on="image_id"
    )
    ties.append(parents.select("row", "parent").to_numpy().astype(np.int64))
    return union_find(nodes, np.concatenate(ties))[: rows.height]
