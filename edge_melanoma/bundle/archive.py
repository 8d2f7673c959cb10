"""The zip behind the model: written in one form only, and read back only in that form.

A .tflite with a zip appended is still a .tflite, and the zip lets `unzip`, MediaPipe and our own code find what
travels with the model. Everything is stored, because MediaPipe refuses deflated entries; so nothing can swell when it
is read. Order, dates and attributes are fixed: equal content gives equal bytes, and a header that differs from what we
would write, by a single bit, is refused. Java's ZipFile on older Androids refuses a file that does not begin with a
zip header: devices read the tail as `read_archive` does.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from edge_melanoma.errors import ArtifactError

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_LOCAL_FIELDS = struct.Struct("<4s5H3L2H")
_CENTRAL_FIELDS = struct.Struct("<4s6H3L5H2L")
_END_FIELDS = struct.Struct("<4s4H2LH")
_VERSION, _MADE_BY_UNIX = 20, 3 << 8
_DATE = 1 << 5 | 1  # 1980-01-01, the first there is
_REGULAR_FILE = 0o100644 << 16
_LARGEST = 2**31  # far below what would need zip64


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What was found: where the zip begins (the bytes before it are another file), and its entries in order."""

    start: int
    entries: Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True)
class _Entry:
    name: str
    crc: int
    size: int
    offset: int  # of the local header, from the beginning of the file

    @property
    def common(self) -> tuple[int, ...]:
        """What both headers say: version, flags, stored, time, date, sum, size twice, length of the name, no extra."""
        return (_VERSION, 0, 0, 0, _DATE, self.crc, self.size, self.size, len(self.name), 0)

    @property
    def local(self) -> bytes:
        return _LOCAL_FIELDS.pack(_LOCAL, *self.common) + self.name.encode("ascii")

    @property
    def central(self) -> bytes:
        rest = (0, 0, 0, _REGULAR_FILE, self.offset)  # no comment, first disk, binary
        return _CENTRAL_FIELDS.pack(_CENTRAL, _MADE_BY_UNIX | _VERSION, *self.common, *rest) + self.name.encode("ascii")

    @property
    def content(self) -> slice:
        begin = self.offset + _LOCAL_FIELDS.size + len(self.name)
        return slice(begin, begin + self.size)


def append_archive(model: bytes, entries: Mapping[str, bytes]) -> bytes:
    """`model` with a zip of the entries, in their order, behind it; offsets count from the beginning of the file."""
    parts, known, offset = [model], [], len(model)
    for name, content in entries.items():
        entry = _Entry(name=name, crc=zlib.crc32(content), size=len(content), offset=offset)
        parts += [entry.local, content]
        known.append(entry)
        offset = entry.content.stop
    if offset >= _LARGEST:
        raise ArtifactError(f"{offset:,} bytes; an archive of less than {_LARGEST:,} is needed")
    return b"".join([*parts, _tail(known, offset)])


def _tail(entries: list[_Entry], offset: int) -> bytes:
    directory = b"".join(entry.central for entry in entries)
    return directory + _END_FIELDS.pack(_END, 0, 0, len(entries), len(entries), len(directory), offset, 0)


def has_archive(data: bytes) -> bool:
    """Does the file end as one of ours does?"""
    return len(data) >= _END_FIELDS.size and data[-_END_FIELDS.size :].startswith(_END)


def read_archive(data: bytes, *, limits: Mapping[str, int], name: str) -> Archive:
    """The zip at the end of `data`: exactly the entries of `limits`, in that order, none larger than its limit."""
    directory, end = _directory(data, name, len(limits))
    entries = _entries(data[directory:end], limits, name)
    for entry, after in zip(entries, [*(entry.offset for entry in entries[1:]), directory], strict=True):
        if entry.content.stop != after:
            raise ArtifactError(f"{name}: {entry.name} overlaps what follows it, or leaves a gap; {_ONE_FORM}")
    contents = {}
    for entry in entries:
        if data[entry.offset : entry.content.start] != entry.local:
            raise ArtifactError(f"{name}: the header of {entry.name} was changed; {_ONE_FORM}")
        contents[entry.name] = data[entry.content]
        if zlib.crc32(contents[entry.name]) != entry.crc:
            raise ArtifactError(f"{name}: {entry.name} is damaged (its checksum differs); get the file again")
    if data[directory:] != _tail(entries, directory):
        raise ArtifactError(f"{name}: the directory of its archive was changed; {_ONE_FORM}")
    return Archive(start=entries[0].offset, entries=contents)


_ONE_FORM = "the archive must be exactly as `edge-melanoma convert` writes it"


def _directory(data: bytes, name: str, expected: int) -> tuple[int, int]:
    """Where the directory begins and ends."""
    if not has_archive(data):
        raise ArtifactError(f"{name}: does not end with the directory of an archive; it is cut off, or no bundle")
    end = len(data) - _END_FIELDS.size
    _, _, _, _, count, size, offset, _ = _END_FIELDS.unpack_from(data, end)
    if count != expected:
        raise ArtifactError(f"{name}: its archive says that it has {count} entries; a bundle's has {expected}")
    if offset + size != end:
        raise ArtifactError(f"{name}: the directory of its archive does not lie where its end says; {_ONE_FORM}")
    return offset, end


def _entries(directory: bytes, limits: Mapping[str, int], name: str) -> list[_Entry]:
    entries: list[_Entry] = []
    place = 0
    for wanted, limit in limits.items():
        stop = place + _CENTRAL_FIELDS.size + len(wanted)
        if stop > len(directory):
            raise ArtifactError(f"{name}: the directory of its archive ends before {wanted}; {_ONE_FORM}")
        fields = _CENTRAL_FIELDS.unpack_from(directory, place)
        found = directory[place + _CENTRAL_FIELDS.size : stop]
        if found != wanted.encode("ascii") or fields[10] != len(wanted):
            raise ArtifactError(f"{name}: its archive holds {_shown(found)} where {wanted} has to be; {_ONE_FORM}")
        entry = _Entry(name=wanted, crc=fields[7], size=fields[9], offset=fields[16])
        if entry.size > limit:
            raise ArtifactError(f"{name}: {wanted} says that it has {entry.size:,} bytes; at most {limit:,} are read")
        entries.append(entry)
        place = stop
    return entries


def _shown(name: bytes) -> str:
    return repr(name.decode("ascii", "backslashreplace"))
