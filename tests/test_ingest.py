"""Ingest: a published layout becomes an index, and what would make the index untrue is refused by name."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from edge_melanoma.data import ingest
from edge_melanoma.data.index import read_index
from edge_melanoma.data.show import describe, describe_picture
from edge_melanoma.data.sources import Request, sources
from edge_melanoma.errors import ArtifactError, DataError, RecipeError
from edge_melanoma.output import read_origin

HEADER = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
ROWS = [
    ["HAM_1", "ISIC_1", "mel", "histo", "60.0", "male", "back"],
    ["HAM_1", "ISIC_2", "mel", "histo", "60.0", "male", "back"],
    ["HAM_2", "ISIC_3", "nv", "follow_up", "", "unknown", "unknown"],
    ["HAM_3", "ISIC_4", "akiec", "histo", "85.0", "female", "face"],
]


def make_ham(root, rows=ROWS, *, pictures=None, header=HEADER):
    folder = root / "HAM10000_images_part_1"
    folder.mkdir(parents=True)
    for number, image_id in enumerate(pictures if pictures is not None else dict.fromkeys(row[1] for row in rows)):
        pixels = np.random.default_rng(number).integers(0, 255, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((400, 300)).save(folder / f"{image_id}.jpg")
    with (root / "HAM10000_metadata.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return root


def run(root, out, source="ham10000", **options):
    request = {k: options.pop(k) for k in ("with_pictures", "vocabulary") if k in options}
    return ingest.run(
        source, Request(root=root, unpack=out, **request), out, subset=options.pop("subset", True), **options
    )


def test_rows_get_labels_answers_and_fingerprints(tmp_path):
    result = run(make_ham(tmp_path / "ham"), tmp_path / "index")
    rows = {row["image_id"]: row for row in result.index.table.to_dicts()}
    assert [rows[f"ISIC_{i}"]["dx"] for i in (1, 2, 3, 4)] == ["MEL", "MEL", "NV", "AKIEC"]
    assert [rows[f"ISIC_{i}"]["y_mel"] for i in (1, 2, 3, 4)] == [1, 1, 0, 0]
    assert [rows[f"ISIC_{i}"]["y_mal"] for i in (1, 2, 3, 4)] == [1, 1, 0, 1]
    assert rows["ISIC_3"]["age"] is None
    assert rows["ISIC_3"]["sex"] is None
    assert (rows["ISIC_1"]["width"], rows["ISIC_1"]["height"]) == (400, 300)
    assert len({row["sha256"] for row in rows.values()}) == 4
    assert all(row["phash"] for row in rows.values())
    assert {row["license"] for row in rows.values()} == {"CC-BY-NC-4.0"}


def test_the_note_of_origin_says_what_was_read(tmp_path):
    run(make_ham(tmp_path / "ham"), tmp_path / "index")
    note = read_origin(tmp_path / "index")
    assert note["source"] == "ham10000"
    assert list(note["tables"]) == ["HAM10000_metadata.csv"]
    assert note["published_counts"]["ham10000"]["nv"] == 6705
    assert note["subset"] is True


def test_half_a_data_set_is_refused_with_the_ways_on(tmp_path):
    root = make_ham(tmp_path / "ham", pictures=["ISIC_1", "ISIC_3"])
    with pytest.raises(DataError, match=r"2 of 4 pictures are not there, the first is ISIC_2; looked in .*--subset"):
        run(root, tmp_path / "index", subset=False)
    assert not (tmp_path / "index").exists()


def test_half_a_data_set_can_be_taken_as_it_is(tmp_path):
    root = make_ham(tmp_path / "ham", pictures=["ISIC_1", "ISIC_3"])
    result = run(root, tmp_path / "index")
    assert result.index.table["image_id"].to_list() == ["ISIC_1", "ISIC_3"]
    assert any("2 rows left out" in remark for remark in result.remarks)


def test_rows_without_a_picture_can_be_kept_for_the_audit(tmp_path):
    root = make_ham(tmp_path / "ham", pictures=["ISIC_1", "ISIC_3"])
    result = run(root, tmp_path / "index", subset=False, keep_defects=True)
    assert result.index.table.height == 4
    assert result.to_json()["without_picture"] == 2


def test_tables_alone_make_an_index_without_pictures(tmp_path):
    result = run(make_ham(tmp_path / "ham", pictures=[]), tmp_path / "index", with_pictures=False)
    assert result.index.table.height == 4
    assert result.index.pictures() == []


def test_a_repeated_id_is_refused_unless_kept(tmp_path):
    root = make_ham(tmp_path / "ham", [*ROWS, ["HAM_4", "ISIC_1", "nv", "histo", "5.0", "male", "ear"]])
    with pytest.raises(DataError, match="image_id 'ISIC_1' occurs 2 times"):
        run(root, tmp_path / "index")
    assert run(root, tmp_path / "index", keep_defects=True).index.table.height == 5


def test_an_unknown_label_is_refused_with_the_known_ones_unless_kept(tmp_path):
    root = make_ham(tmp_path / "ham", [*ROWS[:3], ["HAM_3", "ISIC_4", "melanoma?", "histo", "85.0", "female", "face"]])
    with pytest.raises(DataError, match=r"label 'melanoma\?' of ISIC_4 is unknown .*known: mel; nv"):
        run(root, tmp_path / "index")
    kept = run(root, tmp_path / "index", keep_defects=True).index.table
    assert kept.filter(kept["image_id"] == "ISIC_4")["dx"].to_list() == [None]


def test_an_undecodable_picture_is_indexed_without_a_perceptual_hash(tmp_path):
    root = make_ham(tmp_path / "ham")
    (root / "HAM10000_images_part_1" / "ISIC_2.jpg").write_bytes(b"not a picture")
    result = run(root, tmp_path / "index")
    assert result.to_json()["undecodable"] == 1


def test_a_missing_root_or_a_file_is_named(tmp_path):
    with pytest.raises(DataError, match="does not exist; give the folder"):
        run(tmp_path / "nowhere", tmp_path / "index")
    (tmp_path / "file.zip").write_bytes(b"")
    with pytest.raises(DataError, match="is a file; give the folder"):
        run(tmp_path / "file.zip", tmp_path / "index")


def test_an_unknown_source_names_the_known_ones(tmp_path):
    with pytest.raises(RecipeError, match="known: ham10000, isic2018"):
        run(tmp_path, tmp_path / "index", source="kaggle")


def test_the_help_names_every_source():
    from edge_melanoma.cli.data.ingest import SOURCES

    assert SOURCES.split(", ") == list(sources())


def test_an_existing_index_is_refused_without_force(tmp_path):
    root = make_ham(tmp_path / "ham")
    run(root, tmp_path / "index")
    with pytest.raises(ArtifactError, match="exists already"):
        run(root, tmp_path / "index")
    run(root, tmp_path / "index", force=True)


def test_the_index_does_not_depend_on_workers_or_place(tmp_path):
    one = run(make_ham(tmp_path / "a"), tmp_path / "index_a", workers=1)
    two = run(make_ham(tmp_path / "b"), tmp_path / "index_b", workers=2)
    assert one.index.sha256 == two.index.sha256


def test_an_index_can_be_described_and_a_picture_with_its_siblings(tmp_path):
    run(make_ham(tmp_path / "ham"), tmp_path / "index")
    index = read_index(tmp_path / "index")
    facts = describe(index)
    assert (facts["pictures"], facts["lesions"], facts["melanomas"]) == (4, 3, 2)
    assert facts["diagnoses"] == {"MEL": 2, "AKIEC": 1, "NV": 1}
    json.dumps(facts)
    one = describe_picture(index, "ISIC_1")
    assert one["same lesion"] == ["ISIC_2"]
    assert one["file"].endswith("HAM10000_images_part_1/ISIC_1.jpg")
    with pytest.raises(DataError, match="has no picture 'ISIC_9'; near: ISIC_"):
        describe_picture(index, "ISIC_9")
