"""FlatBuffers and a tiny .tflite written by hand, right or wrong on purpose, without TensorFlow.

A table is a dict from a field's number to its value: a Num, a string, bytes, a NumPy array, a table, a list of tables.
"""

import copy
import struct
from typing import NamedTuple

import numpy as np


class Num(NamedTuple):
    """A number inside a table, with its letter in Python's struct."""

    code: str
    value: int


class Same(NamedTuple):
    """A vector of `count` tables that are all the same one."""

    table: dict
    count: int


def flatbuffer(root, identifier):
    """The bytes of a root table and all that it refers to."""
    out = bytearray(8)
    struct.pack_into("<I4s", out, 0, _table(out, root), identifier)
    return bytes(out)


def _pad(out, alignment, following=0):
    out.extend(bytes(-(len(out) + following) % alignment))


def _table(out, fields):
    offsets, size = [0] * (max(fields, default=-1) + 1), 4
    for number, value in fields.items():
        width = struct.calcsize(value.code) if isinstance(value, Num) else 4
        size += -size % width
        offsets[number], size = size, size + width
    _pad(out, 8, 4 + 2 * len(offsets))
    layout, start = len(out), len(out) + 4 + 2 * len(offsets)
    out += struct.pack(f"<HH{len(offsets)}Hi", 4 + 2 * len(offsets), size, *offsets, start - layout) + bytes(size - 4)
    for number, value in fields.items():
        if isinstance(value, Num):
            struct.pack_into("<" + value.code, out, start + offsets[number], value.value)
        else:
            _point(out, start + offsets[number], _put(out, value))
    return start


def _point(out, place, target):
    struct.pack_into("<I", out, place, target - place)


def _put(out, value):
    if isinstance(value, dict):
        return _table(out, value)
    if isinstance(value, (list, Same)):
        tables, count = ([value.table], value.count) if isinstance(value, Same) else (value, len(value))
        _pad(out, 4)
        start = len(out)
        out += struct.pack("<I", count) + bytes(4 * count)
        targets = np.array([_table(out, table) for table in tables] * (count if isinstance(value, Same) else 1))
        out[start + 4 : start + 4 + 4 * count] = (targets - start - 4 - 4 * np.arange(count)).astype("<u4").tobytes()
        return start
    data = value.encode() if isinstance(value, str) else bytes(value)  # of an array: its memory
    _pad(out, 16, 4)
    start = len(out)
    count = len(data) if isinstance(value, str) else len(value)
    out += struct.pack("<I", count) + data + (b"\0" if isinstance(value, str) else b"")
    return start


def changed(table, path, value):
    """A copy of a table with another value at a path of fields and list positions; None takes it away."""
    table = copy.deepcopy(table)
    *way, last = path
    place = table
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return table


def ints(*values):
    return np.array(values, "<i4")


def tensor(name, kind, shape, *, buffer=0, scales=(), zero_points=None, dimension=0):
    zero_points = [0] * len(scales) if zero_points is None else zero_points
    quantization = {2: np.array(scales, "<f4"), 3: np.array(zero_points, "<i8"), 6: Num("i", dimension)}
    fields = {0: ints(*shape), 1: Num("b", kind), 2: Num("I", buffer), 3: name}
    return {**fields, 4: quantization} if len(scales) else fields


FLOAT32, INT32, UINT8, INT8 = 0, 2, 3, 9
QUANTIZE, DEPTHWISE_CONV_2D, FULLY_CONNECTED = 114, 4, 9
# fields of the schema: model, subgraph
CODES, GRAPHS, BUFFERS, METADATA_BUFFER, METADATA, SIGNATURES = 1, 2, 4, 5, 6, 7
TENSORS, INPUTS, OUTPUTS, OPERATORS = 0, 1, 2, 3
GRAPH = (GRAPHS, 0)


def tiny_model():
    """The root table of an int8 classifier of 4x4 pixels with two classes, which an interpreter runs."""
    rng = np.random.default_rng(11)
    kernel, weights = (rng.integers(-127, 128, size, dtype=np.int8).tobytes() for size in (27, 96))
    return {
        0: Num("I", 3),
        CODES: [
            {0: Num("b", number), 2: Num("i", version), 3: Num("i", number)}
            for number, version in ((QUANTIZE, 1), (DEPTHWISE_CONV_2D, 3), (FULLY_CONNECTED, 4))
        ],
        GRAPHS: [
            {
                TENSORS: [
                    tensor("picture", UINT8, (1, 4, 4, 3), scales=[1.0]),
                    tensor("quantized", INT8, (1, 4, 4, 3), scales=[1.0], zero_points=[-128]),
                    tensor("dw/kernel", INT8, (1, 3, 3, 3), buffer=1, scales=[0.01, 0.02, 0.03], dimension=3),
                    tensor("dw/bias", INT32, (3,), buffer=2, scales=[0.01, 0.02, 0.03]),
                    tensor("net/dw/depthwise", INT8, (1, 4, 4, 3), scales=[8.0], zero_points=[3]),
                    tensor("net/logits/MatMul", INT8, (2, 48), buffer=3, scales=[0.0005]),
                    tensor("logits/bias", INT32, (2,), buffer=4, scales=[0.004]),
                    tensor("result", INT8, (1, 2), scales=[0.5]),
                    tensor("logits", UINT8, (1, 2), scales=[0.5], zero_points=[128]),
                ],
                INPUTS: ints(0),
                OUTPUTS: ints(8),
                OPERATORS: [
                    {0: Num("I", 0), 1: ints(0), 2: ints(1)},
                    {0: Num("I", 1), 1: ints(1, 2, 3), 2: ints(4), 3: Num("B", 2), 4: _depthwise_options()},
                    {0: Num("I", 2), 1: ints(4, 5, 6), 2: ints(7), 3: Num("B", 8), 4: {}},
                    {0: Num("I", 0), 1: ints(7), 2: ints(8)},
                ],
                4: "main",
            }
        ],
        3: "written by hand",
        BUFFERS: [{}, {0: kernel}, {0: bytes(12)}, {0: weights}, {0: bytes(8)}, {0: b"1.2.3\0"}],
        METADATA: [{0: "min_runtime_version", 1: Num("I", 5)}],
        SIGNATURES: [
            {
                0: [{0: "picture", 1: Num("I", 0)}],
                1: [{0: "logits", 1: Num("I", 8)}],
                2: "serving_default",
                4: Num("I", 0),
            }
        ],
    }


def _depthwise_options():
    return {1: Num("i", 1), 2: Num("i", 1), 3: Num("i", 1)}  # strides and depth multiplier; padding is the same


def tflite(model):
    return flatbuffer(model, b"TFL3")
