"""What is not the data set, or not all of it, is refused in one line that says what, where, and what would be right."""

import os
import shutil
from pathlib import Path

import pytest

from edge_melanoma.data.sources import Request, source
from edge_melanoma.errors import DataError

TABLED = {
    "ham10000": ("ham10000", "HAM10000_metadata.csv"),
    "isic2018": ("isic2018", "ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv"),
    "isic2019": ("isic2019", "ISIC_2019_Training_GroundTruth.csv"),
    "isic2020": ("isic2020", "train.csv"),
    "isic2024": ("isic2024", "train-metadata.csv"),
    "pad-ufes-20": ("pad_ufes_20", "metadata.csv"),
    "synth": ("synth", "SYN_metadata.csv"),
}
WITHOUT_TABLE = ["isic9", "ph2", "dermamnist", "folder"]


def read(name, root, **options):
    return source(name).read(Request(root=root, unpack=root / "unpacked", **options))


def refused(name, root, message, **options):
    with pytest.raises(DataError, match=message) as caught:
        read(name, root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def shortened_in_the_middle(text):
    lines = text.splitlines(keepends=True)
    return b"".join([*lines[:2], lines[2].rpartition(b",")[0] + b"\n", *lines[2:]])


@pytest.mark.parametrize("name", [*TABLED, *WITHOUT_TABLE])
def test_a_root_that_is_not_there_is_a_file_or_is_empty(name, tmp_path):
    refused(name, tmp_path / "nowhere", "nowhere: does not exist; give the folder")
    (tmp_path / "archive.zip").write_bytes(b"PK")
    refused(name, tmp_path / "archive.zip", "is a file; give the folder")
    (tmp_path / "empty").mkdir()
    assert str(tmp_path / "empty") in refused(name, tmp_path / "empty", "hol|has no")


@pytest.mark.parametrize("name", TABLED)
def test_another_data_set_is_answered_with_the_published_layout(name, mini, tmp_path):
    mini.pictures(tmp_path / "x", ["1.jpg"])
    message = refused(name, tmp_path, "holds no .* as published: ")
    assert source(name).layout.split()[0].split("/")[0] in message


@pytest.mark.parametrize("name", TABLED)
def test_wrong_columns_are_named_with_those_that_were_found(name, mini, tmp_path):
    builder, table = TABLED[name]
    root = getattr(mini, builder)(tmp_path)
    mini.table(root / table, "id,label", [["1", "mel"]])
    refused(
        name,
        root,
        rf"{Path(table).name}: lacks the columns? .*; found the columns id, label; give .* as published",
    )


@pytest.mark.parametrize("name", TABLED)
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: b"", "is empty; download it again"),
        (lambda text: text.splitlines(keepends=True)[0], "has a header and no rows"),
        (lambda text: text.replace(b",", b";"), "is separated by semicolons; save it with commas"),
        (lambda text: text.replace(b",", b"\t"), "is separated by tabs; save it with commas"),
        (lambda text: b"\xff\xfe" + text, "is not UTF-8 text"),
        (lambda text: text.rstrip() + b"\n\xff" + b"," * text.partition(b"\n")[0].count(b",") + b"\n", "UTF-8"),
        (lambda text: text.rstrip().rpartition(b",")[0], "its last row breaks off"),
        (shortened_in_the_middle, r", row 3: has \d+ of the header's \d+ values \('.*'\); write commas"),
        (lambda text: text + b"," * 100, "cannot be read as a table"),
        (lambda text: b"<!doctype html>\n<html>\n", "lacks the columns"),
    ],
)
def test_a_damaged_table_is_refused(name, damage, message, mini, tmp_path):
    builder, table = TABLED[name]
    path = getattr(mini, builder)(tmp_path) / table
    path.write_bytes(damage(path.read_bytes()))
    assert str(path) in refused(name, tmp_path, message)


@pytest.mark.parametrize("name", TABLED)
def test_a_byte_order_mark_and_blank_lines_do_no_harm(name, mini, tmp_path):
    builder, table = TABLED[name]
    root = getattr(mini, builder)(tmp_path)
    before = read(name, root).table
    (root / table).write_bytes(b"\xef\xbb\xbf" + (root / table).read_bytes() + b"\r\n\r\n")
    assert read(name, root).table.equals(before)


def test_commas_and_line_ends_within_quotes_do_not_count(mini, tmp_path):
    mini.pictures(tmp_path, ["1.jpg", "2.jpg", "3.jpg"])
    table = tmp_path / "labels.csv"
    whole = 'image_id,dx,note,lesion_id\n1,MEL,"red, \n""blue""",\n\n2,NV,,\n'
    table.write_text(whole + "3,NV,plain,\n")
    assert read("csv", tmp_path, table=table).table.height == 3
    table.write_text(whole + '3,"N,V",plain\n4,NV,,\n')
    refused("csv", tmp_path, r"labels.csv, row 5: has 3 of the header's 4 values", table=table)


@pytest.mark.parametrize("name", TABLED)
def test_two_data_sets_below_the_root_are_listed(name, mini, tmp_path):
    builder, table = TABLED[name]
    for copy in ("one", "two"):
        getattr(mini, builder)(tmp_path / copy)
    refused(name, tmp_path, rf"holds 2 data sets, one/{table}, two/{table}; give the folder of one")


def test_a_root_that_is_too_low_is_told_the_right_one(mini, tmp_path):
    root = mini.ham10000(tmp_path)
    refused("ham10000", root / "HAM10000_images_part_1", rf"; {root} has it: give that folder")


@pytest.mark.parametrize("name", ["ham10000", "isic9", "folder", "dermamnist"])
def test_links_in_a_circle_end(name, mini, tmp_path):
    root = getattr(mini, name)(tmp_path / "set")
    first = next(path for path in root.iterdir() if path.is_dir()) if name != "dermamnist" else root
    (first / "loop").symlink_to(root, target_is_directory=True)
    (root / "up").symlink_to(tmp_path, target_is_directory=True)
    (root / "self").symlink_to("self")
    assert read(name, root).table["image_path"].null_count() == 0


def test_links_to_another_disk_and_a_root_that_is_a_link_are_followed(mini, tmp_path):
    root = mini.ham10000(tmp_path / "set")
    (root / "HAM10000_images_part_2").rename(tmp_path / "elsewhere")
    (root / "HAM10000_images_part_2").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    paths = read("ham10000", tmp_path / "link").table["image_path"]
    assert paths.null_count() == 0
    assert (tmp_path / "link" / paths[3]).is_file()


def test_a_broken_link_is_a_picture_that_is_not_there(mini, tmp_path):
    root = mini.ham10000(tmp_path)
    picture = root / "HAM10000_images_part_1" / "ISIC_0000001.jpg"
    picture.unlink()
    picture.symlink_to(tmp_path / "nowhere.jpg")
    assert read("ham10000", root).table["image_path"].null_count() == 1


def test_hidden_files_of_macos_are_no_pictures(mini, tmp_path):
    root = mini.ham10000(tmp_path)
    shutil.copytree(root / "HAM10000_images_part_1", root / "__MACOSX" / "HAM10000_images_part_1")
    (root / "HAM10000_images_part_1" / "._ISIC_0000001.jpg").write_bytes(b"x")
    assert read("ham10000", root).orphans == ()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(mini, tmp_path):
    root = mini.ham10000(tmp_path)
    (root / "HAM10000_images_part_1").chmod(0)
    try:
        refused("ham10000", root, "HAM10000_images_part_1: cannot be read")
    finally:
        (root / "HAM10000_images_part_1").chmod(0o755)


def test_one_id_with_two_different_pictures_is_refused(mini, tmp_path):
    root = mini.ham10000(tmp_path)
    mini.picture(root / "images" / "ISIC_0000001.jpg")
    refused(
        "ham10000", root, r"HAM10000_images_part_1/ISIC_0000001.jpg and images/ISIC_0000001.jpg have one id and differ"
    )


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (1, "", "row 3: image_id '' is empty"),
        (4, "abc", "row 3: age 'abc' is not a number from 0 to 120"),
        (4, "-5", "row 3: age '-5' is not a number from 0 to 120"),
        (4, "inf", "row 3: age 'inf' is not a number"),
        (5, "histo", "row 3: sex 'histo' is none of female, male, unknown"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_row(column, value, message, mini, tmp_path):
    rows = [list(row) for row in mini.HAM_ROWS]
    root = mini.ham10000(tmp_path)
    rows[1][column] = value
    mini.table(root / "HAM10000_metadata.csv", mini.HAM_HEADER, rows)
    refused("ham10000", root, message)


def test_a_column_that_is_there_twice_is_refused(mini, tmp_path):
    root = mini.ham10000(tmp_path, header=f"{mini.HAM_HEADER},age", rows=[[*row, "5"] for row in mini.HAM_ROWS])
    refused("ham10000", root, "has the column age more than once")


@pytest.mark.parametrize("row", [["1.0", "1.0"], ["0.0", "0.0"], ["0.5", "0.5"], ["x", "0.0"], ["", "1.0"]])
def test_a_row_that_is_not_one_hot_is_refused(row, mini, tmp_path):
    root = mini.isic2018(tmp_path)
    truth = root / "ISIC2018_Task3_Test_GroundTruth" / "ISIC2018_Task3_Test_GroundTruth.csv"
    mini.table(truth, ["image", *mini.CLASSES_2018], [["ISIC_0034524", *row, *["0.0"] * 5]])
    refused("isic2018", root, "row 2.* (has not exactly one 1 among|is neither 0 nor 1)")


def test_lesion_groupings_of_another_download_are_refused(mini, tmp_path):
    root = mini.isic2018(tmp_path)
    groupings = root / "ISIC2018_Task3_Training_LesionGroupings.csv"
    mini.table(groupings, "image,lesion_id,diagnosis_confirm_type", [["ISIC_0024306", "HAM_1", "histopathology"]])
    refused("isic2018", root, "lacks 2 of 3 training pictures, first ISIC_0024307")


def test_isic2019_tables_must_speak_of_the_same_pictures(mini, tmp_path):
    root = mini.isic2019(tmp_path)
    truth = [mini.one_hot(row[0], row[1], mini.CLASSES_2019) for row in mini.ROWS_2019[:3]]
    mini.table(root / "ISIC_2019_Training_GroundTruth.csv", ["image", *mini.CLASSES_2019], truth)
    refused(
        "isic2019", root, r"Metadata.csv: 1 pictures are not in ISIC_2019_Training_GroundTruth.csv, first ISIC_0053453"
    )
    (root / "ISIC_2019_Training_Metadata.csv").unlink()
    refused("isic2019", root, "holds no ISIC_2019_Training_Metadata.csv")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (5, "nevus", "diagnosis 'nevus' contradicts its target"),
        (6, "benign", "benign_malignant 'benign' contradicts its target"),
        (7, "0", "diagnosis 'melanoma' contradicts its target"),
        (7, "yes", "target 'yes' is neither 0 nor 1"),
    ],
)
def test_isic2020_must_not_contradict_itself(column, value, message, mini, tmp_path):
    rows = [list(row) for row in mini.ROWS_2020]
    rows[1][column] = value
    refused("isic2020", mini.isic2020(tmp_path, rows=rows), f"row 3: {message}")


def test_half_of_isic9_is_refused(mini, tmp_path):
    home = next(mini.isic9(tmp_path).iterdir())
    shutil.rmtree(home / "Test" / "nevus")
    refused("isic9", tmp_path, "Test: lacks the folders nevus; the nine-class ISIC set of Kaggle has")
    shutil.rmtree(home / "Test")
    refused("isic9", tmp_path, "has no folder with both Train and Test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("IMD009", "Fig. 9"), "row 4: Name 'Fig. 9' is no picture of PH2"),
        (lambda text: text.replace("||    3  4 ||", "||"), "row 4: has 4 fields between"),
        (lambda text: text.replace("Clinical Diagnosis ||", "Diagnosis ||"), "has no header"),
        (lambda text: "\n".join(text.splitlines()[:2]), "has a header and no rows"),
        (lambda text: "", "has no header"),
    ],
)
def test_a_damaged_table_of_ph2_is_refused(change, message, mini, tmp_path):
    refused("ph2", mini.ph2(tmp_path, text=change(mini.PH2_TEXT)), message)


def test_the_spreadsheet_of_ph2_alone_asks_for_the_text(mini, tmp_path):
    (mini.ph2(tmp_path) / "PH2Dataset" / "PH2_dataset.txt").unlink()
    refused("ph2", tmp_path, "PH2_dataset.xlsx: spreadsheets are not read; put PH2_dataset.txt")


def test_pad_ufes_values_that_cannot_be_are_refused(mini, tmp_path):
    rows = [list(row) for row in mini.PAD_ROWS]
    rows[0][13] = "7"
    refused(
        "pad-ufes-20",
        mini.pad_ufes_20(tmp_path / "a", rows=rows),
        "row 2: fitspatrick '7' is not a whole number from 1",
    )
    rows[0][13], rows[0][25] = "1.0", "perhaps"
    refused(
        "pad-ufes-20", mini.pad_ufes_20(tmp_path / "b", rows=rows), "row 2: biopsed 'perhaps' is neither True nor False"
    )


def test_a_synthetic_set_without_its_facts_is_refused(mini, tmp_path):
    (mini.synth(tmp_path) / "synth.json").unlink()
    refused("synth", tmp_path, "synth.json: is not there or is broken; .*generate the set again")


def test_folders_that_are_no_classes_are_refused(mini, tmp_path):
    mini.pictures(tmp_path / "a", ["train/melanoma/1.jpg", "Test/nevus/2.jpg"])
    refused("folder", tmp_path / "a", "holds Test, train, which are no classes")
    mini.pictures(tmp_path / "b", ["all/melanoma/1.jpg", "all/nevus/2.jpg"])
    refused("folder", tmp_path / "b", rf"one level down; give {tmp_path / 'b' / 'all'}")
    mini.pictures(tmp_path / "c", ["1.jpg"])
    refused("folder", tmp_path / "c", "has no picture in a folder below it")


def test_names_that_an_index_cannot_hold_are_refused(mini, tmp_path):
    mini.pictures(tmp_path / "a", ["melanoma/lesion#1.jpg"])
    refused("folder", tmp_path / "a", "a path with '#' cannot be indexed")
    (tmp_path / "b").mkdir()
    try:
        (tmp_path / "b" / os.fsdecode(b"mel\xff")).mkdir()
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    refused("folder", tmp_path / "b", "is not UTF-8; rename it")
