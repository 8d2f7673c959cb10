"""The recipes that come with the package, by name: `edge-melanoma train NAME`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_melanoma.errors import RecipeError
from edge_melanoma.recipe import read_recipe

from ..recipe import TrainRecipe

FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """The recipes by name."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def find_recipe(named: str, *, changes: Mapping[str, Any] | None = None) -> TrainRecipe:
    """A recipe of the package by its name, or a file."""
    path = Path(named)
    if path.suffix == ".toml":
        return read_recipe(path, TrainRecipe, changes=changes)
    if named not in names():
        near = difflib.get_close_matches(named, names(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names())}; or give a .toml file"
        raise RecipeError(f"recipe {named!r} is unknown; {hint}")
    return read_recipe(FOLDER / f"{named}.toml", TrainRecipe, changes=changes)
