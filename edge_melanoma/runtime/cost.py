"""What models cost beside one another: time, as ratios within laps in which all take their turn, and bytes to send.

No absolute time is given here: that is `edge-melanoma bench`, on the device that counts.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.runtime.door import Model

LAPS, WARM_UP = 25, 3
LEAST_S = 0.01  # of one turn: shorter ones are lost in the clock and the scheduler

Pixels = NDArray[np.uint8]


def time_laps(models: Mapping[str, bytes], picture: Pixels, *, laps: int = LAPS) -> dict[str, list[float]]:
    """Seconds of one prediction on one thread, by each model in each lap."""
    runners = {name: Model(content, threads=1, name=name) for name, content in models.items()}
    batch = picture[None]
    repeats = {name: _repeats(runner, batch) for name, runner in runners.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(laps):
        for name, runner in runners.items():
            seconds[name].append(_seconds(runner, batch, repeats[name]))
    return seconds


def quartiles_of_ratios(laps: Mapping[str, Sequence[float]], *, reference: str) -> dict[str, tuple[float, ...]]:
    """Quartiles of each lap's ratio to the reference in that lap, so that a busy moment hits both."""
    base = np.array(laps[reference])
    return {
        name: tuple(float(q) for q in np.quantile(np.array(times) / base, (0.25, 0.5, 0.75)))
        for name, times in laps.items()
    }


def relative_times(laps: Mapping[str, Sequence[float]], *, reference: str) -> dict[str, float]:
    """The medians of the same."""
    return {name: quartiles[1] for name, quartiles in quartiles_of_ratios(laps, reference=reference).items()}


def compressed_bytes(model: bytes) -> int:
    """What a model takes in an archive or on the wire."""
    return len(zlib.compress(model, 9))


def _repeats(runner: Model, batch: Pixels) -> int:
    _seconds(runner, batch, WARM_UP)
    return max(1, round(LEAST_S / max(_seconds(runner, batch, 1), 1e-6)))


def _seconds(runner: Model, batch: Pixels, repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        runner.raw(batch)
    return (time.perf_counter() - started) / repeats
