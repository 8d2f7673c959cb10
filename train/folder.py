"""The folder of a run: unfinished while it holds a checkpoint, finished when its note of origin says `run`.

edge-melanoma.json    kind training, then run: recipe, versions, seed, hashes of data and weights, host, model facts
network.json          the graph, and weights.weights.h5, the chosen weights, when finished
checkpoint.npz        the state after the last whole epoch, while unfinished
history.csv           one row an epoch; curves.png beside it
augmentation.png      what the network was shown
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_melanoma.errors import ArtifactError, RecipeError
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


def begin(folder: Path, about: Mapping[str, Any], *, resume: bool, force: bool) -> bool:
    """Take the folder for a training; True where an earlier process' state is to be gone on from."""
    check_free(folder, resume=resume, force=force)
    note = read_origin(folder) if folder.is_dir() else None
    if resume and note is not None:
        _require_same(folder, note, about)
        return (folder / CHECKPOINT).is_file()
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
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
