"""All pairs of nearly equal hashes without comparing all with all, and the clusters that pairs make.

Multi-index hashing (Norouzi et al. 2012): the bits are dealt into chunks. Of two hashes within `limit` bits, some chunk
agrees in all bits when there are limit + 1 chunks, and in all bits but at most one when there are limit // 2 + 1. So
only hashes that share a chunk, or nearly, are compared, and none within the limit is missed. Fewer, longer chunks mean
smaller buckets and more look-ups: which of the two is cheaper is estimated on a sample. Bits that never change are left
out, and the others are dealt by how evenly they are 0 and 1, so that no chunk gets all the dull ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Words = NDArray[np.uint64]  # (word, hash)

MAX_PAIRS = 5_000_000  # beyond this only pairs that connect what no other pair connects are kept
_BLOCK = 1 << 18  # pairs compared at once
_SAMPLE = 10_000  # hashes on which the cost of a plan is estimated
_MAX_KEY_BITS = 40  # of a chunk: more would not make buckets smaller


def near_pairs(hashes: Sequence[str | None], *, limit: int) -> Integers:
    """Pairs (i, j, distance), i < j, of hexadecimal hashes of equal length that differ in at most `limit` bits.

    Rows with equal hashes are all paired with the first of them, and the first alone is paired with others; so a pair
    of distinct hashes appears once, between the first rows that have them, and 400,000 equal hashes give 399,999 pairs.
    Rows without a hash are in no pair.
    """
    rows = np.array([row for row, value in enumerate(hashes) if value is not None], np.int64)
    if not len(rows):
        return np.empty((0, 3), np.int64)
    words = _parse([value for value in hashes if value is not None])
    first, inverse = _distinct(words)
    equal = np.flatnonzero(first[inverse] != np.arange(len(rows)))
    star = np.column_stack([first[inverse[equal]], equal, np.zeros(len(equal), np.int64)])
    near = _search(np.ascontiguousarray(words[:, first]), limit)
    near[:, :2] = np.sort(first[near[:, :2]], axis=1)
    pairs = np.concatenate([star, near])
    pairs[:, :2] = rows[pairs[:, :2]]
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def union_find(n: int, pairs: Integers) -> Integers:
    """For each of n things the lowest number among those connected with it by pairs (further columns are ignored)."""
    lowest = np.arange(n, dtype=np.int64)
    a, b = pairs[:, 0], pairs[:, 1]
    while len(a):
        a, b = lowest[a], lowest[b]
        apart = a != b
        a, b = a[apart], b[apart]
        np.minimum.at(lowest, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(lowest, higher := lowest[lowest]):
            lowest = higher
    return lowest


def _parse(hashes: Sequence[str]) -> Words:
    lengths = {len(value) for value in hashes}
    if len(lengths) > 1:
        raise ValueError(f"hashes of different lengths: {sorted(lengths)} hexadecimal digits")
    data = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), -1)
    padded = np.pad(data, ((0, 0), (0, -data.shape[1] % 8)))
    return np.ascontiguousarray(padded.view(np.uint64).T)


def _distinct(words: Words) -> tuple[Integers, Integers]:
    """The first hash of every set of equal ones, and for each hash the place of its first one in that list."""
    order = np.lexsort(words)  # stable: the first of equal ones comes first
    is_new = np.ones(len(order), bool)
    is_new[1:] = (words[:, order[1:]] != words[:, order[:-1]]).any(axis=0)
    inverse = np.empty(len(order), np.int64)
    inverse[order] = np.cumsum(is_new) - 1
    return order[is_new], inverse


def _search(words: Words, limit: int) -> Integers:
    """Pairs (i, j, distance) among distinct hashes."""
    count = words.shape[1]
    found = np.empty((0, 3), np.int64)
    fresh: list[Integers] = []
    pending = 0
    component: Integers | None = None  # of each hash, once there are too many pairs to keep
    for i, j in _candidates(words, limit):
        if component is not None:
            apart = component[i] != component[j]
            i, j = i[apart], j[apart]
        near = _near(words, i, j, limit)
        fresh.append(near)
        pending += len(near)
        if component is not None and len(near):
            component = union_find(count, component[near[:, :2]])[component]
        elif pending > MAX_PAIRS:
            found, fresh, pending = _merged([found, *fresh]), [], 0
            component = union_find(count, found) if len(found) > MAX_PAIRS // 2 else None
    return _merged([found, *fresh])


def _merged(parts: Sequence[Integers]) -> Integers:
    """Every pair once: one that agrees in several chunks is met in each of them."""
    return np.unique(np.concatenate(parts), axis=0)


def _near(words: Words, i: Integers, j: Integers, limit: int) -> Integers:
    """Those of the pairs (i, j) that are within the limit, with their distances, the lower number first."""
    distance = np.zeros(len(i), np.int64)
    for word in words:  # most pairs are told apart by the first word
        distance += np.bitwise_count(word[i] ^ word[j])
        close = distance <= limit
        i, j, distance = i[close], j[close], distance[close]
    return np.column_stack([np.minimum(i, j), np.maximum(i, j), distance])


def _candidates(words: Words, limit: int) -> Iterator[tuple[Integers, Integers]]:
    """Blocks of pairs that may be within the limit; every pair that is within it is in at least one of them."""
    if limit < 1:  # distinct hashes differ
        return
    bits = _bits_by_evenness(words)
    if len(bits) <= limit:
        yield from _in_buckets(np.zeros(words.shape[1], np.int64))
        return
    plans = [([bits[k::chunks] for k in range(chunks)], bend) for chunks, bend in ((limit + 1, 0), (limit // 2 + 1, 1))]
    chunks, bend = min(plans, key=lambda plan: _cost(words, *plan))
    for chunk in chunks:
        keys = _keys(words, chunk[:_MAX_KEY_BITS])
        yield from _in_buckets(keys)
        if bend:
            yield from _across_buckets(keys, min(len(chunk), _MAX_KEY_BITS))


def _bits_by_evenness(words: Words) -> Integers:
    """The numbers of the bits that are not the same in all hashes, those that are as often 0 as 1 first."""
    ones = np.array([np.count_nonzero(word >> np.uint64(bit) & np.uint64(1)) for word in words for bit in range(64)])
    uneven = np.abs(2 * ones - words.shape[1])
    order: Integers = np.argsort(uneven, kind="stable")
    return np.extract(uneven[order] < words.shape[1], order)


def _cost(words: Words, chunks: Sequence[Integers], bend: int) -> float:
    """Roughly the time of a plan, in comparisons of two hashes."""
    count = words.shape[1]
    sample = words[:, :: -(-count // _SAMPLE)]
    met, looked_up = 0, 0
    for chunk in chunks:
        keys = _keys(sample, chunk[:_MAX_KEY_BITS])
        looked_up += 4 + bend * len(chunk)
        met += _collisions(keys)
        if bend:
            masks = np.int64(1) << np.arange(len(chunk[:_MAX_KEY_BITS]))
            met += sum(_collisions(keys & ~mask) - _collisions(keys) for mask in masks)
    return float(met * (count / sample.shape[1]) ** 2 + looked_up * count)


def _collisions(keys: Integers) -> int:
    sizes = np.unique(keys, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


def _keys(words: Words, bits: Integers) -> Integers:
    """Of each hash the given bits, as a number."""
    keys = np.zeros(words.shape[1], np.int64)
    for place, bit in enumerate(bits):
        keys |= (words[bit // 64] >> np.uint64(bit % 64) & np.uint64(1)).astype(np.int64) << place
    return keys


def _in_buckets(keys: Integers) -> Iterator[tuple[Integers, Integers]]:
    """All pairs with equal keys."""
    order, _, ends = _buckets(keys)
    places = np.arange(len(keys))
    sizes = np.diff(ends, prepend=0)
    yield from _expand(order, places, places + 1, np.repeat(ends, sizes))


def _across_buckets(keys: Integers, width: int) -> Iterator[tuple[Integers, Integers]]:
    """All pairs whose keys differ in exactly one of their `width` bits."""
    order, names, ends = _buckets(keys)
    starts = ends - np.diff(ends, prepend=0)
    for bit in range(width):
        mask = np.int64(1) << bit
        without = np.flatnonzero(names & mask == 0)
        partner = np.minimum(np.searchsorted(names, names[without] | mask), len(names) - 1)
        there = names[partner] == names[without] | mask
        mine, theirs = without[there], partner[there]
        sizes = ends[mine] - starts[mine]
        places = np.repeat(starts[mine], sizes) + _counting(sizes)
        yield from _expand(order, places, np.repeat(starts[theirs], sizes), np.repeat(ends[theirs], sizes))


def _buckets(keys: Integers) -> tuple[Integers, Integers, Integers]:
    """The rows sorted by key, the distinct keys, and where in that order each one's rows end."""
    order = np.argsort(keys, kind="stable")
    names, sizes = np.unique(keys, return_counts=True)
    return order, names, np.cumsum(sizes)


def _expand(order: Integers, places: Integers, low: Integers, high: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Each row order[place] with all rows order[low:high], in blocks."""
    sizes = high - low
    some = sizes > 0
    places, low, sizes = places[some], low[some], sizes[some]
    total = np.cumsum(sizes)
    start = 0
    while start < len(places):
        done = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, done + _BLOCK, side="right")))
        part = slice(start, stop)
        others = np.repeat(low[part], sizes[part]) + _counting(sizes[part])
        yield order[np.repeat(places[part], sizes[part])], order[others]
        start = stop


def _counting(sizes: Integers) -> Integers:
    """0 … size-1 for each of the sizes, one after the other."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
