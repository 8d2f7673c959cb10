"""The plots of an evaluation, in the style of plots.py: curves, a forest of intervals, a matrix."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.decision import logit
from edge_melanoma.metrics import Bin, Estimate, NetBenefit, Rate
from edge_melanoma.plots import AMBER, BLUE, GREY, INK, LINE, ORANGE, SOFT, drawing, require_matplotlib

Floats = NDArray[np.float64]
_WIDTH_IN, _HEIGHT_IN = 4.9, 3.7
_DASHES: Any = (0, (4, 3))
# on an axis of log-odds: the first of these of which three fall onto it
_PROBABILITIES = (
    (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999),
    (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998),
    (0.001, 0.002, 0.003, *(n / 200 for n in range(1, 10)), *(n / 20 for n in range(1, 20)), 0.96, 0.97, 0.98, 0.99),
)


@contextmanager
def _plane(
    *,
    title: str,
    x: str,
    y: str,
    synthetic: bool,
    png: io.BytesIO,
    width_in: float = _WIDTH_IN,
    height_in: float = _HEIGHT_IN,
) -> Iterator[Any]:
    """An axis with a grid both ways."""
    with drawing(width_in, height_in, title=title, label=x, synthetic=synthetic, png=png) as axis:
        axis.set_ylabel(y)
        axis.grid(True, axis="both")
        axis.tick_params(labelcolor=SOFT)
        yield axis


def roc_curve(
    points: tuple[Floats, Floats],
    band: tuple[Floats, Floats, Floats],
    marks: Mapping[str, tuple[float, float]],
    *,
    synthetic: bool,
) -> bytes:
    """The ROC curve (false positive rate, sensitivity) in its band (rate, low, high); `marks` are thresholds on it."""
    png = io.BytesIO()
    with _plane(title="ROC", x="1 − specificity", y="sensitivity", synthetic=synthetic, png=png) as axis:
        axis.fill_between(*band, color=BLUE, alpha=0.15, linewidth=0, label="interval")
        axis.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=_DASHES, label="chance")
        axis.plot(*points, color=BLUE, linewidth=1.6)
        _mark(axis, marks, offsets=((4, -11), (2, 6)))
        _unit_square(axis)
        axis.legend(loc="lower right")
    return png.getvalue()


def precision_recall_curve(
    points: tuple[Floats, Floats], prevalence: float, marks: Mapping[str, tuple[float, float]], *, synthetic: bool
) -> bytes:
    """Precision over recall; chance is the prevalence."""
    png = io.BytesIO()
    with _plane(
        title="Precision and recall", x="recall (sensitivity)", y="precision (PPV)", synthetic=synthetic, png=png
    ) as axis:
        axis.axhline(
            prevalence, color=SOFT, linewidth=0.8, linestyle=_DASHES, label=f"chance: {100 * prevalence:.1f} %"
        )
        axis.plot(*points, color=BLUE, linewidth=1.6)
        _mark(axis, marks, offsets=((6, 3), (-22, -10)))
        _unit_square(axis)
        axis.legend(loc="upper right")
    return png.getvalue()


def reliability_curve(bins: Sequence[Bin], *, synthetic: bool) -> bytes:
    """What was said and what was observed."""
    png = io.BytesIO()
    said = [found.mean_probability for found in bins]
    rates = [found.observed for found in bins]
    top = min(1.0, 1.05 * max([*said, *(rate.high for rate in rates)]))
    with _plane(title="Reliability", x="said", y="observed", synthetic=synthetic, png=png) as axis:
        axis.plot([0, top], [0, top], color=SOFT, linewidth=0.8, linestyle=_DASHES, label="as it should be")
        for x, rate in zip(said, rates, strict=True):
            axis.plot([x, x], [rate.low, rate.high], color=BLUE, linewidth=1.2, alpha=0.55)
        axis.plot(said, [rate.value for rate in rates], "o", color=BLUE, markersize=4, label="pictures, with interval")
        axis.set_xlim(-0.02 * top, top)
        axis.set_ylim(-0.02 * top, top)
        _in_per_cent(axis)
        axis.legend(loc="upper left")
    return png.getvalue()


def decision_curve(found: NetBenefit, *, synthetic: bool) -> bytes:
    """Net benefit over the probability at which one would refer."""
    png = io.BytesIO()
    with _plane(
        title="Decision curve", x="probability at which one would refer", y="net benefit per 100 pictures",
        synthetic=synthetic, png=png,
    ) as axis:  # fmt: skip
        at = found.thresholds
        axis.plot(at, 100 * found.refer_all, color=AMBER, linewidth=1.2, label="refer all")
        axis.axhline(0, color=SOFT, linewidth=1.2, label="refer none")
        axis.plot(at, 100 * found.model, color=BLUE, linewidth=1.8, label="refer by the model")
        highest = max(100 * float(found.model.max()), 100 * float(found.refer_all.max()), 0.1)
        axis.set_ylim(-0.25 * highest, 1.1 * highest)
        axis.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %")
        axis.legend(loc="upper right")
    return png.getvalue()


def risk_coverage_curve(covered: Floats, risk: Floats, *, synthetic: bool) -> bytes:
    """The share of wrong decisions among the surest pictures."""
    png = io.BytesIO()
    with _plane(
        title="Risk and coverage", x="share of pictures that get an answer", y="wrong among them",
        synthetic=synthetic, png=png,
    ) as axis:  # fmt: skip
        axis.plot(covered, risk, color=BLUE, linewidth=1.6)
        axis.set_xlim(0, 1)
        # the first few pictures are a share of almost nothing
        axis.set_ylim(0, 1.15 * max(float(risk[covered >= min(0.05, covered.max())].max()), 0.01))
        _in_per_cent(axis)
    return png.getvalue()


def score_histogram(
    y: NDArray[np.bool_], log_odds: Floats, thresholds: Mapping[str, float], *, synthetic: bool
) -> bytes:
    """How the scores of both classes lie, each as a share of its class; `thresholds` are log-odds."""
    png = io.BytesIO()
    low, high = np.quantile(log_odds, [0.001, 0.999])
    edges = np.linspace(low - 0.3, high + 0.3, 41)
    inside = np.clip(log_odds, edges[0], edges[-1])
    with _plane(
        title="Scores", x="probability", y="share of the class", synthetic=synthetic, png=png, width_in=_WIDTH_IN
    ) as axis:
        for values, colour, name in ((inside[~y], GREY, "negative"), (inside[y], ORANGE, "positive")):
            weights = np.full(len(values), 1 / max(len(values), 1))
            axis.hist(values, edges, weights=weights, color=colour, alpha=0.55, label=f"{name} ({len(values):,})")
        for (name, at), side in zip(thresholds.items(), (("right", -3), ("left", 3)), strict=False):
            if edges[0] <= at <= edges[-1]:
                axis.axvline(at, color=INK, linewidth=1, linestyle=_DASHES)
                axis.annotate(
                    name, (at, 0.99), (side[1], 0), xycoords=("data", "axes fraction"), textcoords="offset points",
                    va="top", ha=side[0], size=7.5,
                )  # fmt: skip
        axis.margins(y=0.2)
        _name_probabilities(axis, edges[0], edges[-1])
        axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        axis.legend(loc="upper right")
    return png.getvalue()


def matrix(counts: NDArray[np.int64], names: Sequence[str], *, synthetic: bool) -> bytes:
    """Who is taken for whom: counts, and shades for the share of each row."""
    png = io.BytesIO()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 0.62 * len(names) + 1.2
    with _plane(
        title="Confusion matrix", x="called", y="is", synthetic=synthetic, png=png, width_in=side, height_in=side
    ) as axis:
        axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="equal")
        axis.grid(False)
        for row, column in np.ndindex(counts.shape):
            colour = "white" if share[row, column] > 0.55 else INK
            text = f"{counts[row, column]:,}\n{100 * share[row, column]:.0f} %"
            axis.text(column, row, text, ha="center", va="center", color=colour, size=7)
        axis.set_xticks(range(len(names)), names)
        axis.set_yticks(range(len(names)), names)
    return png.getvalue()


def forest(
    rows: Sequence[tuple[str, Estimate | Rate | None]],
    *,
    label: str,
    synthetic: bool,
    reference: float | None = None,
    title: str = "",
    width_in: float = _WIDTH_IN,
) -> bytes:
    """A dot with its interval for each row; a row without one is a heading, or too few to say."""
    png = io.BytesIO()
    with drawing(width_in, 0.55 + 0.21 * len(rows), title=title, label=label, synthetic=synthetic, png=png) as axis:
        for place, (name, found) in enumerate(rows):
            if found is None or found.value != found.value:
                continue
            colour = ORANGE if name.startswith("all") else BLUE
            axis.plot([found.low, found.high], [place, place], color=colour, linewidth=1.8)
            axis.plot(found.value, place, "o", color=colour, markersize=4.5)
        if reference is not None:
            axis.axvline(reference, color=SOFT, linewidth=0.9, linestyle=_DASHES)
        axis.set_yticks(np.arange(len(rows)), [name for name, _ in rows])
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.margins(x=0.05)
    return png.getvalue()


def scatter(
    points: Mapping[str, tuple[float, Estimate | Rate]], *, label: str, synthetic: bool, frontier: Sequence[str]
) -> bytes:
    """The AUC of each model against what it costs; the line joins those that nothing cheaper beats."""
    require_matplotlib()
    from matplotlib.ticker import LogLocator, NullLocator

    png = io.BytesIO()
    with _plane(title="", x=label, y="AUC", synthetic=synthetic, png=png, width_in=_WIDTH_IN) as axis:
        line = sorted((points[name][0], points[name][1].value) for name in frontier)
        axis.plot([x for x, _ in line], [auc for _, auc in line], color=LINE, linewidth=4, solid_capstyle="round")
        for name, (x, auc) in points.items():
            colour = BLUE if name in frontier else GREY
            axis.plot([x, x], [auc.low, auc.high], color=colour, linewidth=1.2, alpha=0.6)
            axis.plot(x, auc.value, "o", color=colour, markersize=5)
            axis.annotate(name, (x, auc.value), (6, 3), textcoords="offset points", size=7.5)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axis.xaxis.set_major_formatter(lambda x, _: f"{x / 1e6:,.10g} M")
        axis.xaxis.set_minor_locator(NullLocator())
        axis.margins(x=0.2, y=0.15)
    return png.getvalue()


def _mark(axis: Any, marks: Mapping[str, tuple[float, float]], *, offsets: Sequence[tuple[int, int]]) -> None:
    for (name, (x, y)), offset in zip(marks.items(), offsets, strict=False):
        axis.plot(x, y, "o", color=ORANGE, markersize=5, zorder=3)
        axis.annotate(name, (x, y), offset, textcoords="offset points", color=INK, size=7.5)


def _unit_square(axis: Any) -> None:
    axis.set_xlim(-0.01, 1.01)
    axis.set_ylim(-0.01, 1.01)


def _name_probabilities(axis: Any, low: float, high: float) -> None:
    """Ticks on an axis of log-odds."""
    for places in _PROBABILITIES:
        shown = [(logit(p), f"{100 * p:.3g} %") for p in places if low <= logit(p) <= high]
        if len(shown) >= 3:
            break
    axis.set_xticks([at for at, _ in shown], [text for _, text in shown])


def _in_per_cent(axis: Any) -> None:
    """Both axes are shares."""
    for one in (axis.xaxis, axis.yaxis):
        one.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
