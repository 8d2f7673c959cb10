"""The `edge-melanoma` command: it parses, calls one function of the library, prints, and returns a code.

Nothing heavy is imported here: every verb imports what it needs when it runs, so that `--help` answers at once and
`predict` runs where there is no TensorFlow.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from edge_melanoma import __version__
from edge_melanoma.cli.compare import compare
from edge_melanoma.cli.convert import convert
from edge_melanoma.cli.data import app as data_app
from edge_melanoma.cli.doctor import doctor
from edge_melanoma.cli.evaluate import evaluate
from edge_melanoma.cli.models import models
from edge_melanoma.cli.show import show
from edge_melanoma.cli.train import train
from edge_melanoma.cli.verify import verify
from edge_melanoma.errors import EXIT_INTERRUPTED, EdgeMelanomaError

app = typer.Typer(
    help="From dermoscopy pictures to a verified model on a phone or a Raspberry Pi.",
    epilog="Research and education software. Not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data_app, name="data")
for verb in (train, evaluate, convert, verify, show, compare, models):
    app.command()(verb)
app.command()(doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edge-melanoma {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; an error of ours is one line and its own exit code."""
    try:
        app(prog_name="edge-melanoma")
    except EdgeMelanomaError as error:
        _say_error(str(error))
        sys.exit(error.exit_code)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:
            _say_error("stopped; what was not finished has not been written")
        raise


def _say_error(message: str) -> None:
    from edge_melanoma.cli.console import err

    err.print("[bold red]error:[/] ", end="")
    err.print(message, markup=False)
