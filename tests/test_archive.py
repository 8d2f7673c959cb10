"""The zip behind a model has one form: other readers take it, ours takes nothing else, and nothing breaks ours."""

import io
import random
import shutil
import struct
import subprocess
import tracemalloc
import zipfile

import numpy as np
import pytest

from edge_melanoma.bundle.archive import append_archive, read_archive
from edge_melanoma.bundle.arrays import array_bytes, array_of
from edge_melanoma.errors import ArtifactError

MODEL = b"any bytes at all, PK\x03\x04 and PK\x05\x06 among them" * 7
ENTRIES = {"labels.txt": b"other\nmelanoma\n", "golden.npz": bytes(range(256)) * 4, "manifest.json": b"{}\n"}
LIMITS = {"labels.txt": 100, "golden.npz": 2000, "manifest.json": 50}
END = 22  # bytes of the last record


@pytest.fixture(scope="module")
def whole():
    return append_archive(MODEL, ENTRIES)


def read(data, limits=LIMITS):
    return read_archive(data, limits=limits, name="file")


def by_python(entries, *, model=MODEL, compression=zipfile.ZIP_STORED):
    """The same content as Python's zipfile writes it."""
    buffer = io.BytesIO(model)
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, compression)
    return buffer.getvalue()


def test_what_is_written_is_read_back(whole):
    found = read(whole)
    assert whole[: found.start] == MODEL
    assert dict(found.entries) == ENTRIES
    assert list(found.entries) == list(ENTRIES)


def test_equal_content_gives_equal_bytes(whole):
    assert append_archive(MODEL, dict(ENTRIES)) == whole


def test_python_reads_it_and_its_offsets_count_from_the_beginning_of_the_file(whole):
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == ENTRIES
        for info in archive.infolist():
            assert whole[info.header_offset :].startswith(b"PK\x03\x04")
            assert info.compress_type == zipfile.ZIP_STORED  # MediaPipe reads nothing else
            assert info.date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.skipif(not shutil.which("unzip"), reason="needs unzip")
def test_unzip_finds_nothing_wrong(whole, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(whole)
    done = subprocess.run(["unzip", "-t", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No errors detected" in done.stdout
    assert "warning" not in done.stdout + done.stderr  # of bytes before the archive, were its offsets wrong


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([*ENTRIES.items(), ("more.txt", b"")], "4 entries"),
        (list(ENTRIES.items())[:2], "2 entries"),
        ([("labels.txt", b"")] * 3, "golden.npz has to be"),
        ([("../../x", b""), *list(ENTRIES.items())[1:]], "labels.txt has to be"),
        ([("/etc/passwd", b""), *list(ENTRIES.items())[1:]], "labels.txt has to be"),
        (list(ENTRIES.items())[::-1], "labels.txt has to be"),
        ([("labels.txt", b"x" * 101), *list(ENTRIES.items())[1:]], "at most 100"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_other_entries_are_refused(entries, says):
    with pytest.raises(ArtifactError, match=says):
        read(by_python(entries))


def test_a_zip_bomb_is_refused_without_being_inflated():
    bomb = by_python(
        [("labels.txt", b""), ("golden.npz", bytes(50 << 20)), ("manifest.json", b"")], compression=zipfile.ZIP_DEFLATED
    )
    assert len(bomb) < 100_000
    tracemalloc.start()
    with pytest.raises(ArtifactError):
        read(bomb, {**LIMITS, "golden.npz": 100 << 20})
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_comment_bytes_behind_the_end_and_a_second_archive_are_refused(whole):
    commented = bytearray(whole)
    commented[-2:] = struct.pack("<H", 5)
    for data in (bytes(commented) + b"hello", whole + b"\0", whole + append_archive(b"", {})):
        with pytest.raises(ArtifactError):
            read(data)


def test_a_gap_between_entries_is_refused(whole):
    at = whole.index(b"PK\x03\x04", len(MODEL) + 1)  # the second entry
    directory = whole.index(b"PK\x01\x02", at)
    moved = bytearray(whole[:at] + b"gap!" + whole[at:])
    for place in [index for index in range(directory + 4, len(moved)) if moved[index : index + 4] == b"PK\x01\x02"][1:]:
        offset = struct.unpack_from("<L", moved, place + 42)[0]
        struct.pack_into("<L", moved, place + 42, offset + 4)
    struct.pack_into("<L", moved, len(moved) - 6, directory + 4)
    with zipfile.ZipFile(io.BytesIO(bytes(moved))) as archive:
        assert archive.testzip() is None, "the archive has to be sound for the test to mean something"
    with pytest.raises(ArtifactError, match="gap"):
        read(bytes(moved))


def test_entries_that_share_their_bytes_are_refused(whole):
    """Two entries of the directory that lead to one place: harmless here, the trick behind overlapping zip bombs."""
    shared = bytearray(whole)
    directory = struct.unpack_from("<L", shared, len(shared) - 6)[0]
    second = bytes(shared).index(b"PK\x01\x02", directory + 4)
    struct.pack_into("<L", shared, second + 42, struct.unpack_from("<L", shared, directory + 42)[0])
    with pytest.raises(ArtifactError, match="overlaps"):
        read(bytes(shared))


def test_every_flipped_bit_outside_the_model_is_refused(whole):
    for place in range(len(MODEL), len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << bit
            with pytest.raises(ArtifactError):
                read(bytes(flipped))


def test_every_length_is_refused_but_the_whole_one(whole):
    for length in range(len(whole)):
        with pytest.raises(ArtifactError):
            read(whole[:length])


def mutated(data, rng):
    """One of the ways in which a file goes wrong."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        place = rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            data[place] = rng.randrange(256)
        elif kind == 1:
            del data[place : place + rng.randrange(1, 50)]
        elif kind == 2:
            data[place:place] = rng.randbytes(rng.randrange(1, 50))
        elif kind == 3 and len(data) > 4:
            place = rng.randrange(len(data) - 3)
            struct.pack_into("<L", data, place, rng.choice((0, 1, 2**31, 2**32 - 1, len(data), rng.randrange(2**32))))
        else:
            stop = place + rng.randrange(1, 200)
            data[place:place] = data[place:stop]
        if not data:
            return b""
    return bytes(data)


def test_whatever_is_done_to_an_archive_it_reads_the_same_or_is_refused(whole):
    rng = random.Random(0)
    refused = 0
    for _ in range(5000):
        data = mutated(whole[len(MODEL) - 20 :], rng)
        try:
            found = read(data)
        except ArtifactError:
            refused += 1
        else:
            assert append_archive(data[: found.start], found.entries) == data
    assert refused > 4500


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(3,), (2, 5), (2, 4, 4, 3), (0, 2)])
def test_arrays_are_written_as_numpy_reads_them_and_read_back(dtype, shape):
    array = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    data = array_bytes(array)
    by_numpy = np.load(io.BytesIO(data), allow_pickle=False)
    ours = array_of(data, name="file")
    assert by_numpy.dtype == ours.dtype == array.dtype
    assert np.array_equal(by_numpy, array)
    assert np.array_equal(ours, array)


def npy(text, data=b""):
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY\x01\x00",
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", b"cos\nsystem\n"),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999, 9999999999), }\n"),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': " + "(" * 60000 + ", }\n"),
        npy("{'descr': '|u1', 'fortran_order': True, 'shape': (1,), }\n", b"\0"),
        npy("__import__('os').abort()\n"),
    ],
)
def test_arrays_in_any_other_form_are_refused(data):
    with pytest.raises(ArtifactError):
        array_of(data, name="file")


def test_every_flipped_bit_of_a_header_is_refused():
    data = array_bytes(np.zeros((2, 3), np.float32))
    for place in range(128):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            with pytest.raises(ArtifactError):
                array_of(bytes(flipped), name="file")


def test_an_array_whose_bytes_do_not_fit_its_shape_is_refused():
    data = array_bytes(np.zeros((2, 3), np.float32))
    for wrong in (data[:-1], data + b"\0", data.replace(b"(2, 3)", b"(2, 9)")):
        with pytest.raises(ArtifactError, match="bytes are no float32"):
            array_of(wrong, name="file")
