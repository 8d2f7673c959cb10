"""One query after the other, timed: MLPerf's single stream. A series is several runs of the same thing.

A run is at least 64 queries and a minimum time long, after a warm-up whose end is found in the latencies
(`warm_up.py`). MLPerf's own minimum time is ten minutes; ours is the caller's, and stands beside the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .early_stopping import LEAST_QUERIES, percentile_estimate
from .warm_up import LEAST_QUERIES as LEAST_WARM_UP
from .warm_up import settled_after

AGREE_WITHIN = 0.05  # the medians of repeated runs
TRACE = 60  # medians along a run that are kept
QUANTILES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
Query = Callable[[], object]


@dataclass(frozen=True, kw_only=True, eq=False)
class Timed:
    """A run as it was timed: every latency in nanoseconds."""

    warm_up_queries: int  # that came before the stream had settled
    settled: bool
    latencies_ns: tuple[int, ...]  # after that


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run in a few numbers."""

    queries: int
    seconds: float
    warm_up_queries: int
    settled: bool
    p50_ms: float
    slowest_ms: float
    trace_ms: tuple[float, ...]  # medians of successive bunches


@dataclass(frozen=True, kw_only=True)
class Series:
    """Runs of the same thing, and what all their queries say together."""

    threads: int
    runs: tuple[Run, ...]
    queries: int
    p50_ms: float
    p90_ms: float | None  # by early stopping; None: too few queries
    p99_ms: float | None
    quantiles_ms: tuple[float, ...]  # of the sample, at QUANTILES

    @property
    def spread(self) -> float:
        """By which share the slowest run's median lies above the fastest one's."""
        medians = [run.p50_ms for run in self.runs]
        return max(medians) / min(medians) - 1

    @property
    def agrees(self) -> bool:
        """Do the repeated runs say the same?"""
        return self.spread <= AGREE_WITHIN

    @property
    def settled(self) -> bool:
        """Did every run come out of its warm-up?"""
        return all(run.settled for run in self.runs)


def run_stream(query: Query, *, seconds: float, least: int = LEAST_QUERIES) -> Timed:
    """Warm up until the latencies have settled, or as long as the run itself takes; then the run."""
    warm: list[int] = []
    until = time.perf_counter_ns() + int(max(seconds, 0) * 1e9)
    while True:
        _collect(query, warm, seconds=seconds / 10, least=LEAST_WARM_UP)
        after = settled_after(warm)
        if after is not None or time.perf_counter_ns() >= until:
            break
    latencies: list[int] = []
    _collect(query, latencies, seconds=seconds, least=least)
    return Timed(
        warm_up_queries=len(warm) if after is None else after,
        settled=after is not None,
        latencies_ns=tuple(latencies),
    )


def _collect(query: Query, into: list[int], *, seconds: float, least: int) -> None:
    """Queries until both the number and the time are reached; nothing else happens between the two clocks."""
    clock = time.perf_counter_ns
    left, end = least, clock() + int(seconds * 1e9)
    while True:
        begin = clock()
        query()
        done = clock()
        into.append(done - begin)
        left -= 1
        if left <= 0 and done >= end:
            return


def series_of(runs: Sequence[Timed], *, threads: int) -> Series:
    """What repeated runs say together."""
    together = np.sort(np.concatenate([run.latencies_ns for run in runs])) / 1e6
    return Series(
        threads=threads,
        runs=tuple(_in_short(run) for run in runs),
        queries=len(together),
        p50_ms=_ms(np.median(together)),
        p90_ms=_estimate(together, 0.9),
        p99_ms=_estimate(together, 0.99),
        quantiles_ms=tuple(_ms(value) for value in np.quantile(together, QUANTILES)),
    )


def _in_short(run: Timed) -> Run:
    latencies = np.asarray(run.latencies_ns) / 1e6
    return Run(
        queries=len(latencies),
        seconds=round(float(latencies.sum()) / 1e3, 3),
        warm_up_queries=run.warm_up_queries,
        settled=run.settled,
        p50_ms=_ms(np.median(latencies)),
        slowest_ms=_ms(latencies.max()),
        trace_ms=tuple(_ms(np.median(bunch)) for bunch in np.array_split(latencies, min(TRACE, len(latencies)))),
    )


def _estimate(latencies: NDArray[np.float64], percentile: float) -> float | None:
    found = percentile_estimate(latencies, percentile)
    return None if found is None else _ms(found)


def _ms(value: float) -> float:
    return round(float(value), 6)
