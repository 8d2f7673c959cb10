"""One family of errors, each with its exit code.

The message says what is wrong, where, and what would have been right; the command line prints it as one line.
Anything that is not an EdgeMelanomaError is a bug and ends with a traceback and code 1.
"""

from __future__ import annotations

EXIT_GATE_NOT_MET = 6  # everything ran and was measured; the result is not good enough
EXIT_INTERRUPTED = 130  # Ctrl-C, as a shell reports it
EXIT_BROKEN_PIPE = 141  # whoever read the results went away, as a shell reports it


class EdgeMelanomaError(Exception):
    """What went wrong in terms of what the user gave."""

    exit_code = 1


class RecipeError(EdgeMelanomaError):
    """The request itself is wrong: an option, a recipe key, a combination."""

    exit_code = 2


class DataError(EdgeMelanomaError):
    """Pictures or tables are not what they should be."""

    exit_code = 3


class ArtifactError(EdgeMelanomaError):
    """Something we write or wrote (an index, a run, a bundle) exists already, cannot be written, or is broken."""

    exit_code = 4


class MissingExtraError(EdgeMelanomaError):
    """A part of the package needs an optional dependency that is not installed."""

    exit_code = 5

    def __init__(self, purpose: str, extra: str, missing: str) -> None:
        super().__init__(f"{purpose} needs {missing}, which is not installed: pip install 'edge-melanoma[{extra}]'")
