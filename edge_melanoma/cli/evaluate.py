"""`evaluate`: a run judged as a dermatology researcher would have it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_melanoma.cli.options import BootstrapSeed, Force, Json, Roots, Rounds, Workers


def evaluate(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|BUNDLE", help="What `edge-melanoma train` or `convert` wrote, or a model of the package."
        ),
    ],
    data: Annotated[
        Path, typer.Option("--data", metavar="INDEX", help="An index; without a split, it is judged whole.")
    ],
    split: Annotated[str, typer.Option(help="test, val, calibration, or oof for a training with --folds.")] = "test",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Where to write.",
            show_default="beside or in what is judged",
        ),
    ] = None,
    sensitivity: Annotated[
        float | None,
        typer.Option(help="The refer threshold finds this share of the positives.", show_default="0.95"),
    ] = None,
    low_sensitivity: Annotated[
        float | None, typer.Option(help="The low threshold misses less: this share is found.", show_default="0.99")
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(help="Share of positives where the model will be used.", show_default="the calibration part's"),
    ] = None,
    class_mix: Annotated[
        str | None,
        typer.Option(
            metavar="found|balanced",
            help="The other classes there: as found here, or as in training.",
            show_default="found",
        ),
    ] = None,
    allow_few: Annotated[
        bool | None,
        typer.Option("--allow-few", help="Choose thresholds on fewer than 10 positives.", show_default="off"),
    ] = None,
    allow_leaks: Annotated[bool, typer.Option("--allow-leaks", help="Go on although training saw these rows.")] = False,
    rounds: Rounds = 2000,
    seed: BootstrapSeed = 0,
    root: Roots = None,
    workers: Workers = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Judge a run on one part of an index: every measure with its interval, by picture and by lesion, and a page.

    Temperature and thresholds come from the calibration part alone, once, and are kept with the run; a bundle brings
    its own. Every look at the test part is logged beside what is judged.
    """
    from edge_melanoma.cli.console import print_json, progress_bar
    from edge_melanoma.cli.data.extra import data_extra

    with data_extra():
        from edge_melanoma.calibration import CalibrationRecipe
        from edge_melanoma.cli.data.reading import open_index
        from edge_melanoma.evaluation import run as stage
        from edge_melanoma.evaluation.result import evaluation_folder
        from edge_melanoma.models import by_name

    run = by_name(run)
    wishes = {
        "refer_sensitivity": sensitivity,
        "low_sensitivity": low_sensitivity,
        "prior_deploy": prevalence,
        "class_mix": class_mix,
        "allow_few": allow_few,
    }
    asked: dict[str, Any] = {name: wish for name, wish in wishes.items() if wish is not None}
    recipe = CalibrationRecipe(**asked, rounds=rounds, seed=seed)
    folder = out or evaluation_folder(run, split)
    with progress_bar("reading pictures") as on_progress:
        judged = stage.run(
            run,
            open_index(data, root),
            folder,
            split=split,
            calibration=recipe,
            asked=asked,
            rounds=rounds,
            seed=seed,
            allow_leaks=allow_leaks,
            force=force,
            workers=workers,
            on_progress=on_progress,
        )
    if as_json:
        print_json(judged.evaluation.to_json())
        return
    _print(judged, folder)


def _print(judged: Any, folder: Path) -> None:
    from edge_melanoma.cli.console import out as console

    for line in judged.evaluation.summary():
        console.print(line, markup=False)
    for remark in judged.remarks:
        console.print(f"note: {remark}", markup=False)
    if judged.look is not None:
        look = f"this was look number {judged.look} at this test part by this model (logged in {judged.log})"
        console.print(look, markup=False)
    console.print(f"see {folder / 'index.html'}", markup=False)
