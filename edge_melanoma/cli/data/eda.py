"""`data eda`: look at a data set before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_melanoma.cli.options import Force, IndexArgument, Json, Roots, Workers


def eda(
    index: IndexArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Where to write the page.", show_default="INDEX/eda"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses the sample pictures and the folds of the baseline.")] = 0,
    max_pictures: Annotated[
        int | None,
        typer.Option(min=1, help="Measure a stratified sample of so many pictures.", show_default="all"),
    ] = None,
    root: Roots = None,
    workers: Workers = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """One page: classes, samples, image statistics, metadata, and what can be told without seeing a single pixel."""
    from edge_melanoma.cli.console import out as console
    from edge_melanoma.cli.console import print_json, progress_bar
    from edge_melanoma.cli.data.extra import data_extra

    with data_extra():
        from edge_melanoma.cli.data.reading import open_index
        from edge_melanoma.data import eda as stage

        folder = out or index / "eda"
        with progress_bar("measuring pictures") as on_progress:
            result = stage.run(
                open_index(index, root),
                folder,
                seed=seed,
                max_pictures=max_pictures,
                force=force,
                workers=workers,
                on_progress=on_progress,
            )
    if as_json:
        print_json(result.to_json())
        return
    for line in result.summary():
        console.print(line, markup=False)
    console.print(f"see {folder / 'index.html'}", markup=False)
