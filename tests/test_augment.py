"""Augmented pictures: their own random stream each, the set's limits kept, and no trace of the label."""

import numpy as np
import pytest

pytest.importorskip("albumentations", reason="needs the train extra")

from edge_melanoma.fitting.augment import SETS, Augmenter
from edge_melanoma.fitting.batches import BatchMaker

SIDE = 48


def picture(seed=0):
    smooth = np.random.default_rng(seed).normal(size=(6, 6, 3)).repeat(8, axis=0).repeat(8, axis=1)
    return np.clip(150 + 25 * smooth, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", SETS)
def test_every_set_gives_pictures_of_the_same_size_and_kind(name):
    augmented = Augmenter(name, seed=0)(picture(), epoch=0, place=0, row=0)
    assert augmented.shape == (SIDE, SIDE, 3)
    assert augmented.dtype == np.uint8


@pytest.mark.parametrize("name", [name for name in SETS if name != "none"])
def test_a_picture_is_the_same_for_the_same_place_and_another_elsewhere(name):
    one, two = Augmenter(name, seed=5), Augmenter(name, seed=5)
    two(picture(9), epoch=7, place=7, row=7)  # what was made before leaves no trace
    same = [augmenter(picture(), epoch=2, place=3, row=4) for augmenter in (one, two)]
    assert (same[0] == same[1]).all()
    others = [one(picture(), epoch=2, place=place, row=4) for place in range(4, 20)]
    assert sum((other != same[0]).any() for other in others) >= 14


def test_the_given_picture_is_not_changed():
    original = picture()
    Augmenter("strong", seed=0)(original, epoch=0, place=0, row=0)
    assert (original == picture()).all()


def test_transforms_happen_independently_of_one_another():
    """Judge: flips leave the sorted pixels alone, brightness does not; both must come without the other."""
    augmenter, base = Augmenter("light", seed=1), picture()
    moved = recoloured = both = neither = 0
    for place in range(400):
        made = augmenter(base, epoch=0, place=place, row=0)
        same_colours = (np.sort(made.reshape(-1, 3), axis=0) == np.sort(base.reshape(-1, 3), axis=0)).all()
        unmoved = np.corrcoef(made.reshape(-1), base.reshape(-1))[0, 1] > 0.999
        moved += same_colours and not unmoved
        recoloured += unmoved and not same_colours
        both += not unmoved and not same_colours
        neither += unmoved and same_colours
    # flips and turns leave a picture as it is with probability .5 * .5 * (.5 + .5 / 4), at most .22 with coincidences
    assert moved / 400 == pytest.approx(0.41, abs=0.09)
    assert recoloured / 400 == pytest.approx(0.09, abs=0.06)
    assert both / 400 == pytest.approx(0.41, abs=0.09)
    assert neither / 400 == pytest.approx(0.09, abs=0.06)


def test_hair_and_the_like_come_on_a_fifth_of_the_pictures_each():
    augmenter, flat = Augmenter("derm", seed=0), np.full((SIDE, SIDE, 3), 200, np.uint8)
    dark = sum((augmenter(flat, epoch=0, place=place, row=0).min() < 90) for place in range(300))
    # hair, ruler or rim leave something dark, and so do the dropped-out squares, a fifth of the pictures each
    assert 0.4 < dark / 300 < 0.75


def test_study_4_shifts_and_brightens_within_its_table():
    augmenter, flat = Augmenter("seed004", seed=0), np.full((SIDE, SIDE, 3), 100, np.uint8)
    means = [augmenter(flat, epoch=0, place=place, row=0).mean() for place in range(200)]
    assert 79 <= min(means) < 85
    assert 115 < max(means) <= 121


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_who_makes_them(tmp_path, workers):
    tensors = np.stack([picture(seed) for seed in range(20)])
    np.save(tmp_path / "t.npy", tensors)
    rows = np.random.default_rng(0).integers(0, 20, (5, 4))
    with BatchMaker(tmp_path / "t.npy", augment="derm", seed=3, workers=workers) as maker:
        made = list(maker.batches(2, rows))
        halves = [list(maker.batches(2, rows, mine=mine)) for mine in (slice(0, 2), slice(2, 4))]
    augmenter = Augmenter("derm", seed=3)
    for step, batch in enumerate(made):
        for place, row in enumerate(rows[step]):
            expected = augmenter(tensors[row], epoch=2, place=step * 4 + place, row=int(row))
            assert (batch[place] == expected).all()
        assert (np.concatenate([halves[0][step], halves[1][step]]) == batch).all()
