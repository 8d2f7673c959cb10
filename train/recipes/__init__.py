"""The recipes that come with the package, by name: `edge-melanoma train NAME`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_melanoma.recipe import find_in, names_in

from ..recipe import TrainRecipe

FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """The recipes by name."""
    return names_in(FOLDER)


def find_recipe(named: str, *, changes: Mapping[str, Any] | None = None) -> TrainRecipe:
    """A recipe of the package by its name, or a file."""
    return find_in(FOLDER, named, TrainRecipe, changes=changes)
