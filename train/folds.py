"""K trainings, each tested on another fold; together their test folds give every picture a prediction of a model that
never saw its patient or lesion: the out-of-fold headline."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_melanoma.data.index import Index
from edge_melanoma.errors import RecipeError
from edge_melanoma.evaluation.result import KIND as EVALUATION
from edge_melanoma.output import ORIGIN_FILE, check_vacant, origin, read_origin, write_json
from edge_melanoma.run_folder import FINISHED, FOLDS, RULE, UNFINISHED

from .recipe import TrainRecipe
from .run import TrainResult, Watch
from .run import run as run_one


@dataclass(frozen=True, kw_only=True)
class FoldsResult:
    """The runs of all folds."""

    folder: Path
    results: tuple[TrainResult, ...]

    def to_json(self) -> dict[str, Any]:
        """The results in numbers."""
        scores = [result.run.about["best_score"] for result in self.results]
        return {
            "folder": str(self.folder),
            "runs": [result.to_json() for result in self.results],
            "best_scores": scores,
            "mean_best_score": float(np.mean(scores)),
            "note": "validation scores chose the epochs, so they flatter; the headline is the out-of-fold evaluation",
        }


def run(
    recipe: TrainRecipe,
    index: Index,
    out: Path,
    *,
    folds: int,
    resume: bool = False,
    force: bool = False,
    watch: Watch | None = None,
) -> FoldsResult:
    """Train one model for each fold into `out`/fold0 and so on; folds that are finished already are kept on resume."""
    if folds < 3:
        raise RecipeError(f"--folds {folds}: at least 3, for one fold tests and another chooses and calibrates")
    found = index.table["fold"].drop_nulls().n_unique()
    if found != folds:
        raise RecipeError(
            f"--folds {folds}: {index.folder} has {found} folds; split with: edge-melanoma data split --folds {folds}"
        )
    note = read_origin(out)
    if not (resume and note is not None and note["kind"] == FOLDS):
        check_vacant(out, kind=FOLDS, force=force)
        _remove_stale(out, folds=folds)
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / ORIGIN_FILE, origin(FOLDS, {"folds": folds, "index_sha256": index.sha256}))
    results = []
    for fold in range(folds):
        folder = out / f"fold{fold}"
        watch = watch or Watch()
        watch.on_remark(f"fold{fold}, the {fold + 1}. of {folds}")
        results.append(run_one(recipe, index, folder, fold=fold, resume=resume, force=force, watch=watch))
    return FoldsResult(folder=out, results=tuple(results))


def _remove_stale(out: Path, *, folds: int) -> None:
    """What the folds to come are not: thresholds and evaluations of earlier ones, and earlier ones of higher number."""
    kept = {f"fold{fold}" for fold in range(folds)}
    for folder in out.iterdir() if out.is_dir() else ():
        note = read_origin(folder) if folder.name not in kept else None
        if note is not None and note["kind"] in (FINISHED, UNFINISHED, EVALUATION):
            shutil.rmtree(folder)
    (out / RULE).unlink(missing_ok=True)
