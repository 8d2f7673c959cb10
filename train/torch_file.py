"""Arrays out of a file that PyTorch wrote before its version 1.6, without PyTorch and without running what it says.

Such a file is a row of pickles followed by raw numbers. A pickle is a program; this reader lets it name an ordered
dictionary, the rebuilding of a tensor and kinds of storage, and does nothing but note what they were called with.
Whoever reads a file from elsewhere has compared its hash first all the same.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_KINDS = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
_MOST_BYTES = 2**30


class _Storage(NamedTuple):
    key: str
    kind: np.dtype[Any]


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Reader(pickle.Unpickler):
    """Knows five names, none of which does anything."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, shape, strides)
        if module == "torch" and name in _KINDS:
            return _KINDS[name]
        raise ValueError(f"names {module}.{name}, which no file of tensors needs")

    def persistent_load(self, pid: Any) -> _Storage:
        _, kind, key, *_ = pid
        return _Storage(str(key), kind)


def read_state(data: bytes) -> Mapping[str, NDArray[Any]]:
    """Name -> array, in the order of the file; ValueError where it is not such a file."""
    try:
        return _read(io.BytesIO(data))
    except (pickle.UnpicklingError, struct.error, EOFError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"is not a state that PyTorch wrote ({error})") from error


def _read(stream: io.BytesIO) -> dict[str, NDArray[Any]]:
    if _Reader(stream).load() != _MAGIC:
        raise ValueError("is not a state that PyTorch wrote before version 1.6")
    for _ in ("version of the format", "facts of the machine"):
        _Reader(stream).load()
    tensors: Mapping[str, _Tensor] = _Reader(stream).load()
    order = _Reader(stream).load()
    kinds = {tensor.storage.key: tensor.storage.kind for tensor in tensors.values()}
    numbers = {key: _numbers(stream, kinds[key]) for key in order}
    return {name: _array(numbers[tensor.storage.key], tensor) for name, tensor in tensors.items()}


def _numbers(stream: io.BytesIO, kind: np.dtype[Any]) -> NDArray[Any]:
    (count,) = struct.unpack("<q", stream.read(8))
    if not 0 <= count * kind.itemsize <= _MOST_BYTES:
        raise ValueError(f"has a storage of {count} numbers")
    data = stream.read(count * kind.itemsize)
    if len(data) != count * kind.itemsize:
        raise ValueError("ends in the middle of a storage")
    return np.frombuffer(data, kind)


def _array(numbers: NDArray[Any], tensor: _Tensor) -> NDArray[Any]:
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if min((tensor.offset, *tensor.strides)) < 0 or min((1, *tensor.shape)) < 1 or last >= len(numbers):
        raise ValueError(f"has a tensor of shape {tensor.shape} that lies outside its storage")
    steps = tuple(step * numbers.itemsize for step in tensor.strides)
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, steps).copy()
