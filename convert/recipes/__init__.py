"""The recipes that come with the package, by name: `edge-melanoma convert --recipe NAME`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_melanoma.recipe import find_in, make_recipe, nested

from ..recipe import ConvertRecipe

FOLDER = Path(__file__).parent


def find_recipe(named: str | None, *, changes: Mapping[str, Any]) -> ConvertRecipe:
    """A recipe of the package by its name, a file, or the defaults; with changes by dotted keys."""
    if named is None:
        return make_recipe(nested(changes), ConvertRecipe)
    return find_in(FOLDER, named, ConvertRecipe, changes=changes)
