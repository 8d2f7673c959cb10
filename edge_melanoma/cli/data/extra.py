"""One place that turns a missing table library into the command that installs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edge_melanoma.errors import MissingExtraError

DATA_EXTRA = ("polars", "h5py", "sklearn", "matplotlib")


@contextmanager
def data_extra() -> Iterator[None]:
    """Imports inside this block name the `data` extra when one of its libraries is absent."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in DATA_EXTRA:
            raise
        raise MissingExtraError("this command", "data", str(error.name)) from error
