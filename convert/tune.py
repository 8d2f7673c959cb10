"""The short training of a pruned or quantisation-aware network, taught by the float model on augmented pictures.

What is wanted is not a better model but the same one, so the epoch is kept whose log-odds on the validation part lie
nearest to the float model's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_melanoma import backend
from edge_melanoma.decision import positive_classes, positive_log_odds
from edge_melanoma.fitting.batches import BatchMaker
from edge_melanoma.fitting.distribution import distribution
from edge_melanoma.fitting.fit import Fitter, OnStep, Teacher
from edge_melanoma.fitting.recipe import BalanceRecipe, FitRecipe
from edge_melanoma.fitting.sampling import Sampling
from edge_melanoma.parallel import usable_cores

from .graph import Model
from .material import CHOICE, Material
from .recipe import TuneRecipe


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """How far an epoch's network is from the float one."""

    epoch: int  # 0: before the first step
    train_loss: float | None
    distance: float  # mean change of the positives' log-odds on the validation part


def steps_of(material: Material, recipe: TuneRecipe) -> int:
    """How many steps the training will take."""
    return recipe.epochs * _sampling(material, recipe, seed=0).steps


def tune(
    model: Model,
    material: Material,
    recipe: TuneRecipe,
    *,
    seed: int,
    after_step: Callable[[int], None] = lambda step: None,
    settled_from: int = 0,
    on_step: OnStep = lambda *_: None,
) -> tuple[Epoch, ...]:
    """Train the model in place, and keep the epoch that lies nearest.

    Those up to `settled_from`, in which its form is not final yet, do not count; where the form is final from the
    start, the model as it was given may be the nearest.
    """
    backend.set_seeds(seed)
    sampling = _sampling(material, recipe, seed=seed)
    fit = FitRecipe(
        batch=recipe.batch,
        head_epochs=0,
        epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        warmup_epochs=0.25,
        weight_decay=0.0,
        ema=None,
    )
    teacher = Teacher(model=material.network, share=recipe.distill)
    fitter = Fitter(model, fit, sampling, distribution(), seed=seed, teacher=teacher, after_step=after_step)
    done = [Epoch(epoch=0, train_loss=None, distance=distance(material, model))]
    best = [weight.numpy() for weight in model.weights]
    workers = recipe.workers or usable_cores()
    with BatchMaker(material.cache("train").path, augment=recipe.augment, seed=seed, workers=workers) as maker:
        for number in range(recipe.epochs):
            rows = sampling.epoch(number)
            figures = fitter.run_epoch(number, maker.batches(number, rows), rows, on_step)
            far = distance(material, model)
            done.append(Epoch(epoch=number + 1, train_loss=figures["train_loss"], distance=far))
            if number >= settled_from and far == min(_counting(done, settled_from)):
                best = [weight.numpy() for weight in model.weights]
    for weight, value in zip(model.weights, best, strict=True):
        weight.assign(value)
    return tuple(epoch for epoch in done if epoch.epoch > settled_from or settled_from == 0)


def _counting(done: list[Epoch], settled_from: int) -> list[float]:
    return [epoch.distance for epoch in done if epoch.epoch > settled_from or settled_from == 0]


def distance(material: Material, model: Model) -> float:
    """The mean change of the positives' log-odds on the validation part."""
    tensors = material.tensors(CHOICE)
    logits = material.answers(model, tensors)
    positive = positive_classes(material.task.classes)
    before = positive_log_odds(material.reference(CHOICE), positive)
    return float(np.abs(positive_log_odds(logits, positive) - before).mean())


def _sampling(material: Material, recipe: TuneRecipe, *, seed: int) -> Sampling:
    return Sampling(
        labels=material.labels("train"),
        classes=material.task.classes,
        balance=BalanceRecipe(method="sqrt"),
        batch=recipe.batch,
        seed=seed,
        steps_per_epoch=recipe.steps_per_epoch,
    )
