"""The percentiles are MLPerf's and conservative, warm-up is found where it was put, and a stream keeps its promises."""

import math
from fractions import Fraction

import numpy as np
import pytest

from edge_melanoma.benchmarks.device.early_stopping import LEAST_QUERIES, percentile_estimate, slower_queries
from edge_melanoma.benchmarks.device.stream import Timed, run_stream, series_of
from edge_melanoma.benchmarks.device.warm_up import BATCH, settled_after
from edge_melanoma.benchmarks.device.warm_up import LEAST_QUERIES as LEAST_WARM_UP


def by_brute_force(queries, percentile):
    """The largest t with P(at most t slow queries) <= 1 %, summed exactly."""
    slow = 1 - Fraction(percentile).limit_denominator(1000)
    total, t = Fraction(0), None
    for k in range(queries + 1):
        total += math.comb(queries, k) * slow**k * (1 - slow) ** (queries - k)
        if total > Fraction(1, 100):
            break
        t = k
    return t if t else None


@pytest.mark.parametrize("percentile", [0.5, 0.9, 0.99])
def test_the_rank_of_the_estimate_is_that_of_an_exact_sum(percentile):
    for queries in (*range(1, 140), 300, 661, 662, 700, 1000):
        assert slower_queries(queries, percentile) == by_brute_force(queries, percentile), queries


def test_the_least_numbers_of_queries_are_those_of_the_rules():
    assert LEAST_QUERIES == 64
    assert [slower_queries(n, 0.9) for n in (0, 1, 63, 64)] == [None, None, None, 1]
    assert [slower_queries(n, 0.99) for n in (661, 662)] == [None, 1]


def test_many_queries_are_no_trouble():
    t = slower_queries(1_000_000, 0.9)
    spread = math.sqrt(1_000_000 * 0.9 * 0.1)
    assert 100_000 - t == pytest.approx(2.326 * spread, rel=0.01), "the normal approximation, at 99 %"


def test_the_estimate_is_below_the_true_percentile_in_about_one_run_of_a_hundred():
    rng = np.random.default_rng(0)
    true = -math.log(0.1)  # of the exponential distribution
    below = [percentile_estimate(rng.exponential(size=300), 0.9) < true for _ in range(4000)]
    assert np.mean(below) <= 0.014, "1 %, and four standard errors of the simulation"
    assert np.mean([np.quantile(rng.exponential(size=300), 0.9) < true for _ in range(400)]) > 0.3


def noise(count, seed):
    return np.exp(np.random.default_rng(seed).normal(0, 0.05, count))


def test_a_warm_up_is_found_where_it_ends():
    cold, cuts = 40, []
    for seed in range(20):
        latencies = noise(400, seed)
        latencies[:cold] *= 3
        cuts.append(settled_after(latencies))
    assert min(cuts) >= cold
    assert np.median(cuts) <= cold + 2 * BATCH


def test_of_a_quiet_stream_little_is_thrown_away():
    cut = [settled_after(noise(400, seed)) for seed in range(50)]
    assert sum(one is None for one in cut) <= 5
    assert np.median([one for one in cut if one is not None]) <= 4 * BATCH


def test_a_drift_never_settles_and_few_queries_say_nothing():
    drift = 1 + 0.5 * np.arange(400) / 400
    assert sum(settled_after(noise(400, seed) * drift) is not None for seed in range(50)) <= 2
    assert settled_after(noise(LEAST_WARM_UP - 1, 0)) is None


def test_one_hiccup_is_no_warm_up():
    latencies = noise(400, 0)
    latencies[100] *= 50
    assert settled_after(latencies) < 100


class Clock:
    """Time that passes only in queries, so that a busy machine changes nothing."""

    def __init__(self, monkeypatch, milliseconds):
        self.now, self.queries, self.milliseconds = 0, 0, milliseconds
        monkeypatch.setattr("edge_melanoma.benchmarks.device.stream.time.perf_counter_ns", lambda: self.now)

    def query(self):
        self.now += round(self.milliseconds(self.queries) * 1e6)
        self.queries += 1


def test_a_stream_warms_up_and_then_keeps_both_minimums(monkeypatch):
    fast = Clock(monkeypatch, lambda n: 40.0 if n < 20 else 10.0)
    run = run_stream(fast.query, seconds=2.0)
    assert run.settled
    assert run.warm_up_queries == 20
    assert len(run.latencies_ns) == 200, "two seconds of 10 ms"
    assert set(run.latencies_ns) == {10_000_000}
    slow = Clock(monkeypatch, lambda n: 500.0)
    assert len(run_stream(slow.query, seconds=2.0).latencies_ns) == 64, "the least number"


def test_a_stream_that_never_settles_ends_and_says_so(monkeypatch):
    clock = Clock(monkeypatch, lambda n: 1.0 + 0.01 * n)
    run = run_stream(clock.query, seconds=1.0)
    assert not run.settled
    assert not series_of([run], threads=1).settled


def made_run(p50_ms, count=700):
    return Timed(warm_up_queries=0, settled=True, latencies_ns=tuple(round(p50_ms * 1e6) + i for i in range(count)))


def test_runs_agree_within_five_per_cent_or_it_is_said():
    assert series_of([made_run(10), made_run(10.4)], threads=1).agrees
    apart = series_of([made_run(10), made_run(10.6)], threads=1)
    assert not apart.agrees
    assert apart.spread == pytest.approx(0.06, abs=0.001)


def test_a_series_is_all_of_its_queries_together():
    series = series_of([made_run(1, 300), made_run(3, 400)], threads=2)
    assert series.queries == 700
    assert series.p50_ms == pytest.approx(3, abs=0.001)
    assert (series.quantiles_ms[0], series.quantiles_ms[-1]) == (1.0, pytest.approx(3, abs=0.001))
    assert series.p99_ms is not None, "662 queries are enough"
    few = series_of([made_run(1, 63)], threads=1)
    assert (few.p90_ms, few.p99_ms) == (None, None)
    assert len(few.runs[0].trace_ms) == 60
