"""The one loop that fits a model: head first, then everything, with averaged weights, and a state after every epoch.

What an epoch does depends on the recipe, the seed, its number and the state before it, so that a training that was
killed goes on to the same result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend
from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.fitting.distribution import Distribution
from edge_melanoma.fitting.losses import make_loss
from edge_melanoma.fitting.recipe import FitRecipe
from edge_melanoma.fitting.sampling import Sampling
from edge_melanoma.fitting.schedule import learning_rate
from edge_melanoma.fitting.state import FitState

HEAD = "logits"  # the layer that is trained alone in the first epochs

OnStep = Callable[[int, int, int, float, float], None]
"""Called with the epoch, the step, the steps of an epoch, the loss so far and pictures per second."""


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A model whose answers are learned instead of the labels, or beside them."""

    model: Any
    share: float  # of the loss


class Fitter:
    """A model on its way: knows how to run one epoch, and how to give and take its state."""

    def __init__(
        self,
        model: Any,
        fit: FitRecipe,
        sampling: Sampling,
        spread: Distribution,
        *,
        seed: int,
        teacher: Teacher | None = None,
        after_step: Callable[[int], None] = lambda step: None,
    ) -> None:
        self.model = model
        self.teacher = teacher
        self.after_step = after_step  # called with the number of steps done, counted over all epochs
        self.fit = fit
        self.sampling = sampling
        self.spread = spread
        self.seed = seed
        self.loss = make_loss(fit, sampling)
        self.average: list[Any] = []
        if fit.ema is not None:
            with spread.strategy.scope():
                self.average = [_twin(weight) for weight in model.weights]
        self._phase: str | None = None
        self.optimizer: Any = None

    def run_epoch(
        self, number: int, batches: Iterable[NDArray[np.uint8]], rows: NDArray[np.int64], on_step: OnStep
    ) -> dict[str, float]:
        """Train for an epoch: batches of pictures, and the rows (step, place in the batch) that they were made of."""
        self.enter_phase(number)
        reset_dropout(self.model, seed=self.seed, epoch=number)
        mine = rows[:, self.spread.share(self.sampling.batch)]
        steps, started, total = len(rows), time.perf_counter(), 0.0
        rate = 0.0
        for step, (pictures, seen) in enumerate(zip(batches, mine, strict=True)):
            answers, shifts = self.sampling.labels[seen], self.sampling.logit_shifts[seen]
            at = number * steps + step
            rate = learning_rate(self.fit, at, steps)
            self.optimizer.learning_rate.assign(rate)
            batch = self.spread.per_replica(pictures, answers, shifts)
            loss = float(self._step(*batch, np.float32(self._decay(at))))
            if not math.isfinite(loss):
                raise not_finite("the loss", f"epoch {number + 1}, step {step + 1}, at a learning rate of {rate:g}")
            total += loss
            self.after_step(at + 1)
            done = (step + 1) * self.sampling.batch
            on_step(number, step + 1, steps, total / (step + 1), done / (time.perf_counter() - started))
        seconds = time.perf_counter() - started
        speed = steps * self.sampling.batch / seconds
        return {"learning_rate": rate, "train_loss": total / steps, "seconds": seconds, "pictures_per_s": speed}

    def _decay(self, at: int) -> float:
        """The first steps are averaged over fewer, or the fresh weights would linger."""
        return min(self.fit.ema or 0.0, (1 + at) / (10 + at))

    def enter_phase(self, number: int) -> None:
        """Head alone in the first epochs, everything after; each phase has an optimizer of its own."""
        phase = "head" if number < self.fit.head_epochs else "all"
        if phase == self._phase:
            return
        self._phase = phase
        for layer in self.model.layers:
            layer.trainable = phase == "all" or layer.name == HEAD
        with self.spread.strategy.scope():
            self.optimizer = make_optimizer(self.fit)
            self.optimizer.build(self.model.trainable_variables)
        self._step = self._compile()

    def _compile(self) -> Callable[..., Any]:
        tf = backend.tensorflow()
        global_batch = float(self.sampling.batch)
        optimizer, model = self.optimizer, self.model
        trained, taught = model.trainable_variables, self.teacher

        def replica(pictures: Any, labels: Any, shifts: Any, decay: Any) -> Any:
            with tf.GradientTape() as tape:
                logits = model(tf.cast(pictures, tf.float32), training=True)
                each = self.loss(labels, logits, shifts)
                if taught is not None:
                    each = (1 - taught.share) * each + taught.share * _unlike(taught.model, pictures, logits)
                loss = tf.reduce_sum(each) / global_batch
                scaled = optimizer.get_scaled_loss(loss) if hasattr(optimizer, "get_scaled_loss") else loss
            gradients = tape.gradient(scaled, trained)
            if hasattr(optimizer, "get_unscaled_gradients"):
                gradients = optimizer.get_unscaled_gradients(gradients)
            optimizer.apply_gradients(zip(gradients, trained, strict=True))
            for average, weight in zip(self.average, model.weights, strict=False):
                average.assign(average * decay + tf.cast(weight, average.dtype) * (1 - decay))
            return loss

        @tf.function(reduce_retracing=True)
        def step(pictures: Any, labels: Any, shifts: Any, decay: Any) -> Any:
            losses = self.spread.strategy.run(replica, args=(pictures, labels, shifts, decay))
            return self.spread.strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

        compiled: Callable[..., Any] = step
        return compiled

    def averaged_weights(self) -> list[NDArray[Any]]:
        """The weights to be judged and kept: the averages, or the weights themselves where nothing is averaged."""
        return [weight.numpy() for weight in self.average or self.model.weights]

    def give_state(self, state: FitState) -> None:
        """Fill the state with where this fit stands."""
        state.weights = [weight.numpy() for weight in self.model.weights]
        state.average = [weight.numpy() for weight in self.average]
        state.optimizer = [variable.numpy() for variable in optimizer_variables(self.optimizer)]

    def take_state(self, state: FitState) -> None:
        """Go on from where an earlier process stood."""
        for weight, value in zip(self.model.weights, state.weights, strict=True):
            weight.assign(value)
        for weight, value in zip(self.average, state.average, strict=True):
            weight.assign(value)
        self.enter_phase(state.epoch - 1)
        for variable, value in zip(optimizer_variables(self.optimizer), state.optimizer, strict=True):
            variable.assign(value)


def _unlike(teacher: Any, pictures: Any, logits: Any) -> Any:
    """The mean squared distance of the logits, their level aside: a cross-entropy would not feel the tails, where the
    thresholds of a screening lie."""
    tf = backend.tensorflow()
    apart = tf.cast(logits, tf.float32) - teacher(tf.cast(pictures, tf.float32), training=False)
    return tf.math.reduce_variance(apart, axis=-1)


def _twin(weight: Any) -> Any:
    tf = backend.tensorflow()
    return tf.Variable(
        tf.cast(weight, tf.float32),
        trainable=False,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


def not_finite(what: str, where: str) -> RecipeError:
    """The training has run away; the state before this epoch is the last good one."""
    return RecipeError(
        f"{what} is not a number in {where}; what was reached before this epoch is kept; "
        "lower fit.learning_rate, or set fit.clip_norm, and train anew"
    )


def make_optimizer(fit: FitRecipe) -> Any:
    """The optimizer of one phase; no decay on biases and normalisation."""
    keras = backend.keras()
    common = {"learning_rate": fit.learning_rate, "global_clipnorm": fit.clip_norm, "jit_compile": False}
    if fit.optimizer == "adam":
        optimizer = keras.optimizers.Adam(**common)
    elif fit.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(momentum=0.9, nesterov=True, **common)
    else:
        optimizer = keras.optimizers.AdamW(weight_decay=fit.weight_decay, **common)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if keras.mixed_precision.global_policy().name == "mixed_float16":
        optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def optimizer_variables(optimizer: Any) -> list[Any]:
    """Everything an optimizer remembers, the learning rate aside, which the schedule sets."""
    variables = optimizer.variables
    return list(variables() if callable(variables) else variables)


def reset_dropout(model: Any, *, seed: int, epoch: int) -> None:
    """Start the random streams of the dropout layers anew for every epoch, so that none has to be remembered."""
    for number, layer in enumerate(model.layers):
        generator = getattr(getattr(layer, "_random_generator", None), "_generator", None)
        if generator is not None:
            stream = np.random.SeedSequence([seed, 3, epoch, number]).generate_state(1, np.uint64)[0]
            generator.reset_from_seed(int(stream) % 2**63)


def set_batch_norm_momentum(model: Any, momentum: float) -> None:
    """A short fine-tuning needs statistics that follow faster than the frameworks' default."""
    for layer in model.layers:
        if "BatchNormalization" in type(layer).__name__:
            layer.momentum = momentum


def predict_logits(
    model: Any, tensors: NDArray[np.uint8], rows: NDArray[np.int64], *, turns: int = 1, batch: int = 64
) -> NDArray[np.float32]:
    """The logits of these rows, each the mean over so many quarter turns of the picture."""
    logits: NDArray[np.float32] = logits_of_turns(model, tensors, rows, turns=turns, batch=batch).mean(axis=0)
    return logits


def logits_of_turns(
    model: Any, tensors: NDArray[np.uint8], rows: NDArray[np.int64], *, turns: int, batch: int = 64
) -> NDArray[np.float32]:
    """The logits (turn, row, class) of these rows for each quarter turn of their pictures; the last batch is filled up,
    so that one shape is traced only."""
    if not len(rows):
        raise DataError("no pictures to predict")
    tf = backend.tensorflow()

    @tf.function(reduce_retracing=True)
    def forward(pictures: Any) -> Any:
        pictures = tf.cast(pictures, tf.float32)
        return tf.stack([model(tf.image.rot90(pictures, k), training=False) for k in range(turns)])

    found = []
    for start in range(0, len(rows), batch):
        chosen = rows[start : start + batch]
        filled = np.resize(chosen, batch)
        found.append(forward(tf.convert_to_tensor(np.array(tensors[filled]))).numpy()[:, : len(chosen)])
    logits: NDArray[np.float32] = np.concatenate(found, axis=1).astype(np.float32)
    return logits
