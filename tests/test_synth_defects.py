"""A spoiled set has exactly the defects that it lists: a second, simple-minded audit written here finds the same."""

import csv
import hashlib
import itertools
import json
import struct
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from edge_melanoma.data.fingerprint import NEAR_LIMIT, fingerprint
from edge_melanoma.data.synth import SynthRecipe, run

SIZE = 32
FEWEST_POSITIVES = 30
TABLE_WIDE = {"few-positives", "source-label", "metadata-leak", "licence-mix", "fingerprint"}


class Spoiled:
    """A spoiled set, read back with nothing but the standard library and Pillow."""

    def __init__(self, folder):
        self.folder = folder
        self.facts = json.loads((folder / "synth.json").read_text(encoding="utf-8"))
        with (folder / "SYN_metadata.csv").open(newline="") as file:
            self.rows = list(csv.DictReader(file))
        self.paths = {path.stem: path for path in sorted((folder / "SYN_images").iterdir())}
        self.bytes = {name: path.read_bytes() for name, path in self.paths.items()}
        self.planted = Counter((finding["check"], frozenset(finding["image_ids"])) for finding in self.facts["planted"])

    def listed(self, check):
        return {ids for name, ids in self.planted if name == check}

    def listed_ids(self, check):
        return set().union(*self.listed(check))

    def same(self, *columns, among=None):
        """Groups of the ids of rows that agree."""
        groups = {}
        for row in among or self.rows:
            groups.setdefault(tuple(row[column] for column in columns), []).append(row)
        return groups.values()


@pytest.fixture(scope="module", params=[0, 7])
def spoiled(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("spoiled") / "set"
    run(SynthRecipe(lesions=400, size=SIZE, seed=request.param, plant_defects=True), folder, workers=2)
    return Spoiled(folder)


def decoded(content, name="x"):
    import io

    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        return picture


def test_every_check_of_the_audit_has_something_to_find(spoiled):
    assert {check for check, _ in spoiled.planted} == {
        *("unreadable", "missing", "orphan", "duplicate-id", "conflicting-label", "leak-group", "leak-hash"),
        *("unknown-label", "fingerprint", "augmented-outside-train", "exact-duplicate", "near-duplicate"),
        *("near-duplicate-across-splits", "alpha-channel", "cmyk", "sixteen-bit", "exif-rotation", "exif-gps"),
        "lesion-of-several-patients",
        *("exif-present", "size-outlier", "few-positives", "source-label", "metadata-leak", "licence-mix"),
    }
    assert max(spoiled.planted.values()) == 1
    assert all((not ids) == (check in TABLE_WIDE) for check, ids in spoiled.planted)


def test_damage_is_where_it_is_listed(spoiled):
    broken = set()
    for name, content in spoiled.bytes.items():
        try:
            decoded(content)
        except (OSError, SyntaxError):
            broken.add(name)
    assert broken == spoiled.listed_ids("unreadable")
    ids = [row["image_id"] for row in spoiled.rows]
    assert set(ids) - set(spoiled.paths) == spoiled.listed_ids("missing")
    orphans = {spoiled.paths[name].relative_to(spoiled.folder).as_posix() for name in set(spoiled.paths) - set(ids)}
    assert orphans == spoiled.listed_ids("orphan")
    assert {name for name in ids if ids.count(name) > 1} == spoiled.listed_ids("duplicate-id")
    odd = {row["image_id"] for row in spoiled.rows if row["dx"] not in ("mel", "nv")}
    assert odd == spoiled.listed_ids("unknown-label")


def test_equal_files_are_where_they_are_listed(spoiled):
    by_id = {row["image_id"]: row for row in spoiled.rows}
    of_hash = {}
    for name in by_id:
        if name in spoiled.bytes:
            of_hash.setdefault(hashlib.sha256(spoiled.bytes[name]).digest(), []).append(name)
    equal = [frozenset(names) for names in of_hash.values() if len(names) > 1]
    conflicting = {names for names in equal if len({by_id[name]["dx"] for name in names}) > 1}
    assert conflicting == spoiled.listed("conflicting-label")
    assert set(equal) - conflicting == spoiled.listed("exact-duplicate")
    across = {names for names in equal if len({by_id[name]["split"] for name in names}) > 1}
    assert across == spoiled.listed("leak-hash")


def test_nearly_equal_pictures_are_where_they_are_listed(spoiled):
    rows = {row["image_id"]: row for row in spoiled.rows if row["image_id"] in spoiled.bytes}
    prints = {name: fingerprint(spoiled.bytes[name], name) for name in rows}
    names = [name for name in rows if prints[name].phash]
    bits = np.array([np.unpackbits(np.frombuffer(bytes.fromhex(prints[name].phash), np.uint8)) for name in names])
    bits = bits.astype(np.int32)
    distance = bits.sum(1)[:, None] + bits.sum(1)[None] - 2 * bits @ bits.T
    found, across = set(), set()
    for a, b in zip(*np.nonzero(np.triu(distance <= NEAR_LIMIT, 1)), strict=True):
        first, second = rows[names[a]], rows[names[b]]
        related = first["patient_id"] == second["patient_id"] or first["lesion_id"] == second["lesion_id"]
        if related or prints[names[a]].sha256 == prints[names[b]].sha256:
            continue
        pair = frozenset((names[a], names[b]))
        found.add(pair)
        across |= {pair} if first["split"] != second["split"] else set()
    assert found == spoiled.listed("near-duplicate")
    assert across == spoiled.listed("near-duplicate-across-splits")


def test_torn_groups_and_augmented_pictures_are_where_they_are_listed(spoiled):
    torn = {
        frozenset(row["image_id"] for row in group)
        for column in ("patient_id", "lesion_id")
        for group in spoiled.same(column)
        if len({row["split"] for row in group}) > 1
    }
    assert torn == spoiled.listed("leak-group")
    children = [row for row in spoiled.rows if row["parent_id"]]
    assert {row["split"] for row in children} == {"train", "test"}  # the one in train is as it should be
    wrong = {row["image_id"] for row in children if row["split"] != "train"}
    assert wrong == spoiled.listed_ids("augmented-outside-train")
    by_id = {row["image_id"]: row for row in spoiled.rows}
    for child in children:
        parent = by_id[child["parent_id"]]
        assert (parent["lesion_id"], parent["split"]) == (child["lesion_id"], child["split"])


def test_a_lesion_of_several_patients_is_where_it_is_listed(spoiled):
    shared = {
        frozenset(row["image_id"] for row in group)
        for group in spoiled.same("lesion_id")
        if len({row["patient_id"] for row in group}) > 1
    }
    assert shared == spoiled.listed("lesion-of-several-patients")


def test_odd_formats_are_where_they_are_listed(spoiled):
    found = {check: set() for check in ("alpha-channel", "cmyk", "sixteen-bit", "exif-rotation", "exif-gps")}
    found |= {"exif-present": set(), "size-outlier": set()}
    for name, content in spoiled.bytes.items():
        if name in spoiled.listed_ids("unreadable"):
            continue
        picture = decoded(content)
        exif = picture.getexif()
        png_bits = struct.unpack(">B", content[24:25])[0] if content.startswith(b"\x89PNG") else 8
        for check, is_so in (
            ("alpha-channel", "A" in picture.mode),
            ("cmyk", picture.mode == "CMYK"),
            ("sixteen-bit", png_bits == 16),
            ("exif-rotation", exif.get(0x0112, 1) != 1),
            ("exif-gps", bool(exif.get_ifd(0x8825))),
            ("exif-present", bool(exif)),
            ("size-outlier", picture.size != (SIZE, SIZE)),
        ):
            found[check] |= {name} if is_so else set()
    for check, ids in found.items():
        assert ids == spoiled.listed_ids(check), check


def test_the_picture_that_lies_on_its_side_is_upright_when_turned(spoiled):
    (name,) = spoiled.listed_ids("exif-rotation")
    assert decoded(spoiled.bytes[name]).getexif()[0x0112] == 6


def test_every_spoiled_picture_still_says_that_it_is_synthetic(spoiled):
    for name, content in spoiled.bytes.items():
        if name not in spoiled.listed_ids("unreadable"):
            info = decoded(content).info
            said = info.get("comment") or info.get("Comment", "").encode()
            assert said.startswith(b"SYNTHETIC"), name


def test_what_is_wrong_with_the_table_is_wrong_by_a_margin(spoiled):
    rows = [row for row in spoiled.rows if row["dx"] in ("mel", "nv")]
    of_split = Counter(row["split"] for row in rows if row["dx"] == "mel")
    assert set(of_split) == {"train", "val", "calibration", "test"}
    assert of_split.pop("val") < FEWEST_POSITIVES - 5
    assert min(of_split.values()) > FEWEST_POSITIVES + 3
    assert 0.35 < cramers_v(rows, "dataset") < 0.6
    assert auc_of_column(rows, "dx_type") > 0.80
    for column in ("dataset", "age", "sex", "localization"):
        assert auc_of_column(rows, column) < 0.73
    assert {row["license"] for row in spoiled.rows} == {"CC0-1.0 (synthetic)", "CC-BY-NC-4.0"}
    counted = Counter(row["dx"] for row in spoiled.rows)
    claimed = spoiled.facts["published_counts"]
    assert [dx for dx in counted if counted[dx] != claimed[dx]] == ["mel"]


def cramers_v(rows, column):
    table = Counter((row[column], row["dx"]) for row in rows)
    left, right = Counter(row[column] for row in rows), Counter(row["dx"] for row in rows)
    pairs = itertools.product(left, right)
    chi2 = sum((table[a, b] - left[a] * right[b] / len(rows)) ** 2 / (left[a] * right[b] / len(rows)) for a, b in pairs)
    return (chi2 / len(rows) / min(len(left) - 1, len(right) - 1)) ** 0.5


def auc_of_column(rows, column):
    """Of the share of melanomas that each value has: the most that a column can tell, and too much for rare values."""
    share = {
        value: np.mean([row["dx"] == "mel" for row in rows if row[column] == value])
        for value in {row[column] for row in rows}
    }
    mel = np.array([share[row[column]] for row in rows if row["dx"] == "mel"])
    nv = np.array([share[row[column]] for row in rows if row["dx"] == "nv"])
    return ((mel[:, None] > nv) + 0.5 * (mel[:, None] == nv)).mean()


def test_a_clean_set_has_no_split_and_nothing_planted(tmp_path):
    result = run(SynthRecipe(lesions=4, size=32), tmp_path / "set")
    header = (tmp_path / "set" / "SYN_metadata.csv").read_text().splitlines()[0].split(",")
    assert not {"split", "parent_id", "license"} & set(header)
    assert result.planted == ()
