"""Evaluations that a bundle carries: of models trained by the recipe of its run, or they would say nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_melanoma.errors import ArtifactError
from edge_melanoma.evaluation.summary import comparable, failures, read_evaluation, summarise
from edge_melanoma.run_folder import Run


def evaluations_of(run: Run, folders: Sequence[Path]) -> list[dict[str, Any]]:
    """What the card is to show of each; refuses one that is not to be believed, of another recipe or of none."""
    wanted, found = comparable(run.about["recipe"]), []
    for folder in folders:
        metrics = read_evaluation(folder)
        if failed := failures(metrics):
            raise ArtifactError(
                f"{folder}: is not to be believed ({'; '.join(failed)}); give an evaluation on pictures that were kept "
                "apart from training"
            )
        recipe = metrics["about"].get("recipe")
        if recipe is None:
            raise ArtifactError(f"{folder}: does not say by which recipe; evaluate a run or folds with this version")
        recipe = comparable(recipe)
        differing = sorted(key for key in {*recipe, *wanted} if recipe.get(key) != wanted.get(key))
        if differing:
            raise ArtifactError(
                f"{folder}: is of another recipe than {run.folder} (they differ in {', '.join(differing)}); "
                "evaluate models that were trained by the same"
            )
        found.append(summarise(metrics))
    return found
