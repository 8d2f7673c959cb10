"""How many threads help: tried on this machine, because it depends on the network, the engine and the cores.

A small network is done before a second thread has woken up; with more threads than free cores it even waits for them.
So each number is timed on golden pictures, by turns, and the smallest one wins that is about as fast as the best.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from edge_melanoma.bundle import Bundle
from edge_melanoma.parallel import usable_cores
from edge_melanoma.runtime.door import Model

ABOUT_AS_FAST = 1.05  # of the best; a thread that brings less only keeps another program from its core
BUDGET_S = 0.3
FEWEST_LAPS, MOST_LAPS = 2, 25

Inference = Callable[[], object]


def numbers_to_try(cores: int) -> list[int]:
    """1, 2, 4 … and all cores."""
    return sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})


def threads_that_help(bundle: Bundle) -> int:
    """The number of threads with which this bundle is best run on this machine, as busy as it is now."""

    def opened(threads: int) -> Inference:
        model, picture = Model(bundle.model, threads=threads, name=bundle.name), bundle.golden.inputs[:1]
        return lambda: model.raw(picture)

    return choose_threads(opened, numbers_to_try(usable_cores()))


def choose_threads(
    opened: Callable[[int], Inference], numbers: Sequence[int], *, clock: Callable[[], float] = time.perf_counter
) -> int:
    """The smallest of the numbers with which an inference is about as fast as with the best of them.

    Takes about BUDGET_S; a model that is too slow for that has its FEWEST_LAPS all the same.
    """
    if len(numbers) == 1:
        return numbers[0]
    until = clock() + BUDGET_S
    inferences = {threads: opened(threads) for threads in numbers}
    laps: dict[int, list[float]] = {threads: [] for threads in numbers}
    for lap in range(MOST_LAPS):
        if lap >= FEWEST_LAPS and clock() >= until:
            break
        for threads, infer in inferences.items():
            infer()  # not timed: wakes these threads, and lets those of the number before go to sleep
            began = clock()
            infer()
            laps[threads].append(clock() - began)
    return _smallest_that_helps({threads: median(times) for threads, times in laps.items()})


def _smallest_that_helps(medians: Mapping[int, float]) -> int:
    enough = ABOUT_AS_FAST * min(medians.values())
    return min(threads for threads, seconds in medians.items() if seconds <= enough)
