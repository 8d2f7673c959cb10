"""The one door to matplotlib: a few kinds of plot in one style, as PNG bytes on a transparent ground.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart. Text is dark; a page in dark mode shows a
plot inverted (see report.py). Widths are in inches of 96 CSS pixels, so that text has the size of the page's small
print. Equal input gives equal bytes, as far as matplotlib is the same.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.errors import MissingExtraError
from edge_melanoma.metrics import Estimate
from edge_melanoma.notice import SYNTHETIC_BANNER

BLUE, ORANGE, GREEN, PINK, SKY, AMBER, YELLOW, GREY = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#d9cb2f", "#8a8f96"),
)
_SERIES = (BLUE, AMBER, GREEN, PINK, SKY, ORANGE, YELLOW, GREY)
_OTHER = "other"
INK, SOFT, LINE = "#1c2024", "#59616b", "#d5d8dc"  # text, text that steps back, lines
_DPI = 192  # two device pixels for a CSS pixel
_ROW_IN = 0.25  # height of one bar or line of a plot
_AROUND_IN = 0.62  # height of an axis with its label

_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,  # a name with dollar signs is a name
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}


def require_matplotlib() -> None:
    """Say what is missing before the work, not after it."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("drawing plots", "data", "matplotlib") from error


def font_file() -> str:
    """The font of the plots, for those who draw text on pictures."""
    require_matplotlib()
    from matplotlib import get_data_path

    return str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@contextmanager
def drawing(
    width_in: float,
    height_in: float,
    *,
    title: str,
    label: str,
    synthetic: bool,
    png: io.BytesIO,
    opaque: bool = False,
) -> Iterator[Any]:
    """An axis to draw on; at the end the picture is in `png`, on white where it is a file of its own."""
    require_matplotlib()
    from matplotlib import rc_context, rcdefaults, rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context():
        rcdefaults()  # a matplotlibrc of the user does not reach our pages
        rcParams.update(_STYLE)
        figure = Figure(figsize=(width_in, height_in + 0.3 * bool(title) + 0.25 * synthetic), layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.add_subplot()
        axis.set_title(title)
        axis.set_xlabel(label)
        yield axis
        if synthetic:
            figure.suptitle(SYNTHETIC_BANNER, color=ORANGE, weight="bold", size=8)
        figure.savefig(png, format="png", dpi=_DPI, transparent=not opaque, metadata={"Software": None})


def bars(
    labels: Sequence[str],
    series: Mapping[str, Sequence[int]],
    *,
    label: str,
    synthetic: bool,
    title: str = "",
    width_in: float = 5.5,
) -> bytes:
    """Horizontal bars of counts, one for each label and series, with their numbers."""
    png = io.BytesIO()
    height_in = _AROUND_IN + _ROW_IN * len(labels) * max(1.0, 0.7 * len(series)) + 0.19 * (len(series) > 1)
    with drawing(width_in, height_in, title=title, label=label, synthetic=synthetic, png=png) as axis:
        place, thick = np.arange(len(labels)), 0.82 / len(series)
        for i, (name, values) in enumerate(series.items()):
            drawn = axis.barh(place + (i - (len(series) - 1) / 2) * thick, values, thick * 0.92, color=_SERIES[i])
            drawn.set_label(name)
            axis.bar_label(drawn, [f"{n:,}" for n in values], padding=3, color=SOFT, size=7.5)
        _name_rows(axis, labels)
        axis.margins(x=0.12, y=0.02)
        axis.xaxis.set_major_locator(_few_ticks(integer=True))
        axis.xaxis.set_major_formatter("{x:,.0f}")
        if len(series) > 1:
            _name_colours(axis, columns=len(series))
    return png.getvalue()


def stacked_shares(
    labels: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    *,
    label: str,
    synthetic: bool,
    unknown: str = "",
    title: str = "",
    width_in: float = 5.5,
) -> bytes:
    """For each label one bar of length 1, cut into named parts; beyond seven, the last are one part, `other`.

    `unknown` names the part that is drawn pale, at the end.
    """
    png = io.BytesIO()
    shares = _few_parts({name: np.asarray(values, np.float64) for name, values in parts.items()}, unknown)
    total = np.sum(list(shares.values()), axis=0)
    left = np.zeros(len(labels))
    columns = max(1, min(4, len(shares), 72 // (max(map(len, shares)) + 5)))
    height_in = _AROUND_IN + _ROW_IN * len(labels) + 0.19 * -(-len(shares) // columns)
    with drawing(width_in, height_in, title=title, label=label, synthetic=synthetic, png=png) as axis:
        for i, (name, values) in enumerate(shares.items()):
            share = values / np.where(total > 0, total, 1)
            colour = {unknown: LINE, _OTHER: GREY}.get(name, _SERIES[i % len(_SERIES)])
            axis.barh(np.arange(len(labels)), share, 0.78, left=left, color=colour, label=_short(name, 40))
            left += share
        _name_rows(axis, labels)
        axis.set_xlim(0, 1)
        axis.xaxis.set_major_formatter("{x:.0%}")
        _name_colours(axis, columns=columns)
    return png.getvalue()


def distributions(
    values: Mapping[str, NDArray[np.float64]],
    *,
    label: str,
    synthetic: bool,
    highlight: str = "",
    title: str = "",
    width_in: float = 3.4,
) -> bytes:
    """For each group a line from the 5th to the 95th percentile, a bar over the middle half, a dot at the median."""
    png = io.BytesIO()
    height_in = _AROUND_IN + 0.2 * len(values)
    with drawing(width_in, height_in, title=title, label=label, synthetic=synthetic, png=png) as axis:
        for row, (name, group) in enumerate(values.items()):
            known = group[np.isfinite(group)]
            if not len(known):
                continue
            p5, p25, p50, p75, p95 = np.quantile(known, [0.05, 0.25, 0.5, 0.75, 0.95])
            colour = ORANGE if name == highlight else BLUE
            axis.plot([p5, p95], [row, row], color=colour, linewidth=1, solid_capstyle="butt")
            axis.plot([p25, p75], [row, row], color=colour, linewidth=5, solid_capstyle="butt", alpha=0.55)
            axis.plot(p50, row, "o", color=colour, markersize=4.5)
        _name_rows(axis, list(values))
        axis.set_ylim(len(values) - 0.4, -0.6)
        axis.xaxis.set_major_locator(_few_ticks())
    return png.getvalue()


def intervals(
    estimates: Mapping[str, Estimate], *, label: str, synthetic: bool, chance: float | None = None, title: str = ""
) -> bytes:
    """For each estimate a dot and its interval; a dashed line where chance alone would be."""
    png = io.BytesIO()
    height_in = _AROUND_IN + 0.3 * len(estimates)
    with drawing(5.5, height_in, title=title, label=label, synthetic=synthetic, png=png) as axis:
        for row, estimate in enumerate(estimates.values()):
            axis.plot([estimate.low, estimate.high], [row, row], color=BLUE, linewidth=2)
            axis.plot(estimate.value, row, "o", color=BLUE, markersize=6)
            axis.annotate(
                f"{estimate.value:.3f}", (estimate.value, row), (0, 7), textcoords="offset points", ha="center"
            )
        if chance is not None:
            axis.axvline(chance, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
        _name_rows(axis, list(estimates))
        axis.set_ylim(len(estimates) - 0.5, -0.8)
        axis.margins(x=0.08)
    return png.getvalue()


def lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    label: str,
    synthetic: bool,
    title: str = "",
    marked: tuple[float, str] | None = None,
    opaque: bool = False,
    width_in: float = 5.5,
    height_in: float = 2.6,
) -> bytes:
    """Lines over one x, each with a mark at every point; `marked` is an x with a word, drawn as an upright line."""
    png = io.BytesIO()
    with drawing(width_in, height_in, title=title, label=label, synthetic=synthetic, png=png, opaque=opaque) as axis:
        for i, (name, values) in enumerate(series.items()):
            axis.plot(x, values, color=_SERIES[i], marker="o", markersize=2.5, linewidth=1.3, label=name)
        if marked is not None:
            axis.axvline(marked[0], color=SOFT, linewidth=0.8, linestyle=(0, (3, 2)))
            axis.annotate(
                marked[1],
                (marked[0], 0),
                xycoords=("data", "axes fraction"),
                xytext=(-2, 3),
                textcoords="offset points",
                rotation=90,
                ha="right",
                va="bottom",
                size=7.5,
            )
        axis.grid(axis="both")
        axis.xaxis.set_major_locator(_few_ticks(integer=True))
        _name_colours(axis, columns=len(series))
    return png.getvalue()


def _few_parts(parts: Mapping[str, NDArray[np.float64]], unknown: str) -> dict[str, NDArray[np.float64]]:
    known = {name: values for name, values in parts.items() if name != unknown}
    last = {unknown: parts[unknown]} if unknown in parts else {}
    if len(known) < len(_SERIES):
        return known | last
    kept = [name for name in known if name != _OTHER][: len(_SERIES) - 1]
    rest = np.sum([values for name, values in known.items() if name not in kept], axis=0)
    return {name: known[name] for name in kept} | {_OTHER: rest} | last


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _name_rows(axis: Any, labels: Sequence[str]) -> None:
    axis.set_yticks(np.arange(len(labels)), [_short(name, 28) for name in labels])
    axis.invert_yaxis()


def _name_colours(axis: Any, *, columns: int) -> None:
    axis.figure.legend(loc="outside lower left", ncols=columns, handlelength=1, columnspacing=1.2, fontsize=7.5)


def _few_ticks(*, integer: bool = False) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10], integer=integer)
