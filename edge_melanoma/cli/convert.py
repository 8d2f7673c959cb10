"""`convert`: a run becomes one file that a phone and a Raspberry Pi can trust, or a report that says why not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_melanoma.cli.options import Force, Json, Roots

if TYPE_CHECKING:
    from edge_melanoma.convert.run import Conversion
    from edge_melanoma.data.index import Index

_CHANGE, _LIMIT = "tune.epochs=2", "max_flips=0.01"  # as --set and --gate want them


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
        str | None,
        typer.Option(
            "--prune", metavar="SHARE|2:4", help="Set this share of the weights to zero first, or two of every four."
        ),
    ] = None,
    cluster: Annotated[
        int | None, typer.Option("--cluster", metavar="N", help="Leave each large layer N different weights first.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help=f"Change a key of the recipe, e.g. {_CHANGE}; repeatable."),
    ] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option(
            "--gate",
            metavar="KEY=VALUE",
            help=f"A limit of the gate, e.g. {_LIMIT}; the manifest keeps it; repeatable.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="RECIPE", help="demo, or a .toml file.", show_default="the defaults"),
    ] = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="What `evaluate` wrote of models trained by the same recipe: out of fold, or without a centre; the "
            "card shows it; repeatable.",
        ),
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
    from edge_melanoma.bundle.manifest import FORMATS
    from edge_melanoma.cli.console import print_json
    from edge_melanoma.cli.data.extra import data_extra
    from edge_melanoma.cli.progress import Steps
    from edge_melanoma.errors import EXIT_GATE_NOT_MET

    formats: dict[str, bool] = dict(zip(FORMATS, (float32, float16, dynamic, int8, int16x8), strict=True))
    asked = _asked(_of_flags(formats, ptq=ptq, qat=qat, prune=prune, cluster=cluster), changes or [], limits or [])
    with data_extra():
        from edge_melanoma.convert import run as stage
        from edge_melanoma.convert.recipes import find_recipe

    wanted = find_recipe(recipe, changes=asked)
    with Steps() as steps:
        watch = stage.Watch(on_progress=steps.on_progress, on_attempt=_say_attempt)
        result = stage.run(
            run,
            wanted,
            out,
            index=_index(run, data, root),
            evaluations=evaluation or (),
            force=force,
            watch=watch,
        )
    if as_json:
        print_json(result.to_json())
    else:
        _print(result)
    if not result.passed:
        raise typer.Exit(EXIT_GATE_NOT_MET)


def _of_flags(
    formats: Mapping[str, bool], *, ptq: bool, qat: bool, prune: str | None, cluster: int | None
) -> dict[str, tuple[str, Any]]:
    """What the flags ask for, by key of the recipe: the flag, for messages, and the value."""
    rungs = {"ptq": "post-training", "qat": "quantisation-aware"}
    of_format = _one_of([name for name, on in formats.items() if on])
    of_rung = _one_of([name for name, on in (("ptq", ptq), ("qat", qat)) if on])
    asked: dict[str, tuple[str, Any]] = {}
    if of_format:
        asked["format"] = (f"--{of_format}", of_format)
    if of_rung:
        asked["rungs"] = (f"--{of_rung}", [rungs[of_rung]])
    if prune is not None:
        asked |= {f"prune.{key}": (f"--prune {prune}", value) for key, value in _pruning(prune).items()}
    if cluster is not None:
        asked["cluster.clusters"] = (f"--cluster {cluster}", cluster)
    return asked


def _one_of(names: Sequence[str]) -> str | None:
    from edge_melanoma.errors import RecipeError

    if len(names) > 1:
        raise RecipeError(f"--{' and --'.join(names)}: give one of them")
    return names[0] if names else None


def _pruning(text: str) -> dict[str, Any]:
    from edge_melanoma.errors import RecipeError

    if text == "2:4":
        return {"pattern": "2:4", "sparsity": 0.5}
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not math.isfinite(share):
        raise RecipeError(f"--prune {text}: give a share above 0 and below 1, for example 0.5, or 2:4")
    return {"sparsity": share}


def _asked(flags: Mapping[str, tuple[str, Any]], changes: Sequence[str], limits: Sequence[str]) -> dict[str, Any]:
    """All changes of the recipe by dotted key; the last of one kind holds, and two kinds must not contradict."""
    from edge_melanoma.errors import RecipeError

    set_to = _parsed("--set", changes, example=_CHANGE)
    gate = {f"gate.{key}": words for key, words in _parsed("--gate", limits, example=_LIMIT).items()}
    asked: dict[str, tuple[str, Any]] = {}
    for kind in (set_to, gate, flags):
        for key, (words, value) in kind.items():
            before, other = asked.setdefault(key, (words, value))
            if other != value:
                raise RecipeError(f"{before} and {words}: both say what {key} is; give one of them")
    return {key: value for key, (_, value) in asked.items()}


def _parsed(flag: str, given: Sequence[str], *, example: str) -> dict[str, tuple[str, Any]]:
    from edge_melanoma.recipe import parse_change

    parsed = {text: parse_change(text, flag=flag, example=example) for text in given}
    return {key: (f"{flag} {text}", value) for text, (key, value) in parsed.items()}


def _index(run: Path, data: Path | None, root: list[str] | None) -> Index | None:
    """The index that was named, or the run's with other roots; None: the run's, as it was."""
    from edge_melanoma.cli.data.reading import open_index
    from edge_melanoma.run_folder import open_run

    if data is None and not root:
        return None
    return open_index(Path(open_run(run).about["index"]) if data is None else data, root)


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
    for step in result.next_steps:
        console.print(f"next: {step}", markup=False)
