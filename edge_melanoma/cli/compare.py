"""`compare`: several evaluations on the same pictures, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_melanoma.cli.options import BootstrapSeed, Force, Json, Out, Rounds


def compare(
    evaluations: Annotated[
        list[Path],
        typer.Argument(
            metavar="EVALUATION",
            help="Evaluations, or what has one: runs, bundles, models of the package; all are compared with the first.",
        ),
    ],
    out: Out,
    split: Annotated[
        str, typer.Option(help="Of a run, the evaluation on this part: val, test, … or oof for out of fold.")
    ] = "test",
    common_rows: Annotated[
        bool, typer.Option("--common-rows", help="Compare on the pictures that all have, instead of refusing.")
    ] = False,
    rounds: Rounds = 2000,
    seed: BootstrapSeed = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Compare models on the same pictures: metrics, paired differences, tests, and what each model costs."""
    from edge_melanoma.cli.console import out as console
    from edge_melanoma.cli.console import print_json
    from edge_melanoma.cli.data.extra import data_extra

    with data_extra():
        from edge_melanoma.evaluation.comparing import compare as stage
        from edge_melanoma.evaluation.comparison_page import KIND, PAGE_FILE, to_markdown, write_comparison
        from edge_melanoma.models import by_name
        from edge_melanoma.output import check_vacant

        check_vacant(out, kind=KIND, force=force)
        comparison = stage(
            [by_name(named) for named in evaluations],
            split=split,
            common_rows=common_rows,
            rounds=rounds,
            seed=seed,
        )
        write_comparison(comparison, out, force=force)
    if as_json:
        print_json(comparison.to_json())
        return
    console.print(to_markdown(comparison), markup=False)
    console.print(f"see {out / PAGE_FILE}", markup=False)
