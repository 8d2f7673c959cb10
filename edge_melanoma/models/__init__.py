"""The models that come with the package, by name: `edge-melanoma predict photo.jpg` asks the first of them.

They were trained on HAM10000 (CC BY-NC 4.0) by `make reference`, so they are for non-commercial use; beside each
bundle lies its card. The package also works without them: delete the files, and every verb asks for --model.
"""

from __future__ import annotations

import os
from pathlib import Path

from edge_melanoma.errors import ArtifactError, RecipeError

FOLDER = Path(__file__).parent
NAMES = ("reference", "reference-small")  # the first is asked where nobody is named


def shipped() -> dict[str, Path]:
    """Name -> bundle, of those that are there."""
    return {name: path for name in NAMES if (path := FOLDER / f"{name}.tflite").is_file()}


def find_bundle(named: str | Path | None) -> Path:
    """A bundle by its path, or one of the package by its name; by nothing, the package's first."""
    if named is None:
        there = shipped()
        if not there:
            raise RecipeError(
                "no model: this installation came without any; --model BUNDLE names one of `edge-melanoma convert`"
            )
        return next(iter(there.values()))
    path = by_name(named)
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises where a name is too long for a file
        raise ArtifactError(f"{named}: does not exist; name the path of a bundle, or one of the package: {in_words()}")
    return path


def by_name(named: str | Path) -> Path:
    """The path of a bundle of the package where that is named and no file is; else what was given."""
    if str(named) not in NAMES or Path(named).exists():
        return Path(named)
    there = shipped()
    if str(named) not in there:
        raise ArtifactError(f"{named}: is not in this installation; name the path of a bundle")
    return there[str(named)]


def name_of(path: Path) -> str:
    """As its user named it: a bundle of the package by its name, anything else by its path."""
    return path.stem if is_of_package(path) else str(path)


def in_words() -> str:
    """The names of those that are there."""
    return ", ".join(shipped()) or "none here"


def is_of_package(path: Path) -> bool:
    """Does it lie in the package's folder, which is not the user's to fill?"""
    return path.absolute().parent == FOLDER


def beside(path: Path) -> Path:
    """The path to lay something beside: a bundle of the package is taken to lie in the working directory."""
    return Path(path.name) if is_of_package(path) else path
