"""One machine or many, one GPU or several: the strategy under which a model is built and fitted.

Several machines: the environment variable TF_CONFIG on each, as TensorFlow documents it; the command is the same on
all, and --out is a folder that all of them see. The chief (worker 0) writes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from edge_melanoma import backend
from edge_melanoma.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A strategy, and what part of every batch falls to this process."""

    strategy: Any
    workers: int
    worker: int  # number of this process

    @property
    def is_chief(self) -> bool:
        """Does this process write the outputs?"""
        return self.worker == 0

    @property
    def replicas(self) -> int:
        return int(self.strategy.num_replicas_in_sync)

    def share(self, batch: int) -> slice:
        """The places of a batch that this process makes."""
        if batch % self.replicas:
            raise RecipeError(f"fit.batch is {batch}; with {self.replicas} replicas it must be a multiple of that")
        size = batch // self.workers
        return slice(self.worker * size, (self.worker + 1) * size)

    def per_replica(self, *arrays: Any) -> tuple[Any, ...]:
        """This process' share of a batch, cut up for its replicas."""
        tf = backend.tensorflow()
        local = self.replicas // self.workers
        if self.replicas == 1:
            return tuple(tf.convert_to_tensor(array) for array in arrays)

        def place(array: Any) -> Any:
            size = len(array) // local

            def cut(context: Any) -> Any:
                number = context.replica_id_in_sync_group - self.worker * local
                return tf.convert_to_tensor(array[number * size : (number + 1) * size])

            return self.strategy.experimental_distribute_values_from_function(cut)

        return tuple(place(array) for array in arrays)


def is_chief() -> bool:
    """Does this process write the outputs? Asks the environment only, before TensorFlow is imported."""
    return _cluster()[1] == 0


def _cluster() -> tuple[int, int]:
    """How many workers there are, and the number of this one."""
    if not os.environ.get("TF_CONFIG"):
        return 1, 0
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        workers, kind, number = config["cluster"]["worker"], config["task"]["type"], int(config["task"]["index"])
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            'TF_CONFIG: is not {"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'
        ) from error
    if kind != "worker":
        raise RecipeError(f"TF_CONFIG: task type {kind!r}; only workers are used, worker 0 is the chief")
    return len(workers), number


def distribution() -> Distribution:
    """The strategy of this process; has to be asked for before anything else of TensorFlow runs."""
    tf = backend.tensorflow()
    workers, number = _cluster()
    if workers > 1:
        return Distribution(strategy=tf.distribute.MultiWorkerMirroredStrategy(), workers=workers, worker=number)
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return Distribution(strategy=tf.distribute.MirroredStrategy(), workers=1, worker=0)
    return Distribution(strategy=tf.distribute.get_strategy(), workers=1, worker=0)
