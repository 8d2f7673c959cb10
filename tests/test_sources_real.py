"""The readers on the real tables and pictures, against the published counts. Skipped where the data are not at hand."""

import os
from pathlib import Path

import polars as pl
import pytest

from edge_melanoma.data.sources import Request, source

DATA = Path(os.environ.get("EDGE_MELANOMA_DATA") or Path(__file__).parents[2] / "shared" / "data")


def read(name, folder, **options):
    if not (DATA / folder).is_dir():
        pytest.skip(f"needs {folder} in ../shared/data (or in EDGE_MELANOMA_DATA)")
    return source(name).read(Request(root=DATA / folder, unpack=DATA, **options))


@pytest.fixture(scope="module")
def ham():
    return read("ham10000", "ham10000_200x150")


@pytest.fixture(scope="module")
def isic2019():
    return read("isic2019", "isic2019_tables", with_pictures=False)


def counts(table, column):
    return dict(table.group_by(column).len().rows())


def test_ham10000_has_its_published_pictures_lesions_and_collections(ham):
    assert ham.table.height == 10_015
    assert ham.table["lesion_id"].n_unique() == 7_470
    assert counts(ham.table, "centre") == {
        **{"vidir_molemax": 3954, "vidir_modern": 3363, "rosendahl": 2259, "vienna_dias": 439}
    }
    assert counts(ham.table, "dx_raw") == ham.published_counts
    assert counts(ham.table, "dx_confirm") == {"histo": 5340, "follow_up": 3704, "consensus": 902, "confocal": 69}
    assert counts(ham.table, "sex") == {"male": 5406, "female": 4552, None: 57}
    assert ham.table["age"].null_count() == 57


def test_every_ham10000_picture_is_found_and_no_mask_is_taken_for_one(ham):
    assert ham.table["image_path"].null_count() == 0
    assert ham.orphans == ()
    assert ham.table["image_path"].str.starts_with("images/").all()


def test_ham10000_sites_add_up(ham):
    assert counts(ham.table, "site_group") == {
        "trunk": 2192 + 1404 + 1022 + 407,
        "lower extremity": 2077 + 319,
        "upper extremity": 1118 + 90,
        "head/neck": 745 + 168 + 128 + 56,
        "genital": 48,
        "acral/nail": 7,
        None: 234,
    }


def test_isic2019_has_its_published_pictures_and_lesions(isic2019):
    assert isic2019.table.height == 25_331
    assert isic2019.table["lesion_id"].null_count() == 2_084
    assert counts(isic2019.table, "dx_raw") == {
        **{"MEL": 4522, "NV": 12875, "BCC": 3323, "AK": 867, "BKL": 2624, "DF": 239, "VASC": 253, "SCC": 628}
    }
    assert counts(isic2019.table, "centre")["HAM"] == 10_015
    assert isic2019.table["image_id"].str.ends_with("_downsampled").sum() == 2_074


def test_akiec_of_ham10000_became_actinic_keratoses_and_carcinomas(ham, isic2019):
    both = ham.table.join(isic2019.table, on="image_id", suffix="_2019")
    assert both.height == 10_015
    assert counts(both.filter(pl.col("dx") == "AKIEC"), "dx_2019") == {"AK": 130, "SCC": 197}
    same = both.filter(pl.col("dx") != "AKIEC")
    assert (same["dx"] == same["dx_2019"]).all()


def test_sites_of_ham10000_and_isic2019_fall_into_the_same_groups(ham, isic2019):
    both = ham.table.join(isic2019.table, on="image_id", suffix="_2019").drop_nulls(["site_group", "site_group_2019"])
    assert both.height > 8_000
    assert (both["site_group"] == both["site_group_2019"]).all()
