"""Where the parts of the emulated Raspberry Pi are kept between calls, each under a key made of what decides on it.

A part is made beside its place and renamed, so that one that was interrupted is never taken for whole; what such a
call left is removed by the next one. A second call with the same wishes finds every part and does nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_melanoma.cache import cache_folder
from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.output import new_folder, read_origin

KIND = "a part of the emulated Raspberry Pi"
KEPT = 3  # parts of a kind: the newest, and those of the last changes
Say = Callable[[str], None]


def say_on_stderr(text: str) -> None:
    """Progress is talk: results alone go to standard output."""
    print(text, file=sys.stderr, flush=True)


def default_cache() -> Path:
    """A folder of our cache."""
    try:
        return cache_folder().absolute() / "pi"
    except RuntimeError as error:  # no home
        raise RecipeError("there is no home folder to keep a cache in; name a folder in EDGE_MELANOMA_CACHE") from error


def key_of(*facts: Any) -> str:
    """A short name for these facts: equal for equal ones."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def part(cache: Path, name: str, key: str, make: Callable[[Path], Mapping[str, Any]], *, say: Say) -> Path:
    """The folder of a part; `make` fills it where there is none yet, and returns what is noted about it."""
    folder = cache / f"{name}-{key}"
    if is_whole(folder):
        with contextlib.suppress(OSError):  # a cache that may be read only
            os.utime(folder)  # used: so that it is not among the oldest
        return folder
    with _alone(cache, say):
        if is_whole(folder):  # made by whom we waited for
            return folder
        _sweep(cache, name)
        start = time.monotonic()
        with new_folder(folder, kind=KIND) as (draft, about):
            about.update(make(draft))
        size_mb = folder_bytes(folder) / 1e6
        say(f"{folder.name}: {size_mb:.0f} MB on disk, made in {time.monotonic() - start:.0f} s")
    return folder


def is_whole(folder: Path) -> bool:
    """Was this part made to its end?"""
    note = read_origin(folder)
    return note is not None and note["kind"] == KIND


def note_of(folder: Path) -> Mapping[str, Any]:
    """What was noted about a part when it was made."""
    return read_origin(folder) or {}


def folder_bytes(folder: Path) -> int:
    """The sizes of the files below a folder, each once and no links."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _sweep(cache: Path, name: str) -> None:
    """Remove what interrupted calls left, and the oldest parts of this name."""
    for left in cache.glob(".*.part"):
        shutil.rmtree(left, ignore_errors=True)
    found = [path for path in cache.glob(f"{name}-*") if path.name.removeprefix(f"{name}-").isalnum()]
    oldest_first = sorted(found, key=lambda path: path.stat().st_mtime)
    for old in oldest_first[: -(KEPT - 1)]:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _alone(cache: Path, say: Say) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / ".lock").open("w")
    except OSError as error:
        raise ArtifactError(
            f"{cache}: cannot be written ({error.strerror}); name another folder in EDGE_MELANOMA_CACHE"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{cache}: another process is making a part; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
