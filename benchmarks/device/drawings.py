"""The few plots of a report, as SVG that we write: a Raspberry Pi without matplotlib makes the whole page.

Colours are the page's own (`currentColor` and its variables), so that they follow a dark screen and print.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

WIDTH, LABEL, ROW = 720, 250, 30
SHADES = (1.0, 0.75, 0.55, 0.4, 0.3, 0.22, 0.15)
TRACE_HEIGHT = 170
FARTHEST = 2.0  # longest bars away: a mark beyond is drawn there, so that one outlier does not flatten all bars


def bars(rows: Sequence[tuple[str, float, float | None, str]], *, title: str) -> str:
    """Horizontal bars: (label, length, a mark further out or None, text behind the bar)."""
    longest = max((length for _, length, _, _ in rows), default=1.0) or 1.0
    top = min(max((mark or length for _, length, mark, _ in rows), default=1.0), FARTHEST * longest)
    scale = (WIDTH - LABEL - 190) / max(top, longest)
    parts = []
    for place, (label, length, given, told) in enumerate(rows):
        y = place * ROW + 4
        mark = None if given is None else min(given, top)
        end = LABEL + max(length, mark or 0.0) * scale
        parts.append(_text(LABEL - 8, y + 15, label, anchor="end"))
        parts.append(_box(LABEL, y, max(length * scale, 1), 20, 0.85))
        if mark is not None:
            x = LABEL + mark * scale
            parts.append(_line(LABEL + length * scale, y + 10, x, y + 10) + _line(x, y + 4, x, y + 16))
        parts.append(_text(end + 6, y + 15, told))
    return _svg(parts, height=len(rows) * ROW + 8, title=title)


def stacks(rows: Sequence[tuple[str, Sequence[float], str]], *, parts_named: Sequence[str], title: str) -> str:
    """Horizontal bars of several parts each, with a legend."""
    top = max((sum(lengths) for _, lengths, _ in rows), default=1.0) or 1.0
    scale = (WIDTH - LABEL - 140) / top
    drawn = []
    for place, (label, lengths, told) in enumerate(rows):
        y, x = place * ROW + 4, float(LABEL)
        drawn.append(_text(LABEL - 8, y + 15, label, anchor="end"))
        for shade, (name, length) in enumerate(zip(parts_named, lengths, strict=True)):
            drawn.append(_box(x, y, length * scale, 20, SHADES[shade % len(SHADES)], f"{name}: {length:.3g} ms"))
            x += length * scale
        drawn.append(_text(x + 6, y + 15, told))
    below = len(rows) * ROW + 14
    for place, name in enumerate(parts_named):
        x, y = 8 + place % 3 * 232, below + place // 3 * 20
        drawn.append(_box(x, y, 12, 12, SHADES[place % len(SHADES)]) + _text(x + 18, y + 11, name))
    return _svg(drawn, height=below + (len(parts_named) + 2) // 3 * 20 + 6, title=title)


def traces(runs: Sequence[Sequence[float]], *, title: str) -> str:
    """Latency along each run, one line a run, one after the other."""
    values = [value for run in runs for value in run]
    top = max(values, default=1.0) * 1.1 or 1.0
    left, height = 90, TRACE_HEIGHT
    step = (WIDTH - left - 10) / max(len(values), 1)
    parts = [_line(left, 5, left, height), _line(left, height, WIDTH - 10, height)]
    parts += [_text(left - 6, height + 4, "0", anchor="end"), _text(left - 6, 14, f"{top:.3g} ms", anchor="end")]
    at = 0
    for number, run in enumerate(runs, start=1):
        points = " ".join(
            f"{left + (at + i + 0.5) * step:.1f},{height - value / top * (height - 8):.1f}"
            for i, value in enumerate(run)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="var(--accent)" stroke-width="1.5"/>')
        parts.append(_text(left + (at + len(run) / 2) * step, height + 18, f"run {number}", anchor="middle"))
        at += len(run)
    return _svg(parts, height=height + 26, title=title)


def _svg(parts: Sequence[str], *, height: float, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" role="img" '
        f'aria-label="{html.escape(title, quote=True)}" font-size="13" style="max-width:100%;height:auto">'
        f"<title>{html.escape(title)}</title>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    short = text if len(text) <= 38 else f"{text[:37]}…"
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">{html.escape(short)}</text>'


def _box(x: float, y: float, width: float, height: float, shade: float, told: str = "") -> str:
    inside = f"<title>{html.escape(told)}</title>" if told else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" fill="var(--accent)" '
        f'fill-opacity="{shade:g}">{inside}</rect>'
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor"/>'
