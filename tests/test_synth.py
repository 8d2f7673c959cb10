"""Synthetic dermoscopy: a seed gives the same pictures again, class shows through z alone, and counts confirm it."""

import csv
import dataclasses
import hashlib
import json
import math
import platform
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from PIL import Image

from edge_melanoma.data.fingerprint import NEAR_LIMIT, perceptual_hash
from edge_melanoma.data.synth import SynthRecipe, ceiling, run
from edge_melanoma.data.synth.dataset import picture_of
from edge_melanoma.data.synth.latents import Lesion, Person, artefacts_of, case_of, diagnosis_of, values
from edge_melanoma.data.synth.morphology import morphology_of
from edge_melanoma.data.synth.recipe import ARTEFACTS
from edge_melanoma.data.synth.render import footprint, render
from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.labels import VOCABULARIES

GOLDEN = Path(__file__).parent / "golden" / "synth"
GOLDEN_PICTURES = json.loads((GOLDEN / "pictures.json").read_text())


def auc_by_counting(positives, negatives):
    """All pairs, one by one; and the standard error of the AUC from the placements (DeLong)."""
    positives, negatives = np.asarray(positives), np.asarray(negatives)
    above, below = np.zeros(len(positives)), np.zeros(len(negatives))
    for start in range(0, len(positives), 1000):
        some = positives[start : start + 1000, None]
        for pairs, points in ((some > negatives, 1.0), (some == negatives, 0.5)):
            above[start : start + 1000] += points * np.count_nonzero(pairs, axis=1)
            below += points * np.count_nonzero(pairs, axis=0)
    above, below = above / len(negatives), below / len(positives)
    return above.mean(), math.sqrt(above.var() / len(positives) + below.var() / len(negatives))


def pixels(recipe, index, view=0, **options):
    return picture_of(recipe, case_of(recipe, index), view, **options)


def read_table(folder):
    with (folder / "SYN_metadata.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# ---- the same pictures again


@pytest.mark.parametrize("golden", GOLDEN_PICTURES, ids=lambda golden: golden["name"])
def test_the_same_seed_draws_the_same_picture(golden):
    drawn = pixels(SynthRecipe(**golden["recipe"]), golden["index"], golden["view"])
    stored = np.asarray(Image.open(GOLDEN / f"{golden['name']}.png"))
    # everywhere: what FFT, exp and sin round differently may move a pixel by a level here and there, not more
    off = np.abs(drawn.astype(int) - stored)
    assert off.mean() < 0.02
    assert (off > 2).mean() < 0.001
    # to the bit where it was recorded: x86-64 (NumPy 1.26 and 2.4, Pillow 11 and 13, with and without AVX2 and AVX512)
    if platform.machine() in ("x86_64", "AMD64"):
        assert hashlib.sha256(drawn.tobytes()).hexdigest() == golden["sha256"]


def test_neither_the_number_of_lesions_nor_of_workers_changes_a_byte(tmp_path):
    few, many = SynthRecipe(lesions=14, size=32), SynthRecipe(lesions=40, size=32)
    run(few, tmp_path / "few", workers=1)
    run(many, tmp_path / "many", workers=2)
    rows, more = read_table(tmp_path / "few"), read_table(tmp_path / "many")
    assert more[: len(rows)] == rows
    assert len(more) > len(rows)
    for row in rows:
        name = f"SYN_images/{row['image_id']}.jpg"
        assert (tmp_path / "few" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()


def test_a_lesion_looks_the_same_at_every_size():
    large = Image.fromarray(pixels(SynthRecipe(size=256, nuisance=0), 3))
    small = pixels(SynthRecipe(size=64, nuisance=0), 3)
    shrunk = np.asarray(large.resize((64, 64), Image.Resampling.BOX))
    assert np.corrcoef(shrunk.ravel(), small.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("size", [32, 33, 64, 96, 160, 256, 512])
@pytest.mark.parametrize("classes", [2, 7])
def test_every_size_gives_a_picture(size, classes):
    drawn = pixels(SynthRecipe(size=size, classes=classes, seed=3), 2)
    assert drawn.shape == (size, size, 3)
    assert drawn.dtype == np.uint8
    assert drawn.std() > 5


# ---- classes


@pytest.mark.parametrize("options", [{}, {"p_mel": 0.1}, {"classes": 7}, {"classes": 7, "others": "ham"}])
@pytest.mark.parametrize("lesions", [7, 50, 333])
def test_shares_of_the_classes_hold_for_any_number_of_lesions(options, lesions):
    recipe = SynthRecipe(seed=11, **options)
    drawn = [diagnosis_of(recipe, index) for index in range(lesions)]
    for dx, share in recipe.shares.items():
        # the last block, of which an unfinished part is there, may be off by a binomial's worth
        unfinished = lesions % 30
        assert abs(drawn.count(dx) - share * lesions) <= 3 + 3 * math.sqrt(unfinished * share * (1 - share))


def test_the_renderer_cannot_know_whether_it_draws_a_melanoma():
    recipe = SynthRecipe(size=64, views=2)
    known = {field.name for kind in (Lesion, Person) for field in dataclasses.fields(kind)}
    assert not known & {"dx", "true_dx", "severity", "z", "age"}
    for index, severity in ((0, -1.5), (1, 0.3), (2, 1.7), (3, 3.0)):
        melanoma = case_of(recipe, index, true_dx="mel", severity=severity)
        nevus = case_of(recipe, index, true_dx="nv", severity=severity)
        assert (melanoma.dx, nevus.dx) == ("mel", "nv")
        assert melanoma.lesion == nevus.lesion
        assert artefacts_of(recipe, melanoma, 0) == artefacts_of(recipe, nevus, 0)
        assert np.array_equal(picture_of(recipe, melanoma, 1), picture_of(recipe, nevus, 1))


@pytest.fixture(scope="module")
def population():
    """20,000 lesions as numbers: everything from which a picture is drawn, one column each."""
    recipe = SynthRecipe(seed=5)
    columns, is_melanoma = {}, []
    for index in range(20_000):
        case = case_of(recipe, index)
        signs = morphology_of(case.lesion)
        numbers = {
            "z": case.severity,
            **dict(zip("ABCDS", values(case.lesion.attributes), strict=True)),
            "tds": signs.total_dermoscopy_score,
            "diameter": signs.diameter_mm,
            "hypomelanotic": signs.hypomelanotic,
            "featureless": signs.featureless,
            "mimic": bool(signs.mimic),
            "vessels": signs.dotted_vessels,
            "peppering": signs.peppering,
            "ita": case.lesion.person.ita,
            "fov": case.lesion.field_of_view_mm,
            "age": case.age or 50,
            "artefacts": len(artefacts_of(recipe, case, 0)),
            "male": case.sex == "male",
            "centre": case.lesion.person.centre == "syn_north",
            "site": case.site == "back",
            "views": case.views,
        }
        for name, number in numbers.items():
            columns.setdefault(name, []).append(float(number))
        is_melanoma.append(case.true_dx == "mel")
    return {name: np.array(column) for name, column in columns.items()}, np.array(is_melanoma)


def test_the_severity_alone_reaches_the_ceiling_and_nothing_passes_it(population):
    columns, mel = population
    best = NormalDist().cdf(2.0 / math.sqrt(2))
    found, error = auc_by_counting(columns["z"][mel], columns["z"][~mel])
    assert abs(found - best) < 3 * error
    seen = [name for name in columns if name not in ("z", "age")]  # age is in the table, not in the picture
    for name in seen:
        some = columns[name][::3], mel[::3]
        value, error = auc_by_counting(some[0][some[1]], some[0][~some[1]])
        assert value < best - 3 * error, name
    # all of them together, weighed by logistic regression
    score = logistic_regression(np.stack([columns[name] for name in seen], axis=1), mel)
    together, error = auc_by_counting(score[mel], score[~mel])
    assert 0.90 < together < best
    with_z = logistic_regression(np.stack([columns[name] for name in ("z", *seen)], axis=1), mel)
    assert auc_by_counting(with_z[mel], with_z[~mel])[0] - found < 0.001  # given z, nothing else tells the class


def logistic_regression(features, answers, rounds=7):
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    scaled = np.concatenate([scaled, np.ones((len(scaled), 1))], axis=1)
    weights = np.zeros(scaled.shape[1])
    for _ in range(rounds):  # Newton
        chance = 1 / (1 + np.exp(-scaled @ weights))
        slope = scaled.T @ (answers - chance)
        curve = (scaled * (chance * (1 - chance))[:, None]).T @ scaled + 1e-6 * np.eye(len(weights))
        weights += np.linalg.solve(curve, slope)
    return scaled @ weights


def test_what_is_no_sign_of_melanoma_tells_nothing(population):
    columns, mel = population
    for name in ("ita", "fov", "artefacts", "male", "centre", "site", "views", "mimic"):
        value, error = auc_by_counting(columns[name][mel], columns[name][~mel])
        assert abs(value - 0.5) < 4 * error, name


def test_age_tells_as_much_as_in_ham10000(population):
    columns, mel = population
    assert abs(auc_by_counting(columns["age"][mel], columns["age"][~mel])[0] - 0.661) < 0.015


def test_some_melanomas_hide_and_the_abcd_rule_works_as_published(population):
    columns, mel = population
    assert 0.05 < columns["hypomelanotic"][mel].mean() < 0.09
    assert 0.03 < columns["featureless"][mel].mean() < 0.09
    assert (columns["tds"][~mel] < 4.75).mean() > 0.75
    assert (columns["tds"][mel] > 5.45).mean() > 0.55
    assert columns["tds"].min() >= 1.0
    assert columns["tds"].max() <= 8.9


# ---- ceilings, against simulation


def simulate(recipe, count=24_000, seed=0):
    """Severities and labels drawn straight from the definition; the other diagnoses are recognised without fail."""
    draw = np.random.default_rng(seed)
    names, shares = list(recipe.shares), list(recipe.shares.values())
    true = draw.choice(names, size=count, p=np.array(shares) / sum(shares))
    sign = np.select([true == "mel", true == "nv"], [0.5, -0.5], np.nan)
    z = draw.standard_normal(count) + recipe.separation * sign
    wrong = draw.random(count) < recipe.label_noise
    label = np.where(wrong & (true == "mel"), "nv", np.where(wrong & (true == "nv"), "mel", true))
    return true, label, z, draw


@pytest.mark.parametrize(
    "options",
    [
        {"difficulty": "easy"},
        {"difficulty": "hard", "p_mel": 0.2, "label_noise": 0.1},
        {"classes": 7, "others": "ham"},
        {"classes": 7, "p_mel": 0.3, "label_noise": 0.05},
    ],
)
def test_stated_ceilings_are_what_a_perfect_model_reaches(options):
    recipe = SynthRecipe(**options)
    _, label, z, _ = simulate(recipe)
    stated, pigmented = ceiling(recipe), ~np.isnan(z)
    mel, nv = (label == "mel"), (label == "nv")
    value, error = auc_by_counting(z[mel & pigmented], z[nv])
    assert abs(value - stated.melnv_auc) < 4 * error
    surely_benign = np.where(pigmented, z, -1e9)
    value, error = auc_by_counting(surely_benign[mel], surely_benign[~mel])
    assert abs(value - stated.mel_auc) < 4 * error
    malignant = np.isin(label, ["mel", "bcc", "akiec"])
    known = np.where(np.isin(label, ["bcc", "akiec"]), 1e9, surely_benign)
    value, error = auc_by_counting(known[malignant], known[~malignant])
    assert abs(value - stated.mal_auc) < 4 * error
    recalls = [(z[mel] > 0).mean(), (z[nv] <= 0).mean()] + [1.0] * (recipe.classes - 2)
    assert abs(np.mean(recalls) - stated.balanced_accuracy) < 0.01
    assert stated.exact == (recipe.classes == 2)


def test_the_shortcut_of_a_confounder_is_stated():
    recipe = SynthRecipe(confound="patch", confound_p_benign=0.5, confound_p_mel=0.03)
    true, label, z, draw = simulate(recipe)
    has_patch = draw.random(len(z)) < np.where(true == "mel", 0.03, 0.5)
    score = 2.0 * z + np.where(has_patch, math.log(0.03 / 0.5), math.log(0.97 / 0.5))
    value, error = auc_by_counting(score[label == "mel"], score[label == "nv"])
    assert abs(value - ceiling(recipe).shortcut_auc) < 4 * error
    assert value > ceiling(recipe).melnv_auc + 0.02
    assert ceiling(SynthRecipe()).shortcut_auc is None


def test_a_confounder_is_pasted_by_class_and_recorded():
    recipe = SynthRecipe(confound="ink", confound_p_benign=0.6, confound_p_mel=0.0, nuisance=2.0)
    cases = [case_of(recipe, index) for index in range(300)]
    marked = {dx: [case.confounded for case in cases if case.true_dx == dx] for dx in ("mel", "nv")}
    assert not any(marked["mel"])
    assert 0.5 < np.mean(marked["nv"]) < 0.7
    for case in cases:
        assert ("ink" in artefacts_of(recipe, case, 1)) == case.confounded


def test_label_noise_moves_labels_and_no_pixel():
    plain, noisy = SynthRecipe(size=48), SynthRecipe(size=48, label_noise=0.3)
    flipped = [index for index in range(60) if case_of(plain, index).dx != case_of(noisy, index).dx]
    assert 8 < len(flipped) < 30
    assert np.array_equal(pixels(plain, flipped[0]), pixels(noisy, flipped[0]))


# ---- counterfactuals


@pytest.mark.parametrize("artefact", ARTEFACTS)
@pytest.mark.parametrize("index", [0, 4, 9])
def test_twins_are_equal_in_every_pixel_outside_the_artefact(artefact, index):
    recipe = SynthRecipe(size=96, seed=2)
    case = case_of(recipe, index)
    others = artefacts_of(recipe, case, 0) - {artefact}
    options = {"view": 0, "size": 96, "nuisance": 1.0}
    without = render(case.lesion, artefacts=others, **options)
    with_it = render(case.lesion, artefacts=others | {artefact}, **options)
    covered = footprint(case.lesion, artefact, **options)
    assert np.array_equal(without[~covered], with_it[~covered])
    assert (without[covered] != with_it[covered]).any()
    assert covered.mean() < 0.8


def test_twins_lie_beside_the_set_and_not_in_its_table(tmp_path):
    recipe = SynthRecipe(lesions=6, size=48, counterfactuals=("hair", "ruler"))
    result = run(recipe, tmp_path / "set")
    rows = read_table(tmp_path / "set")
    with (tmp_path / "set" / "SYN_counterfactuals.csv").open(newline="") as file:
        twins = list(csv.DictReader(file))
    assert result.twins == len(twins) == 2 * len(rows)
    flag = {row["image_id"]: row for row in rows}
    for twin in twins:
        assert twin["change"] == ("removed" if flag[twin["image_id"]][twin["artefact"]] == "1" else "added")
        original = np.asarray(Image.open(tmp_path / "set" / "SYN_images" / f"{twin['image_id']}.jpg"), int)
        changed = np.asarray(Image.open(tmp_path / "set" / twin["path"]), int)
        assert np.abs(original - changed).max() > 8
    assert len(list((tmp_path / "set" / "SYN_images").iterdir())) == len(rows)


# ---- the folder


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synth") / "set"
    return folder, run(SynthRecipe(lesions=90, size=48, classes=7, seed=4, views=3), folder)


def test_the_table_is_laid_out_as_that_of_ham10000(small_set):
    folder, result = small_set
    rows = read_table(folder)
    ham = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset"]
    assert list(rows[0])[: len(ham)] == ham
    assert {row["dx"] for row in rows} == set(VOCABULARIES["ham10000"])
    assert {row["dx_type"] for row in rows} == {"synthetic"}
    assert {path.name for path in (folder / "SYN_images").iterdir()} == {f"{row['image_id']}.jpg" for row in rows}
    assert result.pictures == len(rows)
    assert result.counts == {dx: sum(row["dx"] == dx for row in rows) for dx in sorted(result.counts)}
    assert all((row["z"] != "") == (row["dx"] in ("mel", "nv")) for row in rows)


def test_what_a_picture_shows_is_what_its_row_says(small_set):
    _, _ = small_set
    recipe = SynthRecipe(lesions=90, size=48, classes=7, seed=4, views=3)
    for row in read_table(small_set[0])[:12]:
        case = case_of(recipe, int(row["lesion_index"]))
        shown = artefacts_of(recipe, case, int(row["view"]))
        assert {name for name in ARTEFACTS if row[name] == "1"} == shown
        stored = np.asarray(Image.open(small_set[0] / "SYN_images" / f"{row['image_id']}.jpg"), float)
        drawn = picture_of(recipe, case, int(row["view"]))
        assert np.abs(stored - drawn).mean() < 8  # JPEG


def test_patients_have_one_to_six_lesions_with_one_skin(small_set):
    rows = read_table(small_set[0])
    of_patient = {}
    for row in rows:
        of_patient.setdefault(row["patient_id"], []).append(row)
    for own in of_patient.values():
        assert 1 <= len({row["lesion_id"] for row in own}) <= 6
        for column in ("ita", "age", "sex", "dataset"):
            assert len({row[column] for row in own}) == 1
    of_lesion = {}
    for row in rows:
        of_lesion.setdefault(row["lesion_id"], []).append(row)
    assert {len(views) for views in of_lesion.values()} == {1, 2, 3}
    assert all(len({row["dx"] for row in views}) == 1 for views in of_lesion.values())
    assert max(len({row["lesion_id"] for row in own}) for own in of_patient.values()) > 2


def test_every_picture_says_that_it_is_synthetic_and_carries_no_exif(small_set):
    folder, _ = small_set
    for path in sorted((folder / "SYN_images").iterdir()):
        with Image.open(path) as picture:
            assert picture.info["comment"].startswith(b"SYNTHETIC - no clinical meaning")
            assert not picture.getexif()
            assert (picture.mode, picture.size) == ("RGB", (48, 48))
    assert (folder / "SYNTHETIC.txt").read_text(encoding="utf-8").startswith("SYNTHETIC — no clinical meaning")


def test_the_facts_are_complete_and_hold_nothing_of_this_run(small_set, tmp_path):
    folder, result = small_set
    facts = json.loads((folder / "synth.json").read_text(encoding="utf-8"))
    assert facts["recipe"]["lesions"] == 90
    assert facts["published_counts"] == result.counts
    assert facts["planted"] == []
    assert facts["ceiling"] == result.ceiling.to_json()
    assert json.loads(json.dumps(result.to_json()))["counts"] == result.counts
    again = tmp_path / "again"
    run(SynthRecipe(lesions=90, size=48, classes=7, seed=4, views=3), again, workers=1)
    assert (again / "synth.json").read_bytes() == (folder / "synth.json").read_bytes()
    assert (again / "SYN_metadata.csv").read_bytes() == (folder / "SYN_metadata.csv").read_bytes()


def test_no_two_lesions_look_alike(small_set):
    rows = read_table(small_set[0])
    hashes = [
        perceptual_hash(Image.open(small_set[0] / "SYN_images" / f"{row['image_id']}.jpg").convert("L")) for row in rows
    ]
    for first, hash_ in enumerate(hashes):
        for second in range(first):
            if rows[first]["lesion_id"] != rows[second]["lesion_id"]:
                assert (int(hash_, 16) ^ int(hashes[second], 16)).bit_count() > NEAR_LIMIT


def test_dark_skin_is_dark():
    tones = []
    for weights in ((1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 1)):
        recipe = SynthRecipe(size=32, tone_weights=weights, nuisance=0)
        tones.append(np.mean([pixels(recipe, index)[:4].mean() for index in range(8)]))
    assert tones[0] > 1.5 * tones[1]


def test_other_diagnoses_have_looks_of_their_own():
    recipe = SynthRecipe(size=48, classes=7, nuisance=0)
    first = {diagnosis_of(recipe, index): index for index in range(60)}
    lesion = case_of(recipe, first["nv"]).lesion
    kinds = ("melanocytic", "bkl", "bcc", "akiec", "vasc", "df")
    drawn = [
        render(dataclasses.replace(lesion, kind=kind), view=0, size=48, artefacts=frozenset(), nuisance=0)
        for kind in kinds
    ]
    for a in range(len(kinds)):
        for b in range(a):
            assert np.abs(drawn[a].astype(int) - drawn[b]).mean() > 1


# ---- asking for it


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lesions": 0}, "lesions = 0: must be a whole number from 1 to 1,000,000"),
        ({"size": 16}, "size = 16: must be a whole number from 32 to 1,024"),
        ({"size": 160.0}, "size = 160.0: must be a whole number"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 2**32}, "seed = 4294967296"),
        ({"classes": 5}, "classes = 5: must be one of: 2, 7"),
        ({"difficulty": "brutal"}, "difficulty = 'brutal': must be one of: easy, standard, hard"),
        ({"delta": math.nan}, "delta = nan"),
        ({"rho": 1.2}, "rho = 1.2: must be a number from 0 to 1"),
        ({"rho": True}, "rho = True"),
        ({"p_mel": 0}, "p_mel = 0"),
        ({"label_noise": 0.6}, "label_noise = 0.6"),
        ({"tone_weights": (1, 2)}, "tone_weights = (1, 2): must be 6 weights"),
        ({"tone_weights": (0, 0, 0, 0, 0, 0)}, "tone_weights"),
        ({"jpeg_quality": (95, 70)}, "jpeg_quality = (95, 70): must be lowest and highest"),
        ({"confound": "glasses"}, "confound = 'glasses': must be one of: none, hair"),
        ({"counterfactuals": ("hair", "hat")}, "counterfactuals = 'hat'"),
        ({"counterfactuals": ("hair", "hair")}, "each artefact once"),
        ({"plant_defects": True, "lesions": 20}, "lesions = 20: must be with plant_defects"),
        ({"plant_defects": True, "classes": 7}, "classes = 7"),
    ],
)
def test_a_recipe_out_of_range_is_refused_by_name_value_and_range(options, message):
    with pytest.raises(RecipeError) as raised:
        SynthRecipe(**options)
    assert message in str(raised.value)


def test_lists_of_a_recipe_file_are_taken():
    recipe = SynthRecipe(tone_weights=[1, 1, 1, 1, 1, 1], counterfactuals=["hair"], jpeg_quality=[80, 80])
    assert recipe.counterfactuals == ("hair",)
    assert hash(recipe)


def test_an_existing_folder_is_kept_unless_forced(tmp_path):
    out = tmp_path / "set"
    run(SynthRecipe(lesions=1, size=32), out)
    with pytest.raises(ArtifactError, match="exists already"):
        run(SynthRecipe(lesions=2, size=32), out)
    assert run(SynthRecipe(lesions=2, size=32), out, force=True).lesions == 2


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(SynthRecipe(lesions=10, size=32), tmp_path / "set", on_progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_it_runs_with_numpy_and_pillow_alone():
    code = (
        "import sys, edge_melanoma.data.synth as s\n"
        "heavy = {'polars', 'scipy', 'sklearn', 'matplotlib', 'cv2', 'tensorflow', 'pandas', 'h5py'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
