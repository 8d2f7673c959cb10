"""`train`: an index becomes a float Keras model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_melanoma.cli.options import Force, Json, Out, Roots


def train(
    data: Annotated[Path, typer.Option("--data", metavar="INDEX", help="A split index.")],
    out: Out,
    recipe: Annotated[
        str, typer.Argument(metavar="[RECIPE]", help="A recipe of the package, or a .toml file.")
    ] = "quick",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe, e.g. fit.epochs=3; repeatable."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="The same as --set model.weights=…: none, imagenet, an .h5 file, or a run.")
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option("--folds", metavar="K", help="Train K models, each tested on another fold of the index."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped or killed.")] = False,
    root: Roots = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Train a model by a recipe of the package or your own.

    quick (for the synthetic set), ham10000-mobile, reference, reference-small (taught by reference), study-s000 … s004.
    """
    from edge_melanoma.cli.console import print_json, say
    from edge_melanoma.cli.data.extra import data_extra
    from edge_melanoma.cli.progress import FitProgress
    from edge_melanoma.recipe import parse_change

    with data_extra():
        from edge_melanoma.cli.data.reading import open_index
        from edge_melanoma.train.recipes import find_recipe

    asked = dict(parse_change(change) for change in changes or [])
    if weights is not None:
        asked["model.weights"] = weights
    chosen = find_recipe(recipe, changes=asked)
    index = open_index(data, root)
    with FitProgress(chosen.fit.all_epochs) as progress:
        if folds is not None:
            from edge_melanoma.train import folds as stage

            results = stage.run(chosen, index, out, folds=folds, resume=resume, force=force, watch=progress.watch())
            facts: dict[str, Any] = results.to_json()
        else:
            from edge_melanoma.train import run as stage_run

            facts = stage_run.run(chosen, index, out, resume=resume, force=force, watch=progress.watch()).to_json()
    if as_json:
        print_json(facts)
        return
    _print(facts, out)
    split = "oof" if folds else "test"
    say(f"next: edge-melanoma evaluate {out} --data {data} --split {split}")


def _print(facts: dict[str, Any], out: Path) -> None:
    from edge_melanoma.cli.console import out as console

    for run in facts.get("runs", [facts]):
        console.print(f"{run['run']}: {run['verdict']}", markup=False)
    model = facts.get("model") or facts["runs"][0]["model"]
    console.print(
        f"  {model['backbone']} at {model['size']}: {model['parameters']:,} parameters, {model['macs']:,} MACs"
    )
    console.print(
        f"  curves: {out / 'curves.png' if 'runs' not in facts else out / 'fold0' / 'curves.png'}", markup=False
    )
