"""Gets parts through the ordinary clients (Maven, apt) into a cache, and takes none whose SHA-256 is another.

A download lands in a folder of its own and is moved into the cache once its sum is right, so that an interrupted one
is never taken for whole. Which registries the clients ask is for their configuration to say: no host stands here.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from edge_melanoma.cache import cache_folder
from edge_melanoma.errors import EdgeMelanomaError

from .parts import Part

# An old plugin without a version would be Maven's choice, and it fetches half of Maven itself.
_MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_TIMEOUT_S = 900


class MissingPartError(EdgeMelanomaError):
    """A part of the build is not here and cannot be fetched."""

    exit_code = 5


def parts_folder() -> Path:
    """Where parts are kept; nothing in it is needed that cannot be fetched again."""
    return cache_folder() / "android"


def fetch(parts: Iterable[Part]) -> dict[Part, Path]:
    """Where each part lies, fetched where it is missing; MissingPartError names the one that cannot be had."""
    return {part: _fetched(part) for part in parts}


def missing(parts: Iterable[Part]) -> list[Part]:
    """The parts that would have to be fetched."""
    return [part for part in parts if not _is_right(_place(part), part)]


def _place(part: Part) -> Path:
    return parts_folder() / part.sha256[:12] / part.file


def _fetched(part: Part) -> Path:
    place = _place(part)
    if _is_right(place, part):
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="part-", dir=parts_folder()) as draft:
        client = _from_maven if part.source == "maven" else _from_debian
        client(part, Path(draft))
        found = Path(draft) / part.file
        if not found.is_file():
            raise MissingPartError(f"{part.name} ({part.coordinates}): its client brought no {part.file}")
        if not _is_right(found, part):
            raise MissingPartError(
                f"{part.name} ({part.coordinates}): what came has the SHA-256 {_sha256(found)}, not {part.sha256}; it "
                "was replaced at its source, or damaged on the way"
            )
        found.replace(place)
    return place


def _is_right(path: Path, part: Part) -> bool:
    return path.is_file() and _sha256(path) == part.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _from_maven(part: Part, folder: Path) -> None:
    _run_client(
        [
            "mvn",
            "--batch-mode",
            "--quiet",
            _MAVEN_COPY,
            f"-Dartifact={part.coordinates}",
            f"-DoutputDirectory={folder}",
        ],
        part,
        folder,
        install="Maven (the package maven of most systems)",
    )


def _from_debian(part: Part, folder: Path) -> None:
    # as root, apt drops its rights for the download, and needs the folder to be open for that
    folder.chmod(0o777)
    _run_client(["apt-get", "download", part.coordinates], part, folder, install="apt, of Debian 12")


def _run_client(command: list[str], part: Part, folder: Path, *, install: str) -> None:
    if shutil.which(command[0]) is None:
        raise MissingPartError(
            f"{part.name} ({part.coordinates}): {command[0]} would fetch it and is not installed; install "
            f"{install}, or put the file at {_place(part)}"
        )
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise MissingPartError(
            f"{part.name} ({part.coordinates}): {command[0]} gave no answer for {_TIMEOUT_S} s"
        ) from error
    if done.returncode:
        said = next((line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line or "E:" in line), "")
        raise MissingPartError(f"{part.name} ({part.coordinates}): {command[0]} cannot fetch it ({said.strip()[:300]})")
