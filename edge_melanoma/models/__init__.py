"""The models that come with the package, by name: `edge-melanoma predict photo.jpg` asks the first of them.

They were trained on HAM10000 (CC BY-NC 4.0) by `make reference`, so they are for non-commercial use; beside each
bundle lies its card. The package also works without them: delete the files, and every verb asks for --model.
"""

from __future__ import annotations

from pathlib import Path

from edge_melanoma.errors import ArtifactError, RecipeError

FOLDER = Path(__file__).parent
NAMES = ("reference", "reference-small")  # the first is asked where nobody is named


def shipped() -> dict[str, Path]:
    """Name -> bundle, of those that are there."""
    return {name: path for name in NAMES if (path := FOLDER / f"{name}.tflite").is_file()}


def find_bundle(named: str | Path | None) -> Path:
    """A bundle by its path, or one of the package by its name; by nothing, the package's first."""
    there = shipped()
    if named is None:
        if not there:
            raise RecipeError(
                "no model: this installation came without any; --model BUNDLE names one of `edge-melanoma convert`"
            )
        return next(iter(there.values()))
    if str(named) in NAMES and not Path(named).exists():
        if str(named) not in there:
            raise ArtifactError(f"{named}: is not in this installation; name the path of a bundle")
        return there[str(named)]
    return Path(named)


def beside(path: Path) -> Path:
    """What stands in for a path where something is laid beside it: the package's folder is not the user's to fill, so
    a bundle of the package is taken to lie in the working directory."""
    return Path(path.name) if path.absolute().parent == FOLDER else path
