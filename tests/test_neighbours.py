import time
import tracemalloc

import numpy as np
import pytest

from edge_melanoma.data import neighbours
from edge_melanoma.data.neighbours import near_pairs, union_find


def as_hex(bits):
    return [row.tobytes().hex() for row in np.packbits(bits.astype(np.uint8), axis=1)]


def brute_force(bits, limit):
    """Every pair by counting, among the first rows that have each hash; equal rows with the first of them."""
    first, inverse = {}, []
    for row, value in enumerate(as_hex(bits)):
        inverse.append(first.setdefault(value, row))
    found = [(kept, row, 0) for row, kept in enumerate(inverse) if kept != row]
    kept = sorted(set(inverse))
    for place, i in enumerate(kept):
        distance = (bits[kept[place + 1 :]] != bits[i]).sum(axis=1)
        found += [(i, kept[place + 1 + k], int(distance[k])) for k in np.flatnonzero(distance <= limit)]
    return sorted(found)


def flipped(bits, row, count, rng):
    copy = bits[row].copy()
    copy[rng.choice(len(copy), count, replace=False)] ^= 1
    return copy


def independent(rng, rows, width):
    return rng.integers(0, 2, (rows, width))


def skewed(rng, rows, width):
    """Most bits nearly always the same, as in pictures of one kind."""
    return (rng.random((rows, width)) < rng.beta(0.2, 0.8, width)).astype(np.int64)


def correlated(rng, rows, width):
    """Signs of what four hidden numbers and some noise make."""
    return ((rng.normal(size=(rows, 4)) @ rng.normal(size=(4, width)) + rng.normal(size=(rows, width))) > 0).astype(int)


def few_bits_vary(rng, rows, width):
    bits = np.zeros((rows, width), int)
    bits[:, ::17] = rng.integers(0, 2, bits[:, ::17].shape)
    return bits


@pytest.mark.parametrize("plan", [0, 1, None], ids=["equal chunks", "chunks with one bit off", "the cheaper"])
@pytest.mark.parametrize("width", [64, 96, 256])
@pytest.mark.parametrize("kind", [independent, skewed, correlated, few_bits_vary])
def test_no_pair_within_the_limit_is_missed_and_none_beyond_it_is_found(kind, width, plan, monkeypatch):
    if plan is not None:
        monkeypatch.setattr(neighbours, "_cost", lambda words, chunks, bend: abs(bend - plan))
    monkeypatch.setattr(neighbours, "_BLOCK", 1000)
    rng = np.random.default_rng(width)
    bits = kind(rng, 150, width)
    copies = [flipped(bits, row, count, rng) for row, count in enumerate(list(range(28)) * 2)]
    bits = rng.permutation(np.concatenate([bits, copies]))
    for limit in (0, 1, 4, 7, 24):
        assert [tuple(pair) for pair in near_pairs(as_hex(bits), limit=limit)] == brute_force(bits, limit)


def test_a_limit_of_all_bits_pairs_everything():
    bits = independent(np.random.default_rng(0), 40, 8)
    assert [tuple(pair) for pair in near_pairs(as_hex(bits), limit=8)] == brute_force(bits, 8)


def test_rows_without_a_hash_are_in_no_pair():
    assert near_pairs([None, "00", None, "00", "01", None], limit=1).tolist() == [[1, 3, 0], [1, 4, 1]]
    assert near_pairs([None, "00", "ff"], limit=1).shape == (0, 3)
    assert near_pairs([None, None], limit=1).shape == (0, 3)
    assert near_pairs([], limit=1).shape == (0, 3)


def test_hashes_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="different lengths"):
        near_pairs(["00", "0000"], limit=1)


def test_a_table_of_equal_hashes_is_a_star_and_takes_a_moment():
    start = time.perf_counter()
    pairs = near_pairs(["ab" * 32] * 400_000, limit=24)
    assert time.perf_counter() - start < 5
    assert len(pairs) == 399_999
    assert not pairs[:, [0, 2]].any()


def test_more_pairs_than_can_be_kept_still_connect_what_belongs_together(monkeypatch):
    monkeypatch.setattr(neighbours, "MAX_PAIRS", 2000)
    monkeypatch.setattr(neighbours, "_BLOCK", 200)
    rng = np.random.default_rng(3)
    centres = independent(rng, 6, 256)
    bits = np.array([flipped(centres, row % 6, 6, rng) for row in range(900)])
    pairs = near_pairs(as_hex(bits), limit=24)
    truth = np.array(brute_force(bits, 24))
    assert len(pairs) < len(truth) / 2
    assert set(map(tuple, pairs)) <= set(map(tuple, truth))
    assert np.array_equal(union_find(900, pairs), union_find(900, truth))


def test_dull_bits_do_not_make_the_search_quadratic_or_hungry():
    rng = np.random.default_rng(0)
    bits = independent(rng, 20_000, 256)
    bits[:, :128] = rng.random((20_000, 128)) < 0.002  # half of the bits say almost nothing
    hashes = as_hex(bits)
    tracemalloc.start()
    start = time.perf_counter()
    near_pairs(hashes, limit=24)
    assert time.perf_counter() - start < 10
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


def slow_union_find(n, pairs):
    labels = list(range(n))
    for a, b, *_ in pairs:
        low, high = sorted((labels[a], labels[b]))
        labels = [low if label == high else label for label in labels]
    return labels


@pytest.mark.parametrize("edges", [0, 10, 60, 100, 400])
def test_connected_things_share_their_lowest_number(edges):
    rng = np.random.default_rng(edges)
    pairs = rng.integers(0, 120, (edges, 2))
    assert union_find(120, pairs).tolist() == slow_union_find(120, pairs.tolist())


def test_long_chains_are_followed_quickly_in_any_order():
    n = 400_000
    chain = np.random.default_rng(0).permutation(n)
    pairs = np.column_stack([chain[:-1], chain[1:]])
    start = time.perf_counter()
    assert not union_find(n, pairs).any()
    assert not union_find(n, np.column_stack([np.arange(n - 1), np.arange(1, n)])).any()
    assert time.perf_counter() - start < 10
