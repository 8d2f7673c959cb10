"""Which pictures an epoch shows: as balanced as asked, the same for the same seed and epoch, nothing remembered."""

import numpy as np
import pytest

from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.fitting.recipe import BalanceRecipe, FitRecipe
from edge_melanoma.fitting.sampling import Sampling
from edge_melanoma.fitting.schedule import learning_rate
from edge_melanoma.train.recipe import TaskRecipe, TrainRecipe

LABELS = np.array([0] * 900 + [1] * 90 + [2] * 10)
CLASSES = ("nv", "bkl", "mel")


def sampling(method, *, batch=30, seed=0, **options):
    return Sampling(
        labels=LABELS, classes=CLASSES, balance=BalanceRecipe(method=method, **options), batch=batch, seed=seed
    )


def shares(drawn):
    return np.bincount(LABELS[drawn.reshape(-1)], minlength=3) / drawn.size


def test_a_balanced_batch_has_every_class_equally_often():
    drawn = sampling("batches").epoch(0)
    assert drawn.shape == (34, 30)
    for batch in drawn:
        assert np.bincount(LABELS[batch]).tolist() == [10, 10, 10]


def test_what_a_batch_cannot_share_evenly_goes_round():
    drawn = sampling("batches", batch=32).epoch(0)
    counts = np.array([np.bincount(LABELS[batch], minlength=3) for batch in drawn])
    assert set(counts.reshape(-1)) == {10, 11}
    assert np.ptp(counts.sum(axis=0)) <= 2


def test_no_picture_comes_much_oftener_than_another_of_its_class():
    drawn = sampling("batches").epoch(0).reshape(-1)
    of_mel = np.bincount(drawn, minlength=1000)[LABELS == 2]
    assert np.ptp(of_mel) <= 1


@pytest.mark.parametrize(
    ("method", "steps", "expected"),
    [
        ("none", 34, [0.9, 0.09, 0.01]),
        ("class-weights", 34, [0.9, 0.09, 0.01]),
        ("logit-adjustment", 34, [0.9, 0.09, 0.01]),
        ("oversample", 90, [1 / 3, 1 / 3, 1 / 3]),
        ("undersample", 1, [1 / 3, 1 / 3, 1 / 3]),
        ("sqrt", 34, np.sqrt([900, 90, 10]) / np.sqrt([900, 90, 10]).sum()),
        ("materialised", 84, np.array([1400, 590, 510]) / 2500),
    ],
)
def test_every_method_shows_the_classes_as_it_says(method, steps, expected):
    chosen = sampling(method)
    assert chosen.steps == steps
    np.testing.assert_allclose(shares(chosen.epoch(0)), expected, atol=0.01)


@pytest.mark.parametrize("method", ["none", "batches", "sqrt", "oversample", "undersample", "materialised"])
def test_the_prior_is_what_the_loss_sees(method):
    chosen = sampling(method)
    np.testing.assert_allclose(shares(chosen.epoch(1)), chosen.prior, atol=0.01)


def test_class_weights_make_every_class_weigh_the_same():
    chosen = sampling("class-weights")
    weight = np.array([chosen.class_weights[label] for label in LABELS])
    assert weight.mean() == pytest.approx(1)
    for label in range(3):
        assert weight[label == LABELS].sum() == pytest.approx(1000 / 3)
    np.testing.assert_allclose(chosen.prior, 1 / 3)


def test_logit_adjustment_takes_the_frequency_out():
    chosen = sampling("logit-adjustment")
    np.testing.assert_allclose(chosen.logit_shifts[0], np.log([0.9, 0.09, 0.01]), rtol=1e-6)
    np.testing.assert_allclose(chosen.prior, 1 / 3)
    half = sampling("logit-adjustment", tau=0.5).prior
    np.testing.assert_allclose(half, np.sqrt([0.9, 0.09, 0.01]) / np.sqrt([0.9, 0.09, 0.01]).sum())


def test_a_network_that_knows_nothing_says_with_its_centres_shift_how_frequent_a_class_is_there():
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 2, 20_000)
    labels = np.where(centres == 0, rng.choice(3, 20_000, p=[0.7, 0.2, 0.1]), rng.choice(3, 20_000, p=[0.3, 0.1, 0.6]))
    chosen = Sampling(
        labels=labels,
        centres=centres,
        classes=CLASSES,
        balance=BalanceRecipe(method="none", centre_tau=1),
        batch=8,
        seed=0,
    )
    for centre, wanted in ((0, [0.7, 0.2, 0.1]), (1, [0.3, 0.1, 0.6])):
        there = np.log(chosen.frequencies) + chosen.logit_shifts[centres == centre][0]
        np.testing.assert_allclose(np.exp(there) / np.exp(there).sum(), wanted, atol=0.02)


def test_a_class_that_a_small_centre_lacks_is_held_rarer_there_but_possible():
    labels, centres = np.array([0] * 50 + [1] * 50 + [0] * 10), np.array([0] * 100 + [1] * 10)
    balance = BalanceRecipe(method="none", centre_tau=1)
    chosen = Sampling(labels=labels, centres=centres, classes=("NV", "MEL"), balance=balance, batch=4, seed=0)
    shift = chosen.logit_shifts[-1]
    assert np.isfinite(shift).all()
    assert -2 < shift[1] < 0 < shift[0]


def test_without_centres_or_with_a_tau_of_zero_nothing_is_shifted():
    labels, centres = np.array([0, 1] * 20), np.array([0, 1] * 20)
    for balance, known in ((BalanceRecipe(method="sqrt"), centres), (BalanceRecipe(method="sqrt", centre_tau=1), None)):
        chosen = Sampling(labels=labels, centres=known, classes=("NV", "MEL"), balance=balance, batch=4, seed=0)
        assert not chosen.logit_shifts.any()


def test_an_epoch_depends_on_seed_and_number_alone():
    assert (sampling("batches").epoch(3) == sampling("batches").epoch(3)).all()
    assert (sampling("batches").epoch(3) != sampling("batches").epoch(4)).any()
    assert (sampling("batches").epoch(3) != sampling("batches", seed=1).epoch(3)).any()


def test_a_class_without_pictures_is_refused_by_name():
    with pytest.raises(DataError, match="no picture of mel"):
        Sampling(labels=np.array([0, 1]), classes=CLASSES, balance=BalanceRecipe(), batch=4, seed=0)


def test_the_rate_warms_up_and_falls_in_each_phase():
    fit = FitRecipe(head_epochs=2, epochs=10, warmup_epochs=1.0, learning_rate=1e-3, head_learning_rate=5e-3)
    rates = [learning_rate(fit, step, 100) for step in range(1200)]
    assert rates[0] == pytest.approx(5e-5)
    assert rates[150] == 5e-3
    assert rates[200] == pytest.approx(1e-5)
    assert max(rates[200:]) == pytest.approx(1e-3)
    assert rates[299:] == sorted(rates[299:], reverse=True)
    assert rates[-1] == pytest.approx(1e-5, rel=0.01)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FitRecipe(epochs=0, head_epochs=0), "nothing would be trained"),
        (lambda: FitRecipe(learning_rate=0.0), "fit.learning_rate is 0.0; above 0"),
        (lambda: FitRecipe(label_smoothing=0.9), "fit.label_smoothing is 0.9; 0 to 0.5"),
        (lambda: TrainRecipe(task=TaskRecipe(name="dx7"), fit=FitRecipe(batch=4)), "a balanced batch of 7 classes"),
        (lambda: TaskRecipe(name="cancer"), "task 'cancer' is unknown"),
    ],
)
def test_an_impossible_value_is_refused(make, message):
    with pytest.raises(RecipeError, match=message):
        make()
