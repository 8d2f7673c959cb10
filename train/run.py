"""A training from index to run folder: check, decode once, build, fit with a state after every epoch, keep the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_melanoma import backend
from edge_melanoma.data.index import Index
from edge_melanoma.data.parts import Ints, Parts, limited, make_parts, with_fold
from edge_melanoma.data.tensors import TensorCache, make_cache
from edge_melanoma.decision import positive_classes
from edge_melanoma.errors import DataError
from edge_melanoma.fitting.batches import BatchMaker
from edge_melanoma.fitting.distribution import Distribution, distribution, is_chief
from edge_melanoma.fitting.epochs import EpochLog, fit_epochs
from edge_melanoma.fitting.fit import Fitter, OnStep, set_batch_norm_momentum
from edge_melanoma.fitting.sampling import Sampling
from edge_melanoma.fitting.state import FitState, load_state
from edge_melanoma.machine import this_machine
from edge_melanoma.output import write_file
from edge_melanoma.parallel import OnProgress, silent, usable_cores
from edge_melanoma.recipe import recipe_sha256, to_table
from edge_melanoma.run_folder import NETWORK, WEIGHTS, Run

from .backbones import backbone, build_model
from .backbones.profile import profile
from .curves import draw_curves, verdict
from .folder import begin, check_free, drop_replaced, finish, finished_by, put_back
from .lineage import describe, find_first_run, find_teachers, first_run_remark, inherited_from, make_teacher
from .preview import draw_preview
from .recipe import TrainRecipe
from .weights import LoadedWeights, load_weights, save_weights


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who wants to be told how it goes."""

    on_pictures: OnProgress = silent
    on_step: OnStep = lambda *_: None
    on_epoch: Callable[[Mapping[str, Any]], None] = lambda _: None
    on_remark: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """The run, and how it went."""

    run: Run
    history: tuple[Mapping[str, Any], ...]
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """The result in numbers."""
        about = self.run.about
        kept = ("best_epoch", "best_score", "monitor", "model", "weights", "remarks", "synthetic")
        return {
            "run": str(self.run.folder),
            **{key: about[key] for key in kept},
            "history": [dict(row) for row in self.history],
            "verdict": self.verdict,
        }


@dataclass(frozen=True, kw_only=True)
class _Pictures:
    """The training pictures and, after them, those that validate: their rows in the table, and their tensors."""

    train: Ints
    val: Ints
    tensors: TensorCache

    @property
    def validation_rows(self) -> Ints:
        """Where the validation part lies among the tensors."""
        return np.arange(len(self.train), len(self.train) + len(self.val))


def run(
    recipe: TrainRecipe,
    index: Index,
    out: Path,
    *,
    fold: int | None = None,
    resume: bool = False,
    force: bool = False,
    watch: Watch | None = None,
) -> TrainResult:
    """Train by the recipe and write the run to `out`; on resume, one that is finished already is kept as it is."""
    watch = watch or Watch()
    backbone(recipe.model.backbone).check_size(recipe.model.size)
    teachers, first = find_teachers(recipe, index, fold), find_first_run(recipe, index, fold)
    asked = _asked(recipe, index, fold, describe(teachers))
    if resume and (run := finished_by(out, asked)):
        watch.on_remark(f"{out} is finished already, by the same command")
        return TrainResult(run=run, history=(), verdict=run.about["verdict"])
    data = index if fold is None else with_fold(index, fold, seed=recipe.seed)
    parts = make_parts(data, recipe.task.task())
    _check_monitor(recipe, parts, where=str(index.folder))
    train = limited(parts.rows["train"], parts.labels, recipe.data.max_pictures, seed=recipe.seed)
    sampling = _sampling(recipe, parts, train)
    if is_chief():
        check_free(out, resume=resume, force=force)
    remarks = list(parts.remarks)
    if first is not None and (remark := first_run_remark(first, index)):
        remarks.append(remark)
    for remark in remarks:
        watch.on_remark(remark)
    spread = distribution()  # here TensorFlow is imported, which takes seconds: mistakes are told before
    spread.share(recipe.fit.batch)
    model, loaded = _model(recipe, spread, first)
    with spread.strategy.scope():
        teacher = make_teacher(teachers, recipe.teacher.share)
    about = {**asked, **_about(recipe, index, sampling, parts, model, loaded, remarks)}
    pictures = _pictures(recipe, data, parts, train, watch)  # before the folder: without room nothing is begun
    try:
        going_on = begin(out, about, resume=resume, force=force) if spread.is_chief else resume
        fitter = Fitter(model, recipe.fit, sampling, spread, seed=recipe.seed, teacher=teacher)
        if spread.is_chief and not going_on:
            tensors, labels = pictures.tensors.open(), sampling.labels
            draw_preview(out / "augmentation.png", tensors, labels, recipe, synthetic=index.is_synthetic)
        state = (load_state(out) if going_on else None) or FitState()
        log = EpochLog(folder=out, writes=spread.is_chief, on_epoch=_telling(watch, out), on_step=watch.on_step)
        workers = recipe.data.workers or usable_cores()
        with BatchMaker(pictures.tensors.path, augment=recipe.augment, seed=recipe.seed, workers=workers) as maker:
            fit_epochs(
                recipe.task.task(),
                fitter,
                maker,
                state,
                log,
                tensors=pictures.tensors.open(),
                validation_rows=pictures.validation_rows,
                validation_labels=parts.labels[pictures.val],
            )
    except BaseException:
        if spread.is_chief:
            put_back(out)
        raise
    finally:
        pictures.tensors.close()
    return _finish(recipe, fitter, state, out, about, spread)


def _telling(watch: Watch, out: Path) -> Callable[[Mapping[str, Any]], None]:
    """After an epoch, whose state is saved."""

    def on_epoch(row: Mapping[str, Any]) -> None:
        drop_replaced(out)
        watch.on_epoch(row)

    return on_epoch


def _check_monitor(recipe: TrainRecipe, parts: Parts, *, where: str) -> None:
    """An AUC needs both answers; without one no epoch is better than the first."""
    positive = positive_classes(_classes(recipe))
    found = np.isin(parts.labels[parts.rows["val"]], positive)
    if recipe.fit.monitor == "auc" and (found.all() or not found.any()):
        names = ", ".join(_classes(recipe)[place] for place in positive)
        raise DataError(
            f"{where}: {int(found.sum()):,} of {len(found):,} pictures of the val part are {names}, so that no AUC can "
            "choose an epoch; set fit.monitor to loss, or split anew"
        )


def _sampling(recipe: TrainRecipe, parts: Parts, train: Ints) -> Sampling:
    return Sampling(
        labels=parts.labels[train],
        centres=parts.table[train]["centre"].fill_null("").rank("dense").to_numpy().astype(np.int64) - 1,
        classes=recipe.task.task().classes,
        balance=recipe.balance,
        batch=recipe.fit.batch,
        seed=recipe.seed,
        steps_per_epoch=recipe.fit.steps_per_epoch,
    )


def _model(recipe: TrainRecipe, spread: Distribution, first: Run | None) -> tuple[Any, LoadedWeights]:
    keras = backend.keras()
    backend.set_seeds(recipe.seed)
    if recipe.fit.deterministic:
        backend.be_deterministic()
    keras.backend.experimental.enable_tf_random_generator()  # dropout whose random state can be set
    gpus = backend.tensorflow().config.list_physical_devices("GPU")
    mixed = recipe.fit.mixed_precision == "on" or (recipe.fit.mixed_precision == "auto" and bool(gpus))
    keras.mixed_precision.set_global_policy("mixed_float16" if mixed else "float32")
    asked = recipe.model
    with spread.strategy.scope():
        model = build_model(asked.backbone, size=asked.size, classes=len(_classes(recipe)), dropout=asked.dropout)
        loaded = load_weights(model, asked.weights if first is None else first.folder)
    if first is not None:
        loaded = replace(loaded, licences=inherited_from(first))
    set_batch_norm_momentum(model, recipe.fit.batch_norm_momentum)
    return model, loaded


def _classes(recipe: TrainRecipe) -> tuple[str, ...]:
    return recipe.task.task().classes


def _pictures(recipe: TrainRecipe, index: Index, parts: Parts, train: Ints, watch: Watch) -> _Pictures:
    rows = np.concatenate([train, parts.rows["val"]])
    table = parts.table[rows]
    tensors = make_cache(
        index.pictures(table),
        table["sha256"].fill_null("").to_list(),
        recipe.model.contract(),
        recipe.data.cache,
        workers=recipe.data.workers,
        on_progress=watch.on_pictures,
    )
    return _Pictures(train=train, val=parts.rows["val"], tensors=tensors)


def _asked(recipe: TrainRecipe, index: Index, fold: int | None, teachers: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What the command asked for, known before any work."""
    return {
        "recipe": to_table(recipe),
        "recipe_sha256": recipe_sha256(recipe),
        "index": str(Path(index.folder).resolve()) if index.folder else None,
        "index_sha256": index.sha256,
        "fold": fold,
        "teachers": teachers or None,
    }


def _about(
    recipe: TrainRecipe,
    index: Index,
    sampling: Sampling,
    parts: Parts,
    model: Any,
    loaded: LoadedWeights,
    remarks: list[str],
) -> dict[str, Any]:
    licenses = sorted(index.table["license"].drop_nulls().unique())
    return {
        "synthetic": index.is_synthetic,
        "licenses": licenses,
        "task": recipe.task.task().to_json(),
        "preprocessing": recipe.model.contract().to_json(),
        "prior_train": [round(float(share), 9) for share in sampling.prior],
        "pictures": {part: len(rows) for part, rows in parts.rows.items()},
        "trained_on": len(sampling.labels),
        "monitor": recipe.fit.monitor,
        "model": {"backbone": recipe.model.backbone, "size": recipe.model.size, **_cost(model, recipe)},
        "weights": loaded.to_json(),
        "weights_sha256": loaded.sha256,
        "versions": backend.versions(),
        "machine": this_machine().to_json(),
        "remarks": remarks,
    }


def _cost(model: Any, recipe: TrainRecipe) -> dict[str, Any]:
    """Of one answer."""
    facts = profile(model).to_json()
    return {**facts, "macs": facts["macs"] * recipe.model.turns}


def _finish(
    recipe: TrainRecipe, fitter: Fitter, state: FitState, out: Path, about: dict[str, Any], spread: Distribution
) -> TrainResult:
    for weight, value in zip(fitter.model.weights, state.best_weights, strict=True):
        weight.assign(value)
    text = verdict(state.history, recipe.fit.monitor)
    if spread.is_chief:
        save_weights(fitter.model, out / WEIGHTS)
        write_file(out / NETWORK, fitter.model.to_json(indent=1))
        draw_curves(out / "curves.png", state.history, state.best_epoch, text, synthetic=about["synthetic"])
    finished = {"best_epoch": state.best_epoch, "best_score": state.best_score, "verdict": text}
    if spread.is_chief:
        return TrainResult(run=finish(out, {**about, **finished}), history=tuple(state.history), verdict=text)
    return TrainResult(run=Run(folder=out, about={**about, **finished}), history=tuple(state.history), verdict=text)
