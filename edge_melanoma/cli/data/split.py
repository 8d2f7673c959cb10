"""`data split`: train, validation, calibration and test, and folds, without a leak."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_melanoma.cli.options import Force, IndexArgument, Json, Out


def split(
    index: IndexArgument,
    out: Out,
    train: Annotated[float, typer.Option(help="Share of the training part.")] = 0.70,
    val: Annotated[float, typer.Option(help="Share of the validation part.")] = 0.10,
    calibration: Annotated[float, typer.Option(help="Share for temperature and thresholds.")] = 0.05,
    test: Annotated[float, typer.Option(help="Share of the test part.")] = 0.15,
    folds: Annotated[int, typer.Option(help="Folds over all pictures, beside the parts; 0 for none.")] = 5,
    hold_out_centre: Annotated[
        list[str] | None,
        typer.Option(metavar="CENTRE", help="All pictures of this centre are the test part; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same split.")] = 0,
    audit: Annotated[
        Path | None,
        typer.Option("--audit", metavar="DIR", help="The audit of this index.", show_default="INDEX/audit"),
    ] = None,
    despite_audit: Annotated[
        bool, typer.Option("--despite-audit", help="Split although the audit fails or is missing.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Split by whatever ties pictures (patient, lesion, bytes, near-duplicate, copy), alike in diagnosis and centre."""
    from edge_melanoma.cli.console import print_json, say
    from edge_melanoma.cli.data.extra import data_extra

    with data_extra():
        from edge_melanoma.data import split as stage
        from edge_melanoma.data.index import read_index

    recipe = stage.SplitRecipe(
        fractions={"train": train, "val": val, "calibration": calibration, "test": test},
        folds=folds,
        seed=seed,
        held_out_centres=tuple(hold_out_centre or ()),
    )
    result = stage.run(read_index(index), recipe, out, audit=audit, despite_audit=despite_audit, force=force)
    if as_json:
        print_json(result.to_json())
        return
    _print(result.to_json(), out)
    say(f"next: edge-melanoma data eda {out}")


def _print(facts: dict[str, Any], out: Path) -> None:
    from rich.table import Table

    from edge_melanoma.cli.console import out as console

    table = Table("part", "pictures", "lesions", "patients", "melanomas", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for part in facts["parts"]:
        table.add_row(part["split"], *(f"{part[key]:,}" for key in ("pictures", "lesions", "patients", "melanomas")))
    console.print(table)
    joined = ", ".join(f"{name} {n:,}" for name, n in facts["joined_by"].items())
    console.print(f"{facts['groups']:,} groups, the largest of {facts['largest_group']:,} pictures; joined by {joined}")
    console.print(
        "no patient, lesion, picture or near-duplicate is in two parts or in two folds (counted on the result)"
    )
    leak = facts["leak_of_a_random_split_by_picture"]
    if leak["pictures"]:
        melanomas = f" and {leak['leaked_melanoma_share']:.1%} of the test melanomas" if leak["melanomas"] else ""
        console.print(
            f"a random split by picture would have put a sibling of {leak['leaked_share']:.1%} of the test pictures"
            f"{melanomas} into training"
        )
    for remark in facts["remarks"]:
        console.print(f"note: {remark}", markup=False)
    console.print(f"written to {out}", markup=False)
