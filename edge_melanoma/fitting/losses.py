"""The loss of a batch: cross-entropy or focal, with class weights, label smoothing and a shift of the logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_melanoma import backend
from edge_melanoma.fitting.recipe import FitRecipe
from edge_melanoma.fitting.sampling import Sampling

Loss = Callable[[Any, Any, Any], Any]
"""(labels (batch), logits (batch, class), shifts of the logits (batch, class)) -> loss of every picture (batch)."""


def make_loss(fit: FitRecipe, sampling: Sampling) -> Loss:
    """The loss that a recipe asks for."""
    tf = backend.tensorflow()
    classes = len(sampling.classes)
    weights = tf.constant(sampling.class_weights, tf.float32)
    smoothing = fit.label_smoothing

    def loss(labels: Any, logits: Any, shifts: Any) -> Any:
        target = tf.one_hot(
            labels, classes, on_value=1 - smoothing + smoothing / classes, off_value=smoothing / classes
        )
        log_p = tf.nn.log_softmax(tf.cast(logits, tf.float32) + shifts)
        if fit.loss == "focal":
            log_p = (1 - tf.exp(log_p)) ** fit.focal_gamma * log_p
        return -tf.reduce_sum(target * log_p, axis=-1) * tf.gather(weights, labels)

    return loss
