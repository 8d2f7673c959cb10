"""An index as the command line names it, with the roots that were moved."""

from __future__ import annotations

from pathlib import Path

from edge_melanoma.data.index import Index, read_index
from edge_melanoma.errors import RecipeError


def open_index(path: Path, roots: list[str] | None) -> Index:
    """Read the index; `roots` are the SOURCE=DIR pairs of --root."""
    moved = {}
    for text in roots or []:
        source, _, folder = text.partition("=")
        if not source or not folder:
            raise RecipeError(f"--root {text}: give it as SOURCE=DIR, for example --root ham10000=/data/ham10000")
        moved[source] = Path(folder)
    index = read_index(path, roots=moved)
    unknown = sorted(set(moved) - set(index.table["source"].unique()))
    if unknown:
        known = ", ".join(index.table["source"].unique().drop_nulls().sort())
        raise RecipeError(f"--root {unknown[0]}=…: the index has no such source; it has: {known}")
    return index
