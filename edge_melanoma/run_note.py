"""What later stages read in the note of a run: all there and of its kind, or said before anything is done.

A note may have been written by another version, or edited; what is used of it last should not fail last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from edge_melanoma.bundle.strict import fields_from_json
from edge_melanoma.errors import ArtifactError
from edge_melanoma.output import ORIGIN_FILE


@dataclass(frozen=True, kw_only=True)
class _Note:
    """The keys, beside those that are read by their own kinds."""

    index: str
    index_sha256: str
    fold: int | None
    synthetic: bool
    task: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    prior_train: tuple[float, ...]
    recipe: Mapping[str, Any]
    recipe_sha256: str
    versions: Mapping[str, str | None]
    model: Mapping[str, Any]
    weights: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Within:
    """The keys within its sections."""

    seed: int
    backbone: str
    parameters: int
    macs: int
    source: str


def check_note(folder: Path, about: Mapping[str, Any]) -> None:
    """Raise ArtifactError where the note of a run lacks something, or has something else in its place."""
    where = str(folder / ORIGIN_FILE)
    try:
        note = fields_from_json(_Note, _part(about, _Note), where)
        within = {**note.recipe, **note.model, **note.weights}
        fields_from_json(_Within, _part(within, _Within), where)
    except ArtifactError as error:
        raise ArtifactError(f"{error}; the note of a run is not to be edited, so train again") from error


def _part(values: Mapping[str, Any], kind: type) -> dict[str, Any]:
    return {field.name: values[field.name] for field in fields(kind) if field.name in values}
