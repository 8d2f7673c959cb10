"""FlatBuffers, read with every offset, length and count checked against the bytes that are there.

The generated readers follow any offset: on a damaged file they return nonsense, raise struct.error, or build a list of
four thousand million elements. Here nothing is followed before its place is known to lie inside the file, whatever is
wrong is one ArtifactError, and what may be read is limited: a short file whose tables all point to each other ends as
soon as an honest file of its size would have.

Who reads a file walks its schema, not its pointers, so no file decides how deep we go.
"""

from __future__ import annotations

import struct
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.errors import ArtifactError

_LARGEST = 2**31 - 1  # offsets are signed where they point backwards
_OBJECT = 64  # what reading a table, vector or string counts, in bytes
_WORK_PER_BYTE, _LEAST_WORK, _MOST_WORK = 16, 2**16, 2**24  # honest models need less than 5 per byte
_DAMAGED = "it is damaged, or no {kind}"

_u16, _i32, _u32 = (struct.Struct(code).unpack_from for code in ("<H", "<i", "<I"))
_SCALARS = {code: struct.Struct("<" + code) for code in "bBiIQ"}


class FlatBuffer:
    """The bytes of one file, the one place that allows a look at them, and the one place that refuses."""

    __slots__ = ("_kind", "_name", "_work", "data", "end")

    def __init__(self, data: bytes | memoryview, *, name: str, kind: str, identifier: bytes) -> None:
        self.data = memoryview(data).toreadonly().cast("B")
        self._name, self._kind = name, kind
        self._work = min(_LEAST_WORK + _WORK_PER_BYTE * len(self.data), _MOST_WORK)
        self.end = 0  # behind the last byte that was looked at
        if len(self.data) > _LARGEST:
            self.refuse(f"has {len(self.data):,} bytes, more than any offset can reach")
        if bytes(self.data[4:8]) != identifier:
            self.refuse(f"does not have {identifier.decode()} in its bytes 4 to 7; it is no {kind}", remedy="")
        self.allow(0, 8, "header")

    def root(self, where: str) -> Table:
        """The table that everything else hangs on."""
        return Table(self, self.follow(0, where), where)

    def refuse(self, problem: str, *, remedy: str = _DAMAGED) -> NoReturn:
        """Say what is wrong with which file."""
        tail = "; " + remedy.format(kind=self._kind) if remedy else ""
        raise ArtifactError(f"{self._name}: {problem}{tail}")

    def allow(self, start: int, size: int, what: str, *, alignment: int = 1, work: int = 0) -> None:
        """Check that bytes may be looked at."""
        stop = start + size
        if start < 0 or stop > len(self.data):
            self.refuse(f"{what}: bytes {start:,} to {stop:,} of a file with {len(self.data):,}")
        if start % alignment:
            self.refuse(f"{what}: begins at byte {start:,}, which is no multiple of {alignment}")
        if stop > self.end:
            self.end = stop
        self.spend(work)

    def spend(self, work: int) -> None:
        """Count what is read, each time it is."""
        self._work -= work
        if self._work < 0:
            self.refuse(f"refers to far more than its {len(self.data):,} bytes hold; its tables share their parts")

    def follow(self, place: int, what: str) -> int:
        """Where the offset that lies at `place` leads; its own four bytes have been allowed."""
        step: int = _u32(self.data, place)[0]
        if step == 0:  # would be a table inside its own offset
            self.refuse(f"{what}: its offset is 0")
        return place + step


class Table:
    """One table: fields by their number in the schema, each absent or of a kind that the caller knows.

    `where` says in words what the table is; a method's `what` does so for the field.
    """

    __slots__ = ("_fields", "_size", "_start", "file", "where")

    def __init__(self, file: FlatBuffer, start: int, where: str) -> None:
        file.allow(start, 4, where, alignment=4, work=_OBJECT)
        layout = start - _i32(file.data, start)[0]
        what = f"{where}, layout"
        file.allow(layout, 4, what, alignment=2)
        layout_size, size = _u16(file.data, layout)[0], _u16(file.data, layout + 2)[0]
        if layout_size < 4 or layout_size % 2 or size < 4:
            file.refuse(f"{what}: gives {layout_size} bytes to itself and {size} to the table")
        file.allow(layout, layout_size, what)
        file.allow(start, size, where)
        self.file, self.where, self._start, self._size = file, where, start, size
        self._fields = file.data[layout + 4 : layout + layout_size]

    def _place(self, field: int, size: int, what: str) -> int | None:
        """Where the field's own bytes are, or None where it is absent."""
        if 2 * field + 2 > len(self._fields):
            return None
        offset: int = _u16(self._fields, 2 * field)[0]
        if offset == 0:
            return None
        if offset < 4 or offset + size > self._size:
            self.file.refuse(f"{self.where}, {what}: lies outside its table")
        place = self._start + offset
        if place % size:
            self.file.refuse(f"{self.where}, {what}: begins at byte {place:,}, which is no multiple of {size}")
        return place

    def has(self, field: int) -> bool:
        """Is the field there at all?"""
        return self._place(field, 1, "a field") is not None

    def integer(self, field: int, code: str, what: str, default: int = 0) -> int:
        """A number; `code` is the letter of Python's struct: b, B, i, I or Q."""
        scalar = _SCALARS[code]
        place = self._place(field, scalar.size, what)
        return default if place is None else int(scalar.unpack_from(self.file.data, place)[0])

    def table(self, field: int, what: str) -> Table | None:
        """Another table."""
        place = self._place(field, 4, what)
        return None if place is None else Table(self.file, self.file.follow(place, f"{self.where}, {what}"), what)

    def tables(self, field: int, what: str) -> list[Table]:
        """All tables of a vector; the words for each are `what` and its number."""
        found = self._vector(field, 4, f"{what}s")
        if found is None:
            return []
        start, count = found
        self.file.spend(4 * count)
        return [
            Table(self.file, self.file.follow(place, f"{what} {number}"), f"{what} {number}")
            for number, place in enumerate(range(start, start + 4 * count, 4))
        ]

    def numbers(self, field: int, kind: str, what: str) -> NDArray[Any]:
        """A vector of numbers of NumPy's type `kind`, in place."""
        dtype = np.dtype(kind)
        found = self._vector(field, dtype.itemsize, what)
        if found is None or not found[1]:
            return np.empty(0, dtype)
        start, count = found
        self.file.spend(8 * count)  # a tuple of them will take no less
        return np.frombuffer(self.file.data, dtype, count, start)

    def integers(self, field: int, what: str) -> tuple[int, ...]:
        """A vector of 32-bit integers."""
        return tuple(self.numbers(field, "<i4", what).tolist())

    def raw(self, field: int, what: str) -> tuple[int, memoryview]:
        """A vector of bytes in place, and where in the file it begins."""
        start, count = self._vector(field, 1, what) or (0, 0)
        return start, self.file.data[start : start + count]

    def text(self, field: int, what: str) -> str | None:
        """A string."""
        found = self._vector(field, 1, what)
        if found is None:
            return None
        start, count = found
        # readers in C take the letters up to the first zero, those in Python the number that is given
        self.file.allow(start + count, 1, f"{self.where}, {what}", work=count)
        letters = bytes(self.file.data[start : start + count + 1])
        if letters.find(0) != count:
            self.file.refuse(f"{self.where}, {what}: the string does not end where it says")
        try:
            return letters[:-1].decode("utf-8")
        except UnicodeDecodeError:
            self.file.refuse(f"{self.where}, {what}: the string is not UTF-8")

    def _vector(self, field: int, item: int, what: str) -> tuple[int, int] | None:
        """Where a vector's elements begin, and their number."""
        place = self._place(field, 4, what)
        if place is None:
            return None
        what = f"{self.where}, {what}"
        head = self.file.follow(place, what)
        self.file.allow(head, 4, what, alignment=4, work=_OBJECT)
        count: int = _u32(self.file.data, head)[0]
        self.file.allow(head + 4, count * item, what, alignment=item)
        return head + 4, count
