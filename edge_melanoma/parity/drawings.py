"""The plots of a parity page: what moved, by how much, where it turned decisions round, what probabilities mean now."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from edge_melanoma.decision import logit, probability_of
from edge_melanoma.metrics import Bin, Rate, grouped_wilson, reliability
from edge_melanoma.metrics.estimate import Floats
from edge_melanoma.parity.scoring import Scored
from edge_melanoma.plots import BLUE, GREY, INK, ORANGE, PINK, SOFT, drawing

PARTS = 10  # tenths of the pictures
_COLOURS = {"before": GREY, "frozen": PINK, "refitted": BLUE}
_DASHES: Any = (0, (4, 3))
_MARKED = (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)  # probabilities on an axis of log-odds


@contextmanager
def _plane(*, title: str, x: str, y: str, synthetic: bool, png: io.BytesIO, height_in: float = 3.7) -> Iterator[Any]:
    """An axis with a grid both ways."""
    with drawing(4.9, height_in, title=title, label=x, synthetic=synthetic, png=png) as axis:
        axis.set_ylabel(y)
        axis.grid(True, axis="both")
        axis.tick_params(labelcolor=SOFT)
        yield axis


def before_and_after(before: Scored, after: Scored, *, title: str, synthetic: bool) -> bytes:
    """The score of every picture before and after, with the thresholds of both; what changed its answer is ringed."""
    png = io.BytesIO()
    with _plane(
        title=title, x="probability before", y="probability after", synthetic=synthetic, png=png, height_in=4.4
    ) as axis:
        low, high = _limits(np.concatenate([before.score, after.score]))
        axis.plot([low, high], [low, high], color=SOFT, linewidth=0.8)
        _draw_pictures(axis, before, after, after.score)
        _draw_thresholds(axis, before, low, high)
        for name, p in after.thresholds.items():
            if low < logit(p) < high:
                axis.axhline(logit(p), color=INK, linewidth=0.8, linestyle=_DASHES)
                _name(axis, name, (0.995, logit(p)), ("axes fraction", "data"), align="right")
        axis.set_xlim(low, high)
        axis.set_ylim(low, high)
        axis.set_xticks(*_ticks(low, high))
        axis.set_yticks(*_ticks(low, high))
        axis.legend(loc="upper left", handletextpad=0.3, markerscale=1.8)
    return png.getvalue()


def shifts(before: Scored, after: Scored, *, title: str, synthetic: bool) -> bytes:
    """How far each score moved, over where it was: what is too small to see beside the score itself."""
    png = io.BytesIO()
    moved = after.score - before.score
    with _plane(title=title, x="probability before", y="change of the log-odds", synthetic=synthetic, png=png) as axis:
        low, high = _limits(before.score)
        axis.axhline(0, color=SOFT, linewidth=0.8)
        _draw_pictures(axis, before, after, moved)
        _draw_thresholds(axis, before, low, high)
        axis.set_xlim(low, high)
        axis.set_xticks(*_ticks(low, high))
        axis.margins(y=0.2)
        axis.legend(loc="upper left", handletextpad=0.3, markerscale=1.8, ncols=3, columnspacing=1)
    return png.getvalue()


def probability_changes(before: Scored, views: Mapping[str, Scored], *, limit: float, synthetic: bool) -> bytes:
    """How many pictures move by more than a given probability."""
    png = io.BytesIO()
    with _plane(
        title="How far probabilities move", x="change of the probability, up or down",
        y="share of pictures that move further", synthetic=synthetic, png=png,
    ) as axis:  # fmt: skip
        furthest = limit
        for name, after in views.items():
            moved = np.sort(np.abs(after.p - before.p))
            further = 1 - np.arange(1, len(moved) + 1) / len(moved)
            axis.plot(moved, further, color=_COLOURS[name], linewidth=1.6, label=name)
            furthest = max(furthest, float(moved[-1]))
        axis.axhline(0.01, color=SOFT, linewidth=0.8, linestyle=_DASHES)
        axis.axvline(limit, color=SOFT, linewidth=0.8, linestyle=_DASHES)
        _name(axis, "one picture in a hundred", (0.94, 0.01), ("axes fraction", "data"), align="right")
        axis.set_yscale("symlog", linthresh=0.01, linscale=0.6)
        axis.set_yticks([0, 0.01, 0.1, 1], ["0", "1 %", "10 %", "100 %"])
        axis.set_xlim(-0.02 * furthest, 1.05 * furthest)
        axis.set_ylim(0, 1.2)
        axis.legend(loc="upper right")
    return png.getvalue()


def flips_by_distance(before: Scored, views: Mapping[str, Scored], *, level: float, synthetic: bool) -> bytes:
    """The share of changed decisions in tenths of the pictures, from the nearest to a threshold to the farthest."""
    png = io.BytesIO()
    distance = before.distance("refer", "low")
    tenth = np.argsort(np.argsort(distance, kind="stable"), kind="stable") * PARTS // len(distance)
    with _plane(
        title="Where decisions change", x="tenths of the pictures, by distance of the score from a threshold",
        y="changed decisions", synthetic=synthetic, png=png,
    ) as axis:  # fmt: skip
        for name, after in views.items():
            side = -0.12 if name == "frozen" else 0.12
            changed = before.decision != after.decision
            for place in np.unique(tenth):
                here = tenth == place
                rate = grouped_wilson(changed[here], before.rows.groups[here], level=level)
                _whisker(axis, float(place) + 1 + side, rate, _COLOURS[name], name if place == tenth.min() else "")
        axis.set_xticks(range(1, PARTS + 1), ["nearest", *map(str, range(2, PARTS)), "farthest"])
        axis.set_ylim(bottom=0)
        _in_per_cent(axis.yaxis)
        axis.legend(loc="upper right")
    return png.getvalue()


def reliability_before_and_after(sides: Mapping[str, Scored], *, level: float, synthetic: bool) -> bytes:
    """What was said and what was observed, of each side."""
    png = io.BytesIO()
    bins: dict[str, Sequence[Bin]] = {
        name: reliability(
            side.rows.positive, probability_of(side.calibrated), side.rows.groups, bins=PARTS, level=level
        )
        for name, side in sides.items()
    }
    top = min(1.0, 1.05 * max(max(b.mean_probability, b.observed.high) for found in bins.values() for b in found))
    with _plane(title="Reliability", x="said", y="observed", synthetic=synthetic, png=png) as axis:
        axis.plot([0, top], [0, top], color=SOFT, linewidth=0.8, linestyle=_DASHES)
        for name, found in bins.items():
            for i, one in enumerate(found):
                _whisker(axis, one.mean_probability, one.observed, _COLOURS[name], "" if i else name)
        axis.set_xlim(-0.02 * top, top)
        axis.set_ylim(-0.02 * top, top)
        _in_per_cent(axis.xaxis)
        _in_per_cent(axis.yaxis)
        axis.legend(loc="upper left")
    return png.getvalue()


def _draw_pictures(axis: Any, before: Scored, after: Scored, y: Floats) -> None:
    positive, flipped = before.rows.positive, before.decision != after.decision
    for of, colour, name in ((~positive, GREY, "negative"), (positive, ORANGE, "positive")):
        axis.plot(before.score[of], y[of], ".", color=colour, markersize=3.5, alpha=0.55, label=name)
    ring = {"markersize": 4.5, "markerfacecolor": "none", "markeredgewidth": 0.9, "color": BLUE}
    axis.plot(before.score[flipped], y[flipped], "o", **ring, label=f"changed its answer ({flipped.sum():,})")


def _draw_thresholds(axis: Any, before: Scored, low: float, high: float) -> None:
    for name, p in before.thresholds.items():
        if low < logit(p) < high:
            axis.axvline(logit(p), color=INK, linewidth=0.8, linestyle=_DASHES)
            # `low` lies left of `refer`, and its name left of its line: the two may be close
            _name(axis, name, (logit(p), 0.01), ("data", "axes fraction"), align="right" if name == "low" else "left")


def _whisker(axis: Any, x: float, rate: Rate, colour: str, label: str) -> None:
    axis.plot([x, x], [rate.low, rate.high], color=colour, linewidth=1.2, alpha=0.55)
    axis.plot(x, rate.value, "o", color=colour, markersize=4, label=label or "_")


def _limits(scores: Floats) -> tuple[float, float]:
    low, high = np.quantile(scores, [0.0005, 0.9995])
    edge = 0.04 * (high - low) + 0.1
    return float(low - edge), float(high + edge)


def _ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Places in log-odds, and what is written there."""
    shown = [p for p in _MARKED if low <= logit(p) <= high]
    return [logit(p) for p in shown], [f"{100 * p:g} %" for p in shown]


def _in_per_cent(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")


def _name(axis: Any, text: str, at: tuple[float, float], xy: tuple[str, str], *, align: str = "left") -> None:
    offset = (3 if align == "left" else -3, 1)
    axis.annotate(text, at, offset, xycoords=xy, textcoords="offset points", va="bottom", ha=align, size=7.5)
