"""The comparison with a bare loop counts ratios of one round, and names what it could not compare with."""

import numpy as np
import pytest

from edge_melanoma.benchmarks import bench_overhead
from edge_melanoma.benchmarks.bench_overhead import BARE, OURS, LeftOutError, measure, plain_median, ratios, row


def test_a_busy_round_changes_no_ratio():
    bare, ours = [1.0, 3.0, 1.0], [1.01, 3.03, 1.01]
    assert ratios(ours, bare) == pytest.approx((1.01, 1.01, 1.01))
    assert row("m.tflite", OURS, {BARE: bare, OURS: ours}) == ("m.tflite", OURS, "1.01", "1.010", "1.010–1.010")


def test_every_way_has_its_turn_in_every_round_and_the_first_round_does_not_count():
    turns = []

    def way(name):
        return lambda: turns.append(name) or float(len(turns))

    found = measure({name: way(name) for name in "abc"}, rounds=3)
    assert {name: len(values) for name, values in found.items()} == {"a": 3, "b": 3, "c": 3}
    assert ["".join(turns[place : place + 3]) for place in range(0, 12, 3)] == ["abc", "bca", "cab", "abc"]


def test_the_plain_loop_takes_the_median_of_the_calls_alone():
    calls = []
    assert 0 < plain_median(lambda: calls.append(1), seconds=0) < 1
    assert len(calls) == bench_overhead.WARM_UP + 8


def test_what_is_absent_is_left_out_with_the_reason(monkeypatch):
    picture = np.zeros((1, 16, 16, 3), np.uint8)
    monkeypatch.setattr(bench_overhead, "installed", lambda name: None)
    with pytest.raises(LeftOutError, match="TensorFlow is not installed"):
        bench_overhead.by_tensorflow(None, picture)
    with pytest.raises(LeftOutError, match="tflite-runtime is not installed"):
        bench_overhead.by_tflite_runtime(None, picture)
    with pytest.raises(LeftOutError, match="no --run"):
        bench_overhead.by_keras(None, picture)
