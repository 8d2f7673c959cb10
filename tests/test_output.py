"""Outputs are whole or absent, and only our own are ever replaced."""

import errno
import json
import os
import re

import pytest

from edge_melanoma import output
from edge_melanoma.errors import ArtifactError
from edge_melanoma.output import check_vacant, new_folder, read_origin, write_file, write_json


def write(out, text="one", *, force=False, kind="index"):
    with new_folder(out, kind=kind, force=force) as (draft, about):
        (draft / "content.txt").write_text(text)
        about["rows"] = 3


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_finished_folder_carries_its_origin(tmp_path):
    write(tmp_path / "deep" / "out")
    assert (tmp_path / "deep" / "out" / "content.txt").read_text() == "one"
    note = json.loads((tmp_path / "deep" / "out" / "edge-melanoma.json").read_text())
    assert note["kind"] == "index"
    assert note["rows"] == 3
    assert note["host"]["python"]
    assert not leftovers(tmp_path / "deep")


@pytest.mark.parametrize("end", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_unfinished_folder_leaves_nothing(tmp_path, end):
    def write_half():
        with new_folder(tmp_path / "out", kind="index") as (draft, _):
            (draft / "half").write_text("x")
            raise end

    with pytest.raises(end):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_is_refused_without_force_and_kept(tmp_path):
    write(tmp_path / "out")
    with pytest.raises(ArtifactError, match="exists already; give --force"):
        write(tmp_path / "out", "two")
    assert (tmp_path / "out" / "content.txt").read_text() == "one"


def test_force_replaces_what_this_tool_wrote(tmp_path):
    write(tmp_path / "out")
    write(tmp_path / "out", "two", force=True)
    assert (tmp_path / "out" / "content.txt").read_text() == "two"
    assert not leftovers(tmp_path)


def test_a_failure_under_force_keeps_the_old_output(tmp_path):
    write(tmp_path / "out")
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out", kind="index", force=True):
        raise RuntimeError
    assert (tmp_path / "out" / "content.txt").read_text() == "one"
    assert not leftovers(tmp_path)


def test_force_never_deletes_a_folder_of_somebody_else(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    with pytest.raises(ArtifactError, match="was not written by this tool"):
        write(tmp_path / "home", force=True)
    assert (tmp_path / "home" / "thesis.txt").exists()


def test_force_does_not_replace_another_kind_of_output(tmp_path):
    write(tmp_path / "out", kind="pictures")
    with pytest.raises(ArtifactError, match="holds pictures"):
        write(tmp_path / "out", force=True)
    assert read_origin(tmp_path / "out")["kind"] == "pictures"


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    write(tmp_path / "out")
    assert (tmp_path / "out" / "content.txt").exists()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(ArtifactError, match="is a file"):
        check_vacant(tmp_path / "out", kind="index", force=True)


def test_a_broken_link_in_the_way_is_named(tmp_path):
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match="broken symbolic link"):
        write(tmp_path / "out")


def test_a_place_that_cannot_be_written_is_named_before_the_work(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="cannot be written"):
        write(tmp_path / "file" / "out")
    with pytest.raises(ArtifactError, match="cannot be written"):
        check_vacant(tmp_path / "file" / "out", kind="index", force=False)


def test_a_single_file_is_written_whole(tmp_path):
    write_file(tmp_path / "a.json", "{}")
    assert (tmp_path / "a.json").read_text() == "{}"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(ArtifactError, match="cannot be written"):
        write_file(tmp_path / "none" / "a.json", "{}")


def test_what_is_no_number_is_null_in_json(tmp_path):
    write_json(tmp_path / "a.json", {"auc": float("nan"), "curve": [(1.0, float("-inf"))], "n": 3})
    assert json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail) == {
        "auc": None,
        "curve": [[1.0, None]],
        "n": 3,
    }


class Refusing:
    """A file that takes nothing, for the reason that the system would give."""

    def __init__(self, number):
        self.number = number

    def __call__(self, handle, mode):
        os.close(handle)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def write(self, data):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full; free some room"),
        (errno.EDQUOT, "the disk is full; free some room"),
        (errno.EROFS, "cannot be written (Read-only file system)"),
        (errno.EACCES, "cannot be written (Permission denied)"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_and_the_old_one_stays(tmp_path, monkeypatch, number, said):
    write_file(tmp_path / "a.json", "old")
    monkeypatch.setattr(output.os, "fdopen", Refusing(number))
    with pytest.raises(ArtifactError, match=re.escape(f"a.json: {said}")):
        write_file(tmp_path / "a.json", "new")
    monkeypatch.undo()
    assert (tmp_path / "a.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_disk_that_fills_up_under_a_folder_is_told_by_the_folders_name_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(output.os, "fdopen", Refusing(errno.ENOSPC))
    with (
        pytest.raises(ArtifactError, match=re.escape(f"{tmp_path / 'out'}: the disk is full; nothing was written")),
        new_folder(tmp_path / "out", kind="index") as (draft, _),
    ):
        write_file(draft / "page.html", "x")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
