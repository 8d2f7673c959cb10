"""The learning rate of every step: warm-up, then a cosine down to a hundredth, or constant; each phase for itself."""

from __future__ import annotations

import math

from edge_melanoma.fitting.recipe import FitRecipe

FLOOR = 0.01  # of the highest rate, where a cosine ends


def learning_rate(fit: FitRecipe, step: int, steps_per_epoch: int) -> float:
    """The rate of step number `step`, counted from the start of the training."""
    head_steps = fit.head_epochs * steps_per_epoch
    in_head = step < head_steps
    highest = fit.head_learning_rate if in_head else fit.learning_rate
    first, last = (0, head_steps) if in_head else (head_steps, fit.all_epochs * steps_per_epoch)
    warmup = min(round(fit.warmup_epochs * steps_per_epoch), (last - first) // 2)
    done = step - first
    if done < warmup:
        return highest * (done + 1) / warmup
    if fit.schedule == "constant" or in_head:
        return highest
    share = (done - warmup) / max(1, last - first - warmup)
    return highest * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * share)))
