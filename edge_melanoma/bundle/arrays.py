"""Arrays in NumPy's format 1.0, in one form, and read without trusting them.

NumPy's own reader evaluates a header as Python and allocates what its shape asks for. Here a header is compared letter
by letter with the one that we would write, and its shape must be that of the bytes that follow.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.errors import ArtifactError

_MAGIC = b"\x93NUMPY\x01\x00"
_BEGIN = len(_MAGIC) + 2  # of the text
_LONGEST_HEADER = 256
_HEADER = re.compile(  # one to four sides
    rb"\x93NUMPY\x01\x00..\{'descr': '(\|u1|\|i1|<i2|<f4|<f8)', 'fortran_order': False, "
    rb"'shape': \(([0-9]{1,10}(?:,|(?:, [0-9]{1,10}){1,3}))\), \} *\n",
    re.DOTALL,
)


def array_bytes(array: NDArray[Any]) -> bytes:
    """An array in NumPy's format 1.0, with one form for its header."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return _header(little.dtype, array.shape) + little.tobytes()


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    sides = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({sides}), }}"
    length = -(-(_BEGIN + len(text) + 1) // 64) * 64 - _BEGIN  # the data begin at a multiple of 64
    return _MAGIC + struct.pack("<H", length) + text.ljust(length - 1).encode("ascii") + b"\n"


def array_of(data: bytes, *, name: str) -> NDArray[Any]:
    """The array in these bytes, which must be as `array_bytes` writes them; a view, not a copy."""
    found = _HEADER.match(data[:_LONGEST_HEADER])
    if found is None:
        raise ArtifactError(f"{name}: does not begin as an array of this tool does")
    dtype, shape = np.dtype(found[1].decode("ascii")), tuple(int(side) for side in re.findall(rb"[0-9]+", found[2]))
    header = _header(dtype, shape)
    if not data.startswith(header):
        raise ArtifactError(f"{name}: the header of its array is not as this tool writes it")
    if math.prod(shape) * dtype.itemsize != len(data) - len(header):
        raise ArtifactError(f"{name}: {len(data) - len(header):,} bytes are no {in_words(dtype, shape)}")
    return np.frombuffer(data, dtype, offset=len(header)).reshape(shape)


def in_words(dtype: Any, shape: tuple[int, ...]) -> str:
    """Type and shape, as messages say them."""
    return f"{np.dtype(dtype)} [{','.join(map(str, shape))}]"
