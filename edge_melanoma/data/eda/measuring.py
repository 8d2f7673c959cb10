"""The statistics of many pictures: which are measured, on all cores, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.data.eda.counts import originals
from edge_melanoma.data.eda.image_stats import STATISTICS, TONES, measure, tone_of
from edge_melanoma.data.eda.metadata import quantiles
from edge_melanoma.data.index import Index
from edge_melanoma.metrics import weighted_roc_auc
from edge_melanoma.parallel import OnProgress, map_over_cores

IDS = ("image_id", "class", "source", "place", "y_mel")


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """One row for each picture that was measured, and the ones that could not be."""

    table: pl.DataFrame  # IDS, STATISTICS, tone, weight: how many pictures of its class each one stands for
    available: int  # pictures of the index that are there
    sampled: bool
    unreadable: Mapping[str, str]  # image_id -> why

    def by_class(self, statistic: str, classes: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
        """The values of one statistic for each class that was measured."""
        parts = {name: self.table.filter(pl.col("class") == name)[statistic].to_numpy() for name in classes}
        return {name: values.astype(np.float64) for name, values in parts.items() if len(values)}

    def tones(self) -> dict[str, int]:
        """How many pictures have each image-estimated tone, the lightest first; from a sample, about how many."""
        counted = dict(self.table.group_by("tone").agg(pl.col("weight").sum()).rows())
        return {name: round(counted.get(name, 0)) for name, _ in TONES}

    def share(self, condition: pl.Expr, among: pl.Expr) -> float:
        """The share of pictures with a condition, among those with another."""
        weights = self.table.filter(among).select(
            pl.col("weight").sum(), pl.col("weight").filter(condition).sum().alias("of")
        )
        return float(weights["of"][0] / weights["weight"][0]) if weights["weight"][0] else 0.0

    def aucs(self) -> dict[str, float]:
        """How far melanoma can be told from one statistic alone, whichever way it points; the strongest first."""
        found = {}
        for statistic in STATISTICS:
            known = self.table.filter(pl.col("y_mel").is_not_null() & pl.col(statistic).is_finite())
            if known["y_mel"].n_unique() == 2 and known[statistic].n_unique() > 1:
                values = known[statistic].to_numpy().astype(np.float64)
                auc = weighted_roc_auc(known["y_mel"].to_numpy() == 1, values, known["weight"].to_numpy()[None, :])[0]
                found[statistic] = float(max(auc, 1 - auc))
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def to_json(self) -> dict[str, Any]:
        """The measurements in numbers."""
        classes = tuple(self.table["class"].unique().sort())
        by_class = {s: {name: quantiles(v) for name, v in self.by_class(s, classes).items()} for s in STATISTICS}
        return {
            "available": self.available,
            "measured": self.table.height,
            "sampled": self.sampled,
            "unreadable": dict(self.unreadable),
            "by_class": by_class,
            "tones": self.tones(),
            "melanoma_auc_of_one_statistic": {name: round(auc, 4) for name, auc in self.aucs().items()},
        }


def measure_index(
    index: Index, *, max_pictures: int | None, seed: int, workers: int | None, on_progress: OnProgress
) -> Measurements:
    """Measure the pictures of an index, or a sample of them."""
    there = originals(index.table).filter(pl.col("image_path").is_not_null())
    rows = there if max_pictures is None else sample(there, max_pictures, rng=np.random.default_rng(seed))
    found = map_over_cores(measure, index.pictures(rows), workers=workers, on_progress=on_progress)
    readable = [m.values is not None for m in found]
    values = np.array([m.values for m in found if m.values is not None], np.float32).reshape(-1, len(STATISTICS))
    table = rows.filter(pl.Series(readable, dtype=pl.Boolean)).select(IDS)
    table = table.with_columns(pl.Series(name, values[:, i]) for i, name in enumerate(STATISTICS))
    tone = tone_of(values[:, STATISTICS.index("ita_deg")].astype(np.float64))
    sizes = there.group_by("class").len("weight")
    table = table.join(sizes, on="class", how="left", maintain_order="left")
    return Measurements(
        table=table.with_columns(pl.Series("tone", tone, dtype=pl.String), pl.col("weight") / pl.len().over("class")),
        available=there.height,
        sampled=rows.height < there.height,
        unreadable={i: m.problem for i, m in zip(rows["image_id"], found, strict=True) if m.values is None},
    )


def sample(rows: pl.DataFrame, n: int, *, rng: np.random.Generator) -> pl.DataFrame:
    """At most n rows: as many of each class as there are, up to one quota; within a class every centre by its share."""
    sizes = dict(rows["class"].value_counts().sort("class").rows())
    quotas = _quotas(sizes, n)
    mixed = rows.with_row_index("row").with_columns(pl.Series("chance", rng.random(rows.height)))
    kept: list[int] = []
    for name, quota in quotas.items():
        members = mixed.filter(pl.col("class") == name).sort("place", "chance", nulls_last=True)["row"].to_numpy()
        places = np.floor((np.arange(quota) + rng.random()) * len(members) / max(quota, 1)).astype(np.int64)
        kept += members[places].tolist()
    return rows[sorted(kept)]


def _quotas(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    """n shared out evenly; what a small class does not need goes to the others."""
    quotas, left = {}, n
    for done, (name, size) in enumerate(sorted(sizes.items(), key=lambda item: (item[1], item[0]))):
        quotas[name] = min(size, left // (len(sizes) - done))
        left -= quotas[name]
    return quotas
