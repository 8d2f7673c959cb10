"""A bundle, written: one file, whole or not at all, and only one that opens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_melanoma.bundle.archive import append_archive, has_archive, read_archive
from edge_melanoma.bundle.golden import Golden
from edge_melanoma.bundle.manifest import GOLDEN, LABELS, MODEL, Manifest
from edge_melanoma.bundle.reading import (
    LIMITS,
    MANIFEST,
    MAX_BUNDLE_BYTES,
    Bundle,
    labels_bytes,
    open_bundle,
    read_bundle,
    read_whole,
)
from edge_melanoma.bundle.strict import fields_from_json, fields_to_json
from edge_melanoma.errors import ArtifactError
from edge_melanoma.output import check_writable, write_file


def pack_bundle(*, model: bytes, manifest: Manifest, golden: Golden, name: str = "bundle") -> bytes:
    """The bytes of a bundle; equal arguments give equal bytes. `name` is for messages."""
    if has_archive(model):
        raise ArtifactError(f"{name}: its model has an archive already; the .tflite alone is needed")
    stated = fields_from_json(Manifest, fields_to_json(manifest), "manifest")  # types, as a reader will want them
    contents = {MODEL: model, LABELS: labels_bytes(stated.task.classes), GOLDEN: golden.to_bytes()}
    entries = {LABELS: contents[LABELS], GOLDEN: contents[GOLDEN], MANIFEST: stated.with_parts(contents).to_bytes()}
    for entry, limit in LIMITS.items():
        if len(entries[entry]) > limit:
            raise ArtifactError(f"{name}: {entry} has {len(entries[entry]):,} bytes; at most {limit:,} are read")
    data = append_archive(model, entries)
    if len(data) > MAX_BUNDLE_BYTES:
        raise ArtifactError(f"{name}: has {len(data):,} bytes; at most {MAX_BUNDLE_BYTES:,} are read")
    read_bundle(data, name=name)  # what is written can be opened
    return data


def write_bundle(
    path: Path,
    *,
    model: bytes,
    manifest: Manifest,
    golden: Golden,
    force: bool = False,
    together_with: Callable[[], object] = lambda: None,
) -> Bundle:
    """Write a bundle and open it as everybody else will.

    `together_with` writes what belongs to it, when the bundle is on the disk and not yet in its place: both or neither.
    """
    check_vacant(path, force=force)
    data = pack_bundle(model=model, manifest=manifest, golden=golden, name=str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written ({error.strerror}); name a place you may write to") from error
    draft = path.with_name(f".{path.name}.draft")
    try:
        write_file(draft, data)
        together_with()
        draft.replace(path)
    except ArtifactError as error:
        raise ArtifactError(str(error).replace(str(draft), str(path))) from error
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written ({error.strerror}); name a place you may write to") from error
    finally:
        draft.unlink(missing_ok=True)
    return open_bundle(path)


def check_vacant(path: Path, *, force: bool) -> None:
    """Fail before the work, not after it: is `path` free, or a bundle that may be replaced, and can it be written?"""
    check_writable(path)
    if not path.exists():
        if path.is_symlink():
            raise ArtifactError(f"{path}: is a broken symbolic link; name a file that does not exist yet")
        return
    if not path.is_file():
        raise ArtifactError(f"{path}: is no file; name a file that does not exist yet")
    if not force:
        raise ArtifactError(f"{path}: exists already; give --force to replace it, or name another file")
    try:
        read_archive(read_whole(path), limits=LIMITS, name=str(path))  # of this or another version of the tool
    except ArtifactError as error:
        raise ArtifactError(f"{path}: is no bundle of this tool, so --force does not replace it; delete it") from error
