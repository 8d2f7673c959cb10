"""How long work goes, on the terminal: a bar for what is under way, and a line for each step that is done."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from edge_melanoma.cli.console import err, say
from edge_melanoma.names import one_line


class FitProgress:
    """Watches one training, or one after the other."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None, told="")
        self._seconds: list[float] = []  # of the epochs so far
        self._started = time.monotonic()

    def __enter__(self) -> FitProgress:
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def watch(self) -> Any:
        """What the training stage calls."""
        from edge_melanoma.train.run import Watch

        return Watch(
            on_pictures=self._on_pictures, on_step=self._on_step, on_epoch=self._on_epoch, on_remark=self._on_remark
        )

    def _on_pictures(self, done: int, total: int) -> None:
        self._bar.update(self._task, description="decoding pictures", completed=done, total=total, told=f"{done:,}")

    def _on_step(self, epoch: int, step: int, steps: int, loss: float, speed: float) -> None:
        per_epoch = self._seconds[-1] if self._seconds else None
        left = ""
        if per_epoch is not None:
            seconds = per_epoch * (self.epochs - epoch - step / steps)
            left = f", {seconds / 60:.0f} min left" if seconds > 90 else f", {seconds:.0f} s left"
        told = f"{step}/{steps}  loss {loss:.3f}  {speed:.0f} pictures/s{left}"
        self._bar.update(
            self._task, description=f"epoch {epoch + 1}/{self.epochs}", completed=step, total=steps, told=told
        )

    def _on_epoch(self, row: Mapping[str, Any]) -> None:
        now = time.monotonic()
        self._seconds.append(now - self._started)
        self._started = now
        say(
            f"epoch {row['epoch']:>3}/{self.epochs}  loss {row['train_loss']:.3f}  "
            f"validation: loss {row['val_loss']:.3f}, AUC {row['val_auc']:.3f}, "
            f"balanced accuracy {row['val_balanced_accuracy']:.3f}  ({row['pictures_per_s']:.0f} pictures/s)"
        )

    def _on_remark(self, text: str) -> None:
        say(f"note: {text}")


class Steps:
    """Watches work of several kinds, one after the other: a bar for the kind under way."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Steps:
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def on_progress(self, what: str, done: int, total: int) -> None:
        """So much of `what` is done."""
        self._bar.update(self._task, description=one_line(what), completed=done, total=total)
