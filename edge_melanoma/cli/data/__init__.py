"""`edge-melanoma data …`: from a published data set, or a synthetic one, to an index that can be trained on."""

from __future__ import annotations

import typer

from edge_melanoma.cli.data.audit import audit
from edge_melanoma.cli.data.eda import eda
from edge_melanoma.cli.data.ingest import ingest
from edge_melanoma.cli.data.show import show
from edge_melanoma.cli.data.split import split
from edge_melanoma.cli.data.synth import synth

app = typer.Typer(
    help="Make a data set, read one, judge it, split it, look at it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (synth, ingest, audit, split, eda, show):
    app.command()(verb)
