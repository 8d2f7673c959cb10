"""ISIC 2024: no column that tells the answer gets out, and a label is what its full diagnosis begins with."""

import time

import polars as pl
import pytest

from edge_melanoma.data.sources import Request, isic2024, source
from edge_melanoma.errors import DataError
from edge_melanoma.labels import MALIGNANT, VOCABULARIES


def read(root):
    return source("isic2024").read(Request(root=root, unpack=root))


def rows(listing):
    return {row["image_id"]: row for row in listing.table.to_dicts()}


def refused(root, message):
    with pytest.raises(DataError, match=message):
        read(root)


def test_isic2024_columns_are_the_55_published_ones_each_in_one_list(mini):
    lists = [*isic2024.LEAKS, *isic2024.PROXIES, *isic2024.USABLE]
    assert (len(isic2024.LEAKS), len(isic2024.PROXIES), len(isic2024.USABLE)) == (11, 7, 37)
    assert len(set(lists)) == len(lists) == 55
    assert set(lists) == set(mini.COLUMNS_2024)


def test_isic2024_features_hold_every_usable_column_and_no_other(mini, tmp_path):
    listing = read(mini.isic2024(tmp_path))
    assert set(listing.features.columns) == {"image_id", *isic2024.USABLE}
    assert listing.features.height == listing.table.height
    assert listing.features["tbp_lv_deltaLB"].to_list() == [n + 0.25 for n in range(6)]
    assert listing.features["age_approx"].dtype == pl.Float64


def test_isic2024_diagnoses_come_from_the_longest_known_beginning(mini, tmp_path):
    found = rows(read(mini.isic2024(tmp_path)))
    expected = ["OTHER_BEN", "BCC", "MEL", "IND", "AK", "NV"]
    assert [found[isic_id]["dx"] for isic_id in mini.ROWS_2024] == expected
    one = found["ISIC_0015845"]
    assert one["dx_raw"] == mini.ROWS_2024["ISIC_0015845"]
    assert (one["centre"], one["license"], one["modality"]) == ("ACEMID MIA", "CC0-1.0", "tbp")
    assert one["image_path"] == "train-image.hdf5#ISIC_0015845"


def test_isic2024_labels_say_malignant_exactly_where_the_source_does():
    for start, dx in VOCABULARIES["isic2024"].items():
        assert (dx in MALIGNANT) == start.startswith("Malignant"), start
        assert (dx == "IND") <= start.startswith("Indeterminate"), start


def test_isic2024_prefers_unpacked_pictures_and_fills_up_from_the_container(mini, tmp_path):
    root = mini.isic2024(tmp_path)
    mini.picture(root / "train-image" / "image" / "ISIC_0015670.jpg")
    found = rows(read(root))
    assert found["ISIC_0015670"]["image_path"] == "train-image/image/ISIC_0015670.jpg"
    assert found["ISIC_0015845"]["image_path"] == "train-image.hdf5#ISIC_0015845"


def test_isic2024_of_the_real_size_is_read_in_seconds(mini, tmp_path):
    lines = [",".join(mini.row_2024(0, "{}", "Benign"))] * 100_000
    text = "\n".join(line.format(f"ISIC_{n:07}") for n, line in enumerate(lines))
    (tmp_path / "train-metadata.csv").write_text(",".join(mini.COLUMNS_2024) + "\n" + text + "\n")
    start = time.process_time()
    assert read(tmp_path).table.height == 100_000
    assert time.process_time() - start < 5  # seconds of CPU for a quarter of the real table


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("target", "1", "row 2: iddx_1 'Benign' contradicts its target"),
        ("iddx_1", "Malignant", "row 2: iddx_1 'Malignant' contradicts its target"),
        (
            "iddx_full",
            "Malignant::Unheard of",
            "row 2: iddx_full 'Malignant::Unheard of' does not begin with its iddx_1",
        ),
        ("tbp_lv_A", "pale", "row 2: tbp_lv_A 'pale' is not a number"),
    ],
)
def test_isic2024_must_not_contradict_itself(column, value, message, mini, tmp_path):
    root = mini.isic2024(tmp_path)
    row = dict(zip(mini.COLUMNS_2024, mini.row_2024(0, "ISIC_1", "Benign"), strict=True)) | {column: value}
    mini.table(root / "train-metadata.csv", mini.COLUMNS_2024, [list(row.values())])
    refused(root, message)


def test_isic2024_says_which_usable_columns_a_subset_lacks(mini, tmp_path):
    root = mini.isic2024(tmp_path)
    row = mini.row_2024(0, "ISIC_0015670", "Benign")
    kept = [n for n, name in enumerate(mini.COLUMNS_2024) if name not in ("tbp_lv_x", "tbp_lv_y")]
    mini.table(root / "train-metadata.csv", [mini.COLUMNS_2024[n] for n in kept], [[row[n] for n in kept]])
    listing = read(root)
    assert any("lacks the published columns tbp_lv_x, tbp_lv_y" in remark for remark in listing.remarks)


def test_a_cut_off_container_is_refused(mini, tmp_path):
    container = mini.isic2024(tmp_path) / "train-image.hdf5"
    container.write_bytes(container.read_bytes()[:500])
    refused(tmp_path, r"train-image.hdf5: is no HDF5 file or is cut off")
