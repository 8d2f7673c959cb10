"""The options that many verbs have, so that they are called and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

IndexArgument = Annotated[
    Path, typer.Argument(metavar="INDEX", help="An index: the folder that `data ingest` or `data split` wrote.")
]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write; it must not exist yet.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the output of an earlier run.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, metavar="N", help="Processes to use.", show_default="all cores")
]
Roots = Annotated[
    list[str] | None,
    typer.Option("--root", metavar="SOURCE=DIR", help="Where a source's pictures lie now, if they were moved."),
]
Rounds = Annotated[int, typer.Option("--rounds", min=100, metavar="N", help="Bootstrap rounds.")]
BootstrapSeed = Annotated[int, typer.Option("--seed", metavar="N", help="Of the bootstrap.")]
