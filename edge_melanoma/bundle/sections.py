"""What cards are made of: headings with rows below them, and values as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_melanoma.metrics.estimate import shown, span

Row = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with rows below it; with `columns`, a table."""

    title: str
    rows: tuple[Row, ...]
    columns: Row = ()


def estimate(item: Mapping[str, Any], key: str) -> str:
    """A value with its interval, as far as they are there."""
    value, low, high = (item.get(name) for name in (key, "low", "high"))
    if not isinstance(value, int | float) or not isinstance(low, int | float) or not isinstance(high, int | float):
        return plain(value)
    return f"{shown(value)} ({span(low, high)})"


def plain(value: Any) -> str:
    """A value of any kind as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return shown(value)
    return f"{value:,}" if isinstance(value, int) else "–" if value is None else str(value)
