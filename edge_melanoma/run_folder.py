"""A finished run as later stages read it: what training promises to leave in the folder, and nothing of how it trains.

edge-melanoma.json    recipe, versions, seed, hashes of data and weights, host, model facts; kind run
network.json          the graph, of stock Keras layers only
weights.weights.h5    its weights
decision.json         temperature and thresholds, once they were chosen; then they stay
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_melanoma.decision import DecisionRule
from edge_melanoma.errors import ArtifactError
from edge_melanoma.labels import Task, task_from_json
from edge_melanoma.licences import NOT_STATED
from edge_melanoma.output import read_origin, write_json
from edge_melanoma.preprocess import PreprocessContract
from edge_melanoma.recipe import wordless
from edge_melanoma.run_note import check_note

WEIGHTS = "weights.weights.h5"
NETWORK = "network.json"
RULE = "decision.json"
IMAGENET_LICENCE = "Apache-2.0 (published ImageNet weights)"
FINISHED, UNFINISHED, FOLDS = "run", "training", "folds"  # kinds of folder


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run."""

    folder: Path
    about: Mapping[str, Any]

    @property
    def task(self) -> Task:
        """The question it answers."""
        return task_from_json(self.about["task"], where=str(self.folder))

    @property
    def contract(self) -> PreprocessContract:
        """How a picture becomes its input."""
        return PreprocessContract.from_json(self.about["preprocessing"])

    @property
    def seed(self) -> int:
        """The seed of the training, which also made the halves of a fold."""
        return int(self.about["recipe"]["seed"])

    @property
    def turns(self) -> int:
        """Of how many quarter turns of a picture its answer is the mean; runs from before that was asked have one."""
        return int(self.about["recipe"]["model"].get("turns", 1))

    @property
    def weights(self) -> Path:
        """The weights that were kept."""
        return self.folder / WEIGHTS

    @property
    def network(self) -> str:
        """The graph that the weights belong to, as Keras' JSON."""
        try:
            return (self.folder / NETWORK).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{self.folder / NETWORK}: cannot be read ({error}); train again") from error


def open_run(folder: Path) -> Run:
    """A finished run; says what else the folder is."""
    note = read_origin(folder)
    if note is None:
        what = "does not exist" if not folder.exists() else "is not a run"
        raise ArtifactError(f"{folder}: {what}; a run is the folder that `edge-melanoma train` wrote")
    if note["kind"] == UNFINISHED:
        raise ArtifactError(f"{folder}: is a training that has not finished; give its command again with --resume")
    if note["kind"] == FOLDS:
        raise ArtifactError(f"{folder}: holds folds; name one of its runs, for example {folder / 'fold0'}")
    if note["kind"] != FINISHED or not (folder / WEIGHTS).is_file():
        raise ArtifactError(f"{folder}: holds {note['kind']}, not a run that `edge-melanoma train` wrote")
    check_note(folder, note)
    return Run(folder=folder, about=note)


def weights_licences(about: Mapping[str, Any]) -> tuple[str, ...]:
    """The licences of the weights that a run began with, and of those that its teachers began with."""
    first, stated = about["weights"], about["recipe"]["model"].get("weights_licence") or NOT_STATED
    own = {"none": (), "imagenet": (IMAGENET_LICENCE,)}.get(first["source"], first.get("licences") or (stated,))
    taught = [text for teacher in about.get("teachers") or () for text in teacher.get("licences", [NOT_STATED])]
    return tuple(sorted({*own, *taught}))


def open_folds(folder: Path) -> tuple[Run, ...]:
    """The runs of all folds, in order; says which are missing, and refuses folds that are not of one training."""
    note = read_origin(folder)
    if note is None or note["kind"] != FOLDS:
        raise ArtifactError(f"{folder}: holds no folds; make them with: edge-melanoma train … --folds K --out {folder}")
    runs = tuple(open_run(folder / f"fold{fold}") for fold in range(note["folds"]))
    for key, what in (("recipe", "recipe"), ("index_sha256", "index")):
        facts = [wordless(run.about[key]) if key == "recipe" else run.about[key] for run in runs]
        others = [run.folder.name for run, fact in zip(runs, facts, strict=True) if fact != facts[0]]
        if others:
            raise ArtifactError(
                f"{folder}: {', '.join(others)} came from another {what} than fold0, so they say nothing of one; "
                "train them again with --force"
            )
    return runs


def read_rule(folder: Path) -> DecisionRule | None:
    """The decision rule that was chosen for a run or folds, or None as long as none was."""
    path = folder / RULE
    if not path.is_file():
        return None
    try:
        return DecisionRule.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ArtifactError) as error:
        raise ArtifactError(f"{path}: is broken ({error}); delete it, and evaluate again to fit it anew") from error


def keep_rule(folder: Path, rule: DecisionRule) -> None:
    """Freeze the rule of a run or of folds."""
    write_json(folder / RULE, rule.to_json())
