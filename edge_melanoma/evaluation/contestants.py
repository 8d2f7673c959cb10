"""The evaluations of a comparison as they lie on disk, brought to the same rows or refused with what differs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.decision import DecisionRule, positive_classes, positive_log_odds
from edge_melanoma.errors import ArtifactError, DataError
from edge_melanoma.evaluation.result import KIND, METRICS_FILE, PREDICTIONS_FILE, evaluation_folder
from edge_melanoma.evaluation.rows import Bools, Floats, told
from edge_melanoma.evaluation.summary import failures
from edge_melanoma.models import name_of
from edge_melanoma.output import read_origin


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One evaluation."""

    name: str
    folder: Path
    facts: dict[str, Any]  # metrics.json
    predictions: pl.DataFrame = field(repr=False)  # in the order of image_id

    @property
    def failures(self) -> tuple[str, ...]:
        """Why its figures are not to be believed."""
        return failures(self.facts)

    @cached_property
    def rule(self) -> DecisionRule | None:
        """The rule it was evaluated with."""
        return None if self.facts["rule"] is None else DecisionRule.from_json(self.facts["rule"])

    @property
    def classes(self) -> list[str]:
        """The answers of the task, in order."""
        return list(self.facts["task"]["classes"])

    @cached_property
    def logits(self) -> Floats:
        """(row, class)"""
        return self.predictions.select(f"logit_{name}" for name in self.classes).to_numpy().astype(np.float64)

    @property
    def answers(self) -> NDArray[np.int64]:
        """The right class of every row."""
        return self.predictions["answer"].to_numpy()

    @property
    def positive(self) -> Bools:
        """Is the right class one of those that the decision is about?"""
        return np.isin(self.answers, positive_classes(self.classes))

    @property
    def groups(self) -> NDArray[Any]:
        """Patient, lesion or picture."""
        return self.predictions["group"].to_numpy()

    @cached_property
    def score(self) -> Floats:
        """Log-odds, at the prevalence of the calibration part where there is a rule."""
        if self.rule is None:
            return positive_log_odds(self.logits, positive_classes(self.classes))
        return self.rule.as_calibrated().log_odds(self.logits)

    @cached_property
    def referred(self) -> Bools | None:
        """The decision on every row, where there is a rule."""
        rule = self.rule
        return None if rule is None else np.asarray(rule.probability(self.logits) >= rule.threshold_refer.value)


def read_contestants(folders: Sequence[Path], *, split: str, common_rows: bool) -> tuple[list[Contestant], int]:
    """The evaluations on rows that all of them have, and how many rows not all have."""
    contestants = _named([_read(folder, split) for folder in folders])
    _check_tasks(contestants)
    return _on_equal_rows(contestants, common_rows=common_rows)


def find_evaluation(folder: Path, split: str) -> Path:
    """The evaluation that a folder is, or that a run holds or a bundle has beside it for a part."""
    for candidate in (folder, evaluation_folder(folder, split)):
        note = read_origin(candidate)
        if note is not None and note["kind"] == KIND:
            return candidate
    if not folder.exists():
        raise ArtifactError(f"{folder}: does not exist; name an evaluation, or a run or bundle that has one")
    raise ArtifactError(
        f"{name_of(folder)}: is no evaluation and has no evaluation-{split}; make one with: "
        f"edge-melanoma evaluate {name_of(folder)} --data INDEX --split {split}"
    )


def _read(folder: Path, split: str) -> Contestant:
    found = find_evaluation(folder, split)
    try:
        facts = json.loads((found / METRICS_FILE).read_text(encoding="utf-8"))
        predictions = pl.read_parquet(found / PREDICTIONS_FILE, glob=False).sort("image_id")
        logits = [f"logit_{name}" for name in facts["task"]["classes"]]
        needed = predictions.select("image_id", "group", "answer", *logits)
        missing = [key for key in ("split", "rule", "synthetic", "model", "image", "remarks") if key not in facts]
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{found}: is broken ({type(error).__name__}: {error}); evaluate again") from error
    if missing:
        raise ArtifactError(f"{found / METRICS_FILE}: lacks {', '.join(missing)}; evaluate again")
    home = found.absolute().parent.name if found.name.startswith("evaluation") else found.name
    return Contestant(name=str(facts["model"].get("name") or home), folder=found, facts=facts, predictions=needed)


def _named(contestants: list[Contestant]) -> list[Contestant]:
    """Different names: the model's own, where it tells them apart; else with the folder's; else with a number."""
    names = [contestant.name for contestant in contestants]
    if len(set(names)) < len(names):
        names = [f"{c.name}, {_label(c.folder)}" for c in contestants]
    if len(set(names)) < len(names):
        names = [f"{place}: {name}" for place, name in enumerate(names, start=1)]
    return [replace(contestant, name=name) for contestant, name in zip(contestants, names, strict=True)]


def _label(folder: Path) -> str:
    """What tells an evaluation from others: its run, its bundle, or the name that it was given."""
    bundle, beside, _ = folder.name.partition(".evaluation-")
    return folder.absolute().parent.name if folder.name.startswith("evaluation-") else bundle if beside else folder.name


def _check_tasks(contestants: list[Contestant]) -> None:
    first = contestants[0]
    for other in contestants[1:]:
        for key in ("name", "classes", "class_of", "labels_sha256"):
            mine, theirs = first.facts["task"].get(key), other.facts["task"].get(key)
            if mine != theirs:
                raise DataError(
                    f"{other.folder}: its task differs from that of {first.folder} in {key}: {_short(theirs)}, not "
                    f"{_short(mine)}; only models of the same task can be compared"
                )


def _on_equal_rows(contestants: list[Contestant], *, common_rows: bool) -> tuple[list[Contestant], int]:
    """The contestants on rows that all have, and how many rows not all have."""
    first = contestants[0]
    common = set(first.predictions["image_id"])
    everything = set(common)
    for other in contestants[1:]:
        ids = set(other.predictions["image_id"])
        if ids != set(first.predictions["image_id"]) and not common_rows:
            raise DataError(_differing(first, other))
        common &= ids
        everything |= ids
    if not common:
        raise DataError("the evaluations have no picture in common")
    kept = [replace(c, predictions=c.predictions.filter(pl.col("image_id").is_in(sorted(common)))) for c in contestants]
    for other in kept[1:]:
        for column, what in (("answer", "answers"), ("group", "patients or lesions")):
            differ = kept[0].predictions[column] != other.predictions[column]
            if differ.any():
                names = told(kept[0].predictions.filter(differ)["image_id"])
                raise DataError(f"{other.folder}: other {what} than {first.folder} has for {names}; use one index")
    return kept, len(everything) - len(common)


def _differing(first: Contestant, other: Contestant) -> str:
    mine, theirs = set(first.predictions["image_id"]), set(other.predictions["image_id"])
    parts = [
        f"{len(ids):,} only in {folder} ({told(sorted(ids))})"
        for ids, folder in ((mine - theirs, first.folder), (theirs - mine, other.folder))
        if ids
    ]
    return f"different pictures: {'; '.join(parts)}; compare the {len(mine & theirs):,} common ones with --common-rows"


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
