"""A bundle, opened: everything that is asked of the file before an interpreter sees a byte of it.

The checks come in an order in which each may rely on those before it. `open_bundle` wants them all; `verify` lists
them one by one, which is why they are a generator.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_melanoma.bundle.archive import has_archive, read_archive
from edge_melanoma.bundle.golden import MAX_GOLDEN_BYTES, Golden, read_golden
from edge_melanoma.bundle.manifest import GOLDEN, LABELS, MODEL, Manifest, ModelFacts, Part, read_manifest
from edge_melanoma.bundle.tensors import ends
from edge_melanoma.decision import DecisionRule
from edge_melanoma.errors import ArtifactError
from edge_melanoma.labels import Task
from edge_melanoma.preprocess import PreprocessContract
from edge_melanoma.tflite.metadata import metadata_of
from edge_melanoma.tflite.model import TfliteModel, read_model
from edge_melanoma.tflite.parts import quoted
from edge_melanoma.tflite.rules import problems

MANIFEST = "manifest.json"
MAX_BUNDLE_BYTES = 256 << 20
LIMITS = {LABELS: 1 << 16, GOLDEN: MAX_GOLDEN_BYTES, MANIFEST: 4 << 20}  # bytes; the order of the entries
CHECKS = (
    *("file", "archive", "manifest", "hashes", "labels"),
    *("structure", "ends", "operators", "metadata", "golden vectors"),
)
_SHOWN = 3  # problems that a message names

Passed = tuple[str, str]  # a name of CHECKS, and what was found


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """One model with everything that is needed to use it, found whole and consistent."""

    name: str  # of the file, for messages
    manifest: Manifest
    model: bytes = field(repr=False)  # the .tflite alone
    labels: tuple[str, ...]
    golden: Golden = field(repr=False)
    sha256: str  # of the whole file
    size_bytes: int
    path: Path | None = None  # None where it was read from bytes

    @property
    def contract(self) -> PreprocessContract:
        return self.manifest.preprocessing

    @property
    def rule(self) -> DecisionRule:
        return self.manifest.rule

    @property
    def task(self) -> Task:
        return self.manifest.task.task()


def open_bundle(path: Path) -> Bundle:
    """The bundle in a file, after all checks that need no interpreter."""
    return _finished(opening(path))


def read_bundle(data: bytes, *, name: str) -> Bundle:
    """The bundle in these bytes."""
    return _finished(examining(data, name=name))


def _finished(checks: Generator[Passed, None, Bundle]) -> Bundle:
    while True:
        try:
            next(checks)
        except StopIteration as end:
            bundle: Bundle = end.value
            return bundle


def opening(path: Path) -> Generator[Passed, None, Bundle]:
    """Check by check, each told when it has passed; ArtifactError is the next one's."""
    data = read_whole(path)
    bundle = yield from examining(data, name=str(path))
    return replace(bundle, path=path)


def examining(data: bytes, *, name: str) -> Generator[Passed, None, Bundle]:
    """The same for bytes."""
    sha256 = hashlib.sha256(data).hexdigest()
    yield "file", f"{len(data):,} bytes, SHA-256 {sha256}"
    if not has_archive(data):
        _refuse_what_is_no_bundle(data, name)
    archive = read_archive(data, limits=LIMITS, name=name)
    model = data[: archive.start]
    yield "archive", f"behind {len(model):,} bytes of model: {', '.join(archive.entries)}"
    manifest = read_manifest(archive.entries[MANIFEST], name=name)
    yield "manifest", f"schema version {manifest.schema_version}, complete and unedited"
    contents = {MODEL: model, LABELS: archive.entries[LABELS], GOLDEN: archive.entries[GOLDEN]}
    _check_parts(contents, manifest, name)
    yield "hashes", f"{', '.join(contents)} are those that the manifest names"
    labels = _labels(contents[LABELS], manifest, name)
    yield "labels", ", ".join(labels)
    yield from _examining_model(read_model(model, name=name), manifest)
    golden = read_golden(contents[GOLDEN], name=f"{name}, {GOLDEN}")
    _check_golden(golden, manifest, name)
    yield "golden vectors", f"{len(golden)} pictures with outputs, logits and probabilities"
    return Bundle(
        name=name, manifest=manifest, model=model, labels=labels, golden=golden, sha256=sha256, size_bytes=len(data)
    )


def _examining_model(model: TfliteModel, manifest: Manifest) -> Generator[Passed, None, None]:
    yield "structure", f"{len(model.operators)} operators, {len(model.tensors)} tensors, all inside the file"
    given, returned = ends(model)
    for what, found, stated in (("input", given, manifest.model.input), ("output", returned, manifest.model.output)):
        if found != stated:
            raise ArtifactError(f"{model.name}: its {what} is {found}; the manifest says {stated}")
    yield "ends", f"{given} → {returned}"
    _check_rules(model, manifest.model)
    yield "operators", f"those that {manifest.model.format} models may have"
    _check_metadata(model)
    yield "metadata", f"for other tools: raw RGB in, labels in {LABELS}"


def _check_rules(model: TfliteModel, facts: ModelFacts) -> None:
    found = problems(model, facts.format, allow_float=facts.float_layers)
    if found:
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise ArtifactError(f"{model.name}: is no {facts.format} model: {'; '.join(found[:_SHOWN])}{more}")


def _check_metadata(model: TfliteModel) -> None:
    """Do other tools, which read only this, use the model as we do?"""
    said = metadata_of(model)
    if said is None:
        raise ArtifactError(f"{model.name}: carries no TFLite metadata, which other tools read")
    _, height, width, _ = model.inputs[0].shape
    wrong = [
        f"{what} {found}; {right} is right"
        for what, found, right in (
            ("labels in", None if said.output.label_file is None else quoted(said.output.label_file), quoted(LABELS)),
            ("colours", said.input.colour_space, "RGB"),
            ("mean", set(said.input.mean), {0.0}),
            ("std", set(said.input.std), {1.0}),
            ("size", (said.input.width or width, said.input.height or height), (width, height)),
        )
        if found != right
    ]
    if wrong:
        raise ArtifactError(f"{model.name}: its TFLite metadata say {'; '.join(wrong)}")


def read_whole(path: Path) -> bytes:
    """A file's bytes, if it can be a model at all: its kind and size are looked at before it is read."""
    try:
        facts = path.stat()
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: cannot be read ({_reason(error)})") from error
    if stat.S_ISDIR(facts.st_mode):
        raise ArtifactError(f"{path}: is a folder; a bundle is one file, which `edge-melanoma convert` writes")
    if not stat.S_ISREG(facts.st_mode):
        raise ArtifactError(f"{path}: is no file but a device, pipe or socket; a bundle is one file")
    if not facts.st_size:
        raise ArtifactError(f"{path}: is empty; get the file again")
    if facts.st_size > MAX_BUNDLE_BYTES:
        raise ArtifactError(f"{path}: has {facts.st_size:,} bytes; at most {MAX_BUNDLE_BYTES:,} are read")
    try:
        with path.open("rb") as stream:
            data = stream.read(facts.st_size + 1)  # no more: the room for it is taken at once
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({_reason(error)})") from error
    if len(data) != facts.st_size:
        raise ArtifactError(f"{path}: changed while it was read; wait until it is written whole")
    return data


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _refuse_what_is_no_bundle(data: bytes, name: str) -> None:
    """Say what a file is that does not end as a bundle does."""
    if data[4:8] != b"TFL3":
        raise ArtifactError(
            f"{name}: is neither a bundle nor a .tflite; a bundle is what `edge-melanoma convert` writes"
        )
    if b"PK\x03\x04" in data and LABELS.encode() in data:
        raise ArtifactError(f"{name}: is cut off, or has bytes behind its archive; get the file again")
    read_model(data, name=name)
    raise ArtifactError(f"{name}: is a plain .tflite; a bundle is what `edge-melanoma convert` writes")


def _check_parts(contents: Mapping[str, bytes], manifest: Manifest, name: str) -> None:
    for part, content in contents.items():
        stated, found = manifest.parts[part], Part.of(content)
        if found != stated:
            what = "the model part" if part == MODEL else part
            raise ArtifactError(
                f"{name}: {what} is not what the manifest names: {found.size_bytes:,} bytes, {found.sha256[:12]}…, "
                f"instead of {stated.size_bytes:,}, {stated.sha256[:12]}…"
            )


def labels_bytes(classes: tuple[str, ...]) -> bytes:
    """The content of labels.txt: a class a line, in the order of the logits."""
    return "".join(f"{name}\n" for name in classes).encode("utf-8")


def _labels(data: bytes, manifest: Manifest, name: str) -> tuple[str, ...]:
    if data != labels_bytes(manifest.task.classes):
        raise ArtifactError(
            f"{name}: {LABELS} does not hold the classes of its task: {', '.join(manifest.task.classes)}"
        )
    return manifest.task.classes


def _check_golden(golden: Golden, manifest: Manifest, name: str) -> None:
    golden.check(manifest.model.input, manifest.model.output, manifest.rule, name=f"{name}, {GOLDEN}")
    if len(golden) != manifest.golden.pictures:
        raise ArtifactError(
            f"{name}: {GOLDEN} has {len(golden)} pictures; the manifest says {manifest.golden.pictures}"
        )
