"""The colour of the light taken out of a tensor: shades of grey, in integers, so that every language finds each byte.

Another camera, filter or lamp moves all reds against all blues. Here each channel is multiplied so that its norm,
the fourth root of the mean fourth power, becomes that of a grey light of the same strength. tests/golden/README.md,
section 8, is the full text.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.uint8]

POWER = 4  # of the norm
FRACTION_BITS = 7  # of a norm, beyond the point
MOST = 2  # a channel is multiplied by at most that, and by its inverse at least

_VALUES = np.arange(256, dtype=np.int64)
_POWERS = _VALUES**POWER


def evened(tensor: Tensor) -> Tensor:
    """The tensor [H, W, 3] as under a grey light; a new one."""
    norms = [_norm(tensor[..., channel]) for channel in range(3)]
    grey = isqrt(sum(norm * norm for norm in norms) // 3)
    if grey == 0:  # black
        return tensor.copy()
    tables = [_table(min(max(norm, -(-grey // MOST)), grey * MOST), grey) for norm in norms]
    return np.stack([table[tensor[..., channel]] for channel, table in enumerate(tables)], axis=-1)


def _norm(channel: Tensor) -> int:
    """The fourth root of the mean fourth power, in 128ths, rounded down."""
    counts = np.bincount(channel.ravel(), minlength=256)
    mean = (int((counts * _POWERS).sum()) << (POWER * FRACTION_BITS)) // channel.size
    return isqrt(isqrt(mean))


def _table(norm: int, grey: int) -> Tensor:
    """What becomes of each value: times grey, divided by norm, rounded half up, 255 at most."""
    return np.minimum((2 * _VALUES * grey + norm) // (2 * norm), 255).astype(np.uint8)
