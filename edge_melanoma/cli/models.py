"""`models`: the networks that can be trained, how large they are and how much they compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from edge_melanoma.cli.options import Json

if TYPE_CHECKING:
    from edge_melanoma.train.backbones.profiles import Row


def models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these networks.", show_default="all")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", metavar="PIXELS", help="Count at this picture size.", show_default="the native one"),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the networks: native size, device or teacher, parameters, multiply-adds (MACs), ImageNet weights.

    Parameters and multiply-adds are for a head with two classes. At another size than the native one the named
    networks are built, which takes seconds and needs the `train` extra.
    """
    from edge_melanoma.cli.console import print_json

    rows = _rows(names or [], size)
    if as_json:
        print_json([row.to_json() for row in rows])
        return
    _print(rows)
    if not names:
        _print_shipped()


def _rows(names: Sequence[str], size: int | None) -> list[Row]:
    from edge_melanoma.errors import RecipeError
    from edge_melanoma.train.backbones import backbone
    from edge_melanoma.train.backbones.profiles import committed_rows, measured_row

    committed: list[Row] = committed_rows()
    if not names and size is None:
        return committed
    if not names:
        raise RecipeError("--size builds networks, so name those you want: edge-melanoma models NAME --size PIXELS")
    networks = [backbone(name) for name in names]
    for network in networks:
        network.check_size(network.native_size if size is None else size)
    known = {(row.network.name, row.size): row for row in committed}
    sizes = [network.native_size if size is None else size for network in networks]
    return [
        known.get((network.name, side)) or measured_row(network, side)
        for network, side in zip(networks, sizes, strict=True)
    ]


def _print(rows: Sequence[Row]) -> None:
    from rich.table import Table

    from edge_melanoma.cli.console import out as console

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "for"):
        table.add_column(heading, no_wrap=True)
    for heading in ("size", "parameters", "MACs"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("ImageNet weights")
    for row in rows:
        table.add_row(
            row.network.name,
            row.network.role,
            f"{row.size}",
            f"{row.profile.parameters / 1e6:.2f} M",
            f"{row.profile.macs / 1e6:,.0f} M",
            "published" if row.network.imagenet else "none",
        )
    console.print(table)


def _print_shipped() -> None:
    from edge_melanoma.cli.console import out as console
    from edge_melanoma.models import shipped

    if there := shipped():
        console.print(f"\nTrained, with the package: {', '.join(there)} (edge-melanoma show NAME)", markup=False)
