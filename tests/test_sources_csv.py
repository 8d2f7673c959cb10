"""The source `csv`: the user says which column is which, and what is not said or cannot be is refused."""

from pathlib import Path

import pytest

from edge_melanoma.data.sources import Request, source
from edge_melanoma.errors import DataError, RecipeError

ROWS = [["a/1.jpg", "MEL", "51", "F"], ["a/2.jpg", "NV", "", "m"]]


def read(root, table="labels.csv", **options):
    return source("csv").read(Request(root=root, unpack=root / "unpacked", table=table and root / table, **options))


@pytest.fixture
def root(mini, tmp_path):
    mini.pictures(tmp_path, ["a/1.jpg", "a/2.jpg", "a/3.jpg", "b/4.jpg"])
    mini.table(tmp_path / "labels.csv", "file,label,years,gender", ROWS)
    return tmp_path


COLUMNS = {"image_path": "file", "dx": "label", "age": "years", "sex": "gender"}


def test_columns_are_read_as_they_were_named(root):
    listing = read(root, columns=COLUMNS, source_name="ours", modality="dermoscopic", license="CC0-1.0")
    first, second = listing.table.to_dicts()
    assert (first["image_id"], first["image_path"], first["dx"]) == ("a/1", "a/1.jpg", "MEL")
    assert (first["age"], first["sex"], second["age"], second["sex"]) == (51.0, "female", None, "male")
    assert (first["source"], first["modality"], first["license"]) == ("ours", "dermoscopic", "CC0-1.0")
    assert listing.orphans == ("a/3.jpg",)
    assert any("image_path=file" in remark for remark in listing.remarks)


def test_columns_with_our_names_need_not_be_named(mini, root):
    mini.table(
        root / "labels.csv", "image_id,dx,lesion_id,split", [["1", "MEL", "L1", "train"], ["4.jpg", "BCC", "", ""]]
    )
    first, second = read(root).table.to_dicts()
    assert (first["image_path"], first["lesion_id"], first["split"]) == ("a/1.jpg", "L1", "train")
    assert (second["image_path"], second["lesion_id"], second["split"]) == ("b/4.jpg", None, None)


def test_the_table_may_lie_below_the_root_or_anywhere(mini, root, monkeypatch):
    (root / "elsewhere").mkdir()
    monkeypatch.chdir(root / "elsewhere")
    request = Request(root=root, unpack=root, table=Path("labels.csv"), columns=COLUMNS)
    assert source("csv").read(request).table.height == 2
    mini.table(root / "elsewhere" / "labels.csv", "file,label,years,gender", ROWS[:1])
    with pytest.raises(RecipeError, match="is both"):
        source("csv").read(request)


def test_a_folder_whose_name_is_a_pattern_is_read_and_none_that_it_matches(mini, root):
    for name, label in (("data1", "NV"), ("data[1]", "MEL")):
        mini.table(root / name / "labels.csv", "image_id,dx", [["1", label]])
        mini.pictures(root / name, ["1.jpg"])
    assert read(root / "data[1]").table["dx"].to_list() == ["MEL"]


def test_labels_follow_the_vocabulary_that_is_asked_for(mini, root):
    mini.table(root / "labels.csv", "image_id,dx", [["1", "mel"], ["2", "MEL"]])
    assert read(root, vocabulary="ham10000").table["dx"].to_list() == ["MEL", None]
    assert read(root).table["dx"].to_list() == [None, "MEL"]


def test_windows_and_absolute_paths_are_made_relative(mini, root):
    mini.table(
        root / "labels.csv",
        "image_path,dx",
        [["a\\1.jpg", "MEL"], [str(root / "a" / "2.jpg"), "NV"], ["./b/4.jpg", "NV"]],
    )
    assert read(root).table["image_path"].to_list() == ["a/1.jpg", "a/2.jpg", "b/4.jpg"]


def test_a_picture_that_is_not_there_has_no_path(mini, root):
    mini.table(root / "labels.csv", "image_path,dx", [["a/1.jpg", "MEL"], ["a/9.jpg", "NV"]])
    assert read(root).table["image_path"].to_list() == ["a/1.jpg", None]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image_path": "path", "dx": "label"}, "has no column path; found file, label, years, gender"),
        ({"image_path": "file"}, r"say which column is dx \(--column dx=…\); found file"),
        ({"dx": "label"}, "say which column is image_id or image_path"),
        ({"image_path": "file", "dx": "label", "sha256": "label"}, "--column sha256=…: is no column that can be given"),
    ],
)
def test_a_mapping_that_cannot_be_names_what_can(columns, message, root):
    with pytest.raises(RecipeError, match=message):
        read(root, columns=columns)


def test_what_is_not_said_is_asked_for(root):
    with pytest.raises(RecipeError, match="give the table with --table"):
        read(root, table=None)
    with pytest.raises(DataError, match="is no file, neither here nor below"):
        read(root, table="other.csv")
    with pytest.raises(RecipeError, match="modality 'xray' is unknown; known: dermoscopic"):
        read(root, columns=COLUMNS, modality="xray")
    with pytest.raises(RecipeError, match="vocabulary 'mine' is unknown; known: canonical"):
        read(root, columns=COLUMNS, vocabulary="mine")


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("image_path,dx", ["../secret.jpg", "MEL"], r"row 2: image_path '../secret.jpg' leads out of"),
        ("image_path,dx", ["/etc/passwd", "MEL"], r"row 2: image_path '/etc/passwd' leads out of"),
        ("image_path,dx", ["C:/x.jpg", "MEL"], "leads out of"),
        ("image_path,dx", ["", "MEL"], "row 2: image_path '' is empty"),
        ("image_id,dx,split", ["1", "MEL", "dev"], "row 2: split 'dev' is none of train, val, calibration, test"),
        ("image_id,dx,modality", ["1", "MEL", "xray"], "row 2: modality 'xray' is none of dermoscopic, clinical, tbp"),
        ("image_id,dx,fst", ["1", "MEL", "2.5"], "row 2: fst '2.5' is not a whole number from 1 to 6"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_row(header, row, message, mini, root):
    mini.table(root / "labels.csv", header, [row])
    with pytest.raises(DataError, match=message):
        read(root)


def test_an_id_that_two_pictures_have_asks_for_paths(mini, root):
    mini.picture(root / "b" / "1.png")
    mini.table(root / "labels.csv", "image_id,dx", [["1", "MEL"]])
    with pytest.raises(DataError, match=r"image_id '1' could be a/1.jpg or b/1.png; give a column image_path"):
        read(root)
