"""`show`: the card of a bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_melanoma.cli.options import Json
from edge_melanoma.names import one_line

if TYPE_CHECKING:
    from edge_melanoma.bundle.card import Card


def show(
    bundle: Annotated[
        Path,
        typer.Argument(metavar="BUNDLE", help="What `edge-melanoma convert` wrote, or reference, or reference-small."),
    ],
    as_markdown: Annotated[bool, typer.Option("--markdown", help="The card as a Markdown page.")] = False,
    as_json: Json = False,
) -> None:
    """Print the card of a bundle: what it is, how well it does, its thresholds, data, licence and limits.

    The file is checked first, all but running it: `verify` does that.
    """
    from edge_melanoma.bundle import open_bundle
    from edge_melanoma.bundle.card import card
    from edge_melanoma.cli.console import print_json
    from edge_melanoma.errors import RecipeError
    from edge_melanoma.models import find_bundle
    from edge_melanoma.names import bytes_of

    if as_json and as_markdown:
        raise RecipeError("--json and --markdown: one form of output at a time")
    found = open_bundle(find_bundle(bundle))
    if as_json:
        facts = {"bundle": found.name, **bytes_of(found.name, key="bundle"), "size_bytes": found.size_bytes}
        print_json({**facts, "sha256": found.sha256, "manifest": found.manifest.to_json()})
    elif as_markdown:
        from edge_melanoma.bundle.card_markdown import card_markdown

        name = one_line(Path(found.name).name)  # without its folder: a page is read elsewhere
        typer.echo(card_markdown(card(replace(found, name=name)), name=Path(name).stem), nl=False)
    else:
        _print(card(found))


def _print(card: Card) -> None:
    from rich.text import Text

    from edge_melanoma.cli.console import out as console
    from edge_melanoma.cli.rows import print_rows

    banner = [Text(card.banner, "bold yellow")] if card.banner else []
    console.print(*banner, Text(one_line(card.title), "bold"), sep="\n")
    for section in card.sections:
        console.print("", Text(section.title, "bold cyan"), sep="\n")
        print_rows(section.rows, columns=section.columns, styles=["dim"] * len(section.rows))
    console.print("", Text(card.notice, "italic"), *banner, sep="\n")
