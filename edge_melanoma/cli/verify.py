"""`verify`: does a bundle hold what it promises, on this machine?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_melanoma.cli.options import Json
from edge_melanoma.errors import ArtifactError

if TYPE_CHECKING:
    from edge_melanoma.bundle.verify import Verification

SIGNS = {True: "✓", False: "✗", None: "–"}
STYLES = {True: "green", False: "bold red", None: "dim"}
WORST_FIRST = (4, 5, 6, 3, 2)  # of exit codes: broken, no engine, other outputs


def verify(
    bundles: Annotated[
        list[Path],
        typer.Argument(metavar="BUNDLE...", help="What `edge-melanoma convert` wrote, or reference, reference-small."),
    ],
    timeout: Annotated[
        float, typer.Option(min=1, max=86_400, metavar="SECONDS", help="For the golden pictures of one.")
    ] = 120,
    as_json: Json = False,
) -> None:
    """Check bundles: whole, unedited, sound, and giving the recorded outputs and decisions on this machine.

    Ends with code 4 where a bundle is broken, and with 6 where this machine's outputs are not the recorded ones.
    """
    from edge_melanoma.cli.console import print_json

    found = []
    for named in bundles:
        found.append(_examined(named, timeout_s=timeout))
        if not as_json:
            _print(found[-1])
    if as_json:
        print_json([one.to_json() for one in found])
    codes = {one.exit_code for one in found}
    raise typer.Exit(next((code for code in WORST_FIRST if code in codes), 0))


def _examined(named: Path, *, timeout_s: float) -> Verification:
    from edge_melanoma.bundle.verify import not_found
    from edge_melanoma.bundle.verify import verify as examine
    from edge_melanoma.models import find_bundle

    try:
        path = find_bundle(named)
    except ArtifactError as error:  # the others are examined all the same
        return not_found(named, error)
    return examine(path, timeout_s=timeout_s)


def _print(found: Verification) -> None:
    from rich.text import Text

    from edge_melanoma.cli.console import out as console
    from edge_melanoma.cli.rows import print_rows
    from edge_melanoma.names import one_line

    console.print(Text(one_line(found.bundle), "bold"))
    reached = [check for check in found.checks if check.passed is not None]
    rows = [(SIGNS[check.passed], check.check, check.detail) for check in reached]
    if left := len(found.checks) - len(reached):
        rows.append((SIGNS[None], f"{left} more", "not reached"))
    print_rows(rows, styles=[*(STYLES[check.passed] for check in reached), *([STYLES[None]] * bool(left))])
    for warning in found.warnings:
        console.print(f"warning: {one_line(warning)}", markup=False)
    for remark in found.remarks:
        console.print(f"note: {one_line(remark)}", markup=False)
    style = "bold red" if not found.passed else "bold yellow" if found.warnings else "bold green"
    console.print(Text(one_line(f"{found.bundle}: {found.verdict}"), style))
