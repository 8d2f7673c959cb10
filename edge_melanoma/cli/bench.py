"""`bench`: how fast, how large and how right a model is on the device it runs on."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_melanoma.cli.options import Force, Json, Roots
from edge_melanoma.errors import EXIT_GATE_NOT_MET, RecipeError

if TYPE_CHECKING:
    from edge_melanoma.benchmarks.device.compare import Comparison
    from edge_melanoma.benchmarks.device.result import Report
    from edge_melanoma.benchmarks.device.run import BenchRecipe, Check


def bench(
    artefacts: Annotated[
        list[Path],
        typer.Argument(
            metavar="BUNDLE|TFLITE...",
            help="Bundles, reference or reference-small of the package, or any .tflite of a classifier.",
        ),
    ],
    seconds: Annotated[float, typer.Option(metavar="S", help="Least length of each run of a model.")] = 10,
    repeats: Annotated[int, typer.Option(metavar="N", help="Runs of each; they have to agree within 5 %.")] = 3,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Of the engine.", show_default="as many as help")
    ] = None,
    sweep: Annotated[bool, typer.Option(help="Also measure with 1, 2, 4 … threads.")] = True,
    picture: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="To decide on, from end to end.", show_default="two drawn ones"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="INDEX", help="Decide on its test part too, and compare with the manifest.")
    ] = None,
    root: Roots = None,
    compare: Annotated[
        Path | None, typer.Option(metavar="REPORT", help="An earlier report; code 6 where a figure got worse.")
    ] = None,
    tolerance: Annotated[float, typer.Option(metavar="SHARE", help="By which a figure may be worse.")] = 0.05,
    across: Annotated[
        bool, typer.Option("--across", help="Compare with another machine, engine or number of threads.")
    ] = False,
    on: Annotated[
        list[str] | None,
        typer.Option("--on", metavar="USER@HOST", help="Measure there over SSH, not here; repeatable."),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="With --on: an interpreter there that has the dependencies."),
    ] = None,
    ssh_config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --on: instead of ~/.ssh/config.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Write a page, Markdown and JSON there.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Measure models on this device: latency, memory, what runs where, and whether it decides as promised.

    Every latency stands beside the state of the device; what speaks against it is said. Ends with code 6 where the
    device does not give what the bundle promises, or a figure is worse than --compare allows.
    """
    from edge_melanoma.benchmarks.device.compare import check_tolerance, partners
    from edge_melanoma.benchmarks.device.result import KIND
    from edge_melanoma.benchmarks.device.run import BenchRecipe
    from edge_melanoma.benchmarks.device.writing import read_earlier, write_report
    from edge_melanoma.models import find_bundle
    from edge_melanoma.output import check_vacant

    artefacts = [find_bundle(named) for named in artefacts]
    recipe = BenchRecipe(seconds=seconds, repeats=repeats, threads=threads, sweep=sweep)
    if out is not None:
        check_vacant(out, kind=KIND, force=force)
    check_tolerance(tolerance)
    earlier = None if compare is None else read_earlier(compare)
    check: Check = (lambda sides: None) if earlier is None else partial(partners, before=earlier, across=across)
    if on:
        if data is not None:
            raise RecipeError("--data is read on the machine that measures; with --on, copy the index there and bench")
        report = _elsewhere(on, artefacts, recipe, python, ssh_config, picture or [], check)
    elif python is not None or ssh_config is not None:
        raise RecipeError("--python and --ssh-config say how --on measures elsewhere; give --on")
    else:
        report = _here(artefacts, recipe, picture or [], data, root, check)
    found, refused = _compared(report, earlier, tolerance=tolerance, across=across)
    if out is not None:
        write_report(report, out, comparison=found, force=force)
    _show(report, found, as_json=as_json, out=out)
    if refused is not None:
        raise refused
    worse = found is not None and found.regressions
    raise typer.Exit(report.exit_code or (EXIT_GATE_NOT_MET if worse else 0))


def _compared(
    report: Report, earlier: Report | None, *, tolerance: float, across: bool
) -> tuple[Comparison | None, RecipeError | None]:
    """The comparison, or why there is none: what --on measured is kept where only then another machine is found."""
    from edge_melanoma.benchmarks.device.compare import compare

    if earlier is None or not report.measurements:
        return None, None
    try:
        return compare(report, earlier, tolerance=tolerance, across=across), None
    except RecipeError as error:
        return None, error


def _here(
    artefacts: list[Path],
    recipe: BenchRecipe,
    pictures: list[Path],
    data: Path | None,
    root: list[str] | None,
    check: Check,
) -> Report:
    from edge_melanoma.benchmarks.device.run import run
    from edge_melanoma.cli.progress import Steps

    index = None
    if data is not None:
        from edge_melanoma.cli.data.extra import data_extra

        with data_extra():
            from edge_melanoma.cli.data.reading import open_index

            # what this needs is missed now, not at the end
            importlib.import_module("edge_melanoma.evaluation.predicting")

        index = open_index(data, root)
    with Steps() as steps:
        return run(artefacts, recipe, pictures=pictures, index=index, check=check, on_step=steps.on_progress)


def _elsewhere(
    hosts: list[str],
    artefacts: list[Path],
    recipe: BenchRecipe,
    python: str | None,
    ssh_config: Path | None,
    pictures: list[Path],
    check: Check,
) -> Report:
    from edge_melanoma.benchmarks.device.remote import Connection, run_on
    from edge_melanoma.cli.progress import Steps

    connection = Connection(ssh_config=ssh_config, python=python)
    with Steps() as steps:
        return run_on(hosts, artefacts, recipe, connection, pictures=pictures, check=check, on_step=steps.on_progress)


def _show(report: Report, comparison: Comparison | None, *, as_json: bool, out: Path | None) -> None:
    from edge_melanoma.benchmarks.device.result import COMPARISON
    from edge_melanoma.cli.console import print_json, say

    for failure in report.failures:
        say(f"error: {failure.label}: {failure.reason}")
    if as_json:
        print_json({**report.to_json(), COMPARISON: comparison.to_json() if comparison else None})
    elif report.measurements:
        _print(report, comparison)
    for one in comparison.regressions if comparison else ():
        say(f"worse: {one.artefact} on {one.device}, {one.figure}: {one.before:.4g}, now {one.now:.4g}")
    if out is not None and not as_json:
        say(f"see {out / 'index.html'}")


def _print(report: Report, comparison: Comparison | None) -> None:
    from rich.text import Text

    from edge_melanoma.benchmarks.device.page import CHANGES, change_rows
    from edge_melanoma.benchmarks.device.telling import host_rows, measured_rows, overview
    from edge_melanoma.cli.console import out as console
    from edge_melanoma.cli.rows import print_rows
    from edge_melanoma.notice import SYNTHETIC_BANNER

    for found in report.measurements:
        console.print(Text(f"{found.name} on {found.device.name}", "bold"))
        print_rows([*host_rows(found.device, found.settings), *measured_rows(found)])
        console.print()
    if len(report.measurements) > 1:
        headers, rows = overview(report)
        print_rows([[str(cell) for cell in row] for row in rows], columns=headers)
    if comparison is not None:
        print_rows(change_rows(comparison), columns=CHANGES)
    if report.synthetic:
        console.print(SYNTHETIC_BANNER)
