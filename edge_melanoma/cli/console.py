"""Results on stdout, talk and progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edge_melanoma.names import as_text, one_line
from edge_melanoma.output import json_text
from edge_melanoma.parallel import OnProgress

err = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Talk, a line of it: to stderr, so that a pipe gets results only."""
    err.print(one_line(text), markup=False)


def print_json(value: Any) -> None:
    """A machine-readable result on stdout."""
    sys.stdout.write(as_text(json_text(value)))


@contextmanager
def progress_bar(description: str, unit: str = "pictures") -> Iterator[OnProgress]:
    """A bar on the terminal; where stderr is no terminal, one line at the end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(description, total=None, rate="")

        def on_progress(done: int, total: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{done / elapsed:.0f} {unit}/s" if done and elapsed else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield on_progress
        finished = bar.tasks[0]
    elapsed = finished.elapsed or 0.0
    say(f"{description}: {int(finished.completed)} {unit} in {elapsed:.1f} s")
