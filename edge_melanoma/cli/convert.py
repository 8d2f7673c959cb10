"""`convert`: a run becomes one file that a phone and a Raspberry Pi can trust, or a report that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_melanoma.cli.options import Force, Json, Roots

if TYPE_CHECKING:
    from edge_melanoma.convert.run import Conversion

_FORMATS = ("float32", "float16", "dynamic", "int8", "int16x8")


def convert(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="What `edge-melanoma train` wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The bundle to write, a .tflite file.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="INDEX", help="The index it was trained on.", show_default="where it was"),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Integers throughout, by the ladder (default).")] = False,
    float32: Annotated[bool, typer.Option("--float32", help="Unchanged.")] = False,
    float16: Annotated[bool, typer.Option("--float16", help="Weights in 16 bits.")] = False,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="Weights in 8 bits, computed in float.")] = False,
    int16x8: Annotated[bool, typer.Option("--int16x8", help="Activations in 16 bits; slow nearly everywhere.")] = False,
    ptq: Annotated[bool, typer.Option("--ptq", help="The first rung of the ladder only: no training.")] = False,
    qat: Annotated[bool, typer.Option("--qat", help="The last rung only: quantisation-aware training.")] = False,
    prune: Annotated[
        float | None, typer.Option("--prune", metavar="SHARE", help="Set this share of the weights to zero first.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe, e.g. tune.epochs=2; repeatable."),
    ] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option("--gate", metavar="KEY=VALUE", help="A limit, as --set gate.KEY=VALUE; the manifest keeps it."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="RECIPE", help="demo, or a .toml file.", show_default="the defaults"),
    ] = None,
    root: Roots = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Convert a run to a bundle, and refuse to ship one that decides otherwise than the float model.

    An int8 model climbs a ladder until it passes the gate: post-training, rounding fitted to the calibration pictures,
    the worst layers in float, quantisation-aware training. The rung is chosen on the validation part and reported once
    on the test part. Below the gate: exit code 6, a report, and no bundle.
    """
    from edge_melanoma.cli.console import print_json
    from edge_melanoma.cli.data.extra import data_extra
    from edge_melanoma.cli.progress import Steps
    from edge_melanoma.errors import EXIT_GATE_NOT_MET, RecipeError
    from edge_melanoma.recipe import parse_change

    chosen = [name for name, on in zip(_FORMATS, (float32, float16, dynamic, int8, int16x8), strict=True) if on]
    if len(chosen) > 1 or (ptq and qat):
        raise RecipeError(f"--{' and --'.join(chosen if len(chosen) > 1 else ['ptq', 'qat'])}: give one of them")
    asked = dict(parse_change(change) for change in changes or [])
    asked |= {f"gate.{key}": value for key, value in (parse_change(limit) for limit in limits or [])}
    asked |= {"format": chosen[0]} if chosen else {}
    asked |= {"rungs": ["post-training"]} if ptq else {"rungs": ["quantisation-aware"]} if qat else {}
    asked |= {} if prune is None else {"prune.sparsity": prune}
    with data_extra():
        from edge_melanoma.cli.data.reading import open_index
        from edge_melanoma.convert import run as stage
        from edge_melanoma.convert.recipes import find_recipe

    with Steps() as steps:
        watch = stage.Watch(on_progress=steps.on_progress, on_attempt=_say_attempt)
        index = None if data is None else open_index(data, root)
        result = stage.run(run, find_recipe(recipe, changes=asked), out, index=index, force=force, watch=watch)
    if as_json:
        print_json(result.to_json())
    else:
        _print(result)
    if not result.passed:
        raise typer.Exit(EXIT_GATE_NOT_MET)


def _say_attempt(attempt: Any) -> None:
    from edge_melanoma.cli.console import say

    flips = attempt.report.views["frozen"].flip_rates["any change"].value
    auc = attempt.report.views["refitted"].auc
    said = "passes" if attempt.passed else f"fails ({', '.join(row.title for row in attempt.report.failed_rows)})"
    say(
        f"{attempt.rung}: {len(attempt.model) / 1e6:.2f} MB, validation AUC {auc.after:.4f} ({auc.difference:+.4f}), "
        f"{flips:.2%} of the decisions changed: {said}"
    )


def _print(result: Conversion) -> None:
    from edge_melanoma.cli.console import out as console
    from edge_melanoma.convert.sections import ladder_rows
    from edge_melanoma.report import markdown_table

    console.print(markdown_table(*ladder_rows(result)), markup=False)
    for remark in result.remarks:
        console.print(f"note: {remark}", markup=False)
    if result.stability is not None:
        console.print(f"note: {result.stability.words}", markup=False)
    for line in result.final.summary():
        console.print(line, markup=False)
    if result.out is None:
        console.print("the gate is not met: no bundle was written", markup=False)
    else:
        console.print(f"{result.out}: {result.out.stat().st_size / 1e6:.2f} MB", markup=False)
    console.print(f"see {result.report_folder / 'index.html'}", markup=False)
    if result.out is not None:
        console.print(f"next: edge-melanoma verify {result.out}", markup=False)
