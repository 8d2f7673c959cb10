"""A run, the folds of one recipe, or a bundle, judged on one part of an index.

The rule of a run comes from the calibration part alone; a bundle brings its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from edge_melanoma.calibration import CalibrationRecipe, fit_rule
from edge_melanoma.data.index import SPLITS, Index, read_index
from edge_melanoma.data.parts import Parts, make_parts, with_fold
from edge_melanoma.decision import DecisionRule
from edge_melanoma.errors import ArtifactError, DataError, EdgeMelanomaError, RecipeError
from edge_melanoma.evaluation.bundle_parts import fold_of
from edge_melanoma.evaluation.evaluating import ceiling_of, evaluate
from edge_melanoma.evaluation.leaks import known_to
from edge_melanoma.evaluation.predicting import Forward, predict_rows
from edge_melanoma.evaluation.result import Evaluation
from edge_melanoma.evaluation.rows import OUT_OF_FOLD
from edge_melanoma.evaluation.summary import comparable
from edge_melanoma.evaluation.writing import check_log, log_of, write_evaluation
from edge_melanoma.labels import Task
from edge_melanoma.models import in_words, is_of_package
from edge_melanoma.output import check_vacant, read_origin
from edge_melanoma.parallel import OnProgress, silent
from edge_melanoma.run_folder import FOLDS, RULE, Run, keep_rule, open_folds, open_run, read_rule


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An evaluation, where it was written, and how many times the test part has been looked at."""

    evaluation: Evaluation
    out: Path
    look: int | None
    log: Path
    remarks: tuple[str, ...]


def run(
    subject: Path,
    index: Index,
    out: Path,
    *,
    split: str,
    calibration: CalibrationRecipe,
    asked: Mapping[str, Any] | None = None,
    rounds: int = 2000,
    seed: int = 0,
    allow_leaks: bool = False,
    force: bool = False,
    workers: int | None = None,
    on_progress: OnProgress = silent,
) -> Judged:
    """Evaluate the run, the bundle or, with split `oof`, the folds at `subject`.

    `asked` is what of the calibration was asked for, not left to its default: a frozen rule must have been made so.
    """
    _check_asked(subject, split)
    check_vacant(out, kind="evaluation", force=force)
    home = out.parent / subject.name if is_of_package(subject) else subject  # where looks are logged
    if split == "test":
        check_log(home)
    given_sha256 = index.sha256
    index, whole = _all_for_the_test(index) if split == "test" else (index, [])
    work = _Work(
        index=index,
        given_sha256=given_sha256,
        calibration=calibration,
        asked=asked or {},
        allow_leaks=allow_leaks,
        workers=workers,
        passes=_Passes(on_progress),
    )
    found = _of_bundle(subject, work, split) if subject.is_file() else _of_runs(subject, work, split)
    evaluation = evaluate(
        found.predictions,
        found.table,
        found.task,
        found.rule,
        split=split,
        seed=seed,
        rounds=rounds,
        fitted_on=found.fitted_on,
        synthetic_ceiling=ceiling_of(found.task, index.roots),
        allow_leaks=allow_leaks,
        other_index=found.other_index,
        known_leaks=found.leaks,
        model=found.model,
        about={
            "run": subject.name,
            "index_sha256": given_sha256,
            "held_out_centres": list(index.about.get("split_recipe", {}).get("held_out_centres", [])),
            **found.about,
        },
    )
    look = write_evaluation(evaluation, out, force=force, home=home)
    return Judged(evaluation=evaluation, out=out, look=look, log=log_of(home), remarks=(*whole, *found.remarks))


def _check_asked(subject: Path, split: str) -> None:
    if not subject.exists():
        raise ArtifactError(
            f"{subject}: does not exist; give a run of `edge-melanoma train`, a bundle of `convert`, or one of the "
            f"package: {in_words()}"
        )
    if split not in (*SPLITS, OUT_OF_FOLD):
        raise RecipeError(f"--split {split}: is {', '.join(SPLITS)} or {OUT_OF_FOLD}")
    if split == OUT_OF_FOLD and subject.is_file():
        raise RecipeError(f"{subject}: --split {OUT_OF_FOLD} needs a training with --folds, and this is one bundle")


def _all_for_the_test(index: Index) -> tuple[Index, list[str]]:
    """An index that nobody has split yet is another data set than any model was trained on: all of it is judged."""
    table = index.table
    if table["split"].null_count() < table.height:
        return index, []
    whole = index.with_table(table.with_columns(split=pl.lit("test")))
    return whole, [f"{index.folder} has no split: all its pictures are the test part"]


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a subject said of the pictures, and what is known of it."""

    predictions: pl.DataFrame
    table: pl.DataFrame  # the index with the parts that the subject has there
    rule: DecisionRule | None
    remarks: tuple[str, ...]
    task: Task
    fitted_on: pl.DataFrame | None  # what it learned from, where that is another index
    model: dict[str, Any]
    other_index: bool  # than the one that it was trained on
    leaks: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)  # how many models, and by which recipe


def _of_runs(folder: Path, work: _Work, split: str) -> _Found:
    note = read_origin(folder)
    is_folds = note is not None and note["kind"] == FOLDS
    if is_folds != (split == OUT_OF_FOLD):
        wanted = "folds are evaluated with --split oof" if is_folds else "--split oof needs a training with --folds"
        raise RecipeError(f"{folder}: {wanted}")
    runs = open_folds(folder) if is_folds else (open_run(folder),)
    index, of_a_fold = (work.index, {}) if is_folds else work.index_of(runs[0])
    predictions, rule, remarks = work.out_of_fold(folder, runs) if is_folds else work.one_part(runs[0], index, split)
    return _Found(
        predictions=predictions,
        table=index.table,
        rule=rule,
        remarks=tuple(remarks),
        task=runs[0].task,
        fitted_on=_fitted_on(runs[0], work),
        model=_model_facts(runs),
        other_index=runs[0].about["index_sha256"] != work.given_sha256,
        about={"models": len(runs), "recipe": comparable(runs[0].about["recipe"]), **of_a_fold},
    )


def _of_bundle(path: Path, work: _Work, split: str) -> _Found:
    from edge_melanoma.bundle import open_bundle
    from edge_melanoma.runtime import Model
    from edge_melanoma.trial import check_in_child

    bundle = open_bundle(path)
    check_in_child(bundle.model, name=bundle.name)
    facts, data = bundle.manifest.model, bundle.manifest.data
    work.check_frozen(bundle.rule, f"{path}: its decision rule travels with it")
    other_index = data.index_sha256 != work.given_sha256
    fold = None if other_index else fold_of(bundle.manifest, work.index, bundle.task)
    index, of_a_fold = work.with_parts_of(fold, seed=bundle.manifest.run.seed)
    parts = make_parts(index, bundle.task, needed=())
    rows = work.rows_of(parts, split)
    known = known_to(bundle.manifest, rows) if other_index else None
    if known and not work.allow_leaks:
        raise DataError(
            f"{work.index.folder}: {known}, so every figure would be too good; judge it on pictures from elsewhere, or "
            "give --allow-leaks and say so"
        )
    forward = Model(bundle.model, name=bundle.name).logits
    predictions = predict_rows(
        forward,
        bundle.contract,
        bundle.task,
        work.index,
        rows,
        tones=True,
        workers=work.workers,
        on_progress=work.passes.another(rows.height),
    )
    return _Found(
        predictions=predictions,
        table=index.table,
        rule=bundle.rule,
        remarks=(*parts.remarks, *([_UNKNOWN] if other_index and not known else [])),
        leaks=(f"leak, allowed by request: {known}. Every figure here is too good",) if known else (),
        task=bundle.task,
        fitted_on=None,
        other_index=other_index,
        model={
            "name": facts.name,
            "size": bundle.contract.width,
            "parameters": facts.parameters,
            "macs": facts.macs,
            "size_bytes": bundle.size_bytes,
            "sha256": bundle.sha256,
        },
        about=of_a_fold,
    )


_UNKNOWN = (
    "the bundle was trained on another index, which it does not bring along: that it has seen none of these pictures "
    "is for you to know"
)


class _Passes:
    """One count over several readings of pictures, each of which begins at nought."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress, self._before = on_progress, 0

    def another(self, pictures: int) -> OnProgress:
        before, self._before = self._before, self._before + pictures
        return lambda done, total: self._on_progress(before + done, before + total)


@dataclass(frozen=True, kw_only=True)
class _Work:
    index: Index
    given_sha256: str  # of the index as it was given, before it was judged whole
    calibration: CalibrationRecipe
    asked: Mapping[str, Any]
    allow_leaks: bool
    workers: int | None
    passes: _Passes

    def index_of(self, run: Run) -> tuple[Index, dict[str, Any]]:
        """The index with the parts of this run: on the index that it was trained on, those of its fold."""
        is_own = self.given_sha256 == run.about["index_sha256"]
        return self.with_parts_of(run.about["fold"] if is_own else None, seed=run.seed)

    def with_parts_of(self, fold: int | None, *, seed: int) -> tuple[Index, dict[str, Any]]:
        """The index with the parts that the model of a fold had, and what is then to be said of the test part."""
        if fold is None:
            return self.index, {}
        return with_fold(self.index, fold, seed=seed), {"fold": fold, "held_out_centres": []}

    def one_part(self, run: Run, index: Index, split: str) -> tuple[pl.DataFrame, DecisionRule | None, list[str]]:
        parts = make_parts(index, run.task, needed=())
        model = _forward(run)
        rule, remarks = self._rule(run, index, model)
        predictions = self._predict(model, run, self.rows_of(parts, split), tones=True)
        return predictions, rule, [*parts.remarks, *remarks]

    def check_frozen(self, rule: DecisionRule, where: str) -> None:
        """Refuse what was asked for and cannot be had of a rule that is there already."""
        made_with = rule.fitted_on.get("recipe", {})
        for name, wanted in self.asked.items():
            if made_with.get(name) != wanted:
                raise RecipeError(
                    f"{where} and was made with {name} {made_with.get(name)}, not {wanted}; leave that out, or train "
                    "or convert anew for other thresholds"
                )

    def rows_of(self, parts: Parts, split: str) -> pl.DataFrame:
        """The rows of a part, which must have some."""
        if not len(parts.rows.get(split, ())):
            raise DataError(f"{self.index.folder}: has no pictures in the part {split}; split with that share above 0")
        return parts.table[parts.rows[split]]

    def _rule(self, run: Run, index: Index, model: Forward) -> tuple[DecisionRule | None, list[str]]:
        """The run's rule; fitted once, on the calibration part of the index that it was trained on, and kept."""
        kept = read_rule(run.folder)
        if kept is not None:
            self.check_frozen(kept, f"{run.folder}: its decision rule is frozen in {RULE}")
            return kept, []
        if self.given_sha256 != run.about["index_sha256"]:
            raise DataError(
                f"{run.folder}: has no decision rule yet, and {self.index.folder} is not the index that it was trained "
                "on; evaluate it there first, so that thresholds are frozen before another data set is seen"
            )
        parts = make_parts(index, run.task, needed=())
        try:
            if not len(parts.rows["calibration"]):
                raise DataError(f"{self.index.folder}: has no calibration part")
            predictions = self._predict(model, run, parts.table[parts.rows["calibration"]])
            rule = fit_rule(
                predictions, index.table, run.task, self.calibration, class_shares_train=run.about["prior_train"]
            )
        except DataError as error:
            return None, [f"no temperature and no thresholds: {error}"]
        keep_rule(run.folder, rule)
        return rule, []  # the evaluation tells what the rule has to say

    def out_of_fold(self, folder: Path, runs: tuple[Run, ...]) -> tuple[pl.DataFrame, DecisionRule | None, list[str]]:
        """Every picture by the model that held it out; the rule, once, from the pictures that calibrated each fold."""
        if self.given_sha256 != runs[0].about["index_sha256"]:
            raise DataError(f"{folder}: was trained on another index than {self.index.folder}")
        kept = read_rule(folder)
        if kept is not None:
            self.check_frozen(kept, f"{folder}: its decision rule is frozen in {RULE}")
        tested, calibrated = [], []
        for fold, run in enumerate(runs):
            index = with_fold(self.index, fold, seed=run.seed)
            parts = make_parts(index, run.task, needed=())
            model = _forward(run)
            test = self._predict(model, run, parts.table[parts.rows["test"]], tones=True)
            tested.append(test.with_columns(fold=fold))
            if kept is None:
                rows = parts.table[parts.rows["calibration"]]
                calibrated.append((self._predict(model, run, rows), rows))
        if kept is not None:
            return pl.concat(tested), kept, []
        try:
            rule = fit_rule(
                pl.concat([said for said, _ in calibrated]),
                pl.concat([rows for _, rows in calibrated]),
                runs[0].task,
                self.calibration,
                class_shares_train=runs[0].about["prior_train"],
            )
        except DataError as error:
            return pl.concat(tested), None, [f"no temperature and no thresholds: {error}"]
        keep_rule(folder, rule)
        return pl.concat(tested), rule, []

    def _predict(self, model: Forward, run: Run, rows: pl.DataFrame, *, tones: bool = False) -> pl.DataFrame:
        told = self.passes.another(rows.height)
        return predict_rows(
            model, run.contract, run.task, self.index, rows, tones=tones, workers=self.workers, on_progress=told
        )


def _forward(run: Run) -> Forward:
    """The network of a run as a function; TensorFlow is imported here, after every mistake has been told."""
    from edge_melanoma.fitting.fit import predict_logits
    from edge_melanoma.fitting.network import load_network

    model = load_network(run)
    return lambda tensors: predict_logits(model, tensors, np.arange(len(tensors)), turns=run.turns)


def _fitted_on(run: Run, work: _Work) -> pl.DataFrame | None:
    """What the model learned from, where it is another index and still there."""
    if work.given_sha256 == run.about["index_sha256"]:
        return None
    unseen = f"so that a leak into {work.index.folder} would not be seen"
    try:
        trained = read_index(Path(run.about["index"]))
    except EdgeMelanomaError as error:
        raise DataError(f"{run.folder}: the index that it was trained on cannot be read, {unseen} ({error})") from error
    if trained.sha256 != run.about["index_sha256"]:
        raise DataError(
            f"{run.folder}: {trained.folder} is no longer the index that it was trained on, {unseen}; put that one back"
        )
    fold = run.about["fold"]
    own = trained if fold is None else with_fold(trained, fold, seed=run.seed)
    return own.table.filter(pl.col("split") == "train")


def _model_facts(runs: tuple[Run, ...]) -> dict[str, Any]:
    facts = runs[0].about["model"]
    weights = b"".join(run.weights.read_bytes() for run in runs)
    return {
        "name": facts["backbone"],
        "size": facts["size"],
        "parameters": facts["parameters"],
        "macs": facts["macs"],
        "size_bytes": runs[0].weights.stat().st_size,
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
