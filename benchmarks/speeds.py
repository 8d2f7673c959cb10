"""How fast a network is fed: wall time and processor time of training steps, and of batches made for nobody.

Processor time is what this process and its workers have used together, so that it means the same on a busy machine;
wall time means something on a quiet one only.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edge_melanoma.fitting.fit import Fitter

from .feeds import Feed, Ints


@dataclass(frozen=True, kw_only=True)
class Lap:
    """One measured stretch."""

    pictures_per_s: float
    cpu_ms_per_picture: float


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """What one way reached, round by round."""

    feed: Feed
    deterministic: bool
    training: tuple[Lap, ...]
    alone: tuple[Lap, ...]  # batches made and thrown away: what a step that needs no core could be fed with

    def shares(self, limit: Speeds) -> tuple[float, ...]:
        """Of the limit's speed in the same round."""
        return tuple(a.pictures_per_s / b.pictures_per_s for a, b in zip(self.training, limit.training, strict=True))

    def to_json(self, limit: Speeds) -> dict[str, Any]:
        """Everything measured."""
        return {
            "way": self.feed.name,
            "augment": self.feed.augment,
            "deterministic": self.deterministic,
            **{f"training_{name}": [getattr(lap, name) for lap in self.training] for name in _MEASURED},
            **{f"alone_{name}": [getattr(lap, name) for lap in self.alone] for name in _MEASURED},
            "shares_of_limit": self.shares(limit),
            "median_share": statistics.median(self.shares(limit)),
        }


_MEASURED = ("pictures_per_s", "cpu_ms_per_picture")


def measure(fitter: Fitter, feeds: Sequence[Feed], *, rounds: int, deterministic: bool) -> list[Speeds]:
    """Every way in every round, another one first each time; a few steps before that do not count."""
    training: list[list[Lap]] = [[] for _ in feeds]
    warm = fitter.sampling.epoch(0)[:4]
    for feed in feeds:
        fitter.run_epoch(0, feed.batches(0, warm), warm, _nobody)
    alone: list[list[Lap]] = [[] for _ in feeds]
    for number in range(rounds):
        rows = fitter.sampling.epoch(number)
        for place in _by_turns(len(feeds), number):
            steps = partial(fitter.run_epoch, number, feeds[place].batches(number, rows), rows, _nobody)
            training[place].append(_lap(steps, rows.size))
            alone[place].append(_making(feeds[place], rounds + number, rows))
    return [
        Speeds(feed=feed, deterministic=deterministic, training=tuple(steps), alone=tuple(made))
        for feed, steps, made in zip(feeds, training, alone, strict=True)
    ]


def gain_of_workers(
    fitter: Fitter, few: Sequence[Feed], many: Sequence[Feed], *, rounds: int
) -> dict[str, tuple[float, ...]]:
    """How many times as fast the same way makes batches with more workers, in every round."""
    found: dict[str, list[float]] = {feed.name: [] for feed in few}
    for feed in (*few, *many):
        _making(feed, 0, fitter.sampling.epoch(0)[:4])
    for number in range(rounds):
        rows = fitter.sampling.epoch(number)
        for place in _by_turns(len(few), number):
            slow, fast = (_making(feeds[place], number, rows).pictures_per_s for feeds in (few, many))
            found[few[place].name].append(fast / slow)
    return {name: tuple(gains) for name, gains in found.items()}


def _by_turns(count: int, number: int) -> list[int]:
    return [(turn + number) % count for turn in range(count)]


def _making(feed: Feed, number: int, rows: Ints) -> Lap:
    def make() -> None:
        for _ in feed.batches(number, rows):
            pass

    return _lap(make, rows.size)


def _lap(work: Callable[[], object], pictures: int) -> Lap:
    cpu, start = _cpu_seconds(), time.perf_counter()
    work()
    seconds, used = time.perf_counter() - start, _cpu_seconds() - cpu
    return Lap(pictures_per_s=pictures / seconds, cpu_ms_per_picture=1000 * used / pictures)


def _cpu_seconds() -> float:
    """Of this process and its workers, all threads."""
    ticks = 0
    for worker in multiprocessing.active_children():
        fields = Path(f"/proc/{worker.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # user and system time, as proc(5) numbers them less two
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _nobody(*_: object) -> None:
    """Who does not watch."""
