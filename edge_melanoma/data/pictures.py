"""Where a picture's bytes are: a file, or an entry of an HDF5 container (`train-image.hdf5#ISIC_0015670`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from edge_melanoma.errors import DataError, MissingExtraError


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture of an index; small enough to be sent to another process."""

    image_id: str
    root: Path
    path: str  # relative to root

    @property
    def name(self) -> str:
        """How messages call it."""
        return str(self.root / self.path)

    def read(self) -> bytes:
        """The bytes as they are stored."""
        container, _, key = self.path.partition("#")
        try:
            if key:
                return _entry(self.root / container, key)
            return (self.root / container).read_bytes()
        except FileNotFoundError as error:
            raise DataError(f"{self.name}: the picture is gone; give back the file, or ingest again") from error
        except OSError as error:
            raise DataError(f"{self.name}: cannot be read ({error.strerror or error})") from error


def _entry(container: Path, key: str) -> bytes:
    file = _open_container(container)
    if key not in file:
        raise DataError(f"{container}: has no entry {key!r}")
    return bytes(file[key][()])


@lru_cache(maxsize=4)  # opened once a process: HDF5 handles do not travel between processes
def _open_container(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(path)
    return h5py_module().File(path, "r")


def h5py_module() -> Any:
    """h5py, which only HDF5 containers need."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("reading an HDF5 container", "data", "h5py") from error
    return h5py
