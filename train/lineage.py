"""Finished runs that a training learns from: teachers, whose answers it learns beside the labels, and first weights.

None may have been trained on what the new network is tested on. So a teacher must come from the same index, and from
the same fold of it; a folder of folds gives each fold its own. First weights may come from another index, too, as
weights from elsewhere do; then nobody knows what they have seen, and the run says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_melanoma import backend
from edge_melanoma.data.index import Index
from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.fitting.fit import Teacher
from edge_melanoma.fitting.network import load_network
from edge_melanoma.fitting.weights_file import file_sha256
from edge_melanoma.output import read_origin
from edge_melanoma.run_folder import FOLDS, Run, open_run, weights_licences

from .recipe import TrainRecipe


def find_teachers(recipe: TrainRecipe, index: Index, fold: int | None) -> tuple[Run, ...]:
    """The runs that teach; refuses one that answers another question or that may know the test part."""
    try:
        teachers = tuple(open_run(_folder("teacher.runs", Path(named), fold)) for named in recipe.teacher.runs)
    except ArtifactError as error:
        raise ArtifactError(f"teacher.runs: {error}; --set 'teacher.runs=[\"RUN\"]' names another") from error
    for run in teachers:
        _check(run, recipe, index, fold)
    return teachers


def find_first_run(recipe: TrainRecipe, index: Index, fold: int | None) -> Run | None:
    """The run that `model.weights` names, if it names one; refuses one that may know the test part."""
    named = Path(recipe.model.weights)
    if not named.is_dir():
        return None
    try:
        run = open_run(_folder("model.weights", named, fold))
    except ArtifactError as error:
        raise ArtifactError(f"model.weights: {error}; an .h5 file, imagenet or none can stand there, too") from error
    if run.about["index_sha256"] == index.sha256 and run.about["fold"] != fold:
        raise RecipeError(
            f"model.weights: {run.folder} was trained on {_part_of(run.about['fold'])} of this index, the new network "
            f"on {_part_of(fold)}: it may know its test part; begin with a run of the same part"
        )
    return run


def first_run_remark(run: Run, index: Index) -> str | None:
    """What has to be said of first weights from another index."""
    if run.about["index_sha256"] == index.sha256:
        return None
    return (
        f"the first weights come from {run.folder}, which was trained on another index "
        f"({run.about['index_sha256'][:12]}): whether that held pictures of this test part is not known"
    )


def inherited_from(run: Run) -> tuple[str, ...]:
    """The licences that come with first weights from a run: of its pictures, and of what it inherited itself."""
    return tuple(sorted({*run.about["licenses"], *weights_licences(run.about)}))


def _folder(key: str, named: Path, fold: int | None) -> Path:
    note = read_origin(named)
    if note is None or note["kind"] != FOLDS:
        return named
    if fold is None:
        raise RecipeError(f"{key}: {named} holds folds, and this training has none; name a run of this index")
    return named / f"fold{fold}"


def _check(run: Run, recipe: TrainRecipe, index: Index, fold: int | None) -> None:
    where = f"teacher.runs: {run.folder}"
    if run.task.classes != recipe.task.task().classes:
        raise RecipeError(f"{where} answers the task {run.task.name}; the pupil's is {recipe.task.name}")
    if run.contract != recipe.model.contract():
        raise RecipeError(
            f"{where} sees {run.contract.width}x{run.contract.height} pixels by another contract; "
            "a teacher sees what its pupil sees: the same model.size and model.geometry"
        )
    if (run.about["index_sha256"], run.about["fold"]) != (index.sha256, fold):
        raise RecipeError(
            f"{where} was trained on {_part_of(run.about['fold'])} of the index {run.about['index_sha256'][:12]}, "
            f"the pupil on {_part_of(fold)} of {index.sha256[:12]}: it may know the pupil's test part; "
            "train a teacher on the same data and fold"
        )


def _part_of(fold: int | None) -> str:
    return "the parts" if fold is None else f"fold {fold}"


def describe(teachers: Sequence[Run]) -> list[Mapping[str, Any]]:
    """What a run records of those who taught it."""
    return [
        {
            "run": str(run.folder),
            "backbone": run.about["model"]["backbone"],
            "recipe_sha256": run.about["recipe_sha256"],
            "weights_sha256": file_sha256(run.weights),
            "licences": list(weights_licences(run.about)),
        }
        for run in teachers
    ]


def make_teacher(teachers: Sequence[Run], share: float) -> Teacher | None:
    """What answers with the mean of the teachers' logits, or None where nobody teaches."""
    if not teachers:
        return None
    networks = [load_network(run) for run in teachers]

    def mean(pictures: Any, *, training: bool) -> Any:
        tf = backend.tensorflow()
        return tf.add_n([network(pictures, training=training) for network in networks]) / len(networks)

    return Teacher(model=mean, share=share)
