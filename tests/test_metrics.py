"""The AUC against a count over all pairs and against scikit-learn; the interval against simulated truth."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_melanoma.errors import DataError
from edge_melanoma.metrics import cluster_bootstrap, roc_auc, weighted_roc_auc


def _count_all_pairs(y: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    wins = 0.0
    for positive in score[y == 1]:
        for negative in score[y == 0]:
            wins += 1.0 if positive > negative else 0.5 if positive == negative else 0.0
    return wins / (np.count_nonzero(y == 1) * np.count_nonzero(y == 0))


@pytest.mark.parametrize("levels", [2, 5, 40, None])
@pytest.mark.parametrize("seed", range(5))
def test_auc_equals_a_count_over_all_pairs(levels: int | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 90)
    score = rng.normal(size=90) + y if levels is None else rng.integers(0, levels, 90).astype(float)
    assert roc_auc(y, score) == pytest.approx(_count_all_pairs(y, score), abs=1e-12)


def test_auc_equals_that_of_scikit_learn() -> None:
    judge = pytest.importorskip("sklearn.metrics").roc_auc_score
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 20_000)
    score = np.round(rng.normal(size=20_000) + 0.7 * y, 2)
    assert roc_auc(y, score) == pytest.approx(judge(y, score), abs=1e-12)


def test_auc_of_known_orders() -> None:
    assert roc_auc([0, 0, 1, 1], [1, 2, 3, 4]) == 1.0
    assert roc_auc([1, 1, 0, 0], [1, 2, 3, 4]) == 0.0
    assert roc_auc([0, 1, 0, 1], [7, 7, 7, 7]) == 0.5
    assert roc_auc([False, True], [-0.0, 0.0]) == 0.5


def test_a_weight_counts_like_as_many_copies() -> None:
    rng = np.random.default_rng(2)
    y, score = rng.integers(0, 2, 60), rng.integers(0, 9, 60).astype(float)
    times = rng.integers(0, 4, (3, 60))
    found = weighted_roc_auc(y.astype(bool), score, times.astype(float))
    copied = [_count_all_pairs(np.repeat(y, t), np.repeat(score, t)) for t in times]
    assert found == pytest.approx(copied, abs=1e-12)


@pytest.mark.parametrize(
    ("y", "score", "says"),
    [
        ([1, 1], [0.1, 0.2], "2 of 2 rows are positive; both classes are needed"),
        ([0, 1], [0.1, float("nan")], "1 of 2 scores are not finite"),
        ([0, 2], [0.1, 0.2], "answers other than 0 and 1"),
        ([0, 1], [0.1], "one score a row"),
        ([], [], "0 of 0 rows are positive"),
    ],
)
def test_what_has_no_auc_is_refused_in_words(y: list[int], score: list[float], says: str) -> None:
    with pytest.raises(DataError, match=says):
        roc_auc(y, score)


def test_copies_of_a_picture_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(3)
    y = np.arange(200) % 4 == 0
    score = rng.normal(size=200) + y
    alone = cluster_bootstrap(weighted_roc_auc, y, score, np.arange(200), rng=np.random.default_rng(0), rounds=500)
    nine = [np.repeat(values, 9) for values in (y, score, np.arange(200))]
    copied = cluster_bootstrap(weighted_roc_auc, *nine, rng=np.random.default_rng(0), rounds=500)
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    assert copied.groups == 200


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Grouped scores whose AUC is known: both parts of the score are normal, so it is Φ(Δ/√2) with total spread 1."""
    covered, truth = 0, 0.7602  # Φ(1/√2)
    for seed in range(120):
        rng = np.random.default_rng(seed)
        group = np.arange(300) // 3
        y = group % 2 == 1
        score = np.sqrt(0.7) * rng.normal(size=100)[group] + np.sqrt(0.3) * rng.normal(size=300) + y
        found = cluster_bootstrap(weighted_roc_auc, y, score, group, rng=rng, rounds=300)
        covered += found.low <= truth <= found.high
    assert 0.88 <= covered / 120 <= 0.99


def test_the_interval_is_that_of_the_seed_whatever_the_names_of_the_groups() -> None:
    y = np.arange(50) % 3 == 0
    score = np.random.default_rng(4).normal(size=50) + y
    numbers = cluster_bootstrap(weighted_roc_auc, y, score, np.arange(50) // 2, rng=np.random.default_rng(7))
    names = [f"lesion {row // 2:02}" for row in range(50)]
    assert cluster_bootstrap(weighted_roc_auc, y, score, names, rng=np.random.default_rng(7)) == numbers


def test_a_patient_with_both_classes_can_be_drawn_and_a_lone_group_is_refused() -> None:
    y, score = np.array([0, 1, 0, 1, 0, 0]), np.array([0.1, 0.9, 0.3, 0.4, 0.5, 0.2])
    found = cluster_bootstrap(weighted_roc_auc, y, score, [0, 0, 1, 1, 2, 3], rng=np.random.default_rng(0), rounds=99)
    assert found.low <= found.value <= found.high
    with pytest.raises(DataError, match="every row needs one"):
        cluster_bootstrap(weighted_roc_auc, y, score, [0, 1], rng=np.random.default_rng(0))


def test_two_thousand_rounds_over_ten_thousand_rows_take_seconds() -> None:
    rng = np.random.default_rng(5)
    y = rng.random(10_000) < 0.11
    started = time.process_time()
    cluster_bootstrap(weighted_roc_auc, y, rng.normal(size=10_000) + y, rng.integers(0, 7_000, 10_000), rng=rng)
    assert time.process_time() - started < 10
