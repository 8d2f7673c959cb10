"""`data ingest`: a published data set becomes an index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_melanoma.cli.options import Force, Json, Out, Workers

# retyped so that --help needs no table library; a test holds it against sources()
SOURCES = "ham10000, isic2018, isic2019, isic2020, isic2024, isic9, ph2, pad-ufes-20, dermamnist, folder, csv, synth"


def ingest(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=f"One of {SOURCES}.")],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The folder with the data set as it was published.")],
    out: Out,
    subset: Annotated[
        bool, typer.Option("--subset", help="Leave out rows whose picture is not there; expect no published counts.")
    ] = False,
    tables_only: Annotated[bool, typer.Option("--tables-only", help="Do not look for pictures at all.")] = False,
    keep_defects: Annotated[
        bool,
        typer.Option(
            "--keep-defects",
            help="Keep rows without a picture, with a repeated id or with an unknown label, for the audit to list.",
        ),
    ] = False,
    table: Annotated[
        Path | None, typer.Option("--table", metavar="CSV", help="csv: the table, below ROOT or anywhere.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="OURS=THEIRS", help="csv: which of their columns is ours; repeatable."),
    ] = None,
    vocabulary: Annotated[
        str | None, typer.Option(help="csv, folder: the source whose labels are used.", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="csv, folder: what to call the data set.", show_default=False)
    ] = None,
    modality: Annotated[
        str | None, typer.Option(help="csv, folder: dermoscopic, clinical or tbp.", show_default=False)
    ] = None,
    license: Annotated[
        str | None, typer.Option(help="csv, folder: the licence of the pictures.", show_default=False)
    ] = None,
    workers: Workers = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Read a data set as it was published and write one index: a row a picture, the same columns whatever the source.

    The pictures stay where they are. Each is opened once for its hashes.
    """
    from edge_melanoma.cli.console import print_json, progress_bar, say
    from edge_melanoma.cli.data.extra import data_extra

    with data_extra():
        from edge_melanoma.data import ingest as stage
        from edge_melanoma.data.sources import Request

    request = Request(
        root=root,
        unpack=out,
        table=table,
        columns=_pairs(column or []),
        vocabulary=vocabulary,
        source_name=name,
        modality=modality,
        license=license,
        with_pictures=not tables_only,
    )
    with progress_bar("reading pictures") as on_progress:
        result = stage.run(
            source,
            request,
            out,
            subset=subset,
            keep_defects=keep_defects,
            force=force,
            workers=workers,
            on_progress=on_progress,
        )
    if as_json:
        print_json(result.to_json())
        return
    _print(result.to_json(), out)
    say(f"next: edge-melanoma data audit {out}")


def _pairs(given: list[str]) -> dict[str, str]:
    from edge_melanoma.errors import RecipeError

    for text in given:
        if not all(text.partition("=")):
            raise RecipeError(f"--column {text}: give it as OURS=THEIRS, for example --column dx=diagnosis")
    return {ours: theirs for ours, _, theirs in (text.partition("=") for text in given)}


def _print(facts: dict[str, Any], out: Path) -> None:
    from edge_melanoma.cli.console import out as console

    counts = ", ".join(f"{dx or 'unknown label'} {n:,}" for dx, n in facts["diagnoses"].items())
    numbers = ", ".join(f"{facts[key]:,} {key}" for key in ("pictures", "lesions", "patients"))
    console.print(f"{out}: {numbers}", markup=False)
    console.print(f"  {counts}", markup=False)
    for key, text in (("without_picture", "rows have no picture"), ("undecodable", "pictures cannot be decoded")):
        if facts[key]:
            console.print(f"  {facts[key]:,} {text}")
    for remark in facts["remarks"]:
        console.print(f"  {remark}", markup=False)
    console.print(f"  licence: {', '.join(facts['licenses'])}", markup=False)
