"""A wheel of this very package, made of the files that Python imports here: what is measured elsewhere is what is here.

Built from the imported files and the installed metadata, not from a source tree: a device that has the package from a
wheel has no source, and building needs a network. Pure Python, so a wheel is a zip with a list of hashes.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge_melanoma.errors import ArtifactError

PACKAGE, DISTRIBUTION = "edge_melanoma", "edge-melanoma"
STAGES = ("benchmarks", "convert", "train")  # from a source tree they are imported from elsewhere
TAG = "py3-none-any"
_DATE = (1980, 1, 1, 0, 0, 0)  # the same files make the same bytes


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A file that pip installs, and zipfile unpacks."""

    name: str
    data: bytes = field(repr=False)


def build_wheel() -> Wheel:
    """The package as it runs here."""
    try:
        installed = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise ArtifactError(
            f"{DISTRIBUTION}: runs here without being installed; install it with: pip install ."
        ) from error
    stem = f"{PACKAGE}-{installed.version}"
    about = f"{stem}.dist-info"
    files = dict(_package_files())
    # a source tree that was built from has its metadata beside it under the older name, and Python may find it first
    metadata = installed.read_text("METADATA") or installed.read_text("PKG-INFO") or ""
    files[f"{about}/METADATA"] = metadata.encode("utf-8")
    files[f"{about}/entry_points.txt"] = (installed.read_text("entry_points.txt") or "").encode("utf-8")
    wheel = f"Wheel-Version: 1.0\nGenerator: {DISTRIBUTION}\nRoot-Is-Purelib: true\nTag: {TAG}\n"
    files[f"{about}/WHEEL"] = wheel.encode("ascii")
    record = "".join(f"{name},sha256={_hash(data)},{len(data)}\n" for name, data in sorted(files.items()))
    files[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n".encode()
    return Wheel(name=f"{stem}-{TAG}.whl", data=_zip(files))


def _package_files() -> Iterator[tuple[str, bytes]]:
    """Every file of every package, by its path in a wheel."""
    for name in (PACKAGE, *(f"{PACKAGE}.{stage}" for stage in STAGES)):
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise ArtifactError(f"{name}: is not installed whole; install {DISTRIBUTION} again")
        top = Path(spec.submodule_search_locations[0])
        for folder in [top, *sorted(path for path in top.rglob("*") if path.is_dir())]:
            if not (folder / "__init__.py").is_file():
                continue
            inside = "/".join((*name.split("."), *folder.relative_to(top).parts))
            for file in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".pyc"):
                yield f"{inside}/{file.name}", file.read_bytes()


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
