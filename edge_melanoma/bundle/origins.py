"""What a model came from: its task, its data, its training and its quantisation, as a bundle records them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from edge_melanoma.bundle.strict import Free
from edge_melanoma.errors import RecipeError
from edge_melanoma.labels import LABELS_VERSION, AkPolicy, Task, labels_sha256
from edge_melanoma.labels import task as task_of
from edge_melanoma.licences import NOT_STATED

SYNTHETIC = "synthetic"  # a modality, and a remark in a licence
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HOST_PATH = re.compile(r"/[^/\s]|~[\w.-]*/|[A-Za-z]:[\\/]|\\\\|file:")


@dataclass(frozen=True, kw_only=True)
class TaskRecord:
    """A task as it was when the model was trained; a bundle carries its own, so that labels may change later."""

    name: str
    classes: tuple[str, ...]
    class_of: Mapping[str, int]
    ak_policy: AkPolicy
    labels_version: int
    labels_sha256: str

    def __post_init__(self) -> None:
        require_sha256("labels_sha256", self.labels_sha256)
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise RecipeError(f"classes {', '.join(self.classes)}: two or more are needed, none twice")
        if not all(name.isprintable() and name.strip() == name != "" for name in self.classes):
            raise RecipeError(f"classes {self.classes!r}: each must be one line of text")
        places = range(len(self.classes))
        if set(self.class_of.values()) != set(places):
            raise RecipeError(f"class_of must lead to every class, 0 to {len(self.classes) - 1}, and to none other")
        if self.labels_sha256 == labels_sha256():
            today = task_of(self.name, ak_policy=self.ak_policy)
            if (today.classes, dict(today.class_of)) != (self.classes, dict(self.class_of)):
                raise RecipeError(f"task {self.name!r}: differs from the labels that it names by their hash")

    @classmethod
    def of(cls, task: Task) -> TaskRecord:
        """The record of a task of this package."""
        return cls(
            name=task.name,
            classes=task.classes,
            class_of=dict(task.class_of),
            ak_policy=task.ak_policy,
            labels_version=LABELS_VERSION,
            labels_sha256=labels_sha256(),
        )

    def task(self) -> Task:
        """The task, as it was."""
        class_of = MappingProxyType(dict(self.class_of))
        return Task(name=self.name, classes=self.classes, class_of=class_of, ak_policy=self.ak_policy)


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """One data set that pictures came from."""

    name: str
    pictures: int
    modalities: tuple[str, ...]
    licences: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.licences:
            raise RecipeError(f"source {self.name!r}: names no licence; say {NOT_STATED!r} where it is not known")

    @property
    def is_synthetic(self) -> bool:
        """Do pictures of it come from a generator?"""
        return any(SYNTHETIC in text.lower() for text in (*self.modalities, *self.licences))


@dataclass(frozen=True, kw_only=True)
class DataIdentity:
    """Which pictures the model was made with."""

    index_sha256: str
    sources: tuple[DataSource, ...]
    pictures: Mapping[str, int]  # by part: train, val, calibration, test
    synthetic: bool

    def __post_init__(self) -> None:
        require_sha256("index_sha256", self.index_sha256)
        if not self.sources:
            raise RecipeError("data: names no source; a model is made with pictures of at least one")
        made_up = [source.name for source in self.sources if source.is_synthetic]
        if made_up and not self.synthetic:
            raise RecipeError(f"data: {', '.join(made_up)} is synthetic, so the model is: synthetic must be true")

    @property
    def licences(self) -> tuple[str, ...]:
        """Every licence of every source."""
        return tuple(sorted({text for source in self.sources for text in source.licences}))


def sources_of(rows: Iterable[tuple[str, str | None, str | None]]) -> tuple[DataSource, ...]:
    """The sources of an index' rows, each given as its source, modality and licence."""
    found: dict[str, list[tuple[str | None, str | None]]] = {}
    for source, modality, licence in rows:
        found.setdefault(source, []).append((modality, licence))
    return tuple(
        DataSource(
            name=name,
            pictures=len(each),
            modalities=tuple(sorted({modality for modality, _ in each if modality})),
            licences=tuple(sorted({licence or NOT_STATED for _, licence in each})),
        )
        for name, each in sorted(found.items())
    )


@dataclass(frozen=True, kw_only=True)
class RunIdentity:
    """The training: its recipe with every default spelled out, and the weights it ended with."""

    recipe: Free
    recipe_sha256: str
    weights_sha256: str  # of the finished weights file
    seed: int
    versions: Mapping[str, str | None]

    def __post_init__(self) -> None:
        require_sha256("recipe_sha256", self.recipe_sha256)
        require_sha256("weights_sha256", self.weights_sha256)


@dataclass(frozen=True, kw_only=True)
class Quantisation:
    """How the float model became this one."""

    rung: str  # of the ladder that convert climbs
    recipe: Free
    calibration_ids: tuple[str, ...]  # of the pictures that set the ranges, in their order; none for float formats
    seed: int

    def __post_init__(self) -> None:
        if not self.rung.strip():
            raise RecipeError("quantisation: its rung has no name")
        if len(set(self.calibration_ids)) != len(self.calibration_ids):
            raise RecipeError("quantisation: a calibration picture is named twice")


def require_sha256(what: str, text: str) -> None:
    """Refuse what is no SHA-256 in lower-case hexadecimal."""
    if not isinstance(text, str) or not _SHA256.fullmatch(text):
        raise RecipeError(f"{what} is {text!r}; a SHA-256 in hexadecimal, 64 small letters and digits, is needed")


def is_host_path(text: str) -> bool:
    """Is it the path of something on one machine?"""
    return _HOST_PATH.match(text) is not None


def portable(value: Any) -> Any:
    """JSON with every path of this machine reduced to its last name, as a manifest needs it."""
    if isinstance(value, str):
        return re.split(r"[\\/]", value.rstrip("\\/"))[-1] if is_host_path(value) else value
    if isinstance(value, Mapping):
        return {key: portable(item) for key, item in value.items()}
    return [portable(item) for item in value] if isinstance(value, list | tuple) else value
