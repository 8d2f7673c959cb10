"""When does a stream of queries stop being slow because it is new? Found in the latencies, not guessed.

The rule is MSER-5, which simulations use for the same question: of the medians of five queries each, so many are cut
off at the beginning that the mean of the rest is known best (the smallest standard error). Where that cuts off more
than half of them, the stream has not settled yet. A drift, as of a chip that gets hot, never settles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BATCH = 5
FEWEST = 5  # medians that have to be left: among fewer, two that happen to be alike look like a settled stream
LEAST_QUERIES = 3 * FEWEST * BATCH


def settled_after(latencies: Sequence[float]) -> int | None:
    """How many queries at the beginning are warm-up; None where the stream has not settled."""
    batches = len(latencies) // BATCH
    if len(latencies) < LEAST_QUERIES:
        return None
    medians = np.median(np.asarray(latencies[: batches * BATCH], np.float64).reshape(batches, BATCH), axis=1)
    from_end = medians[::-1] - medians.mean()  # centred: squares of large numbers lose their digits
    count = np.arange(1, batches + 1)
    squares = np.cumsum(from_end**2) - np.cumsum(from_end) ** 2 / count
    error = (np.maximum(squares, 0) / count**2)[::-1]  # error[d]: with d batches cut off
    cut = int(np.argmin(error[: batches - FEWEST + 1]))
    return None if cut > batches // 2 else cut * BATCH
