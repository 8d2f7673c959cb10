"""What every bundle says of a picture and of all its changed copies: decoded once, answered in a process of its own.

Only logits and verdicts of the gate come back, so that memory does not grow with the pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_melanoma.bundle import Bundle, open_bundle
from edge_melanoma.capture import measure
from edge_melanoma.data.pictures import Picture
from edge_melanoma.errors import DataError
from edge_melanoma.parallel import OnProgress, iterate_over_cores, silent
from edge_melanoma.picture import PictureFile, decode, open_picture
from edge_melanoma.picture.jpeg import reduced_size
from edge_melanoma.runtime import Model

from .robustness_changes import Change

UNCHANGED = 0  # the first place of every answer; the changes follow in their order, then the other copy
FOUND, MISSING, UNREADABLE = "found", "missing", "unreadable"  # what became of the other copy
Size = tuple[int, int]
Box = tuple[int, int, int, int]
Said = tuple[NDArray[np.float32], bool]
Copies = Callable[[Image.Image], Iterator[Image.Image]]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of every picture; small enough to be sent to another process."""

    bundles: tuple[Path, ...]
    changes: tuple[Change, ...]
    other_copies: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the bundles say of one picture."""

    logits: tuple[NDArray[np.float32], ...]  # of each bundle: (1 + changes [+ other copy], class)
    refused: tuple[NDArray[np.bool_], ...]  # likewise: does the gate refuse it?
    other_copy: str | None  # FOUND, MISSING, UNREADABLE; None where none is asked for


class _Judge(NamedTuple):
    bundle: Bundle
    model: Model

    def ask(self, picture: Image.Image, upright: Size) -> Said:
        """Logits, and whether the gate refuses the picture."""
        tensor = self.bundle.contract.image_to_tensor(picture)
        gate = self.bundle.manifest.capture_gate
        refused = gate is not None and bool(gate.broken(measure(tensor, self.bundle.contract, upright)))
        return self.model.logits(tensor[None])[0], refused

    def frame(self, file: PictureFile) -> _Frame:
        contract, upright = self.bundle.contract, file.facts.upright_size
        reduction = contract.reduction(file.facts)
        x, y, width, height = contract.geometry_of(*reduced_size(*upright, reduction)).region
        return _Frame(reduction, (x, y, x + width, y + height))


class _Frame(NamedTuple):
    """How a bundle reads a picture: decoded at a part of its size, and cut."""

    reduction: int
    box: Box


@lru_cache(maxsize=8)
def _judge(path: Path) -> _Judge:
    """Opened once a process."""
    bundle = open_bundle(path)
    return _Judge(bundle, Model(bundle.model, threads=1, name=bundle.name))


def ask_all(
    pictures: Sequence[Picture], question: Question, *, workers: int | None = None, on_progress: OnProgress = silent
) -> list[Answer]:
    """The answers for all pictures, in their order."""
    ask = partial(answer, question=question)
    return list(iterate_over_cores(ask, pictures, workers=workers, on_progress=on_progress, chunk=4))


def answer(picture: Picture, *, question: Question) -> Answer:
    """What all bundles say of a picture, its changed copies and its other copy."""
    judges = [_judge(path) for path in question.bundles]

    def copies(base: Image.Image) -> Iterator[Image.Image]:
        yield base
        yield from (change.of(base, picture.image_id) for change in question.changes)

    found = _heard(open_picture(picture.read(), name=picture.name), judges, copies)
    status = None
    if question.other_copies is not None:
        status, other = _other_copy(question.other_copies / f"{picture.image_id}.jpg", judges)
        nothing = [(np.full_like(each[UNCHANGED][0], np.nan), False) for each in found]
        for each, said in zip(found, other or nothing, strict=True):
            each.append(said)
    return Answer(
        logits=tuple(np.array([logits for logits, _ in each], np.float32) for each in found),
        refused=tuple(np.array([refused for _, refused in each], bool) for each in found),
        other_copy=status,
    )


def _heard(file: PictureFile, judges: Sequence[_Judge], copies: Copies) -> list[list[Said]]:
    """What each judge says of each copy; those that read the picture alike share the copies."""
    frames: dict[_Frame, list[int]] = {}
    for place, judge in enumerate(judges):
        frames.setdefault(judge.frame(file), []).append(place)
    found: list[list[Said]] = [[] for _ in judges]
    for frame, places in frames.items():
        base = decode(file, frame.reduction).crop(frame.box)
        for copy in copies(base):
            upright = _upright(file.facts.upright_size, base.size, copy.size)
            for place in places:
                found[place].append(judges[place].ask(copy, upright))
    return found


def _upright(original: Size, before: Size, after: Size) -> Size:
    """What the gate is to take for the picture's own size: turned, where the copy is."""
    return original[::-1] if after != before and after == before[::-1] else original


def _other_copy(path: Path, judges: Sequence[_Judge]) -> tuple[str, list[Said] | None]:
    """What each judge says of the other copy, if it is there and can be read."""
    try:
        file = open_picture(path.read_bytes(), name=str(path))
        return FOUND, [each for (each,) in _heard(file, judges, lambda base: iter([base]))]
    except FileNotFoundError:
        return MISSING, None
    except (DataError, OSError):
        return UNREADABLE, None
