"""One epoch after the other: train, judge the averaged weights on the validation part, keep the best, save."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend
from edge_melanoma.decision import positive_classes, positive_log_odds
from edge_melanoma.fitting.batches import BatchMaker
from edge_melanoma.fitting.fit import Fitter, OnStep, not_finite, predict_logits
from edge_melanoma.fitting.recipe import FitRecipe
from edge_melanoma.fitting.state import FitState, save_state
from edge_melanoma.labels import Task
from edge_melanoma.metrics import roc_auc
from edge_melanoma.output import write_file

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class EpochLog:
    """Where an epoch's figures go: the folder, TensorBoard, and whoever watches."""

    folder: Path
    writes: bool  # only one of several machines does
    on_epoch: Callable[[Mapping[str, Any]], None]
    on_step: OnStep

    def epoch(self, state: FitState) -> None:
        """Save the state first: what is drawn from it can be drawn again."""
        if self.writes:
            save_state(self.folder, state)
            write_history(self.folder / "history.csv", state.history)
            self._tensorboard(state.history[-1])
        self.on_epoch(state.history[-1])

    def _tensorboard(self, row: Mapping[str, Any]) -> None:
        tf = backend.tensorflow()
        writer = tf.summary.create_file_writer(str(self.folder / "tensorboard"))
        with writer.as_default(step=int(row["epoch"])):
            for name, value in row.items():
                if isinstance(value, float):
                    tf.summary.scalar(name, value)
        writer.close()


def write_history(path: Path, history: list[dict[str, Any]]) -> None:
    """One row an epoch."""
    stream = io.StringIO()
    rows = csv.DictWriter(stream, fieldnames=list(history[0]), lineterminator="\n")
    rows.writeheader()
    rows.writerows(history)
    write_file(path, stream.getvalue())


def fit_epochs(
    task: Task,
    fitter: Fitter,
    maker: BatchMaker,
    state: FitState,
    log: EpochLog,
    *,
    tensors: NDArray[np.uint8],
    validation_rows: Ints,
    validation_labels: Ints,
) -> None:
    """Run the epochs that the state still lacks; the state is changed in place, and saved after each."""
    fit = fitter.fit
    if state.epoch:
        fitter.take_state(state)
    share = fitter.spread.share(fit.batch)
    while state.epoch < fit.all_epochs and not _has_stopped(fit, state):
        number = state.epoch
        rows = fitter.sampling.epoch(number)
        row = fitter.run_epoch(number, maker.batches(number, rows, mine=share), rows, log.on_step)
        weights = fitter.averaged_weights()
        score = _judge(task, fitter, weights, tensors, validation_rows, validation_labels, number)
        phase = "head" if number < fit.head_epochs else "all"
        state.history.append({"epoch": number + 1, "phase": phase, **row, **score})
        _keep_the_best(fit, state, weights, score)
        state.epoch = number + 1
        fitter.give_state(state)
        log.epoch(state)


def _judge(
    task: Task,
    fitter: Fitter,
    weights: list[NDArray[Any]],
    tensors: NDArray[np.uint8],
    rows: Ints,
    labels: Ints,
    number: int,
) -> dict[str, float]:
    raw = [weight.numpy() for weight in fitter.model.weights]
    _assign(fitter.model, weights)
    logits = predict_logits(fitter.model, tensors, rows)
    _assign(fitter.model, raw)
    if not np.isfinite(logits).all():
        raise not_finite("the output for the validation part", f"epoch {number + 1}")
    return judge(task, labels, logits)


def judge(task: Task, labels: Ints, logits: NDArray[np.float32]) -> dict[str, float]:
    """Loss, AUC of the class in question, and balanced accuracy."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    positive = positive_classes(task.classes)
    sought = np.isin(labels, positive)
    recalls = [np.mean(log_p[labels == label].argmax(axis=1) == label) for label in np.unique(labels)]
    return {
        "val_loss": float(-log_p[np.arange(len(labels)), labels].mean()),
        "val_auc": roc_auc(sought, positive_log_odds(logits, positive))
        if sought.any() and not sought.all()
        else math.nan,
        "val_balanced_accuracy": float(np.mean(recalls)),
    }


def _assign(model: Any, values: list[NDArray[Any]]) -> None:
    for weight, value in zip(model.weights, values, strict=True):
        weight.assign(value)


def _keep_the_best(fit: FitRecipe, state: FitState, weights: list[NDArray[Any]], score: Mapping[str, float]) -> None:
    monitored = score[f"val_{fit.monitor}"] * (-1 if fit.monitor == "loss" else 1)
    if state.best_score is None or monitored > state.best_score:
        state.best_score, state.best_epoch = monitored, state.epoch + 1
        state.best_weights, state.without_gain = weights, 0
    else:
        state.without_gain += 1


def _has_stopped(fit: FitRecipe, state: FitState) -> bool:
    """Early stopping, not before the head's epochs are over."""
    patience = fit.patience
    return patience is not None and state.epoch > fit.head_epochs and state.without_gain >= patience
