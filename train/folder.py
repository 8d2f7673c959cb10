"""The folder of a run: unfinished while it holds a checkpoint, finished when its note of origin says `run`.

edge-melanoma.json    kind training, then run: recipe, versions, seed, hashes of data and weights, host, model facts
network.json          the graph, and weights.weights.h5, the chosen weights, when finished
checkpoint.npz        the state after the last whole epoch, while unfinished
history.csv           one row an epoch; curves.png beside it
augmentation.png      what the network was shown

What --force replaces lies beside it, hidden, until the new training has a state of its own to go on from.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.evaluation.writing import log_of
from edge_melanoma.fitting.state import CHECKPOINT
from edge_melanoma.output import ORIGIN_FILE, check_vacant, origin, read_origin, write_json
from edge_melanoma.recipe import make_recipe, to_table, wordless
from edge_melanoma.run_folder import FINISHED, UNFINISHED, Run, open_run

from .recipe import TrainRecipe

_SAME = (
    ("recipe", "recipe"), ("index_sha256", "data"), ("fold", "fold"), ("weights_sha256", "weights"),
    ("teachers", "teacher"),
)  # fmt: skip


def check_free(folder: Path, *, resume: bool, force: bool) -> None:
    """May a training be written there? Asked before anything that takes time."""
    if not folder.exists():
        put_back(folder)  # a kill between two renames
    note = read_origin(folder) if folder.is_dir() else None
    kind = note["kind"] if note else None
    if kind == UNFINISHED and resume:
        return
    if kind == UNFINISHED and not force:
        raise ArtifactError(
            f"{folder}: holds a training that has not finished; give --resume to go on, --force to replace"
        )
    if kind not in (FINISHED, UNFINISHED):
        check_vacant(folder, kind=FINISHED, force=force)
    elif not force:
        raise ArtifactError(f"{folder}: exists already; give --force to replace it, or name another folder")


def finished_by(folder: Path, about: Mapping[str, Any]) -> Run | None:
    """The run, where it is finished already by the same command; one by another is refused."""
    note = read_origin(folder) if folder.is_dir() else None
    if note is None or note["kind"] != FINISHED:
        return None
    _require_same(folder, note, about)
    return open_run(folder)


def _has_result(folder: Path) -> bool:
    """Is there something that would be missed?"""
    note = read_origin(folder)
    return note is not None and (note["kind"] == FINISHED or (folder / CHECKPOINT).is_file())


def _aside(folder: Path) -> Path:
    """Where a run lies while the one that replaces it has nothing yet."""
    real = folder.resolve()
    return real.with_name(f".{real.name}.replaced")


def put_back(folder: Path) -> None:
    """The run that was to be replaced comes back, where the new training has come to nothing."""
    if _aside(folder).exists() and not _has_result(folder):
        shutil.rmtree(folder.resolve(), ignore_errors=True)
        _aside(folder).rename(folder.resolve())


def drop_replaced(folder: Path) -> None:
    """The new training can be gone on from, so that the old one goes."""
    shutil.rmtree(_aside(folder), ignore_errors=True)


def _clear(folder: Path) -> None:
    """An empty folder, with the looks at the test part by what was there."""
    real, aside = folder.resolve(), _aside(folder)
    if _has_result(real):
        shutil.rmtree(aside, ignore_errors=True)
        real.rename(aside)
    elif real.exists():
        shutil.rmtree(real)
    real.mkdir(parents=True)
    if log_of(aside).is_file():
        shutil.copy2(log_of(aside), log_of(real))


def begin(folder: Path, about: Mapping[str, Any], *, resume: bool, force: bool) -> bool:
    """Take the folder for a training; True where an earlier process' state is to be gone on from."""
    check_free(folder, resume=resume, force=force)
    note = read_origin(folder) if folder.is_dir() else None
    if resume and note is not None:
        _require_same(folder, note, about)
        return (folder / CHECKPOINT).is_file()
    try:
        _clear(folder)
    except OSError as error:
        raise ArtifactError(f"{folder}: cannot be written ({error.strerror}); name a place you may write to") from error
    write_json(folder / ORIGIN_FILE, origin(UNFINISHED, about))
    return False


def _require_same(folder: Path, note: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    # an older version's recipe lacks what has been added since, and had the default of it
    recipe = to_table(make_recipe(note["recipe"], TrainRecipe, where=f"{folder}: its recipe"))
    before, about = {**note, "recipe": wordless(recipe)}, {**about, "recipe": wordless(about["recipe"])}
    for key, what in _SAME:
        if key in about and before.get(key) != about[key]:
            raise RecipeError(
                f"{folder}: was begun with another {what}{_difference(before.get(key), about[key])}; "
                "--resume needs the same command; give --force to start again"
            )


def _difference(old: Any, new: Any) -> str:
    """Which key of a recipe differs."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return ""
    for key in (*old, *(key for key in new if key not in old)):
        if old.get(key) != new.get(key):
            return f" ({key}{_difference(old.get(key), new.get(key)) or f': {old.get(key)!r}, now {new.get(key)!r}'})"
    return ""


def finish(folder: Path, about: Mapping[str, Any]) -> Run:
    """The run is whole: its note says so, last of all; the state it went through goes."""
    write_json(folder / ORIGIN_FILE, origin(FINISHED, about))
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return open_run(folder)
