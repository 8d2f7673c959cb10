"""The index: what it holds survives being written, moved and reordered, and a changed one is refused."""

import json

import h5py
import numpy as np
import polars as pl
import pytest

from edge_melanoma.data.index import COLUMNS, Index, conform, read_index, write_index
from edge_melanoma.data.pictures import Picture
from edge_melanoma.errors import ArtifactError, DataError


def make_index(tmp_path, **columns):
    rows = {"image_id": ["b", "a"], "image_path": ["b.jpg", "a.jpg"], "source": ["made", "made"], "age": [50.0, None]}
    return Index(table=conform(pl.DataFrame({**rows, **columns})), roots={"made": tmp_path / "pictures"})


def test_every_index_has_every_column_in_the_order_of_ids(tmp_path):
    table = make_index(tmp_path).table
    assert table.columns == list(COLUMNS)
    assert table.schema == pl.Schema(COLUMNS)
    assert table["image_id"].to_list() == ["a", "b"]


def test_a_column_that_is_none_of_ours_is_a_bug(tmp_path):
    with pytest.raises(ValueError, match="thickness"):
        make_index(tmp_path, thickness=[1, 2])


def test_what_is_written_is_read_back(tmp_path):
    index = write_index(make_index(tmp_path, y_mel=[1, 0]), tmp_path / "index")
    assert read_index(tmp_path / "index").table.equals(index.table)
    assert index.sha256 == make_index(tmp_path, y_mel=[1, 0]).sha256


def test_the_hash_is_that_of_the_content_and_not_of_the_place_or_order(tmp_path):
    one = make_index(tmp_path / "x")
    turned = Index(table=conform(one.table.reverse()), roots={"made": tmp_path / "y"})
    assert one.sha256 == turned.sha256
    assert one.sha256 != make_index(tmp_path, y_mel=[1, 0]).sha256


def test_an_index_moved_with_its_pictures_still_finds_them(tmp_path):
    (tmp_path / "here" / "pictures").mkdir(parents=True)
    (tmp_path / "here" / "pictures" / "a.jpg").write_bytes(b"jpeg")
    write_index(make_index(tmp_path / "here"), tmp_path / "here" / "index")
    (tmp_path / "here").rename(tmp_path / "there")
    picture = read_index(tmp_path / "there" / "index").pictures()[0]
    assert picture.read() == b"jpeg"


def test_a_folder_whose_name_is_a_pattern_is_read_and_none_that_it_matches(tmp_path):
    write_index(make_index(tmp_path, y_mel=[1, 1]), tmp_path / "index1")
    for name in ("index[1]", "index*", "index?"):
        written = write_index(make_index(tmp_path, y_mel=[1, 0]), tmp_path / name)
        assert written.table["y_mel"].to_list() == [0, 1]


def test_a_moved_root_can_be_named(tmp_path):
    write_index(make_index(tmp_path), tmp_path / "index")
    moved = read_index(tmp_path / "index", roots={"made": tmp_path / "elsewhere"})
    assert moved.pictures()[0].name == str(tmp_path / "elsewhere" / "a.jpg")


def test_a_picture_that_is_gone_is_named(tmp_path):
    with pytest.raises(DataError, match=r"a\.jpg: the picture is gone"):
        make_index(tmp_path).pictures()[0].read()


def test_rows_without_a_picture_have_none_to_read(tmp_path):
    assert [p.image_id for p in make_index(tmp_path, image_path=["b.jpg", None]).pictures()] == ["b"]


def test_pictures_inside_a_container_are_read_by_key(tmp_path):
    with h5py.File(tmp_path / "train-image.hdf5", "w") as file:
        file["ISIC_1"] = np.void(b"jpeg bytes\x00")
    picture = Picture(image_id="ISIC_1", root=tmp_path, path="train-image.hdf5#ISIC_1")
    assert picture.read() == b"jpeg bytes\x00"
    with pytest.raises(DataError, match="no entry 'ISIC_2'"):
        Picture(image_id="ISIC_2", root=tmp_path, path="train-image.hdf5#ISIC_2").read()
    with pytest.raises(DataError, match="the picture is gone"):
        Picture(image_id="ISIC_1", root=tmp_path, path="other.hdf5#ISIC_1").read()


def test_a_container_that_is_none_is_refused_by_name(tmp_path):
    (tmp_path / "train-image.hdf5").write_bytes(b"not hdf5")
    with pytest.raises(DataError, match="cannot be read"):
        Picture(image_id="ISIC_1", root=tmp_path, path="train-image.hdf5#ISIC_1").read()


def spoil_table(folder):
    table = pl.read_parquet(folder / "index.parquet")
    table.with_columns(y_mel=pl.lit(1, dtype=pl.Int8)).write_parquet(folder / "index.parquet")


def drop_column(folder):
    pl.read_parquet(folder / "index.parquet").drop("age").write_parquet(folder / "index.parquet")


def cut_in_half(folder):
    whole = (folder / "index.parquet").read_bytes()
    (folder / "index.parquet").write_bytes(whole[: len(whole) // 2])


def spoil_note(folder):
    note = json.loads((folder / "edge-melanoma.json").read_text())
    del note["roots"]
    (folder / "edge-melanoma.json").write_text(json.dumps(note))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_table, "index.parquet: was changed after it was written"),
        (drop_column, "index.parquet: lacks the columns age"),
        (cut_in_half, "index.parquet: is broken"),
        (spoil_note, "edge-melanoma.json: was changed after it was written"),
    ],
)
@pytest.mark.parametrize(("about", "verb"), [({}, "ingest again"), ({"split_recipe": {"seed": 0}}, "split again")])
def test_a_folder_that_was_changed_is_refused_with_the_verb_that_writes_it_anew(tmp_path, spoil, said, about, verb):
    index = make_index(tmp_path)
    write_index(index.with_table(index.table, **about), tmp_path / "index")
    spoil(tmp_path / "index")
    with pytest.raises(ArtifactError, match=said) as caught:
        read_index(tmp_path / "index")
    assert str(caught.value).endswith(f"; {verb}")


def test_what_is_no_index_is_refused_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(ArtifactError, match="does not exist; make it with: edge-melanoma data ingest"):
        read_index(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match="holds no index"):
        read_index(tmp_path / "empty")
