"""The learning curves as one picture, and in plain words whether the network learned too little or by heart."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from edge_melanoma import plots
from edge_melanoma.output import write_file

GAP = 0.25  # share by which the validation loss has risen above its lowest when a network learns by heart
STILL_RISING = 3  # the best epoch is among the last so many


def verdict(history: Sequence[Mapping[str, Any]], monitor: str) -> str:
    """What the curves say."""
    name = f"val_{monitor}"
    values = [row[name] for row in history]
    best = min(range(len(values)), key=lambda i: values[i] if monitor == "loss" else -values[i])
    losses = [row["val_loss"] for row in history]
    lowest = min(losses)
    told = f"best {monitor.replace('_', ' ')} {values[best]:.3f} in epoch {best + 1} of {len(values)}"
    if len(history) < 3:
        return f"{told}; too few epochs to say more"
    if losses[-1] > lowest * (1 + GAP) and history[-1]["train_loss"] < history[losses.index(lowest)]["train_loss"]:
        return (
            f"{told}; overfitting: the training loss went on falling while the validation loss rose from {lowest:.3f} "
            f"to {losses[-1]:.3f}; more augmentation, fewer epochs or a smaller network may help"
        )
    if best >= len(values) - STILL_RISING and history[-1]["learning_rate"] > 0.05 * history[0]["learning_rate"]:
        return f"{told}; underfitting: it was still getting better at the end; more epochs may help"
    if best >= len(values) - STILL_RISING:
        return f"{told}; no sign of overfitting: the best epoch is among the last"
    return f"{told}; it has levelled off: later epochs brought nothing"


def draw_curves(
    path: Path, history: Sequence[Mapping[str, Any]], best_epoch: int | None, text: str, *, synthetic: bool
) -> None:
    """Loss and validation measures over the epochs, above one another."""
    epochs = [row["epoch"] for row in history]
    mark = None if best_epoch is None else (float(best_epoch), "kept")
    loss = plots.lines(
        epochs,
        {"training": [row["train_loss"] for row in history], "validation": [row["val_loss"] for row in history]},
        label="epoch",
        title="Loss (training: as balanced and augmented, so not on the same scale)",
        synthetic=synthetic,
        marked=mark,
        opaque=True,
        width_in=6.5,
    )
    measures = plots.lines(
        epochs,
        {
            "AUC": [row["val_auc"] for row in history],
            "balanced accuracy": [row["val_balanced_accuracy"] for row in history],
        },
        label="epoch",
        title=f"Validation: {text.split(';')[0]}",
        synthetic=False,
        marked=mark,
        opaque=True,
        width_in=6.5,
    )
    panels = [Image.open(io.BytesIO(png)).convert("RGB") for png in (loss, measures)]
    sheet = Image.new("RGB", (max(p.width for p in panels), sum(p.height for p in panels)), "white")
    top = 0
    for panel in panels:
        sheet.paste(panel, (0, top))
        top += panel.height
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    write_file(path, stream.getvalue())
