"""Tensors are kept where there is room for all of them, or one line says where there is none and nothing stays."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from edge_melanoma.data import tensors
from edge_melanoma.data.pictures import Picture
from edge_melanoma.data.tensors import make_cache
from edge_melanoma.errors import ArtifactError, DataError
from edge_melanoma.preprocess import PreprocessContract

CONTRACT = PreprocessContract(width=32, height=24)


@pytest.fixture
def pictures(tmp_path):
    """Five pictures of one colour each."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        Image.new("RGB", (64, 48), (10 * number, 20, 30)).save(folder / f"{number}.png")
    return [Picture(image_id=str(number), root=folder, path=f"{number}.png") for number in range(5)]


@pytest.fixture
def homes(tmp_path, monkeypatch):
    """Where tensors may be kept: shared memory, the folder for what is temporary, the cache."""
    places = SimpleNamespace(shared=tmp_path / "shm", temporary=tmp_path / "tmp", cache=tmp_path / "cache")
    for place in vars(places).values():
        place.mkdir()
    monkeypatch.setattr(tensors, "SHARED_MEMORY", places.shared)
    monkeypatch.setattr(tensors.tempfile, "tempdir", str(places.temporary))
    monkeypatch.setenv("XDG_CACHE_HOME", str(places.cache))
    return places


def files(*places):
    return [path for place in places for path in place.rglob("*") if path.is_file()]


def cached(pictures, kind):
    return make_cache(pictures, [f"hash {picture.image_id}" for picture in pictures], CONTRACT, kind, workers=1)


def room(**free_bytes):
    """A stand-in for shutil.disk_usage: so much is free below a folder of this name, elsewhere plenty."""

    def disk_usage(place):
        found = [free for name, free in free_bytes.items() if name in Path(place).parts]
        return SimpleNamespace(free=found[0] if found else 10**12)

    return disk_usage


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_every_picture_has_its_tensor_at_its_place(pictures, homes, kind):
    cache = cached(pictures, kind)
    found = cache.open()
    assert found.shape == (5, 24, 32, 3)
    assert [row[0, 0].tolist() for row in found] == [[10 * number, 20, 30] for number in range(5)]


def test_what_is_kept_in_memory_goes_at_the_end_and_what_is_kept_on_disk_is_found_again(pictures, homes):
    cached(pictures, "memory").close()
    assert files(homes.shared, homes.temporary) == []
    first = cached(pictures, "disk")
    first.close()
    for picture in pictures:
        (picture.root / picture.path).unlink()  # so that nobody can decode them again
    assert cached(pictures, "disk").path == first.path


def test_what_does_not_fit_into_shared_memory_goes_to_the_disk(pictures, homes, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", room(shm=100))
    assert homes.temporary in cached(pictures, "memory").path.parents


@pytest.mark.parametrize(
    ("kind", "full", "variable"), [("memory", {"shm": 0, "tmp": 0}, "TMPDIR"), ("disk", {"cache": 0}, "XDG_CACHE_HOME")]
)
def test_no_room_is_told_before_a_picture_is_read(pictures, homes, monkeypatch, kind, full, variable):
    monkeypatch.setattr(shutil, "disk_usage", room(**full))
    pictures[0] = Picture(image_id="0", root=homes.cache, path="is not there")
    with pytest.raises(ArtifactError, match=rf"cannot be kept there \(No space left on device\).* in {variable}$"):
        cached(pictures, kind)
    assert files(*vars(homes).values()) == []
    assert list(homes.temporary.iterdir()) == list(homes.shared.iterdir()) == []


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_room_that_others_take_at_the_last_moment_is_an_error_too(pictures, homes, monkeypatch, kind):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    with pytest.raises(ArtifactError, match="No space left on device"):
        cached(pictures, kind)
    assert files(*vars(homes).values()) == []


def test_a_place_for_what_is_temporary_that_is_gone_is_named(pictures, homes, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", room(shm=0))
    homes.temporary.rmdir()
    with pytest.raises(ArtifactError, match=rf"{homes.temporary}/.*: the tensors.*\(No such file or directory\)"):
        cached(pictures, "memory")


def test_a_picture_that_is_gone_leaves_no_tensors(pictures, homes):
    (pictures[3].root / "3.png").unlink()
    with pytest.raises(DataError, match="the picture is gone"):
        cached(pictures, "disk")
    assert files(*vars(homes).values()) == []


MISLED = """
import shutil, sys
from pathlib import Path
from types import SimpleNamespace
from edge_melanoma.data.pictures import Picture
from edge_melanoma.data.tensors import make_cache
from edge_melanoma.errors import ArtifactError
from edge_melanoma.preprocess import PreprocessContract

shutil.disk_usage = lambda _: SimpleNamespace(free=10**12)
pictures = [Picture(image_id=str(n), root=Path(sys.argv[1]), path=f"{n % 5}.png") for n in range(20)]
try:
    make_cache(pictures, list("abcdefghijklmnopqrst"), PreprocessContract(width=256, height=256), "disk", workers=1)
except ArtifactError as error:
    sys.exit(str(error))
"""


def test_a_disk_that_is_really_full_is_an_error_and_not_the_end_of_the_process(pictures, tmp_path):
    """In a process of its own: a write to mapped memory without a block behind it is a bus error."""
    small = tmp_path / "small"
    small.mkdir()
    mount = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if not mount or mount.returncode:
        pytest.skip("needs leave to mount a small tmpfs")
    try:
        argv = [sys.executable, "-c", MISLED, str(pictures[0].root)]
        environment = {**os.environ, "XDG_CACHE_HOME": str(small)}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.returncode
        assert "cannot be kept there (No space left on device)" in done.stderr
        assert files(small) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_the_tensors_are_those_of_the_contract(pictures, homes):
    kept = cached(pictures, "memory").open()
    for row, picture in zip(kept, pictures, strict=True):
        np.testing.assert_array_equal(row, CONTRACT.to_tensor(picture.read()))
