"""The `edge-melanoma` command: it parses, calls one function of the library, prints, and returns a code.

Nothing heavy is imported here: every verb imports what it needs when it runs, so that `--help` answers at once and
`predict` runs where there is no TensorFlow. Where the first word names a verb, only that one is read at all: on a
small device, the options of the others would take longer than a prediction.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_melanoma import __version__
from edge_melanoma.errors import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, ArtifactError, EdgeMelanomaError

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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not every terminal can show every name; in JSON it is an escape
            stream.reconfigure(errors="backslashreplace")
    results = _Results(sys.stdout)
    try:
        with redirect_stdout(results):
            try:
                command(asked if asked and asked[0] in VERBS else VERBS)(prog_name="edge-melanoma")
            finally:
                results.flush()
    except EdgeMelanomaError as error:
        _say_error(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever reads the results has enough
        sys.exit(EXIT_BROKEN_PIPE)
    except SystemExit as end:
        if results.broken_pipe:  # which typer takes for a failure
            sys.exit(EXIT_BROKEN_PIPE)
        if end.code == EXIT_INTERRUPTED:
            _say_error("stopped; what was not finished has not been written")
        raise


class _Results:
    """Standard output; where it takes no more, for a disk is full or it is closed, an error of ours says so."""

    def __init__(self, stream: Any) -> None:
        self._closed = stream is None
        # so that no other file gets the number of standard output
        self._stream = Path(os.devnull).open("w") if self._closed else stream  # noqa: SIM115
        self._lost: ArtifactError | None = None
        self.broken_pipe = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if self._closed:
            self._lost = ArtifactError("standard output: is closed, so results have nowhere to go; send them somewhere")
        with self._told():
            return int(self._stream.write(text))

    def flush(self) -> None:
        with self._told():
            self._stream.flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        if self._lost:  # a library that writes for trial's sake may have kept it to itself
            raise self._lost
        try:
            yield
        except OSError as error:
            # what it holds still goes nowhere, or Python tries again when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if isinstance(error, BrokenPipeError):
                self.broken_pipe = True
                raise
            why = f"standard output: cannot be written ({error.strerror}); what came out is not whole"
            self._lost = ArtifactError(why)
            raise self._lost from error


def _say_error(message: str) -> None:
    from edge_melanoma.cli.console import err, say

    err.print("[bold red]error:[/] ", end="")
    say(message)
