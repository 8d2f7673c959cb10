"""The `edge-melanoma` command: it parses, calls one function of the library, prints, and returns a code.

Nothing heavy is imported here: every verb imports what it needs when it runs, so that `--help` answers at once and
`predict` runs where there is no TensorFlow. Where the first word names a verb, only that one is read at all: on a
small device, the options of the others would take longer than a prediction.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from edge_melanoma import __version__
from edge_melanoma.errors import EXIT_INTERRUPTED, EdgeMelanomaError

# in the order of --help; each is a function, or for `data` an app, of the module edge_melanoma.cli.NAME
VERBS = ("data", "train", "evaluate", "convert", "verify", "show", "predict", "bench", "compare", "models", "doctor")


def command(verbs: Iterable[str] = VERBS) -> typer.Typer:
    """The command with these verbs."""
    app = typer.Typer(
        help="From dermoscopy pictures to a verified model on a phone or a Raspberry Pi.",
        epilog="Research and education software. Not a medical device.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for verb in verbs:
        module = importlib.import_module(f"edge_melanoma.cli.{verb}")
        if verb == "data":
            app.add_typer(module.app, name=verb)
        else:
            app.command(verb)(getattr(module, verb))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edge-melanoma {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; an error of ours is one line and its own exit code."""
    asked = sys.argv[1:2]
    try:
        command(asked if asked and asked[0] in VERBS else VERBS)(prog_name="edge-melanoma")
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
