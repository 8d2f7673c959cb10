"""Every data set, laid out as published, becomes the rows that its publication describes."""

import shutil

import polars as pl
import pytest

from edge_melanoma.data.index import COLUMNS
from edge_melanoma.data.pictures import Picture
from edge_melanoma.data.sites import GROUP_OF, SITE_GROUPS
from edge_melanoma.data.sources import Request, source, sources
from edge_melanoma.labels import VOCABULARIES


def read(name, root, **options):
    return source(name).read(Request(root=root, unpack=root / "unpacked", **options))


def rows(listing):
    return {row["image_id"]: row for row in listing.table.to_dicts()}


BUILDERS = {
    "ham10000": ["ham10000", "ham10000_dataverse"],
    "isic2018": ["isic2018"],
    "isic2019": ["isic2019", "isic2019_test"],
    "isic2020": ["isic2020", "isic2020_official"],
    "isic2024": ["isic2024"],
    "isic9": ["isic9"],
    "ph2": ["ph2"],
    "pad-ufes-20": ["pad_ufes_20"],
    "dermamnist": ["dermamnist"],
    "folder": ["folder"],
    "synth": ["synth"],
}
ALL = [(name, builder) for name, builders in BUILDERS.items() for builder in builders]


@pytest.mark.parametrize(("name", "builder"), ALL)
def test_every_row_has_its_picture_and_a_known_label_and_fits_an_index(name, builder, mini, tmp_path):
    listing = read(name, getattr(mini, builder)(tmp_path))
    assert set(listing.table.columns) <= set(COLUMNS)
    assert listing.table.height > 0
    for column in ("image_id", "image_path", "source", "license", "modality" if name != "folder" else "dx"):
        assert listing.table[column].null_count() == 0, column
    assert listing.table["dx"].null_count() == 0
    place = tmp_path / "unpacked" if listing.unpacked else tmp_path
    for row in listing.table.to_dicts():
        assert Picture(image_id=row["image_id"], root=place, path=row["image_path"]).read()
    assert listing.orphans == ()
    assert listing.looked_in
    assert all(path.is_file() for path in listing.tables)


@pytest.mark.parametrize(("name", "builder"), [pair for pair in ALL if pair[0] != "folder"])
def test_a_root_one_or_two_levels_too_high_is_understood(name, builder, mini, tmp_path):
    plain = read(name, getattr(mini, builder)(tmp_path / "a" / "archive" / "archive"))
    listing = read(name, tmp_path / "a")
    assert listing.table.drop("image_path").equals(plain.table.drop("image_path")) or name == "dermamnist"
    if not listing.unpacked:
        assert all(Picture(image_id="", root=tmp_path / "a", path=p).read() for p in listing.table["image_path"])


@pytest.mark.parametrize(("name", "builder"), ALL)
def test_tables_alone_give_the_same_rows_without_paths(name, builder, mini, tmp_path):
    root = getattr(mini, builder)(tmp_path)
    listing = read(name, root, with_pictures=False)
    assert listing.table["image_path"].null_count() == listing.table.height
    assert listing.table.drop("image_path").equals(read(name, root).table.drop("image_path"))
    assert not (root / "unpacked").exists() or name == "dermamnist"


def test_every_source_has_what_help_and_messages_need():
    for name, known in sources().items():
        assert known.name == name
        assert known.layout.strip()
        assert known.vocabulary in VOCABULARIES
        assert known.license


def test_ham10000_rows_are_typed_and_unknown_is_null(mini, tmp_path):
    listing = read("ham10000", mini.ham10000(tmp_path))
    found = rows(listing)
    assert found["ISIC_0000001"]["lesion_id"] == found["ISIC_0000002"]["lesion_id"] == "HAM_0000001"
    assert [found[f"ISIC_000000{n}"]["dx"] for n in (1, 3, 4)] == ["MEL", "NV", "AKIEC"]
    one = found["ISIC_0000004"]
    assert (one["age"], one["sex"], one["site"], one["site_group"]) == (85.0, "female", "face", "head/neck")
    assert [found["ISIC_0000003"][key] for key in ("age", "sex", "site", "site_group", "centre")] == [None] * 5
    assert any("column `dataset`" in remark for remark in listing.remarks)
    assert sum(listing.published_counts.values()) == 10_015


def test_ham10000_from_dataverse_knows_the_centre_and_ignores_what_lies_beside(mini, tmp_path):
    listing = read("ham10000", mini.ham10000_dataverse(tmp_path))
    assert [rows(listing)[f"ISIC_000000{n}"]["centre"] for n in (1, 3, 4)] == [
        *("vidir_modern", "vidir_molemax", "rosendahl")
    ]
    assert listing.orphans == ()


def test_the_second_spelling_of_a_folder_on_kaggle_is_no_second_picture(mini, tmp_path):
    root = mini.ham10000(tmp_path)
    shutil.copytree(root / "HAM10000_images_part_1", root / "ham10000_images_part_1")
    if len(list(root.glob("[hH][aA][mM]10000_images_part_1"))) < 2:
        pytest.skip("this file system does not tell the spellings apart")
    listing = read("ham10000", root)
    assert rows(listing)["ISIC_0000001"]["image_path"] == "HAM10000_images_part_1/ISIC_0000001.jpg"
    assert any("2 pictures are there twice" in remark for remark in listing.remarks)


@pytest.mark.parametrize("place", ["images", "."])
def test_ham10000_in_one_folder_is_understood(place, mini, tmp_path):
    root = mini.ham10000(tmp_path)
    (root / place).mkdir(exist_ok=True)
    for path in root.glob("HAM10000_images_part_*/*.jpg"):
        path.rename(root / place / path.name)
    assert read("ham10000", root).table["image_path"].null_count() == 0


def test_a_picture_without_a_row_is_an_orphan_and_a_row_without_a_picture_has_no_path(mini, tmp_path):
    root = mini.ham10000(tmp_path)
    (root / "HAM10000_images_part_1" / "ISIC_0000001.jpg").rename(root / "HAM10000_images_part_1" / "ISIC_9.jpg")
    listing = read("ham10000", root)
    assert listing.orphans == ("HAM10000_images_part_1/ISIC_9.jpg",)
    assert rows(listing)["ISIC_0000001"]["image_path"] is None


def test_repeated_ids_and_unknown_labels_are_passed_on(mini, tmp_path):
    extra = [["HAM_1", "ISIC_0000001", "melanoma?", "histo", "60.0", "male", "moon"]]
    listing = read("ham10000", mini.ham10000(tmp_path, rows=[*mini.HAM_ROWS, *extra]))
    assert listing.table["image_id"].is_duplicated().sum() == 2
    odd = listing.table.filter(pl.col("dx").is_null()).to_dicts()
    assert [(row["dx_raw"], row["site"], row["site_group"]) for row in odd] == [("melanoma?", "moon", None)]


def test_isic2018_keeps_the_official_part_as_centre_and_never_as_split(mini, tmp_path):
    listing = read("isic2018", mini.isic2018(tmp_path))
    assert "split" not in listing.table.columns
    assert dict(listing.table.group_by("centre").len().rows()) == {
        **{"isic2018-training": 3, "isic2018-validation": 1, "isic2018-test": 2}
    }
    one = rows(listing)["ISIC_0024307"]
    assert (one["dx_raw"], one["dx"], one["lesion_id"], one["dx_confirm"]) == ("MEL", "MEL", "HAM_0003577", "histo")
    assert listing.published_counts == {}


def test_isic2018_says_what_is_missing_without_lesion_groupings_or_ground_truth(mini, tmp_path):
    root = mini.isic2018(tmp_path)
    (root / "ISIC2018_Task3_Training_LesionGroupings.csv").unlink()
    shutil.rmtree(root / "ISIC2018_Task3_Test_GroundTruth")
    listing = read("isic2018", root)
    assert any("near-duplicates alone" in remark for remark in listing.remarks)
    assert any("ISIC2018_Task3_Test_Input: left out" in remark for remark in listing.remarks)
    assert listing.table.height == 4


def test_isic2019_reads_the_centre_from_the_lesion_and_accepts_extra_columns(mini, tmp_path):
    found = rows(read("isic2019", mini.isic2019_test(mini.isic2019(tmp_path))))
    assert {name: row["centre"] for name, row in found.items()} == {
        "ISIC_0000000": None,
        "ISIC_0000002_downsampled": "MSK",
        "ISIC_0024306": "HAM",
        "ISIC_0053453": "BCN",
        "ISIC_0034321": "isic2019-test",
    }
    assert [found[name]["dx"] for name in ("ISIC_0024306", "ISIC_0053453", "ISIC_0034321")] == ["AK", "SCC", "UNK"]
    assert found["ISIC_0024306"]["sex"] is None
    assert found["ISIC_0053453"]["site_group"] == "genital"


def test_isic2019_leaves_out_a_test_part_without_ground_truth_and_says_so(mini, tmp_path):
    root = mini.isic2019_test(mini.isic2019(tmp_path))
    (root / "ISIC_2019_Test_GroundTruth.csv").unlink()
    listing = read("isic2019", root)
    assert listing.table.height == 4
    assert any("test part left out" in remark for remark in listing.remarks)
    assert any("without a lesion id: 1 pictures" in remark for remark in listing.remarks)
    assert listing.published_counts["NV"] == 12_875


def test_isic2020_unknown_is_benign_and_patients_are_kept(mini, tmp_path):
    found = rows(read("isic2020", mini.isic2020(tmp_path)))
    one = found["ISIC_2637011"]
    assert (one["dx_raw"], one["dx"], one["patient_id"]) == ("unknown", "OTHER_BEN", "IP_7279968")
    assert found["ISIC_0015719"]["dx"] == "MEL"
    assert found["ISIC_0068279"]["site_group"] == "acral/nail"


def test_isic2020_drops_published_second_copies_and_then_expects_no_counts(mini, tmp_path):
    listing = read("isic2020", mini.isic2020_official(tmp_path))
    assert "ISIC_0068279" not in rows(listing)
    assert rows(listing)["ISIC_2637011"]["lesion_id"] == "IL_0"
    assert listing.published_counts == {}
    assert any("left out: 1 pictures" in remark for remark in listing.remarks)
    assert sum(read("isic2020", mini.isic2020(tmp_path / "kaggle")).published_counts.values()) == 33_126


def test_isic9_keeps_a_file_that_is_in_two_class_folders(mini, tmp_path):
    listing = read("isic9", mini.isic9(tmp_path))
    twice = listing.table.filter(pl.col("image_id") == "ISIC_0010491")
    assert sorted(twice["dx_raw"]) == ["melanoma", "seborrheic keratosis"]
    assert dict(listing.table.group_by("centre").len().rows()) == {"isic9-train": 11, "isic9-test": 9}
    assert sum(listing.published_counts.values()) == 2239 + 118


def test_ph2_reads_the_table_between_bars_and_only_the_dermoscopic_pictures(mini, tmp_path):
    listing = read("ph2", mini.ph2(tmp_path, text=mini.PH2_TEXT.replace("||        ||   ", "-----")))
    found = rows(listing)
    assert [found[name]["dx"] for name in ("IMD003", "IMD009", "IMD058")] == ["NV", "NV", "MEL"]
    assert [found[name]["dx_raw"] for name in ("IMD003", "IMD009", "IMD058")] == ["0", "1", "2"]
    assert [found[name]["dx_confirm"] for name in ("IMD003", "IMD058")] == ["clinical", "histo"]
    assert listing.orphans == ()


def test_pad_ufes_lesions_are_told_apart_across_patients(mini, tmp_path):
    found = rows(read("pad-ufes-20", mini.pad_ufes_20(tmp_path)))
    assert {row["lesion_id"] for row in found.values()} == {"PAT_46/881", "PAT_1545/881", "PAT_46/882"}
    one, two = found["PAT_46_881_939"], found["PAT_1545_881_547"]
    assert (one["fst"], one["sex"], one["site"], one["dx_confirm"]) == (3, "female", "neck", "biopsy")
    assert (two["fst"], two["sex"], two["site_group"], two["dx_confirm"]) == (None, None, "upper extremity", "clinical")
    assert one["modality"] == "clinical"
    assert (one["dx"], two["dx"]) == ("BCC", "NV")


def test_synth_columns_that_may_be_there_are_read(mini, tmp_path):
    extra = (("train", "", ""), ("test", "SYN_0000001", "CC-BY-4.0"))
    root = mini.synth(tmp_path, header=",split,parent_id,license", rows=extra)
    found = rows(read("synth", root))
    two = found["SYN_0000002"]
    assert (two["split"], two["parent_id"], two["license"]) == ("test", "SYN_0000001", "CC-BY-4.0")
    one = found["SYN_0000001"]
    assert (one["ita"], one["patient_id"], one["license"]) == (48.5, "SYNP_1", "CC0-1.0 (synthetic)")
    assert one["modality"] == "synthetic"
    assert one["split"] == "train"


def test_folder_names_are_understood_in_any_case_and_ids_are_paths(mini, tmp_path):
    found = rows(read("folder", mini.folder(tmp_path), source_name="ours", license="CC0-1.0", modality="clinical"))
    assert {name: row["dx"] for name, row in found.items()} == {
        **{"melanoma/1": "MEL", "melanoma/deep/er/2": "MEL", "NV/1": "NV"},
        **{"Seborrheic_Keratosis/1": "BKL", "Seborrheic_Keratosis/3": "BKL"},
    }
    one = found["NV/1"]
    assert (one["source"], one["license"], one["modality"]) == ("ours", "CC0-1.0", "clinical")


def test_folder_names_follow_a_given_vocabulary(mini, tmp_path):
    mini.pictures(tmp_path, ["akiec/1.jpg", "melanoma/1.jpg"])
    found = rows(read("folder", tmp_path, vocabulary="ham10000"))
    assert (found["akiec/1"]["dx"], found["melanoma/1"]["dx"]) == ("AKIEC", None)


def test_every_site_word_has_one_of_the_groups():
    assert set(GROUP_OF.values()) == set(SITE_GROUPS)
    published = ["palms/soles", "oral/genital", "anterior torso", "lateral torso", "posterior torso", "head/neck"]
    assert all(word in GROUP_OF for word in published)
