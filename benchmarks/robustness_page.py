"""The robustness of bundles as tables and one plot."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_melanoma.metrics import Estimate, Rate, RateChange
from edge_melanoma.plots import AMBER, BLUE, GREEN, PINK, SOFT, drawing

from .robustness_changes import COUNTERFACTUALS
from .robustness_judging import NO_CHANGE, Row

HEADERS = (
    *("bundle", "", "change", "AUC", "its change", "decisions changed", "sensitivity", "its change"),
    *("specificity", "its change", "refused by the gate", "{positives} no longer referred"),
    *("of these not refused either", "{positives} now low"),
)
ARTEFACT_HEADERS = (
    *("bundle", "artefact", "drawn by", "{positives} no longer referred", "newly referred", "now low"),
    *("others newly referred", "no longer referred", "refused by the gate"),
)
COLOURS = (BLUE, AMBER, GREEN, PINK)
PANELS = {"auc": "change of AUC", "sensitivity": "change of sensitivity at the refer threshold"}
_ROW_IN, _AROUND_IN, _WIDTH_IN = 0.19, 1.0, 9.0


def table_rows(rows: Sequence[Row]) -> list[list[str]]:
    """A line for each bundle and change."""
    return [_line(row) for row in rows]


def _line(row: Row) -> list[str]:
    cells = [str(row.figures[name]) if row.kind == NO_CHANGE[0] else _value(row.figures[name]) for name in row.figures]
    changes = [_signed(row.differences.get(name)) for name in row.figures]
    auc, sensitivity, specificity = ([cell, change] for cell, change in zip(cells, changes, strict=True))
    changed = "" if not row.differences else f"{row.changed.value:.1%} ({row.changed.successes:,})"
    words = [row.bundle, row.kind, row.name]
    counts = (row.positives_lost, row.positives_lost_unnoticed, row.positives_to_low)
    lost = [f"{counts[0]} of {row.positives}", *map(str, counts[1:])] if row.differences else ["", "", ""]
    return [*words, *auc, changed, *sensitivity, *specificity, f"{row.refused / row.pictures:.1%}", *lost]


def _value(estimate: Estimate | Rate) -> str:
    return f"{estimate.value:.3f}"


def _signed(estimate: Estimate | RateChange | None) -> str:
    """With its interval; a plus says that nothing was lost."""
    if estimate is None:
        return ""
    return f"{'+' if estimate.value > 0 else ''}{estimate}"


def artefact_rows(rows: Sequence[Row]) -> list[list[str]]:
    """The pictures that change sides when something lies on the skin, counted."""
    return [
        [
            row.bundle,
            row.name,
            row.kind.removesuffix("'s drawing"),
            f"{row.positives_lost} of {row.positives}",
            str(row.positives_found),
            str(row.positives_to_low),
            f"{row.negatives_referred} of {row.pictures - row.positives}",
            str(row.negatives_spared),
            f"{row.refused / row.pictures:.1%}",
        ]
        for row in rows
        if row.kind in COUNTERFACTUALS
    ]


def draw(rows: Sequence[Row], *, synthetic: bool) -> bytes:
    """Beside each other what each change does to the AUC and to the sensitivity; a colour for each bundle."""
    png, bundles = io.BytesIO(), list(dict.fromkeys(row.bundle for row in rows))
    lines = _lines_of(rows)
    height_in = _AROUND_IN + _ROW_IN * len(lines)
    with drawing(
        _WIDTH_IN, height_in, title="", label=PANELS["auc"], synthetic=synthetic, png=png, opaque=True
    ) as axis:
        grid = axis.figure.add_gridspec(1, len(PANELS))
        axis.set_subplotspec(grid[0])
        second = axis.figure.add_subplot(grid[1], sharey=axis, xlabel=PANELS["sensitivity"])
        second.tick_params(labelleft=False)
        for panel, figure in zip((axis, second), PANELS, strict=True):
            _draw_panel(panel, figure, rows, lines, bundles)
        axis.set_yticks(np.arange(len(lines)), [name or kind.upper() for kind, name in lines])
        axis.set_ylim(len(lines) - 0.4, -0.6)
        if len(bundles) > 1:
            axis.figure.legend(*axis.get_legend_handles_labels(), loc="outside lower left", ncols=len(bundles))
    return png.getvalue()


def _lines_of(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Kinds as headings, and their changes; a kind with a single change needs no heading."""
    changes = list(dict.fromkeys((row.kind, row.name) for row in rows if row.differences))
    lines: list[tuple[str, str]] = []
    for kind in dict.fromkeys(kind for kind, _ in changes):
        mine = [each for each in changes if each[0] == kind]
        lines += [(kind, ""), *mine] if len(mine) > 1 else [(kind, "")]
    return lines


def _draw_panel(
    panel: Any, figure: str, rows: Sequence[Row], lines: Sequence[tuple[str, str]], bundles: Sequence[str]
) -> None:
    places = {line: place for place, line in enumerate(lines)}
    panel.axvline(0, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
    for number, bundle in enumerate(bundles):
        colour = COLOURS[number % len(COLOURS)]
        beside = (number - (len(bundles) - 1) / 2) * 0.6 / len(bundles)
        panel.plot([], [], "o", color=colour, markersize=3.5, label=bundle)
        for row in rows:
            if row.bundle != bundle or not row.differences:
                continue
            line = (row.kind, row.name)
            at = places[line if line in places else (row.kind, "")] + beside
            found = row.differences[figure]
            panel.plot([found.low, found.high], [at, at], color=colour, linewidth=1.4)
            panel.plot(found.value, at, "o", color=colour, markersize=3.5)
