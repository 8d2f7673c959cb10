"""Weights in HDF5, read without trusting the file: bytes are hashed, layouts are walked by hand, nothing is unpickled.

Three layouts are read: Keras' old one (keras.applications, `save_weights("x.h5")`, whole models), and the `.weights.h5`
of Keras 3 and of tf_keras. What is written is the last, with the layers' names beside their numbers.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from edge_melanoma.errors import ArtifactError
from edge_melanoma.output import write_file

Array = NDArray[np.float32]

OURS = "edge_melanoma_input"  # an attribute of files that save_weights wrote
RAW_RGB = "raw RGB"
_HEADROOM = 256 * 2**20  # bytes, for a head of the file's own
_FULL_MODEL = 5  # times the weights: Adam's two moments, a moving average, and a spare
_MOST_LAYERS = 5000


class StoredLayer(NamedTuple):
    """A layer as a file has it; a name or a kind is None where the layout has none."""

    name: str | None
    kind: str | None  # its class, as `.weights.h5` spells it: depthwise_conv2d
    datasets: tuple[h5py.Dataset, ...]

    @property
    def label(self) -> str:
        return self.name or self.kind or "?"

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(dataset.shape) for dataset in self.datasets)


@dataclass(frozen=True)
class WeightsFile:
    """An open file: its identity and its layers with weights, in the order of the file."""

    sha256: str
    ours: bool  # raw RGB goes in, and a layer named logits is ours
    layers: tuple[StoredLayer, ...]


@contextmanager
def open_weights(path: Path, *, expected_bytes: int) -> Iterator[WeightsFile]:
    """A weights file for a model of so many bytes of weights; whatever is wrong with it is an ArtifactError."""
    data = _read(path, limit=_FULL_MODEL * expected_bytes + _HEADROOM)
    with ExitStack() as stack:
        try:
            file = stack.enter_context(h5py.File(io.BytesIO(data), "r"))
            layers, ours = _layers(file), file.attrs.get(OURS) == RAW_RGB
        except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, MemoryError) as error:
            known = isinstance(error, _Malformed)
            reason = str(error) if known else f"cannot be read as HDF5 weights ({_first(error)})"
            raise ArtifactError(f"{path}: {reason}; give a .h5 or .weights.h5 file that Keras wrote") from error
        yield WeightsFile(hashlib.sha256(data).hexdigest(), ours, layers)


class _Malformed(ValueError):
    """HDF5, but not weights."""


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _read(path: Path, *, limit: int) -> bytes:
    """All bytes, hashed and parsed from one reading, so that nobody changes them in between."""
    try:
        with path.open("rb") as stream:
            facts = path.stat()
            if not stat.S_ISREG(facts.st_mode):
                raise ArtifactError(f"{path}: is not a regular file; give a .h5 or .weights.h5 file")
            if facts.st_size > limit:
                raise ArtifactError(
                    f"{path}: has {facts.st_size / 1e6:,.0f} MB; weights for this model have at most"
                    f" {limit / 1e6:,.0f} MB, the state of an optimizer included"
                )
            return stream.read(limit + 1)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from error


def _layers(file: h5py.File) -> tuple[StoredLayer, ...]:
    root = _group(file, "model_weights") if "model_weights" in file else file
    if "layer_names" in root.attrs or "layer_names0" in root.attrs:
        found = list(_by_names(root))
    elif "layers" in root:
        found = list(_by_numbers(_group(root, "layers"), depth=0))
    else:
        raise _Malformed("is HDF5 and has no layers")
    layers = tuple(layer for layer in found if layer.datasets)
    if not 0 < len(layers) <= _MOST_LAYERS:
        raise _Malformed(f"has {len(layers)} layers with weights")
    return layers


def _by_names(root: h5py.Group) -> Iterator[StoredLayer]:
    """The old layout: attributes list the layers and their weights. A nested model is one layer with many prefixes."""
    for name in _strings(root, "layer_names"):
        group = _group(root, name)
        weights: dict[str, list[h5py.Dataset]] = {}
        for weight in _strings(group, "weight_names"):
            weights.setdefault(weight.rpartition("/")[0], []).append(_dataset(group, weight))
        for prefix, datasets in weights.items():
            yield StoredLayer(name if len(weights) == 1 else prefix, None, tuple(datasets))


def _strings(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names; Keras cuts long ones into several attributes with a number behind."""
    numbered = (f"{attribute}{number}" for number in range(_MOST_LAYERS))
    parts = [attribute] if attribute in group.attrs else []
    for part in numbered:
        if part not in group.attrs:
            break
        parts.append(part)
    values = [value for part in parts for value in np.ravel(group.attrs[part])]
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values]


def _by_numbers(layers: h5py.Group, *, depth: int) -> Iterator[StoredLayer]:
    """`.weights.h5`: layers/conv2d_3/vars/0. Numbers count the layers of a class; Keras 3 notes names as well."""
    for key in sorted(layers, key=_kind_and_number):
        group = _group(layers, key)
        if "vars" in group:
            variables = _group(group, "vars")
            datasets = tuple(_dataset(variables, number) for number in sorted(variables, key=_number))
            name = variables.attrs.get("name")
            yield StoredLayer(None if name is None else str(name), _kind_and_number(key)[0], datasets)
        if "layers" in group and depth < 2:
            yield from _by_numbers(_group(group, "layers"), depth=depth + 1)


def _kind_and_number(key: str) -> tuple[str, int]:
    kind, number = re.fullmatch(r"(.*?)(?:_(\d{1,6}))?", key, re.DOTALL).groups()  # type: ignore[union-attr]
    return kind, int(number or 0)


def _number(key: str) -> int:
    if not re.fullmatch(r"\d{1,3}", key):
        raise _Malformed(f"has a variable called {key[:40]!r}")
    return int(key)


def _group(parent: h5py.Group, name: str) -> h5py.Group:
    found = _member(parent, name)
    if not isinstance(found, h5py.Group):
        raise _Malformed(f"{name[:80]!r} is not a group")
    return found


def _dataset(parent: h5py.Group, name: str) -> h5py.Dataset:
    found = _member(parent, name)
    if not isinstance(found, h5py.Dataset):
        raise _Malformed(f"{name[:80]!r} is not an array")
    if found.external or found.is_virtual:
        raise _Malformed(f"{name[:80]!r} keeps its values in another file")
    return found


def _member(parent: h5py.Group, name: str) -> Any:
    """What lies at a path, never through a link that could lead out of the file."""
    for part in filter(None, name.split("/")):
        if not isinstance(parent, h5py.Group) or not isinstance(parent.get(part, getlink=True), h5py.HardLink):
            raise _Malformed(f"{name[:80]!r} is missing or is a link")
        parent = parent[part]
    return parent


def read_array(dataset: h5py.Dataset) -> Array:
    """The values of an array whose shape has been found to be right."""
    if dataset.dtype.kind != "f":
        raise TypeError(f"is {dataset.dtype}, not floating-point")
    return np.asarray(dataset[()], dtype=np.float32)


def file_sha256(path: Path) -> str:
    """The hash of a file's bytes."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from error


def model_bytes(model: Any) -> int:
    """What the weights of a model take in float32."""
    return int(4 * sum(math.prod(weight.shape) for weight in model.weights))


class NamedArrays(NamedTuple):
    """A layer that is to be written."""

    name: str
    kind: str  # its class
    arrays: tuple[Array, ...]


def save_weights(model: Any, path: Path) -> None:
    """Write the weights, whole or not at all, as `.weights.h5`: `model.load_weights` of tf_keras reads it too.

    No optimizer state; the same weights give the same bytes.
    """
    layers = (NamedArrays(layer.name, type(layer).__name__, tuple(layer.get_weights())) for layer in model.layers)
    write_layers(path, layers)


def write_layers(path: Path, layers: Iterable[NamedArrays]) -> None:
    """Write layers, whole or not at all, in the order and with the names that they are given in."""
    buffer = io.BytesIO()
    counts: dict[str, int] = {}
    with h5py.File(buffer, "w") as file:
        file.attrs[OURS] = RAW_RGB
        file.create_group("vars")  # Keras looks for the model's own
        for layer in layers:
            kind = class_key(layer.kind)
            counts[kind] = counts.get(kind, -1) + 1
            variables = file.create_group(f"layers/{kind}_{counts[kind]}" if counts[kind] else f"layers/{kind}")
            variables = variables.create_group("vars")
            variables.attrs["name"] = layer.name
            for number, values in enumerate(layer.arrays):
                variables.create_dataset(str(number), data=np.asarray(values, dtype=np.float32))
    write_file(path, buffer.getvalue())


def class_key(name: str) -> str:
    """As Keras turns a class into a key: DepthwiseConv2D -> depthwise_conv2d."""
    spaced = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
