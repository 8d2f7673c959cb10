"""How fast converted models are beside one another: single-thread medians of one run, turn by turn, as ratios.

No absolute time is given here: that is `edge-melanoma bench`, on the device that counts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.runtime import Model, engine

ROUNDS, WARM_UP = 25, 3
LEAST_S = 0.01  # of one turn: shorter ones are lost in the clock and the scheduler


def relative_latency(models: Mapping[str, bytes], picture: NDArray[np.uint8], *, reference: str) -> dict[str, float]:
    """The time of one prediction by each model, divided by that of the reference."""
    runners = {name: Model(content, threads=1, name=name) for name, content in models.items()}
    batch = picture[None]
    repeats = {}
    for name, runner in runners.items():
        for _ in range(WARM_UP):
            runner.raw(batch)
        started = time.perf_counter()
        runner.raw(batch)
        repeats[name] = max(1, round(LEAST_S / max(time.perf_counter() - started, 1e-6)))
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(ROUNDS):
        for name, runner in runners.items():
            started = time.perf_counter()
            for _ in range(repeats[name]):
                runner.raw(batch)
            seconds[name].append((time.perf_counter() - started) / repeats[name])
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    return {name: value / medians[reference] for name, value in medians.items()}


def where() -> str:
    """What the ratios were measured with."""
    return f"{engine()}, one thread"
