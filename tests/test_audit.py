import io
import json

import numpy as np
import polars as pl
import pytest
from PIL import Image

from edge_melanoma.data import audit
from edge_melanoma.data.audit import shortcuts
from edge_melanoma.data.fingerprint import fingerprint
from edge_melanoma.data.index import Index, conform, read_index, write_index
from edge_melanoma.errors import ArtifactError
from edge_melanoma.output import read_origin

COUNT = 128


def encoded(image, form="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def picture(seed, size=(48, 36)):
    """Blots of all sizes, the larger the stronger, as in the world."""
    rng = np.random.default_rng(seed)
    levels = np.full((36, 48), 128.0)
    for across in (3, 6, 12, 24, 48):
        blots = Image.fromarray(rng.normal(0, 130 / across, (across * 3 // 4, across)).astype(np.float32))
        levels += np.asarray(blots.resize((48, 36), Image.Resampling.BICUBIC))
    gray = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    return Image.merge("RGB", (gray, gray.point(lambda level: level * 3 // 4), gray)).resize(size)


@pytest.fixture(scope="module")
def clean_files():
    return {f"P{number:03}.jpg": encoded(picture(number), quality=90) for number in range(COUNT)}


class Set:
    """A data set that a test spoils before it is indexed."""

    def __init__(self, folder, files):
        self.folder = folder
        self.files = dict(files)
        self.inside = {}  # of containers
        self.rows = [
            {
                "image_id": name[:4],
                "image_path": name,
                "lesion_id": f"L{number}",
                "patient_id": f"Q{number}",
                "source": "made",
                "modality": "synthetic",
                "dx_raw": "mel" if number % 2 else "nv",
                "license": "CC0-1.0",
            }
            for number, name in enumerate(files)
        ]
        self.about = {"published_counts": {"made": {"mel": COUNT // 2, "nv": COUNT // 2}}, "orphans": []}

    def add(self, data, like=0, **changes):
        """A further picture with a row like another's, of another patient."""
        name = f"P{len(self.rows):03}" + (".jpg" if data.startswith(b"\xff") else ".png")
        self.files[name] = data
        own = {"image_id": name[:4], "image_path": name, "lesion_id": f"L{name}", "patient_id": f"Q{name}"}
        self.rows.append({**self.rows[like], **own, **changes})
        label = self.rows[-1]["dx_raw"]
        self.about["published_counts"]["made"][label] = self.about["published_counts"]["made"].get(label, 0) + 1
        return name[:4]

    def split(self):
        """The first half trains, the second tests: 32 melanomas each."""
        for number, row in enumerate(self.rows):
            row["split"] = "train" if number < COUNT // 2 else "test"

    def index(self):
        self.folder.mkdir(exist_ok=True)
        for name, data in self.files.items():
            (self.folder / name).write_bytes(data)
        table = pl.DataFrame(self.rows, infer_schema_length=None)
        dx = pl.col("dx_raw").replace_strict({"mel": "MEL", "nv": "NV"}, default=None)
        table = table.with_columns(dx.alias("dx"), (dx == "MEL").cast(pl.Int8).alias("y_mel"))
        prints = {name: fingerprint(data, name) for name, data in {**self.files, **self.inside}.items()}
        for column in ("sha256", "phash", "width", "height"):
            values = [getattr(prints[path], column) if path else None for path in table["image_path"]]
            table = table.with_columns(pl.Series(column, values))
        return Index(table=conform(table), roots={"made": self.folder}, about=self.about)


@pytest.fixture
def made(tmp_path, clean_files):
    return Set(tmp_path / "pictures", clean_files)


def found_by(report):
    """check -> its findings, each the set of its pictures."""
    by_check = {}
    for check in report.checks:
        sets = {}
        for number, image_id, _ in check.findings.rows():
            sets.setdefault(number, set()).update({image_id} - {None})
        if sets:
            by_check[check.name] = sorted(map(sorted, sets.values()))
    return by_check


def findings(made):
    return found_by(audit.examine(made.index(), workers=1))


def test_a_clean_set_has_no_finding_and_passes(made):
    report = audit.examine(made.index(), workers=1)
    assert found_by(report) == {}
    assert not report.failed
    assert [check.name for check in report.checks] == list(audit.KINDS)
    made.split()
    assert findings(made) == {}


def cut(made):
    made.files["P003.jpg"] = made.files["P003.jpg"][:500]
    return {"unreadable": [["P003"]]}


def not_a_picture(made):
    made.files["P003.jpg"] = b"404: Not Found"
    return {"unreadable": [["P003"]]}


def no_file(made):
    made.rows[3]["image_path"] = None
    return {"missing": [["P003"]]}


def orphan(made):
    made.files["left.jpg"] = encoded(picture(999))
    made.about["orphans"] = ["left.jpg"]
    return {"orphan": [["left.jpg"]]}


def id_twice(made):
    made.rows.append(dict(made.rows[3]))
    made.about["published_counts"]["made"]["mel"] += 1
    return {"duplicate-id": [["P003"]]}


def two_labels(made):
    name = made.add(made.files["P003.jpg"], dx_raw="nv")
    return {"conflicting-label": [["P003", name]]}


def same_bytes(made):
    names = [made.add(made.files["P003.jpg"], like=3) for _ in range(2)]
    return {"exact-duplicate": [["P003", *names]]}


def same_bytes_in_two_parts(made):
    made.split()
    name = made.add(made.files["P003.jpg"], like=3, split="test")
    return {"exact-duplicate": [["P003", name]], "leak-hash": [["P003", name]]}


def patient_in_two_parts(made):
    made.split()
    made.rows[3]["patient_id"] = made.rows[120]["patient_id"]
    return {"leak-group": [["P003", "P120"]]}


def lesion_in_two_parts(made):
    made.split()
    made.rows[3].update(lesion_id="L120", patient_id=None)
    made.rows[120]["patient_id"] = None
    return {"leak-group": [["P003", "P120"]]}


def copy_in_train_of_a_test_picture(made):
    made.split()
    name = made.add(encoded(picture(120).rotate(90)), like=3, parent_id="P120")
    return {"leak-group": [["P120", name]]}


def lesions_counted_anew_for_each_patient(made):
    for number in (3, 5, 120):
        made.rows[number]["lesion_id"] = "1"
    made.rows[5]["patient_id"] = "Q3"
    return {"lesion-of-several-patients": [["P003", "P005", "P120"]]}


def unknown_label(made):
    made.rows[3]["dx_raw"] = "melanoma?"
    made.about["published_counts"]["made"].update({"mel": 63, "melanoma?": 1})
    return {"unknown-label": [["P003"]]}


def lost_rows(made):
    made.about["published_counts"]["made"]["mel"] += 1
    return {"fingerprint": [[]]}


def child_in_test(made):
    made.split()
    child = encoded(picture(3).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    own = {"lesion_id": "L120", "patient_id": "Q120", "parent_id": "P120"}
    name = made.add(child, like=120, **own)
    made.add(encoded(picture(120).rotate(90)), like=3, lesion_id="L3", patient_id="Q3", parent_id="P003")
    return {"augmented-outside-train": [[name]]}


def near(made):
    name = made.add(encoded(picture(3), quality=80), like=3)
    return {"near-duplicate": [["P003", name]]}


def near_in_two_parts(made):
    made.split()
    name = made.add(encoded(picture(3), quality=80), like=3, split="test")
    return {"near-duplicate": [["P003", name]], "near-duplicate-across-splits": [["P003", name]]}


def chain_of_near_ones(made):
    names = [made.add(encoded(picture(3), quality=quality), like=3) for quality in (60, 70, 80)]
    return {"near-duplicate": [["P003", *names]]}


def transparent(made):
    image = picture(999).convert("RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    return {"alpha-channel": [[made.add(encoded(image, "PNG"))]]}


def opaque_alpha(made):
    return {"alpha-channel": [[made.add(encoded(picture(999).convert("RGBA"), "PNG"))]]}


def cmyk(made):
    return {"cmyk": [[made.add(encoded(picture(999).convert("CMYK")))]]}


def sixteen_bit(made):
    levels = np.asarray(picture(999).convert("L")).astype(np.uint16) * 257
    return {"sixteen-bit": [[made.add(encoded(Image.fromarray(levels), "PNG"))]]}


def with_exif(**tags):
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[int(tag[1:])] = value
    return encoded(picture(999), exif=exif)


def turned(made):
    name = made.add(with_exif(t274=6))
    return {"exif-rotation": [[name]], "exif-present": [[name]]}


def placed(made):
    name = made.add(with_exif(t34853={1: "N", 2: (1.0, 2.0, 3.0), 3: "E", 4: (4.0, 5.0, 6.0)}))
    return {"exif-gps": [[name]], "exif-present": [[name]]}


def signed(made):
    return {"exif-present": [[made.add(with_exif(t305="a program"))]]}


def large(made):
    return {"size-outlier": [[made.add(encoded(picture(999, (144, 108))))]]}


def long(made):
    return {"size-outlier": [[made.add(encoded(picture(999, (84, 24))))]]}


def few_melanomas(made):
    made.split()
    for row in made.rows[4:12]:
        row["split"] = "val"
    return {"few-positives": [[], []]}  # val has 4, and train is left with 28


def telling_centre(made):
    for number, row in enumerate(made.rows):
        row["centre"] = "A" if number % 2 and number % 10 < 7 else "B"
    return {"source-label": [[], []], "metadata-leak": [[]]}  # with y_mel and with dx


def telling_confirmation(made):
    for number, row in enumerate(made.rows):
        row["dx_confirm"] = "histo" if number % 2 or number % 10 < 4 else "follow_up"
    return {"metadata-leak": [[]]}


def telling_age(made):
    for number, row in enumerate(made.rows):
        row["age"] = 5.0 * (number % 7) + (15.0 if number % 2 else 0.0)
    return {"metadata-leak": [[]]}


def two_licences(made):
    for row in made.rows[:20]:
        row["license"] = "CC-BY-NC-4.0"
    return {"licence-mix": [[]]}


DEFECTS = (
    *(cut, not_a_picture, no_file, orphan, id_twice, two_labels, same_bytes, same_bytes_in_two_parts),
    *(patient_in_two_parts, lesion_in_two_parts, unknown_label, lost_rows, child_in_test),
    *(near, near_in_two_parts, chain_of_near_ones, transparent, opaque_alpha, cmyk, sixteen_bit),
    *(turned, placed, signed, large, long, few_melanomas, telling_centre, telling_confirmation, telling_age),
    *(two_licences, copy_in_train_of_a_test_picture, lesions_counted_anew_for_each_patient),
)


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_alone_is_found_by_its_check_and_no_other(made, defect):
    expected = defect(made)
    report = audit.examine(made.index(), workers=1)
    assert found_by(report) == expected
    assert report.failed == any(audit.KINDS[name].level == "fail" for name in expected)


def test_every_check_has_a_defect_that_fires_it(tmp_path, clean_files):
    fired = set().union(*(defect(Set(tmp_path, clean_files)) for defect in DEFECTS))
    assert fired == set(audit.KINDS)


def test_a_picture_that_changed_or_went_away_after_ingest_is_told(made):
    index = made.index()
    (made.folder / "P003.jpg").write_bytes(encoded(picture(999)))
    (made.folder / "P004.jpg").unlink()
    assert found_by(audit.examine(index, workers=1)) == {"unreadable": [["P003"]], "missing": [["P004"]]}


def test_pictures_inside_an_hdf5_container_are_looked_at(made):
    h5py = pytest.importorskip("h5py")
    made.rows[3]["image_path"] = "box.hdf5#inside"
    made.rows[4]["image_path"] = "box.hdf5#absent"
    made.inside = {"box.hdf5#inside": made.files["P003.jpg"], "box.hdf5#absent": made.files["P004.jpg"]}
    index = made.index()
    with h5py.File(made.folder / "box.hdf5", "w") as box:
        box["inside"] = np.frombuffer(made.files["P003.jpg"], np.uint8)
    assert found_by(audit.examine(index, workers=1)) == {"unreadable": [["P004"]]}


def test_equal_labels_under_other_names_are_no_conflict(made):
    """HAM10000's akiec is one of AK and SCC, and ISIC 2019 says which."""
    for name in "ab":
        made.add(made.files["P003.jpg"], image_id=name, dx_raw="nv")
    index = made.index()
    is_copy = pl.col("image_id").is_in(["a", "b"])
    for dx in (("AKIEC", "SCC"), ("AKIEC", "NV")):
        named = pl.col("image_id").replace_strict({"a": dx[0], "b": dx[1]}, default=None)
        table = index.table.filter(pl.col("image_id") != "P003").with_columns(
            pl.when(is_copy).then(named).otherwise("dx").alias("dx"),
            pl.when(is_copy).then("image_id").otherwise("source").alias("source"),
        )
        roots = dict.fromkeys(("made", "a", "b"), made.folder)
        found = found_by(audit.examine(Index(table=table, roots=roots), workers=1))
        expected = "exact-duplicate" if dx[1] == "SCC" else "conflicting-label"
        assert found.pop(expected) == [["a", "b"]]
        assert not {"exact-duplicate", "conflicting-label"} & set(found)


def test_views_of_one_lesion_and_augmented_copies_are_no_near_duplicates(made):
    made.add(encoded(picture(3), quality=80), like=3, lesion_id="L3", patient_id=None)
    made.add(encoded(picture(4), quality=80), like=4, lesion_id=None, patient_id=None, parent_id="P004")
    assert findings(made) == {}


def test_rows_without_ids_count_as_different_lesions(made):
    for row in made.rows:
        row.update(lesion_id=None, patient_id=None)
    name = made.add(encoded(picture(3), quality=80), like=3, lesion_id=None, patient_id=None)
    assert findings(made) == {"near-duplicate": [["P003", name]]}


def sized(sizes, source="made"):
    ids = [f"P{number}" for number in range(len(sizes))]
    width, height = zip(*sizes, strict=True)
    return pl.DataFrame({"image_id": ids, "source": source, "seen_width": width, "seen_height": height})


def test_regular_sizes_and_natural_spread_are_no_outliers():
    from edge_melanoma.data.audit.files import size_outlier

    rng = np.random.default_rng(0)
    crops = np.clip(rng.lognormal(np.log(131), 0.22, 20_000), 61, 239).astype(int)  # as in ISIC 2024
    two_sizes = [(1024, 1024)] * 900 + [(450, 600)] * 50 + [(600, 450)] * 50
    half = [(600, 450)] * 500 + [(1800, 1350)] * 500
    for sizes in (list(zip(crops, crops, strict=True)), two_sizes, half, [(600, 450)] * 3, [(1, 1)]):
        assert not size_outlier(sized([(int(w), int(h)) for w, h in sizes])).height
    odd = size_outlier(sized([*two_sizes, (4000, 3000), (100, 100)]))
    assert odd["image_id"].to_list() == ["P1000", "P1001"]


def brute_cramers_v(x, y):
    """From the definition, cell by cell, with Bergsma's correction."""
    n = len(x)
    rows, columns = sorted(set(x)), sorted(set(y))
    chi2 = 0.0
    for a in rows:
        for b in columns:
            expected = x.count(a) * y.count(b) / n
            chi2 += (sum(p == a and q == b for p, q in zip(x, y, strict=True)) - expected) ** 2 / expected
    excess = max(0, chi2 / n - (len(rows) - 1) * (len(columns) - 1) / (n - 1))
    smaller = min(len(side) - (len(side) - 1) ** 2 / (n - 1) for side in (rows, columns)) - 1
    return (excess / smaller) ** 0.5


def test_cramers_v_is_what_its_definition_says():
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.permutation(np.arange(60) % 4)
        y = (x + rng.integers(0, 3, 60)) % 3
        assert shortcuts.cramers_v(x, y) == pytest.approx(brute_cramers_v(x.tolist(), y.tolist()))
    assert shortcuts.cramers_v(np.arange(60) % 3, np.arange(60) % 3) == pytest.approx(1)


@pytest.mark.parametrize("rows", [4, 12, 40, 150, 600, 2500])
def test_columns_that_say_nothing_are_never_called_telling(rows):
    for seed in range(30):
        rng = np.random.default_rng((rows, seed))
        lesion = np.sort(rng.integers(0, max(1, rows // 2), rows))
        melanoma = (rng.random(rows) < rng.choice([0.1, 0.5]))[lesion]
        many = rng.integers(0, max(2, rows // 3), rows)[lesion]  # one of so many, and the same for a whole lesion
        table = pl.DataFrame(
            {
                "image_id": [f"P{number}" for number in range(rows)],
                "lesion_id": [f"L{number}" for number in lesion],
                "source": rng.choice(["a", "b"], rows),
                "centre": rng.choice(list("abcdefgh"), rows)[lesion],
                "site": [f"site {number}" for number in many],
                "dx_confirm": ["histo"] * rows,
                "age": rng.integers(0, 18, rows)[lesion] * 5.0,
                "width": rng.integers(61, 239, rows),
                "y_mel": melanoma.astype(np.int8),
                "dx": np.where(melanoma, "MEL", rng.choice(["NV", "BKL", "DF"], rows)[lesion]),
            }
        )
        table = conform(table)
        assert [one for one in shortcuts.associations(table) if one.strong] == []
        assert [one for one in shortcuts.telling_columns(table) if one.telling] == []


def test_a_column_whose_absence_tells_is_found(made):
    for number, row in enumerate(made.rows):
        row["age"] = None if number % 2 and number % 16 != 1 else 50.0
    assert findings(made) == {"metadata-leak": [[]]}
    [example] = audit.examine(made.index(), workers=1).check("metadata-leak").examples()
    assert example.startswith("age is known: AUC 0.9")


def test_an_index_of_tables_only_or_a_subset_is_not_measured_by_published_counts(made):
    lost_rows(made)
    made.about["subset"] = True
    assert findings(made) == {}


def test_the_folder_holds_the_report_the_page_the_sheet_and_every_finding(made, tmp_path):
    for _ in range(12):
        made.add(made.files["P003.jpg"], like=3)
    made.files["P005.jpg"] = b""
    index = write_index(made.index(), tmp_path / "index")
    done = []
    report = audit.run(index, tmp_path / "audit", workers=1, on_progress=lambda n, of: done.append((n, of)))
    told = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert told == report.to_json()
    assert told["index_sha256"] == index.sha256
    assert (told["passes"], told["failing"], told["warning"]) == (False, 1, 1)
    checks = {check["name"]: check for check in told["checks"]}
    assert list(checks) == list(audit.KINDS)
    assert checks["exact-duplicate"]["count"] == 1
    assert checks["exact-duplicate"]["pictures"] == 13
    assert checks["unreadable"]["examples"] == ["P005: is empty (0 bytes); a JPEG, PNG or BMP picture is needed"]
    assert checks["cmyk"]["count"] == 0
    rows = pl.read_csv(tmp_path / "audit" / "findings.csv")
    assert rows["check"].to_list() == ["unreadable"] + ["exact-duplicate"] * 13
    assert done[-1] == (COUNT + 12, COUNT + 12)
    assert read_origin(tmp_path / "audit")["kind"] == "audit"
    page = (tmp_path / "audit" / "index.html").read_text()
    assert "http" not in page.split("<body>")[1]
    assert "SYNTHETIC" in page
    with Image.open(tmp_path / "audit" / "findings.png") as sheet:
        assert sheet.size[0] > 500


def test_an_earlier_report_is_kept_unless_told_otherwise(made, tmp_path):
    index = made.index()
    audit.run(index, tmp_path / "audit", workers=1)
    assert not (tmp_path / "audit" / "findings.png").exists()
    with pytest.raises(ArtifactError, match="--force"):
        audit.run(index, tmp_path / "audit", workers=1)
    audit.run(index, tmp_path / "audit", workers=1, force=True)


def test_two_workers_find_what_one_does(made, tmp_path):
    not_a_picture(made)
    index = read_index(write_index(made.index(), tmp_path / "index").folder)
    assert found_by(audit.examine(index, workers=2)) == found_by(audit.examine(index, workers=1))
