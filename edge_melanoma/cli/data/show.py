"""`data show`: what an index holds, or all that is known of one picture."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from edge_melanoma.cli.options import IndexArgument, Json, Roots


def show(
    index: IndexArgument,
    image_id: Annotated[str | None, typer.Argument(metavar="[IMAGE_ID]", help="A picture of the index.")] = None,
    root: Roots = None,
    as_json: Json = False,
) -> None:
    """Show what an index holds, or everything that it knows of one picture and its siblings."""
    from edge_melanoma.cli.console import print_json
    from edge_melanoma.cli.data.extra import data_extra

    with data_extra():
        from edge_melanoma.cli.data.reading import open_index
        from edge_melanoma.data import show as stage

    found = open_index(index, root)
    facts = stage.describe(found) if image_id is None else stage.describe_picture(found, image_id)
    if as_json:
        print_json(facts)
    else:
        _print(facts)


def _print(facts: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from edge_melanoma.cli.console import out as console

    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {n:,}" if isinstance(n, int) else f"{name}: {n}" for name, n in value.items())
        elif isinstance(value, list):
            value = ", ".join(str(item) for item in value)
        elif isinstance(value, int) and not isinstance(value, bool):
            value = f"{value:,}"
        table.add_row(Text(key, "bold"), Text("–" if value in (None, "") else str(value)))
    console.print(table)
