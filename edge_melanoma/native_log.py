"""Standard error without the routine notes of native code, which no setting of a library keeps it from writing."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def without_notes(routine: re.Pattern[bytes]) -> Iterator[None]:
    """Hold standard error back, and let out afterwards every line that does not begin as `routine` says."""
    with ExitStack() as stack:
        try:
            caught = stack.enter_context(tempfile.TemporaryFile())
            terminal = os.dup(2)
        except OSError:  # nowhere to keep it, or no standard error: better a note too many than no work done
            yield
            return
        stack.callback(os.close, terminal)
        _flush()
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(terminal, 2)
            caught.seek(0)
            os.write(2, b"".join(line for line in caught if not routine.match(line)))


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
