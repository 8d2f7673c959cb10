"""The pictures that a person means by files, folders, patterns and standard input, in an order that does not change."""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from edge_melanoma.errors import DataError
from edge_melanoma.picture.reading import PARSERS

STANDARD_INPUT = "-"
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")  # by which a folder's pictures are known
MAX_INPUT_BYTES, PIECE_BYTES = 1 << 30, 1 << 20


@dataclass(frozen=True, kw_only=True)
class Given:
    """One picture to judge, or why there is none where one was named."""

    name: str
    source: Path | bytes | None = field(repr=False, default=None)
    problem: str | None = None


def find_pictures(named: Sequence[str], *, standard_input: Callable[[], bytes]) -> list[Given]:
    """Every picture that is meant; a name that leads to none stays in the list with its problem."""
    return [given for name in named for given in _meant_by(name, standard_input)]


def read_input(stream: BinaryIO) -> bytes:
    """Standard input, as much as is taken; where there is more, one byte of that, by which `find_pictures` knows."""
    found = io.BytesIO()
    # by pieces: asked for all at once, Python reserves as much, which a small device does not have
    while piece := stream.read(min(PIECE_BYTES, MAX_INPUT_BYTES + 1 - found.tell())):
        found.write(piece)
    return found.getvalue()


def _meant_by(name: str, standard_input: Callable[[], bytes]) -> Iterator[Given]:
    if name == STANDARD_INPUT:
        yield from _from_input(standard_input())
        return
    if not name:  # as a path, that would be the working directory
        yield Given(name=name, problem="is an empty name; name a picture, a folder or a pattern")
    elif glob.has_magic(name) and not os.path.lexists(name):
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        for match in matches:  # a file or a folder, even where it is called - or like a pattern
            yield from _on_disk(match)
        if not matches:
            yield Given(name=name, problem="matches nothing; name a picture, a folder or a pattern that does")
    else:
        yield from _on_disk(name)


def _on_disk(name: str) -> Iterator[Given]:
    """The file of this name, or the pictures in the folder of this name."""
    path = Path(name)
    if not _is_folder(path):
        yield Given(name=name, source=path)
        return
    found = [each for each in sorted(path.rglob("*")) if each.suffix.lower() in SUFFIXES and each.is_file()]
    yield from (Given(name=str(each), source=each) for each in found)
    if not found:
        yield Given(name=name, problem=f"holds no picture; {', '.join(SUFFIXES)} are looked for")


def _from_input(data: bytes) -> Iterator[Given]:
    """A picture, or the names of pictures, a line each."""
    if len(data) > MAX_INPUT_BYTES:
        raise DataError(f"standard input: more than {MAX_INPUT_BYTES:,} bytes; no picture that is taken has that many")
    if data.startswith(tuple(signature for signature, _ in PARSERS)):
        yield Given(name="standard input", source=data)
        return
    try:
        lines = [line.removesuffix("\r") for line in data.decode("utf-8").split("\n")]
    except UnicodeDecodeError:
        yield Given(name="standard input", source=data)  # whose reader says what it is
        return
    if not any(lines) or "\0" in data.decode("utf-8"):
        yield Given(name="standard input", problem="holds neither a picture nor names of pictures, a line each")
        return
    yield from (Given(name=line, source=Path(line)) for line in lines if line)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # no right to look, or a name that cannot be one
        return False
