"""Batches of an epoch, augmented by other processes ahead of the training, in an order that the seed decides.

The network waits for nothing as long as the processes keep up; a batch is the same whoever makes it.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.fitting.augment import Augmenter
from edge_melanoma.parallel import obey_the_parent

Ints = NDArray[np.int64]
Batch = NDArray[np.uint8]
AHEAD = 3  # batches a process works ahead

_worker: _Maker | None = None  # of this process


class _Maker:
    """Makes batches out of the mapped tensors."""

    def __init__(self, tensors: Path, augment: str, seed: int) -> None:
        self.tensors: Batch = np.load(tensors, mmap_mode="r", allow_pickle=False)
        self.augmenter = Augmenter(augment, seed=seed)

    def make(self, epoch: int, first_place: int, rows: Ints) -> Batch:
        return np.stack(
            [
                self.augmenter(np.array(self.tensors[row]), epoch=epoch, place=place, row=int(row))
                for place, row in enumerate(rows, start=first_place)
            ]
        )


def _start(tensors: Path, augment: str, seed: int) -> None:
    obey_the_parent()
    import cv2

    cv2.setNumThreads(1)  # one process a core: threads of their own would only get in each other's way
    global _worker
    _worker = _Maker(tensors, augment, seed)


def _make(epoch: int, first_place: int, rows: Ints) -> Batch:
    assert _worker is not None
    return _worker.make(epoch, first_place, rows)


class BatchMaker:
    """Augmented batches from a file of tensors; a context manager, because it holds processes."""

    def __init__(self, tensors: Path, *, augment: str, seed: int, workers: int) -> None:
        self._arguments = (tensors, augment, seed)
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._maker: _Maker | None = None

    def __enter__(self) -> BatchMaker:
        if self._workers > 0 and self._arguments[1] != "none":
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=self._arguments,
            )
        else:
            self._maker = _Maker(*self._arguments)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def batches(self, epoch: int, rows: Ints, *, mine: slice = slice(None)) -> Iterator[Batch]:
        """The batches of an epoch; `rows` are (step, place in the batch), of which this machine makes `mine`."""
        steps, width = rows.shape
        first = range(width)[mine].start
        tasks = [(epoch, step * width + first, rows[step, mine]) for step in range(steps)]
        if self._maker is not None:
            yield from (self._maker.make(*task) for task in tasks)
            return
        if self._pool is None:
            raise RuntimeError("a BatchMaker is a context manager")
        waiting: deque[Future[Batch]] = deque()
        for task in tasks:
            waiting.append(self._pool.submit(_make, *task))
            if len(waiting) > AHEAD * self._workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
