"""`data audit`: what is wrong with an index, before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_melanoma.cli.options import Force, IndexArgument, Json, Roots, Workers


def audit(
    index: IndexArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Where to write the report.", show_default="INDEX/audit"),
    ] = None,
    root: Roots = None,
    workers: Workers = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Decode every picture and check what spoils a data set: damage, duplicates, leaks, wrong labels, shortcuts.

    Ends with code 6 when a check that must not fire does. Writes audit.json, a page and a sheet of the pictures found.
    """
    from edge_melanoma.cli.console import print_json, progress_bar
    from edge_melanoma.cli.data.extra import data_extra
    from edge_melanoma.errors import EXIT_GATE_NOT_MET

    with data_extra():
        from edge_melanoma.cli.data.reading import open_index
        from edge_melanoma.data import audit as stage

    with progress_bar("decoding pictures") as on_progress:
        report = stage.run(
            open_index(index, root), out or index / "audit", force=force, workers=workers, on_progress=on_progress
        )
    if as_json:
        print_json(report.to_json())
    else:
        _print(report.to_json(), out or index / "audit")
    if report.failed:
        raise typer.Exit(EXIT_GATE_NOT_MET)


def _print(facts: dict[str, Any], out: Path) -> None:
    from edge_melanoma.cli.console import out as console

    fired = [check for check in facts["checks"] if check["count"]]
    for check in fired:
        colour = "red" if check["level"] == "fail" else "yellow"
        examples = ", ".join(str(example) for example in check["examples"][:3])
        console.print(f"[{colour}]{check['level']:4}[/] {check['name']:28} {check['count']:>7,}  ", end="")
        console.print(examples, markup=False)
    failing = sum(check["level"] == "fail" for check in fired)
    verdict = "[bold red]fails[/]" if failing else "[bold green]passes[/]"
    console.print(
        f"{verdict}: {len(facts['checks'])} checks, {failing} failing, {len(fired) - failing} warning; see ", end=""
    )
    console.print(str(out / "index.html"), markup=False)
