"""Whole groups dealt out to parts so that every stratum keeps its share in every part; deterministic for a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign(
    group_of_row: NDArray[np.int64], strata: NDArray[np.int64], shares: NDArray[np.float64], *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The part (an index into `shares`) of every row; groups whole, strata spread by the shares.

    Groups of several pictures go first, the largest first, each where it brings the counts nearest to their targets;
    the single pictures then fill what is missing.
    """
    sizes, strata_count = np.bincount(group_of_row), int(strata.max()) + 1
    target = shares[:, None] * np.bincount(strata)[None, :]
    counts = np.zeros_like(target)
    part_of_group = np.full(len(sizes), -1, np.int64)
    # the strata of each group with their counts: entries starts[group] to starts[group + 1]
    keys, n = np.unique(group_of_row * strata_count + strata, return_counts=True)
    starts = np.searchsorted(keys, np.arange(len(sizes) + 1) * strata_count)
    stratum = keys % strata_count
    tie_break = rng.permutation(len(sizes))
    several = np.flatnonzero(sizes > 1)
    for group in several[np.lexsort((tie_break[several], -sizes[several]))]:
        entries = slice(starts[group], starts[group + 1])
        part = _cheapest_part(counts[:, stratum[entries]], target[:, stratum[entries]], n[entries])
        part_of_group[group] = part
        counts[part, stratum[entries]] += n[entries]
    single = np.flatnonzero(sizes == 1)
    for one in np.unique(stratum[starts[single]]):
        groups = rng.permutation(single[stratum[starts[single]] == one])
        filled = _fill(target[:, one] - counts[:, one], len(groups), shares)
        part_of_group[groups] = np.repeat(np.arange(len(shares)), filled)
    return part_of_group[group_of_row]


def _cheapest_part(counts: NDArray[np.float64], target: NDArray[np.float64], n: NDArray[np.int64]) -> int:
    """Where adding n to the counts (part, stratum) raises their chi-square distance to the target least."""
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.where(target > 0, n * (n + 2 * (counts - target)) / target, np.inf).sum(axis=1)
    return int(np.argmin(cost))


def _fill(deficit: NDArray[np.float64], n: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """n pictures dealt out by deficit: never to a part with share 0, whole numbers by largest remainder."""
    wanted = np.where(shares > 0, np.maximum(deficit, 0), 0)
    wanted = wanted / wanted.sum() * n if wanted.sum() > 0 else shares * n
    filled = np.floor(wanted).astype(np.int64)
    largest = np.argsort(-(wanted - filled), kind="stable")[: n - filled.sum()]
    filled[largest] += 1
    return filled
