"""Rows of text: a folded table on a terminal, one unfolded line a row where the output goes elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from edge_melanoma.cli.console import out as console
from edge_melanoma.names import one_line

GAP = "  "


def print_rows(rows: Sequence[Sequence[str]], *, columns: Sequence[str] = (), styles: Sequence[str] = ()) -> None:
    """Print rows of as many cells; `styles` are rich's, one a row, for all cells but the last."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    if console.is_terminal:
        _print_table(rows, columns, styles or [""] * len(rows))
        return
    lines = [columns, *rows] if columns else list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        text = GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        console.print(text.rstrip(), markup=False)


def _print_table(rows: Sequence[Sequence[str]], columns: Sequence[str], styles: Sequence[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), show_header=bool(columns), header_style="dim")
    last = len(rows[0]) - 1
    for place in range(last + 1):
        table.add_column(columns[place] if columns else "", no_wrap=place == 0, overflow="fold")
    for row, style in zip(rows, styles, strict=True):
        table.add_row(*(Text(cell, style if place < last else "") for place, cell in enumerate(row)))
    console.print(table)
