"""How slow are the slowest, said with confidence: MLPerf's early-stopping estimate of a percentile.

The sample's own 90th percentile is too low in about half of all runs. MLPerf takes the latency of a slower query
instead: of n queries, t are over it, and t is the largest count for which so few, or fewer, slow queries would be seen
with a probability of at most 1 %, if the true share of slow ones were 10 %. Below 64 queries no such t is above 0, for
the 99th percentile below 662; then there is no estimate. As in MLPerf's loadgen: confidence 0.99, tolerance 0.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.99
LEAST_QUERIES = 64  # for the 90th percentile, and MLPerf's minimum for a single stream


def percentile_estimate(latencies: ArrayLike, percentile: float) -> float | None:
    """The latency under which the given share of queries lies, with 99 % confidence; None: too few queries."""
    ordered = np.sort(np.asarray(latencies, np.float64))
    slower = slower_queries(len(ordered), percentile)
    return None if slower is None else float(ordered[-slower])


def slower_queries(queries: int, percentile: float) -> int | None:
    """t: the estimate is the t-th slowest of so many queries. None where not even the slowest is slow enough."""
    slow = 1 - percentile
    k = np.arange(1, min(queries, int(slow * queries) + 1) + 1)
    # log of the binomial probabilities of 0, 1, 2 … slow queries, each from the one before
    steps = np.log((queries - k + 1) / k) + math.log(slow / percentile)
    log_of = queries * math.log(percentile) + np.concatenate([[0.0], np.cumsum(steps)])
    at_most = np.logaddexp.accumulate(log_of)
    t = int((at_most <= math.log(1 - CONFIDENCE)).sum()) - 1
    return t if t >= 1 else None
