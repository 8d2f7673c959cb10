"""Every metric against scikit-learn, SciPy or a count by hand; the intervals against simulated truth."""

from __future__ import annotations

import json
import time
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_melanoma import metrics
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


# --- ranking: against scikit-learn, and against ten lines that look at every threshold ---


def _scores(seed: int, n: int = 400, levels: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.2
    score = rng.normal(size=n) + 1.2 * y
    return y, np.round(score * levels) / levels if levels else score


def _every_threshold(y: NDArray[np.bool_], score: NDArray[np.float64]) -> list[tuple[float, float]]:
    """(sensitivity, specificity) of every threshold, one above all scores included."""
    points = [(0.0, 1.0)]
    for threshold in np.unique(score):
        referred = score >= threshold
        points.append((float(referred[y].mean()), float((~referred[~y]).mean())))
    return points


@pytest.mark.parametrize("levels", [0, 1, 4])
@pytest.mark.parametrize("seed", range(3))
def test_average_precision_and_pauc80_equal_those_of_scikit_learn(seed: int, levels: int) -> None:
    judge = pytest.importorskip("sklearn.metrics")
    y, score = _scores(seed, levels=levels)
    assert metrics.average_precision(y, score) == pytest.approx(judge.average_precision_score(y, score), abs=1e-12)
    # the formula of the ISIC 2024 challenge: labels and scores turned round, and McClish's scaling undone
    scaled = judge.roc_auc_score(1 - y, -score, max_fpr=0.2)
    lowest = 0.5 * 0.2**2
    expected = lowest + (0.2 - lowest) / (1.0 - 0.5) * (scaled - 0.5)
    assert metrics.pauc80(y, score) == pytest.approx(expected, abs=1e-12)


def test_pauc80_of_known_orders() -> None:
    y = np.arange(2000) % 2 == 0
    assert metrics.pauc80(y, y.astype(float)) == pytest.approx(0.2)
    assert metrics.pauc80(y, 1.0 - y) == pytest.approx(0.0)
    assert metrics.pauc80(y, np.zeros(2000)) == pytest.approx(0.02)


@pytest.mark.parametrize("levels", [0, 2])
@pytest.mark.parametrize("wanted", [0.8, 0.9, 0.95])
def test_operating_points_are_the_best_of_all_thresholds(wanted: float, levels: int) -> None:
    y, score = _scores(7, levels=levels)
    points = _every_threshold(y, score)
    best_se = max(se for se, sp in points if sp >= wanted - 1e-12)
    best_sp = max(sp for se, sp in points if se >= wanted - 1e-12)
    assert metrics.sensitivity_at_specificity(y, score, wanted) == pytest.approx(best_se, abs=1e-12)
    assert metrics.specificity_at_sensitivity(y, score, wanted) == pytest.approx(best_sp, abs=1e-12)


def test_a_specificity_of_nine_tenths_over_ten_negatives_allows_one_false_alarm() -> None:
    y = np.array([0] * 10 + [1] * 2)
    score = np.array([*range(9), 20, 10, 30], float)
    assert metrics.sensitivity_at_specificity(y, score, 0.9) == 1.0
    assert metrics.sensitivity_at_specificity(y, score, 0.95) == 0.5


def test_all_ranking_metrics_count_a_weight_like_as_many_copies() -> None:
    y, score = _scores(3, n=80, levels=2)
    times = np.random.default_rng(0).integers(0, 4, (4, 80))
    found = metrics.ranking_measures(y, score)(times.astype(float))
    for round_, t in enumerate(times):
        copied = metrics.ranking_measures(np.repeat(y, t), np.repeat(score, t))(np.ones((1, t.sum())))
        for name, values in copied.items():
            assert found[name][round_] == pytest.approx(values[0], abs=1e-12), name


# --- decisions ---


def test_rates_of_a_decision_equal_those_of_scikit_learn() -> None:
    judge = pytest.importorskip("sklearn.metrics")
    y, score = _scores(1)
    called = score > 0.8
    rates = {name: values[0] for name, values in metrics.count(y, called).rates(prevalence=0.02).items()}
    tn, fp, fn, tp = judge.confusion_matrix(y, called).ravel()
    assert rates["sensitivity"] == pytest.approx(judge.recall_score(y, called))
    assert rates["specificity"] == pytest.approx(tn / (tn + fp))
    assert rates["balanced_accuracy"] == pytest.approx(judge.balanced_accuracy_score(y, called))
    assert rates["ppv"] == pytest.approx(judge.precision_score(y, called))
    assert rates["npv"] == pytest.approx(tn / (tn + fn))
    assert rates["nnb"] == pytest.approx((tp + fp) / tp)
    assert rates["f1"] == pytest.approx(judge.f1_score(y, called))
    assert rates["f2"] == pytest.approx(judge.fbeta_score(y, called, beta=2))
    assert rates["mcc"] == pytest.approx(judge.matthews_corrcoef(y, called))
    plus, minus = judge.class_likelihood_ratios(y, called)
    assert (rates["lr_positive"], rates["lr_negative"]) == pytest.approx((plus, minus))


def test_predictive_values_at_a_prevalence_are_those_of_a_population_with_it() -> None:
    """0.90 learned at one in two is 0.083 at one in a hundred: the number that a user must never be spared."""
    y, called = np.array([1] * 10 + [0] * 10), np.array([1] * 9 + [0] + [1] + [0] * 9)
    assert metrics.count(y, called).rates(prevalence=0.5)["ppv_at_prevalence"][0] == pytest.approx(0.9)
    rare = metrics.count(y, called).rates(prevalence=0.01)
    assert rare["ppv_at_prevalence"][0] == pytest.approx(0.083, abs=5e-4)
    assert rare["npv_at_prevalence"][0] == pytest.approx(0.99 * 0.9 / (0.99 * 0.9 + 0.01 * 0.1))


def test_a_rate_of_nothing_is_not_a_number_and_never_an_error() -> None:
    rates = metrics.count([1, 1, 0], [0, 0, 0]).rates(prevalence=0.1)
    assert np.isnan(rates["ppv"][0])
    assert rates["sensitivity"][0] == 0
    assert metrics.wilson(0, 0).to_json()["value"] is None


def test_wilson_equals_scipy_and_sixteen_melanomas_say_little() -> None:
    judge = pytest.importorskip("scipy.stats").binomtest
    for successes, trials in ((14, 16), (0, 9), (9, 9), (440, 1113)):
        exact = judge(successes, trials).proportion_ci(method="wilson")
        found = metrics.wilson(successes, trials)
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)
    assert f"{metrics.wilson(14, 16)}" == "0.875 (0.640–0.965)"


def test_copies_of_a_picture_do_not_narrow_wilson() -> None:
    hit = np.arange(60) % 5 > 0
    alone = metrics.grouped_wilson(hit, np.arange(60))
    copied = metrics.grouped_wilson(np.repeat(hit, 7), np.repeat(np.arange(60), 7))
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    plain = metrics.wilson(int(hit.sum()), 60)
    assert (alone.low, alone.high) == pytest.approx((plain.low, plain.high), abs=0.005)
    all_found = metrics.grouped_wilson(np.ones(30, bool), np.repeat(np.arange(10), 3))
    assert (all_found.low, all_found.high) == pytest.approx((metrics.wilson(10, 10).low, 1.0))


def test_mcnemar_equals_the_binomial_test_where_each_picture_stands_for_itself() -> None:
    judge = pytest.importorskip("scipy.stats").binomtest
    rng = np.random.default_rng(0)
    first, second = rng.random(300) < 0.8, rng.random(300) < 0.7
    found = metrics.mcnemar(first, second, np.arange(300))
    assert found.only_first == (first & ~second).sum()
    assert found.p == pytest.approx(judge(found.only_first, found.only_first + found.only_second).pvalue)
    assert metrics.mcnemar(first, first, np.arange(300)).p == 1.0
    agreeing = np.repeat(first, 2) & np.tile([True, False], 300)  # a group's other picture tells the two not apart
    again = metrics.mcnemar(agreeing, np.repeat(second, 2) & np.tile([True, False], 300), np.repeat(np.arange(300), 2))
    assert again.p == pytest.approx(found.p)


def test_mcnemar_equals_a_count_of_all_signs_where_groups_have_several_pictures() -> None:
    nets = (3, -1, 2, 2, 0, 1, -2)
    first = np.concatenate([np.repeat([True, False], [max(net, 0) + 1, max(-net, 0) + 1]) for net in nets])
    second = np.concatenate([np.repeat([False, True], [max(net, 0) + 1, max(-net, 0) + 1]) for net in nets])
    groups = np.repeat(np.arange(len(nets)), [abs(net) + 2 for net in nets])
    sums = [sum(sign * net for sign, net in zip(signs, nets, strict=True)) for signs in product((-1, 1), repeat=7)]
    found = metrics.mcnemar(first, second, groups)
    assert found.p == pytest.approx(np.mean(np.abs(sums) >= sum(nets)))
    assert found.only_first - found.only_second == sum(nets)


@pytest.mark.parametrize("pictures", [1, 3])
def test_mcnemar_is_wrong_about_equal_models_as_often_as_it_says(pictures: int) -> None:
    """Lesions with alike pictures; counted one by one, three alike pictures seem to prove it in a quarter of rounds."""
    rng = np.random.default_rng(8)
    lesion, wrong = np.repeat(np.arange(100), pictures), 0
    for _ in range(1000):
        alike = rng.random((2, 100)) < 0.75
        right = np.where(rng.random((2, len(lesion))) < 0.9, alike[:, lesion], rng.random((2, len(lesion))) < 0.75)
        wrong += metrics.mcnemar(*right, lesion).p < 0.05
    assert 0.03 <= wrong / 1000 <= 0.08


def test_net_benefit_is_hits_less_false_alarms_at_their_price() -> None:
    y, p = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.05, 0.3, 0.02, 0.01])
    found = metrics.net_benefit(y, p, thresholds=(0.1, 0.2))
    assert found.model == pytest.approx([1 / 5 - 1 / 5 * 0.1 / 0.9, 1 / 5 - 1 / 5 * 0.2 / 0.8])
    assert found.refer_all == pytest.approx([2 / 5 - 3 / 5 * 0.1 / 0.9, 2 / 5 - 3 / 5 * 0.2 / 0.8])


# --- probabilities ---


def test_brier_equals_scikit_learn_and_its_skill_is_none_for_the_prevalence() -> None:
    judge = pytest.importorskip("sklearn.metrics").brier_score_loss
    y, x = _scores(2)
    p = metrics.probability_measures(y, x)(np.ones((1, len(y))))
    assert p["brier"][0] == pytest.approx(judge(y, 1 / (1 + np.exp(-x))))
    always = np.full(len(y), np.log(y.mean() / (1 - y.mean())))
    assert metrics.probability_measures(y, always)(np.ones((1, len(y))))["brier_skill"][0] == pytest.approx(0)


def test_calibration_error_equals_a_count_bin_by_bin() -> None:
    rng = np.random.default_rng(5)
    p = rng.random(1500) ** 3
    y = rng.random(1500) < p**0.7
    order = np.argsort(p)
    by_hand = sum(abs(p[part].sum() - y[part].sum()) for part in np.split(order, 15)) / 1500
    assert metrics.calibration_error(y, p) == pytest.approx(by_hand, abs=1e-12)


def test_equal_probabilities_share_a_bin_whatever_their_order() -> None:
    p = np.repeat([0.1, 0.6], [70, 30])
    y = np.arange(100) % 3 == 0
    shuffled = np.random.default_rng(0).permutation(100)
    assert metrics.calibration_error(y, p) == pytest.approx(metrics.calibration_error(y[shuffled], p[shuffled]))
    found = metrics.reliability(y, p, np.arange(100))
    assert [(round(b.mean_probability, 6), b.observed.trials) for b in found] == [(0.1, 70), (0.6, 30)]


def test_the_floor_of_the_calibration_error_is_what_perfect_probabilities_show() -> None:
    rng = np.random.default_rng(6)
    p = rng.random(600)
    seen = [metrics.calibration_error(rng.random(600) < p, p) for _ in range(200)]
    assert metrics.calibration_error_floor(p, rng=rng) == pytest.approx(np.mean(seen), rel=0.05)


def test_calibration_line_equals_scikit_learn_and_finds_what_was_done_to_the_probabilities() -> None:
    judge = pytest.importorskip("sklearn.linear_model").LogisticRegression
    rng = np.random.default_rng(8)
    truth = rng.normal(-1, 1.5, 40_000)
    y = rng.random(40_000) < 1 / (1 + np.exp(-truth))
    slope = metrics.calibration_line(y, 2 * truth)[1]  # twice too extreme
    fitted = judge(C=np.inf, tol=1e-10).fit(2 * truth[:, None], y)
    assert slope == pytest.approx(fitted.coef_[0, 0], abs=1e-5)
    assert slope == pytest.approx(0.5, abs=0.02)
    assert metrics.calibration_line(y, truth + 0.7)[0] == pytest.approx(-0.7, abs=0.05)
    assert metrics.calibration_line(y, truth) == pytest.approx((0, 1), abs=0.05)


def test_classes_that_do_not_overlap_have_no_calibration_slope() -> None:
    y = np.arange(40) < 20
    assert np.isnan(metrics.calibration_line(y, np.where(y, 3.0, -3.0))[1])


# --- several classes, abstaining ---


def test_class_metrics_equal_those_of_scikit_learn() -> None:
    judge = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(9)
    y = rng.choice(4, 500, p=[0.6, 0.2, 0.15, 0.05])
    called = np.where(rng.random(500) < 0.6, y, rng.integers(0, 4, 500))
    assert (metrics.confusion_matrix(y, called, 4) == judge.confusion_matrix(y, called)).all()
    found = metrics.class_measures(y, called, list("abcd"))(np.ones((1, 500)))
    assert metrics.macro_recall(y, called, 4) == pytest.approx(judge.balanced_accuracy_score(y, called))
    assert found["classes.accuracy"][0] == pytest.approx(judge.accuracy_score(y, called))
    assert found["classes.macro_f1"][0] == pytest.approx(judge.f1_score(y, called, average="macro"))
    recall = judge.recall_score(y, called, average=None)
    assert [found[f"classes.recall.{name}"][0] for name in "abcd"] == pytest.approx(list(recall))


def test_a_class_that_does_not_occur_has_no_say_in_the_mean_recall() -> None:
    assert metrics.macro_recall([0, 0, 1, 1], [0, 1, 1, 1], 3) == pytest.approx(0.75)


def test_risk_and_coverage_equal_a_count_picture_by_picture() -> None:
    rng = np.random.default_rng(10)
    sure, wrong = rng.random(200), rng.random(200) < 0.3
    order = np.argsort(-sure)
    risks = [wrong[order[: k + 1]].mean() for k in range(200)]
    covered, risk, area = metrics.risk_coverage(wrong, sure)
    assert covered == pytest.approx(np.arange(1, 201) / 200)
    assert risk == pytest.approx(risks)
    assert area == pytest.approx(np.mean(risks))


def test_the_surest_nine_tenths_keep_their_sensitivity() -> None:
    y, score = _scores(11)
    called, sure = score > 0.7, np.abs(score - 0.7)
    found = metrics.selective_measures(y, called, sure)(np.ones((1, len(y))))
    kept = np.argsort(-sure)[: int(0.9 * len(y))]
    assert found["se_at_coverage90"][0] == pytest.approx(called[kept][y[kept]].mean())
    assert found["aurc"][0] == pytest.approx(metrics.risk_coverage(called != y, sure)[2])


# --- intervals ---


def test_delong_equals_its_definition_over_all_pairs() -> None:
    y, score = _scores(12, n=120, levels=3)
    positive, negative = score[y], score[~y]
    wins = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
    variance = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative)
    found = metrics.delong(y, score)
    assert found.value == pytest.approx(wins.mean())
    assert found.standard_error == pytest.approx(np.sqrt(variance))


def test_delong_difference_equals_its_definition_and_finds_none_between_equals() -> None:
    y, score = _scores(13, n=150)
    other = score + np.random.default_rng(1).normal(size=150)
    shares = []
    for s in (score, other):
        wins = (s[y][:, None] > s[~y][None, :]) + 0.5 * (s[y][:, None] == s[~y][None, :])
        shares.append((wins.mean(axis=1), wins.mean(axis=0)))
    (p1, n1), (p2, n2) = shares
    variance = (p1 - p2).var(ddof=1) / y.sum() + (n1 - n2).var(ddof=1) / (~y).sum()
    found = metrics.delong_difference(y, score, other)
    assert found.value == pytest.approx(p1.mean() - p2.mean())
    assert found.standard_error == pytest.approx(np.sqrt(variance))
    assert metrics.delong_difference(y, score, 2 * score + 1).p == 1.0


def test_delong_with_groups_is_not_fooled_by_copies() -> None:
    y, score = _scores(14, n=200)
    alone = metrics.delong(y, score)
    copied = metrics.delong(np.repeat(y, 5), np.repeat(score, 5), np.repeat(np.arange(200), 5))
    assert copied.standard_error == pytest.approx(alone.standard_error, rel=0.01)


def test_bootstrap_percentiles_and_bca_equal_those_of_scipy() -> None:
    """On one sample of a mean, where both can be asked; strata of one class are an ordinary bootstrap."""
    judge = pytest.importorskip("scipy.stats").bootstrap
    x = np.random.default_rng(0).exponential(size=60)

    def mean(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"mean": weights @ x / weights.sum(axis=1)}

    drawn = metrics.bootstrap(mean, np.zeros(60, int), np.arange(60), rng=np.random.default_rng(1), rounds=20_000)
    found = drawn.estimate("mean")
    for method, low, high in (
        ("percentile", found.low, found.high),
        ("BCa", found.low_bca, found.high_bca),
    ):
        asked = judge((x,), np.mean, n_resamples=20_000, method=method, rng=np.random.default_rng(2))
        assert (low, high) == pytest.approx(tuple(asked.confidence_interval), abs=0.015), method


def test_every_round_keeps_the_number_of_groups_of_each_class() -> None:
    y = np.array([0, 0, 1, 1, 2, 2, 2, 0])
    groups = np.array([0, 0, 1, 2, 3, 3, 4, 5])
    seen: list[NDArray[np.float64]] = []

    def watch(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        seen.append(weights)
        return {"n": weights.sum(axis=1)}

    metrics.bootstrap(watch, y, groups, rng=np.random.default_rng(0), rounds=50)
    drawn = seen[0]
    for members in ([0, 7], [2, 3], [4, 6]):  # one row of each group, by class
        assert (drawn[:, members].sum(axis=1) == 2).all()


def test_a_paired_difference_is_narrower_than_either_interval_and_none_between_equals() -> None:
    y, score = _scores(15, n=600)
    close = score + 0.1 * np.random.default_rng(2).normal(size=600)

    def both(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {name: weighted_roc_auc(y, s, weights) for name, s in (("a", score), ("b", close), ("same", score))}

    drawn = metrics.bootstrap(both, y, np.arange(600), rng=np.random.default_rng(3), rounds=500)
    one, apart = drawn.estimate("a"), drawn.difference("a", "b")
    assert apart.high - apart.low < 0.3 * (one.high - one.low)
    none = drawn.difference("a", "same")
    assert (none.value, none.low, none.high) == (0, 0, 0)
    # an independent judge of the same spread
    judged = metrics.delong_difference(y, score, close)
    assert apart.high - apart.low == pytest.approx(judged.high - judged.low, rel=0.15)


@pytest.mark.parametrize("kind", ["percentile", "bca", "delong"])
def test_grouped_intervals_cover_the_truth_about_as_often_as_they_say(kind: str) -> None:
    covered, rounds, truth = 0, 300, 0.8556  # Φ(1.5/√2)
    for seed in range(rounds):
        rng = np.random.default_rng(1000 + seed)
        group = np.arange(240) // 3
        y = group % 3 == 0
        score = np.sqrt(0.6) * rng.normal(size=80)[group] + np.sqrt(0.4) * rng.normal(size=240) + 1.5 * y
        if kind == "delong":
            found = metrics.delong(y, score, group)
            low, high = found.low, found.high
        else:
            drawn = metrics.bootstrap(metrics.ranking_measures(y, score), y, group, rng=rng, rounds=300)
            estimate = drawn.estimate("roc_auc")
            low, high = (estimate.low, estimate.high) if kind == "percentile" else (estimate.low_bca, estimate.high_bca)
        covered += low <= truth <= high
    assert 0.91 <= covered / rounds <= 0.98


def test_grouped_wilson_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        group = np.arange(180) // 3
        of_group = rng.beta(8, 2, 60)  # pictures of a lesion are found together: mean 0.8
        found = metrics.grouped_wilson(rng.random(180) < of_group[group], group)
        covered += found.low <= 0.8 <= found.high
    assert 0.91 <= covered / 300 <= 0.99


def test_an_infinite_ratio_has_an_interval_and_json_without_infinity() -> None:
    y = np.arange(40) < 20
    called = y & (np.arange(40) > 4)
    measures = metrics.decision_measures(y, called, prefix="")
    found = metrics.bootstrap(measures, y, np.arange(40), rng=np.random.default_rng(0), rounds=200)
    assert str(found.estimate("lr_positive")) == "∞ (∞–∞)"
    assert found.estimate("lr_positive").to_json()["value"] is None
    json.dumps(found.estimate("lr_positive").to_json(), allow_nan=False)


def test_the_whole_set_on_fifteen_hundred_pictures_takes_seconds() -> None:
    rng = np.random.default_rng(16)
    y = rng.random(1500) < 0.11
    score = rng.normal(size=1500) + 1.9 * y
    parts = [
        metrics.ranking_measures(y, score),
        metrics.probability_measures(y, score - 3),
        metrics.decision_measures(y, score > 1, prefix="refer.", prevalence=0.02),
        metrics.selective_measures(y, score > 1, np.abs(score - 1)),
        metrics.class_measures(rng.integers(0, 7, 1500), rng.integers(0, 7, 1500), list("abcdefg")),
    ]
    started = time.process_time()
    drawn = metrics.bootstrap(metrics.together(*parts), y, rng.integers(0, 1100, 1500), rng=rng)
    assert time.process_time() - started < 15
    assert all(drawn.estimate(name).rounds > 1900 for name in drawn.point)


def test_groups_that_agree_to_the_last_picture_count_every_picture():
    hit, groups = [True, False, True, False], ["a", "a", "b", "b"]
    assert metrics.grouped_wilson(hit, groups).to_json() == metrics.wilson(2, 4).to_json()


def test_where_nothing_changed_a_change_is_still_possible() -> None:
    """Of 100 alone the exact upper bound of either is 3.6 %; pictures that come in threes say less."""
    found = np.arange(100) < 98
    alone = metrics.grouped_change(found, found, np.arange(100))
    assert (alone.value, alone.gained, alone.lost, alone.trials) == (0, 0, 0, 100)
    assert (alone.low, alone.high) == pytest.approx((-0.0370, 0.0370), abs=1e-4)
    tied = metrics.grouped_change(found, found, np.arange(100) // 3)
    assert tied.high > 2 * alone.high
    assert f"{alone}" == "0.000 (−0.037 to 0.037)"


def test_a_change_counts_both_directions_and_turns_round_with_them() -> None:
    before, after = np.array([1, 1, 1, 0, 0, 1, 1, 1]), np.array([1, 0, 0, 1, 0, 1, 1, 1])
    found = metrics.grouped_change(before, after, np.arange(8))
    assert (found.gained, found.lost, found.value) == (1, 2, -1 / 8)
    back = metrics.grouped_change(after, before, np.arange(8))
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))
    everything = metrics.grouped_change(np.zeros(5), np.ones(5), np.arange(5))
    assert (everything.value, everything.high) == (1.0, 1.0)
    assert everything.low < 0.7
    with pytest.raises(DataError, match="8 decisions before and 3 after"):
        metrics.grouped_change(before, after[:3], np.arange(8))


@pytest.mark.parametrize(
    ("gain", "loss"), [(0.01, 0.01), (0.002, 0.05), (0.3, 0.3), (0.0, 0.2)], ids=["rare", "mostly lost", "both", "lost"]
)
@pytest.mark.parametrize("size", [1, 3])
def test_a_change_of_a_share_covers_the_truth_about_as_often_as_it_says(gain: float, loss: float, size: int) -> None:
    """Pictures of a lesion change together in half of the cases."""
    covered, rounds, pictures = 0, 400, 150
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        group = np.arange(pictures) // size
        luck = np.where(rng.random(pictures) < 0.5, rng.random(pictures)[group], rng.random(pictures))
        before = luck < 0.5
        after = np.where(before, luck >= loss, luck > 1 - gain)
        found = metrics.grouped_change(before, after, group)
        covered += found.low <= gain - loss <= found.high
    assert covered / rounds >= 0.92
