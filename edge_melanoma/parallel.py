"""One function over many pictures on all cores, in order, with progress, and Ctrl-C leaves no worker behind."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from edge_melanoma.errors import RecipeError

Item = TypeVar("Item")
Result = TypeVar("Result")
OnProgress = Callable[[int, int], None]
"""Called with how many are done and how many there are."""


def silent(done: int, total: int) -> None:
    """The progress of who does not watch."""


def usable_cores() -> int:
    """How many cores this process may use (containers and taskset included)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_over_cores(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int | None = None,
    on_progress: OnProgress = silent,
    chunk: int = 16,
) -> list[Result]:
    """The results of `function` (a top-level one, so that it can be sent) for all items, in the order of the items."""
    return list(iterate_over_cores(function, items, workers=workers, on_progress=on_progress, chunk=chunk))


def iterate_over_cores(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int | None = None,
    on_progress: OnProgress = silent,
    chunk: int = 16,
) -> Iterator[Result]:
    """The same one by one, for results that are too large to be kept."""
    workers = usable_cores() if workers is None else workers
    on_progress(0, len(items))
    for done, result in enumerate(_results(function, items, workers=workers, chunk=chunk), start=1):
        on_progress(done, len(items))
        yield result


def _results(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int, chunk: int
) -> Iterator[Result]:
    if workers <= 1 or len(items) <= chunk:  # a process costs more than a chunk
        yield from map(function, items)
        return
    # spawn, not fork: polars and BLAS hold threads that a forked child would wait for forever
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=obey_the_parent) as pool:
        try:
            yield from pool.map(function, items, chunksize=chunk)
        except BrokenProcessPool as error:
            raise RecipeError(
                f"one of {workers} worker processes was killed, as the system does where memory runs out; free some of "
                "it, or take fewer workers (--workers 1, where the command has it)"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)  # waits for the chunks under way, no more
            raise


def obey_the_parent() -> None:
    """For a worker process: Ctrl-C is the parent's business, and when the parent dies, however it does, so do we."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_after, args=(parent.sentinel,), daemon=True).start()


def _leave_after(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
