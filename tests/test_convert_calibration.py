"""Calibration pictures are drawn evenly from classes and strata, by the seed alone, and never more than there are."""

from collections import Counter

import numpy as np
import pytest

pl = pytest.importorskip("polars", reason="needs the data extra")

from edge_melanoma.convert.calibration import FEW_OF_CLASS, FEWEST, choose_pictures, halves, thin  # noqa: E402
from edge_melanoma.data.index import conform  # noqa: E402
from edge_melanoma.errors import DataError  # noqa: E402

NEVUS, MELANOMA, RARE = 0, 1, 2


def index(*groups):
    """An index of (class, centre, pictures), and the class of every row; melanomas last, as many folders have them."""
    rows = [(label, centre) for label, centre, count in groups for _ in range(count)]
    columns = {
        "image_id": [f"P{number:05}" for number in range(len(rows))],
        "dx": ["MEL" if label == MELANOMA else "NV" for label, _ in rows],
        "centre": [centre for _, centre in rows],
        "source": "ham10000",
    }
    return conform(pl.DataFrame(columns)), np.array([label for label, _ in rows], np.int64)


UNEVEN = index((NEVUS, "Vienna", 700), (NEVUS, "Queensland", 90), (MELANOMA, "Vienna", 60), (MELANOMA, None, 40))


def counts(table, labels, rows):
    """How many pictures of each class and centre."""
    return Counter(zip(labels[rows].tolist(), table["centre"].gather(rows).to_list(), strict=True))


def even_shares(sizes, wanted):
    """An independent judge: pictures handed out one by one, each to the poorest that has some left."""
    given = dict.fromkeys(sizes, 0)
    for _ in range(min(wanted, sum(sizes.values()))):
        poorest = min((name for name in sizes if given[name] < sizes[name]), key=lambda name: given[name])
        given[poorest] += 1
    return given


def test_classes_are_alike_and_within_a_class_its_centres():
    table, labels = UNEVEN
    drawn = counts(table, labels, choose_pictures(table, labels, 160, seed=0))
    assert drawn == {
        (NEVUS, "Vienna"): 40,
        (NEVUS, "Queensland"): 40,
        (MELANOMA, "Vienna"): 40,
        (MELANOMA, None): 40,
    }


@pytest.mark.parametrize("pictures", [20, 101, 240, 500, 5000])
def test_who_has_no_more_is_passed_over_and_no_picture_comes_twice(pictures):
    table, labels = UNEVEN
    rows = choose_pictures(table, labels, pictures, seed=3)
    assert len(rows) == len(set(rows.tolist())) == min(pictures, len(table))
    drawn = Counter(labels[rows].tolist())
    fair = even_shares({NEVUS: 790, MELANOMA: 100}, pictures)
    assert all(abs(drawn[label] - fair[label]) <= 1 for label in fair)
    for label, sizes in ((NEVUS, {"Vienna": 700, "Queensland": 90}), (MELANOMA, {"Vienna": 60, None: 40})):
        found = counts(table, labels, rows)
        fair = even_shares(sizes, drawn[label])
        assert all(abs(found[label, centre] - fair[centre]) <= 1 for centre in fair)


def test_a_rare_class_is_used_to_the_last_picture():
    table, labels = index((NEVUS, "Vienna", 500), (MELANOMA, "Vienna", 80), (RARE, "Vienna", 7))
    rows = choose_pictures(table, labels, 150, seed=1)
    assert Counter(labels[rows].tolist()) == {RARE: 7, NEVUS: 72, MELANOMA: 71}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("fst", [1, 6]),
        ("ita", [60.0, 0.0]),
        ("ita", [-45.0, None]),
        ("dx", ["NV", "SCC"]),
        ("source", ["ham10000", "bcn20000"]),
    ],
)
def test_skin_tone_diagnosis_and_source_are_strata_too(column, values):
    table, labels = index((NEVUS, "Vienna", 400))
    rare = np.arange(400) % 10 == 0
    table = table.with_columns(pl.Series(column, [values[int(is_rare)] for is_rare in rare]))
    rows = choose_pictures(conform(table), labels, 40, seed=0)
    assert rare[rows].sum() == 20


def test_the_seed_alone_decides_and_not_the_order_of_a_folder():
    table, labels = UNEVEN
    first = choose_pictures(table, labels, 100, seed=7)
    shuffled = conform(table.sample(fraction=1, shuffle=True, seed=5))  # as every index is read: by image_id
    np.testing.assert_array_equal(first, choose_pictures(shuffled, labels, 100, seed=7))
    other = choose_pictures(table, labels, 100, seed=8)
    # of 700 nevi from Vienna 25 are drawn: two draws share about one, and the first 25 of the folder are not a draw
    for rows in (first, other):
        vienna = np.sort(rows[rows < 700])
        assert vienna.max() > 400
        assert len(np.intersect1d(vienna, np.arange(25))) < 10
    assert len(np.intersect1d(first[first < 700], other[other < 700])) < 10


def test_a_longer_draw_begins_with_the_shorter_one():
    table, labels = UNEVEN
    longer = choose_pictures(table, labels, 300, seed=2)
    np.testing.assert_array_equal(longer[:100], choose_pictures(table, labels, 100, seed=2))


@pytest.mark.parametrize("pictures", [20, 160, 301, 890])
@pytest.mark.parametrize(
    "data",
    [
        UNEVEN,
        index((NEVUS, "Vienna", 600), (MELANOMA, "Vienna", 290)),
        index((NEVUS, "Vienna", 600), (MELANOMA, "Vienna", 281), (RARE, "Vienna", 9)),
    ],
    ids=["two by two", "two classes", "three classes"],
)
def test_the_halves_of_a_draw_are_disjoint_and_alike(data, pictures):
    table, labels = data
    rows = choose_pictures(table, labels, pictures, seed=0)
    first, second = (rows[places] for places in halves(table, labels, rows))
    np.testing.assert_array_equal(np.sort(np.concatenate([first, second])), np.sort(rows))
    assert abs(len(first) - len(second)) <= 1
    one, two = (counts(table, labels, half) for half in (first, second))
    assert all(abs(one[stratum] - two[stratum]) <= 1 for stratum in one | two)


def test_too_few_pictures_are_refused_with_how_many_are_needed():
    enough, labels = index((NEVUS, "Vienna", FEWEST - 3), (MELANOMA, "Vienna", 3))
    assert len(choose_pictures(enough, labels, 300, seed=0)) == FEWEST
    with pytest.raises(DataError, match=f"{FEWEST - 1} training pictures; at least {FEWEST} are needed"):
        choose_pictures(enough[1:], labels[1:], 300, seed=0)


def test_a_draw_that_is_short_of_pictures_or_of_a_class_says_so():
    table, labels = index((NEVUS, "Vienna", 100), (MELANOMA, "Vienna", 1))
    drawn = labels[choose_pictures(table, labels, 300, seed=0)]
    short, few = thin(drawn, ("other", "melanoma"), asked=300)
    assert short == "calibrated on 101 pictures, all of the training part; 300 were asked for"
    assert few.startswith("only 1 of the calibration pictures show melanoma")
    table, labels = index((NEVUS, "Vienna", 400), (MELANOMA, "Vienna", FEW_OF_CLASS))
    drawn = labels[choose_pictures(table, labels, 300, seed=0)]
    assert thin(drawn, ("other", "melanoma"), asked=300) == ()
