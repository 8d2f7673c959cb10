"""How a measurement that is a program of its own ends: with its exit code, and with one line where it went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from edge_melanoma.errors import EXIT_INTERRUPTED, EdgeMelanomaError


def exit_code(work: Callable[[], int]) -> int:
    """What the work ends with; a mistake or a stop is told on standard error."""
    try:
        return work()
    except EdgeMelanomaError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error: stopped; what was not finished has not been kept", file=sys.stderr)
        return EXIT_INTERRUPTED


def exit_code_of(measure: Callable[[], Path]) -> int:
    """The same of a measurement that writes a page, which is printed."""

    def work() -> int:
        print(measure().read_text(encoding="utf-8"))
        return 0

    return exit_code(work)
