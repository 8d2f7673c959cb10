"""A look at a data set: statistics of pictures with known answers, counts against counting, and awkward indices."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pl = pytest.importorskip("polars")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from edge_melanoma import plots  # noqa: E402
from edge_melanoma.data import eda  # noqa: E402
from edge_melanoma.data.eda import image_stats, measuring, metadata  # noqa: E402
from edge_melanoma.data.eda.counts import count, originals  # noqa: E402
from edge_melanoma.data.eda.samples import PER_CLASS, draw_sheet  # noqa: E402
from edge_melanoma.data.index import Index, conform  # noqa: E402
from edge_melanoma.data.no_pixel import no_pixel_baseline  # noqa: E402
from edge_melanoma.data.pictures import Picture  # noqa: E402
from edge_melanoma.errors import ArtifactError  # noqa: E402
from edge_melanoma.notice import SYNTHETIC_BANNER  # noqa: E402

DATA = Path(os.environ.get("EDGE_MELANOMA_DATA", Path(__file__).parents[2] / "shared" / "data"))
HAM = DATA / "ham10000_200x150" / "HAM10000_metadata.csv"


def _statistics(rgb: NDArray[np.uint8]) -> dict[str, float]:
    return dict(zip(image_stats.STATISTICS, image_stats.statistics(rgb).tolist(), strict=True))


def _flat(*colour: int, size: tuple[int, int] = (96, 128)) -> NDArray[np.uint8]:
    return np.full((*size, 3), colour, np.uint8)


def test_a_flat_gray_picture_has_no_contrast_no_noise_and_no_colour() -> None:
    found = _statistics(_flat(119, 119, 119))
    assert found["brightness"] == pytest.approx(119, abs=1e-3)
    for name in ("contrast", "red_sd", "lab_l_sd", "laplacian_variance", "noise_sigma", "saturation_mean"):
        assert found[name] == pytest.approx(0, abs=1e-2), name
    assert found["lab_l_mean"] == pytest.approx(50.03, abs=0.01)  # sRGB 119 is the gray nearest to L* 50
    assert found["lab_a_mean"] == pytest.approx(0, abs=0.01)
    assert found["lab_b_mean"] == pytest.approx(0, abs=0.01)
    assert np.isnan(found["hue_mean_deg"])
    assert [found[name] for name in ("width", "height", "aspect")] == pytest.approx([128, 96, 4 / 3])


@pytest.mark.parametrize(
    ("rgb", "lab"),  # published values for D65
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((194, 150, 130), (65.71, 13.93, 17.14)),  # "light skin" of the ColorChecker, 194/150/130
        ((0, 0, 0), (0.0, 0.0, 0.0)),
    ],
)
def test_lab_is_that_of_the_tables(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    assert image_stats.to_lab(_flat(*rgb))[0, 0] == pytest.approx(lab, abs=0.35)


@pytest.mark.parametrize("sigma", [2.0, 5.0, 12.0])
def test_noise_of_known_sigma_is_found_on_a_slope(sigma: float) -> None:
    rng = np.random.default_rng(0)
    slope = np.linspace(60, 180, 256)[None, :] + np.linspace(0, 20, 192)[:, None]
    assert image_stats.noise_sigma((slope + rng.normal(0, sigma, (192, 256))).astype(np.float32)) == pytest.approx(
        sigma, rel=0.03
    )


def test_blur_lowers_the_variance_of_the_laplacian() -> None:
    noise = np.random.default_rng(0).normal(128, 10, (64, 64)).astype(np.float32)
    assert image_stats.laplacian_variance(noise) == pytest.approx(20 * 10**2, rel=0.1)  # 4² + 4·1² times the variance
    blurred = (noise[1:] + noise[:-1]) * np.float32(0.5)
    assert image_stats.laplacian_variance(blurred) < image_stats.laplacian_variance(noise) / 2


def test_a_black_surround_is_the_share_outside_the_ellipse() -> None:
    y, x = np.mgrid[-1:1:200j, -1:1:300j]
    luma = np.where(x**2 + y**2 > 1, 0, 150).astype(np.float32)
    assert image_stats.dark_corner_share(luma) == pytest.approx(1 - np.pi / 4, abs=0.005)
    assert image_stats.dark_corner_share(np.full((200, 300), 150, np.float32)) == 0
    lesion_only = np.where(x**2 + y**2 < 0.2, 0, 150).astype(np.float32)
    assert image_stats.dark_corner_share(lesion_only) == 0


def _from_lab(l_star: float, a_star: float, b_star: float) -> tuple[int, int, int]:
    """The way back, written on its own (IEC 61966-2-1, white point D65)."""
    y = (l_star + 16) / 116
    f = np.array([y + a_star / 500, y, y - b_star / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.95047, 1.0, 1.08883]
    to_rgb = [[3.2404542, -1.5371385, -0.4985314], [-0.969266, 1.8760108, 0.041556], [0.0556434, -0.2040259, 1.0572252]]
    linear = np.clip(to_rgb @ xyz, 0, 1)
    red, green, blue = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    return round(red), round(green), round(blue)


@pytest.mark.parametrize(
    ("degrees", "tone"),
    [(62, "very light"), (48, "light"), (35, "intermediate"), (19, "tan"), (-5, "brown"), (-40, "dark")],
)
@pytest.mark.parametrize("with_lesion", [False, True])
def test_the_tone_is_that_of_the_skin_and_not_of_lesion_rim_or_corners(
    degrees: float, tone: str, with_lesion: bool
) -> None:
    rgb = _flat(*_from_lab(50 + 15 * np.tan(np.radians(degrees)), 11, 15), size=(192, 256))
    if with_lesion:
        y, x = np.mgrid[-1:1:192j, -1:1:256j]
        rgb[(x**2 + y**2 < 0.5) | (x**2 + y**2 > 1.6)] = (15, 8, 6)
        rgb[:6] = (255, 255, 255)  # a scale bar inside the rim
    angle = _statistics(rgb)["ita_deg"]
    assert angle == pytest.approx(degrees, abs=1)  # RGB values are whole numbers
    assert image_stats.tone_of(np.array([angle, np.nan])) == [tone, None]


def test_a_picture_too_small_for_texture_has_colours_only() -> None:
    found = _statistics(_flat(200, 150, 130, size=(3, 5)))
    assert found["red_mean"] == 200
    assert all(np.isnan(found[name]) for name in ("laplacian_variance", "noise_sigma", "ita_deg"))


def test_hue_is_averaged_around_the_circle() -> None:
    reds = np.concatenate([_flat(200, 0, 20, size=(8, 16)), _flat(200, 20, 0, size=(8, 16))])  # 354° and 6°
    hue = _statistics(np.tile(reds, (2, 2, 1)))["hue_mean_deg"]
    assert min(hue, 360 - hue) < 2


# --- an index of small real files ---


def _save(
    path: Path, seed: int, colour: tuple[int, int, int], *, size: tuple[int, int] = (72, 54), exif: int = 1
) -> None:
    rng = np.random.default_rng(seed)
    pixels = np.clip(np.array(colour) + rng.normal(0, 4, (size[1], size[0], 3)), 0, 255).astype(np.uint8)
    notes = Image.Exif()
    notes[0x0112] = exif
    Image.fromarray(pixels).save(path, quality=95, exif=notes)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """150 pictures of 100 lesions in two centres, which are told apart by melanoma; three files cannot be read."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for i in range(150):
        lesion = i % 100
        melanoma = lesion % 4 == 0
        _save(root / f"p{i:03}.jpg", i, (120, 80, 60) if melanoma else (215, 180, 160), exif=6 if i == 1 else 1)
        rows.append(
            {
                "image_id": f"p{i:03}",
                "image_path": f"p{i:03}.jpg",
                "lesion_id": f"L{lesion}",
                "source": "tiny",
                "centre": "near" if melanoma == (lesion % 5 > 0) else "far $x$",
                "dx": "MEL" if melanoma else ("NV" if lesion % 3 else "BKL"),
                "y_mel": int(melanoma),
                "age": None if i % 10 == 0 else float(rng.integers(20, 80)) + 10 * melanoma,
                "sex": "male" if i % 7 < 3 else "female",
                "site": ["back", "face", "<b>arm</b>"][i % 3],
                "dx_confirm": "histo" if melanoma else "follow_up",
                "split": "train" if lesion % 3 else "test",
            }
        )
    (root / "p003.jpg").write_bytes((root / "p003.jpg").read_bytes()[:300])
    (root / "p005.jpg").write_bytes(b"")
    (root / "p007.jpg").unlink()
    return Index(table=conform(pl.DataFrame(rows)), roots={"tiny": root}, about={"title": "A <tiny> set"})


def _changed(index: Index, **columns: Any) -> Index:
    return index.with_table(index.table.with_columns(**columns))


def test_the_folder_holds_a_page_all_numbers_and_the_statistics(index: Index, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    result = eda.run(index, tmp_path / "eda", workers=1, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, 150)
    assert seen[-1] == (150, 150)
    page = (tmp_path / "eda" / "index.html").read_text(encoding="utf-8")
    numbers = json.loads((tmp_path / "eda" / "eda.json").read_text(encoding="utf-8"))
    statistics = pl.read_parquet(tmp_path / "eda" / "image_stats.parquet")
    assert numbers == result.to_json()
    assert statistics.height == 147
    assert sorted(numbers["pictures"]["unreadable"]) == ["p003", "p005", "p007"]
    assert "A &lt;tiny&gt; set" in page
    assert "&lt;b&gt;arm&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "3 pictures cannot be read" in page
    assert "a model can learn the centre" in page
    assert SYNTHETIC_BANNER not in page
    rotated = statistics.filter(pl.col("image_id") == "p001").row(0, named=True)
    assert (rotated["width"], rotated["height"]) == (54, 72)  # upright
    assert any("melanoma AUC" in line for line in result.summary())


def test_a_tiny_extreme_centre_does_not_hide_that_two_others_differ(index: Index, tmp_path: Path) -> None:
    melanoma = index.table.filter(pl.col("y_mel") == 1)["image_id"][0]
    alone = pl.when(pl.col("image_id") == melanoma).then(pl.lit("elsewhere")).otherwise("centre")
    eda.run(_changed(index, centre=alone), tmp_path / "eda", workers=1)
    page = (tmp_path / "eda" / "index.html").read_text(encoding="utf-8")
    assert "a model can learn the centre" in page
    assert "the centre says little" not in page


def test_counts_equal_a_count_by_hand(index: Index) -> None:
    found = count(index.table)
    rows = index.table.to_dicts()
    assert {name: c.pictures for name, c in found.by_class.items()} == Counter(row["dx"] for row in rows)
    for name, counted in found.by_class.items():
        assert counted.lesions == len({row["lesion_id"] for row in rows if row["dx"] == name})
    assert {name: c.melanomas for name, c in found.by_split.items()} == Counter(r["split"] for r in rows if r["y_mel"])
    assert sum(cell["pictures"] for cell in found.to_json()["by_class_split_source_centre"]) == 150
    assert found.tasks["mel"] == {"other": 112, "melanoma": 38, "left out": 0}
    assert found.tasks["melnv"]["left out"] == found.by_class["BKL"].pictures


def test_augmented_copies_are_no_data(index: Index) -> None:
    copies = index.table.head(40).with_columns(pl.lit("p000").alias("parent_id"))
    found = count(pl.concat([index.table, copies]))
    assert (found.all.pictures, found.copies) == (150, 40)
    assert no_pixel_baseline(pl.concat([index.table, copies])).rows == 150


def test_metadata_are_counted_by_class_and_missing_values_by_melanoma(index: Index) -> None:
    found = metadata.describe(index.table, ("NV", "MEL", "BKL"))
    sexes = {row["value"]: row["MEL"] for row in found.crossed["sex"].to_dicts()}
    melanomas = index.table.filter(pl.col("dx") == "MEL")
    assert sexes == Counter(melanomas["sex"])
    missing = {row["column"]: row for row in found.missing.to_dicts()}
    assert missing["age"]["missing"] == 15
    assert missing["patient_id"]["missing"] == 150
    ages = index.table.filter(pl.col("age").is_null())
    assert missing["age"]["melanoma_if_missing"] == pytest.approx((ages["y_mel"] == 1).mean())


def test_a_sample_is_seeded_even_over_classes_and_weighted_back(index: Index) -> None:
    rows = originals(index.table)
    first, again, other = (measuring.sample(rows, 30, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first["image_id"].to_list() == again["image_id"].to_list()
    assert first["image_id"].to_list() != other["image_id"].to_list()
    assert first["image_id"].n_unique() == 30
    assert dict(first["class"].value_counts().rows()) == {"NV": 10, "BKL": 10, "MEL": 10}
    assert measuring.sample(rows, 1000, rng=np.random.default_rng(0)).height == 150
    found = measuring.measure_index(index, max_pictures=60, seed=0, workers=1, on_progress=lambda done, total: None)
    assert found.sampled
    assert found.table["weight"].sum() == pytest.approx(150, abs=1e-6)


def test_the_sheet_shows_different_lesions_chosen_by_seed_and_leaves_out_what_cannot_be_read(index: Index) -> None:
    sheets = [draw_sheet(index, ("NV", "MEL"), seed=seed, synthetic=False) for seed in (0, 0, 1)]
    chosen = [sheet.rows[0].chosen for sheet in sheets if sheet]
    assert chosen[0] == chosen[1] != chosen[2]
    for sheet in sheets:
        assert sheet is not None
        for row in sheet.rows:
            lesions = index.table.filter(pl.col("image_id").is_in(row.chosen))["lesion_id"]
            assert lesions.n_unique() == len(row.chosen) == PER_CLASS
            assert not {"p003", "p005", "p007"} & set(row.chosen)


def test_the_baseline_knows_the_centre_and_never_how_the_diagnosis_was_made(index: Index) -> None:
    found = no_pixel_baseline(index.table)
    told = no_pixel_baseline(index.table.with_columns(pl.lit("none").alias("dx_confirm")))
    assert found == told
    assert found.auc["centre"].value > 0.6
    assert found.auc["centre"].groups == 100


def test_a_group_never_helps_to_answer_for_itself() -> None:
    """Each of 60 lesions has a site of its own: a known lesion is told perfectly, an unknown one by chance."""
    lesions = np.repeat(np.arange(60), 30)
    y = np.random.default_rng(0).permutation(np.arange(60) % 2)[lesions]
    columns = {"lesion_id": [f"L{n}" for n in lesions], "site": [f"site {n}" for n in lesions], "y_mel": y}
    ids = [f"i{n}" for n in range(len(y))]
    table = conform(pl.DataFrame({"image_id": ids, "source": ["s"] * len(y), **columns}))
    assert 0.3 < no_pixel_baseline(table).auc["age, sex, site"].value < 0.7
    alone = no_pixel_baseline(table.with_columns(pl.lit(None, pl.String).alias("lesion_id")))
    assert alone.auc["age, sex, site"].value > 0.95
    patients = table.with_columns(pl.col("lesion_id").alias("patient_id"), pl.col("image_id").alias("lesion_id"))
    assert no_pixel_baseline(patients).auc == no_pixel_baseline(table).auc


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"centre": pl.lit(None, pl.String)}, "centre: not told"),
        ({"y_mel": pl.lit(0, pl.Int8), "dx": pl.lit("NV")}, "0 groups with a positive"),
        ({"y_mel": pl.lit(None, pl.Int8), "dx": pl.lit(None, pl.String)}, "0 groups with a positive"),
    ],
)
def test_where_no_baseline_is_possible_the_page_says_why(
    index: Index, tmp_path: Path, columns: dict[str, Any], reason: str
) -> None:
    result = eda.run(_changed(index, **columns), tmp_path / "eda", workers=1, max_pictures=12)
    assert reason in (tmp_path / "eda" / "index.html").read_text(encoding="utf-8")
    assert "centre" in result.baseline.why_not


def test_tables_alone_are_enough(index: Index, tmp_path: Path) -> None:
    """No pictures, splits, lesions, ages, sexes or sites; two sources, one of them empty of almost everything."""
    bare = {name: pl.lit(None) for name in ("image_path", "split", "lesion_id", "age", "sex", "site", "centre")}
    result = eda.run(_changed(index, **bare), tmp_path / "eda", workers=1)
    page = (tmp_path / "eda" / "index.html").read_text(encoding="utf-8")
    assert "no pictures that can be measured" in page
    assert "not split yet" in page
    assert result.baseline.best is None
    assert result.counts.all.lesions is None


def test_an_index_without_rows_gives_a_page(index: Index, tmp_path: Path) -> None:
    eda.run(index.with_table(index.table.head(0)), tmp_path / "eda", workers=1)
    assert "no rows" in (tmp_path / "eda" / "index.html").read_text(encoding="utf-8")


def test_a_synthetic_index_says_so_on_the_page_and_on_every_plot(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    drawing = plots.drawing

    def watched(*sizes: float, synthetic: bool, **others: Any) -> Any:
        told.append(synthetic)
        return drawing(*sizes, synthetic=synthetic, **others)

    monkeypatch.setattr(plots, "drawing", watched)
    eda.run(_changed(index, modality=pl.lit("synthetic")), tmp_path / "eda", workers=1, max_pictures=12)
    assert len(told) > 15
    assert all(told)
    assert SYNTHETIC_BANNER in (tmp_path / "eda" / "index.html").read_text(encoding="utf-8")


def test_the_banner_is_drawn_on_a_plot() -> None:
    plain, marked = (plots.bars(["a", "b"], {"n": [3, 4]}, label="n", synthetic=s) for s in (False, True))
    sizes = [Image.open(io.BytesIO(png)).size for png in (plain, marked)]
    assert sizes[1][1] > sizes[0][1]


def test_many_parts_become_seven_one_called_other_and_what_is_not_told() -> None:
    parts = {name: np.array([float(n + 1)]) for n, name in enumerate(["other", *"abcdefghij", "not told"])}
    few = plots._few_parts(parts, "not told")
    assert list(few) == [*"abcdefg", "other", "not told"]
    assert few["other"] == 1 + 9 + 10 + 11  # its own and those of h, i, j
    assert sum(values[0] for values in few.values()) == sum(values[0] for values in parts.values())


def test_equal_seeds_give_equal_pages_and_an_existing_folder_is_kept(index: Index, tmp_path: Path) -> None:
    for name in ("one", "two"):
        eda.run(index, tmp_path / name, workers=1, max_pictures=20)
    for file in (eda.PAGE_FILE, eda.RESULT_FILE, eda.STATISTICS_FILE):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    with pytest.raises(ArtifactError, match="--force"):
        eda.run(index, tmp_path / "one", workers=1)
    eda.run(index, tmp_path / "one", workers=1, max_pictures=20, force=True)


def test_a_large_picture_is_reduced_and_its_own_size_kept(tmp_path: Path) -> None:
    _save(tmp_path / "large.jpg", 0, (200, 150, 130), size=(1400, 900))
    image, size = image_stats.read_small(Picture(image_id="large", root=tmp_path, path="large.jpg"))
    assert (image.size, size) == ((256, 165), (1400, 900))


# --- HAM10000 itself ---


@pytest.fixture(scope="module")
def ham() -> Any:
    if not HAM.is_file():
        pytest.skip(f"{HAM}: the real data are not here; EDGE_MELANOMA_DATA says where they are")
    raw = pl.read_csv(HAM)
    diagnoses = {"akiec": "AKIEC", "bcc": "BCC", "bkl": "BKL", "df": "DF", "mel": "MEL", "nv": "NV", "vasc": "VASC"}
    return conform(
        raw.select(
            "image_id",
            "lesion_id",
            "age",
            pl.lit("ham10000").alias("source"),
            pl.col("dataset").alias("centre"),
            pl.col("sex").replace("unknown", None),
            pl.col("localization").replace("unknown", None).alias("site"),
            pl.col("dx").replace_strict(diagnoses),
            (pl.col("dx") == "mel").cast(pl.Int8).alias("y_mel"),
            pl.col("dx_type").alias("dx_confirm"),
        )
    )


def test_ham10000_has_the_published_counts(ham: Any) -> None:
    found = count(ham)
    assert (found.all.pictures, found.all.lesions, found.all.patients) == (10_015, 7_470, None)
    assert {name: (c.pictures, c.lesions) for name, c in found.by_class.items()} == {
        **{"NV": (6705, 5403), "MEL": (1113, 614), "BKL": (1099, 727), "BCC": (514, 327)},
        **{"AKIEC": (327, 228), "VASC": (142, 98), "DF": (115, 73)},
    }
    molemax = found.by_centre["vidir_molemax"]
    assert (molemax.pictures, molemax.melanomas) == (3954, 24)


def test_ham10000_tells_melanoma_without_a_pixel_as_far_as_was_measured_before(ham: Any) -> None:
    found = no_pixel_baseline(ham)
    assert {inputs: auc.value for inputs, auc in found.auc.items()} == pytest.approx(
        {"centre": 0.726, "age, sex, site": 0.707, "age, sex, site, centre": 0.807}, abs=0.01
    )
    assert found.best is not None
    assert found.best.high - found.best.low < 0.04
