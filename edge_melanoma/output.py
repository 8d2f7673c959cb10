"""Outputs are whole or absent: written beside their place, then renamed, the note of their origin last.

A reader sees the old output or the new one, never half of one. `--force` replaces only what this tool wrote.
"""

from __future__ import annotations

import errno
import json
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_melanoma import __version__
from edge_melanoma.errors import ArtifactError

ORIGIN_FILE = "edge-melanoma.json"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def origin(kind: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """What is written beside every output: kind, version, time and host, then the caller's own facts."""
    return {
        "kind": kind,
        "edge_melanoma": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": {"machine": platform.machine(), "system": platform.system(), "python": platform.python_version()},
        **about,
    }


def read_origin(folder: Path) -> dict[str, Any] | None:
    """The note that this tool left in a folder, or None where it left none."""
    try:
        note = json.loads((folder / ORIGIN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) and "kind" in note else None


def check_writable(path: Path) -> None:
    """Asked by writing beside it: rights say nothing of what a file system takes."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise _refused(path, error) from error


def check_vacant(out: Path, *, kind: str, force: bool) -> None:
    """Fail before the work, not after it: is `out` free, or ours to replace, and can it be written?"""
    check_writable(out)
    if out.is_symlink() and not out.exists():
        raise ArtifactError(f"{out}: is a broken symbolic link; name a folder that does not exist yet")
    if not out.exists():
        return
    if not out.is_dir():
        raise ArtifactError(f"{out}: exists and is a file; name a folder that does not exist yet")
    if not os.access(out, os.R_OK | os.X_OK):
        raise ArtifactError(f"{out}: cannot be read; name a folder that does not exist yet")
    if not any(out.iterdir()):
        return
    if not force:
        raise ArtifactError(f"{out}: exists already; give --force to replace it, or name another folder")
    note = read_origin(out)
    if note is None or note["kind"] != kind:
        found = "was not written by this tool" if note is None else f"holds {note['kind']}"
        raise ArtifactError(f"{out}: {found}, so --force does not replace it; name another folder")


@contextmanager
def new_folder(out: Path, *, kind: str, force: bool = False) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A draft folder that becomes `out` when the block ends well and vanishes when it does not.

    Yields the draft and a dictionary: what the block puts into it is written to the note of origin.
    """
    check_vacant(out, kind=kind, force=force)
    out = out.absolute()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    except OSError as error:
        raise _refused(out, error) from error
    try:
        draft.chmod(0o755)
        about: dict[str, Any] = {}
        yield draft, about
        write_json(draft / ORIGIN_FILE, origin(kind, about))
        _swap(draft, out)
    except (OSError, ArtifactError) as error:
        cause = error.__cause__ if isinstance(error, ArtifactError) else error  # what write_file found, or another
        if isinstance(cause, OSError) and cause.errno in _NO_ROOM:
            raise ArtifactError(f"{out}: the disk is full; nothing was written") from error
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _swap(draft: Path, out: Path) -> None:
    if not out.exists():
        draft.rename(out)
        return
    replaced = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".old", dir=out.parent))
    out.rename(replaced / out.name)
    try:
        draft.rename(out)
    except OSError:
        (replaced / out.name).rename(out)
        raise
    finally:
        shutil.rmtree(replaced, ignore_errors=True)


def write_file(path: Path, content: bytes | str) -> None:
    """Write one file whole: a sibling first, then a rename; where that fails, what was there before stays."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise _refused(path, error) from error
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        draft.unlink(missing_ok=True)


def _refused(path: Path, error: OSError) -> ArtifactError:
    if error.errno in _NO_ROOM:
        return ArtifactError(f"{path}: the disk is full; free some room, then give the command again")
    return ArtifactError(f"{path}: cannot be written ({error.strerror}); name a place you may write to")


def write_json(path: Path, value: Any) -> None:
    """JSON for people and machines: indented, UTF-8, a newline at the end."""
    write_file(path, json_text(value))


def json_text(value: Any) -> str:
    """The same as text; NaN and infinity, for which JSON has no word, are null."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
