"""The benchmark of robustness: what a change costs is what counting gives, and nothing is dropped without a word."""

import json
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pl = pytest.importorskip("polars")
pytest.importorskip("matplotlib")
pytest.importorskip("cv2")

from edge_melanoma.benchmarks import robustness  # noqa: E402
from edge_melanoma.benchmarks.robustness_answers import FOUND, MISSING, UNREADABLE, Question, answer  # noqa: E402
from edge_melanoma.benchmarks.robustness_changes import CHANGES, COUNTERFACTUALS, Change  # noqa: E402
from edge_melanoma.benchmarks.robustness_page import draw  # noqa: E402
from edge_melanoma.bundle import open_bundle  # noqa: E402
from edge_melanoma.data.index import Index, conform, read_index, write_index  # noqa: E402
from edge_melanoma.errors import DataError, RecipeError  # noqa: E402
from edge_melanoma.runtime import Predictor  # noqa: E402

BUNDLE = Path(__file__).parent / "golden" / "tiny" / "tiny_bundle.tflite"
PICTURES = 60


def unchanged(picture, rng):
    return picture


def swapped(picture, rng):
    """Red for blue: a white balance that is as wrong as can be."""
    return Image.fromarray(np.asarray(picture)[..., ::-1].copy())


def mirrored(picture, rng):
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


SAME, SWAPPED, MIRRORED = (
    Change(kind="made up", name=make.__name__, make=make) for make in (unchanged, swapped, mirrored)
)


@pytest.fixture(scope="module")
def index(tiny, tmp_path_factory):
    """Reddish pictures are melanomas, bluish ones nevi; two pictures a lesion."""
    folder = tmp_path_factory.mktemp("pictures")
    pixels, redness = tiny.pictures(PICTURES, seed=3)
    order = np.argsort(redness)
    redness = np.repeat(redness[order][::2], 2)  # a lesion has one answer, and its pictures are alike
    for number, picture in enumerate(pixels[order]):
        Image.fromarray(picture).resize((48, 32)).save(folder / f"P{number:02}.png")
    names = [f"P{number:02}" for number in range(PICTURES)]
    table = pl.DataFrame(
        {
            "image_id": names,
            "image_path": [f"{name}.png" for name in names],
            "sha256": [f"{number:064x}" for number in range(PICTURES)],
            "lesion_id": [f"L{number // 2:02}" for number in range(PICTURES)],
            "dx": np.where(redness > 0, "MEL", "NV"),
            "y_mel": (redness > 0).astype(np.int8),
            "split": ["test"] * PICTURES,
            "source": ["synth"] * PICTURES,
            "modality": ["synthetic"] * PICTURES,
        }
    )
    made = Index(table=conform(table), roots={"synth": folder})
    write_index(made, tmp_path_factory.mktemp("index") / "index")
    return made


@pytest.fixture(scope="module")
def bundle():
    return open_bundle(BUNDLE)


def measured(index, bundle, *changes, **options):
    return robustness.run(index, [bundle], changes=changes, **{"rounds": 200, "workers": 1, **options})


@pytest.fixture(scope="module")
def found(index, bundle):
    return measured(index, bundle, SAME, SWAPPED, MIRRORED)


def row_of(found, name):
    (row,) = (row for row in found.rows if row.name == name)
    return row


# --- the figures ---


def test_a_change_that_changes_nothing_costs_nothing(found):
    row = row_of(found, "unchanged")
    apart = row.differences["auc"]
    assert (apart.value, apart.low, apart.high) == (0, 0, 0)
    for name in ("sensitivity", "specificity"):
        assert (row.differences[name].gained, row.differences[name].lost) == (0, 0)
    assert row.changed.successes == row.changed_unnoticed == 0
    assert row.positives_lost == row.positives_found == row.negatives_referred == row.negatives_spared == 0
    assert row.refused == row.refused_before


def test_a_model_of_colours_is_lost_when_they_are_swapped_and_not_when_the_picture_is_mirrored(found):
    assert found.rows[0].figures["auc"].value > 0.75
    lost = row_of(found, "swapped")
    assert lost.figures["auc"].value < 0.3
    assert lost.differences["auc"].high < 0
    kept = row_of(found, "mirrored")
    assert abs(kept.differences["auc"].value) < 0.05
    assert kept.changed.value < lost.changed.value


def test_every_number_is_what_predict_and_counting_give(found, index, bundle):
    """The judge: the bundle's own predictor on files, and loops over pictures."""
    predictor, before, after, y, taken = Predictor(bundle), [], [], [], []
    for picture, dx in zip(index.pictures(), index.table["dx"], strict=True):
        file = Path(picture.name)
        pixels = np.asarray(Image.open(file))[..., ::-1]
        before.append(predictor.predict(file))
        other = file.with_name("swapped.bmp")
        Image.fromarray(pixels.copy()).save(other)
        after.append(predictor.predict(other))
        y.append(dx == "MEL")
        taken.append(not [reason for reason in after[-1].reasons if reason.code != "between"])
        other.unlink()
    decide = bundle.rule.decide
    old, new = ([decide(each.probability) for each in side] for side in (before, after))
    pairs = [
        (after[i].probability > after[j].probability) + 0.5 * (after[i].probability == after[j].probability)
        for i, j in product(range(PICTURES), repeat=2)
        if y[i] and not y[j]
    ]
    row = row_of(found, "swapped")
    assert row.figures["auc"].value == pytest.approx(np.mean(pairs))
    assert row.figures["sensitivity"].value == pytest.approx(
        sum(d == "refer" for d, is_positive in zip(new, y, strict=True) if is_positive) / sum(y)
    )
    lost = [is_positive and o == "refer" and n != "refer" for o, n, is_positive in zip(old, new, y, strict=True)]
    gained = [not is_positive and n == "refer" and o != "refer" for o, n, is_positive in zip(old, new, y, strict=True)]
    assert (row.positives_lost, row.negatives_referred) == (sum(lost), sum(gained))
    assert row.positives_lost_unnoticed == sum(a and b for a, b in zip(lost, taken, strict=True))
    assert row.changed.successes == sum(o != n for o, n in zip(old, new, strict=True))
    assert row.refused == PICTURES - sum(taken)
    assert (row.pictures, row.positives) == (PICTURES, sum(y))


def test_intervals_draw_lesions_and_not_pictures(found):
    assert found.rows[0].figures["auc"].groups == PICTURES // 2


def test_the_answers_are_the_same_in_whatever_processes_and_order(index, bundle, found):
    few = index.pictures()[:9]
    changes = tuple(change for change in CHANGES if change.kind in COUNTERFACTUALS or "noise" in change.name)
    ask = partial(robustness.ask_all, few)
    question = Question(bundles=(BUNDLE,), changes=changes)
    one, two = ask(question, workers=1), ask(question, workers=2)
    backwards = ask(Question(bundles=(BUNDLE,), changes=changes[::-1]), workers=1)
    for here, there, other in zip(one, two, backwards, strict=True):
        np.testing.assert_array_equal(here.logits[0], there.logits[0])
        np.testing.assert_array_equal(here.logits[0][1:], other.logits[0][:0:-1])
    again = measured(index, bundle, SAME, SWAPPED, MIRRORED)
    assert [row.to_json() for row in again.rows] == [row.to_json() for row in found.rows]


def test_a_large_jpeg_is_read_as_predict_reads_it(index, bundle, tmp_path):
    """At a part of its size, and cut to the part that the contract uses."""
    picture = index.pictures()[0]
    Image.open(picture.name).resize((601, 430)).save(tmp_path / "P00.jpg", quality=95)
    large = type(picture)(image_id="P00", root=tmp_path, path="P00.jpg")
    said = answer(large, question=Question(bundles=(BUNDLE,), changes=()))
    predictor = Predictor(bundle)
    look = predictor.look(tmp_path / "P00.jpg")
    np.testing.assert_array_equal(said.logits[0][0], predictor.infer(look.tensor))
    assert said.refused[0][0] == bool(look.reasons)


# --- another copy of the data set ---


@pytest.fixture(scope="module")
def with_copies(index, bundle, tmp_path_factory):
    """Of every third picture none, and one that is no picture."""
    folder = tmp_path_factory.mktemp("copies")
    for number, picture in enumerate(index.pictures()):
        if number == 1:
            (folder / f"{picture.image_id}.jpg").write_bytes(b"no picture")
        elif number % 3:
            Image.open(picture.name).save(folder / f"{picture.image_id}.jpg", "PNG")
    return measured(index, bundle, SWAPPED, other_copies=folder)


def test_copies_that_are_missing_or_broken_are_counted(with_copies, index, bundle):
    assert with_copies.other_copies == {FOUND: 39, MISSING: 20, UNREADABLE: 1}
    (said,) = (text for text in robustness.remarks(with_copies, index, [bundle], "test") if "Other copy" in text)
    assert "39 of 60 pictures are there, 20 are missing, 1 cannot be read" in said
    share = with_copies.found_share
    assert sum(share[dx] * (index.table["dx"] == dx).sum() for dx in share) == pytest.approx(39, abs=0.01)


def test_equal_copies_are_compared_with_their_own_originals_only(with_copies):
    row = next(row for row in with_copies.rows if row.kind == "other copy")
    assert row.pictures == 39
    assert row.changed.successes == 0
    assert {difference.value for difference in row.differences.values()} == {0}
    assert row_of(with_copies, "swapped").pictures == PICTURES


def test_without_a_single_copy_there_is_no_row_and_the_count_says_so(index, bundle, tmp_path):
    found = measured(index, bundle, other_copies=tmp_path)
    assert found.other_copies == {FOUND: 0, MISSING: PICTURES, UNREADABLE: 0}
    assert [row.kind for row in found.rows] == ["unchanged"]


# --- the changes ---


@pytest.fixture(scope="module")
def lesion():
    """A dark disc with a darker dot on skin, not in the middle and not square."""
    y, x = np.mgrid[:90, :120]
    skin = np.full((90, 120, 3), (205, 160, 135), np.float64)
    skin[np.hypot(x - 70, y - 40) < 22] = (120, 70, 50)
    skin[np.hypot(x - 62, y - 46) < 5] = (40, 25, 30)
    return Image.fromarray(np.clip(skin + np.random.default_rng(0).normal(0, 3, skin.shape), 0, 255).astype(np.uint8))


def test_names_are_unique_and_every_change_is_sent_and_changes_the_picture(lesion):
    import pickle

    assert len({(change.kind, change.name) for change in CHANGES}) == len(CHANGES)
    for change in CHANGES:
        made = pickle.loads(pickle.dumps(change)).of(lesion, "A")
        assert made.mode == "RGB"
        assert made.size == (lesion.size[::-1] if "90°" in change.name else lesion.size)
        assert made.tobytes() == change.of(lesion, "A").tobytes()
        same = made.tobytes() == lesion.tobytes()
        assert same is (change.name == "reduced to 96 rows"), change  # it has 90


@pytest.mark.parametrize(
    "change", [c for c in CHANGES if c.kind in COUNTERFACTUALS], ids=lambda c: f"{c.kind} {c.name}"
)
def test_what_is_drawn_differs_from_picture_to_picture_and_leaves_most_of_the_skin(change, lesion):
    plain = np.asarray(lesion).astype(int)
    made = [np.asarray(change.of(lesion, image_id)).astype(int) for image_id in "ABCD"]
    assert len({each.tobytes() for each in made}) == 4
    untouched = [np.mean(np.abs(each - plain).max(axis=2) <= 2) for each in made]
    assert max(untouched) > 0.5


def test_colour_changes_do_what_their_names_say(lesion):
    of = {change.name: np.asarray(change.of(lesion, "A")).astype(float).mean(axis=(0, 1)) for change in CHANGES}
    plain = np.asarray(lesion).astype(float).mean(axis=(0, 1))
    warm, cold = of["white balance warm, red/blue x 1.5"], of["white balance cold, blue/red x 1.5"]
    assert warm[0] / warm[2] > plain[0] / plain[2] > cold[0] / cold[2]
    assert warm[1] == pytest.approx(plain[1], abs=1)
    assert of["exposure -1 stops"].mean() < of["exposure -0.5 stops"].mean() < plain.mean()
    assert plain.mean() < of["exposure +0.5 stops"].mean() < of["exposure +1 stops"].mean()
    assert np.ptp(of["saturation x 0.5"]) < np.ptp(plain) < np.ptp(of["saturation x 1.5"])


def test_an_exposure_of_one_stop_is_twice_the_light():
    grey = Image.new("RGB", (20, 20), (100, 100, 100))
    brighter = next(change for change in CHANGES if change.name == "exposure +1 stops").of(grey, "A")
    linear = [((value / 255 + 0.055) / 1.055) ** 2.4 for value in (100, brighter.getpixel((9, 9))[0])]
    assert linear[1] / linear[0] == pytest.approx(2, rel=0.02)


# --- what is refused, and what is written ---


def test_what_cannot_be_compared_is_refused(index, bundle, tmp_path):
    with pytest.raises(RecipeError, match="give each once"):
        robustness.run(index, [bundle, bundle], workers=1)
    with pytest.raises(RecipeError, match="is no folder"):
        measured(index, bundle, other_copies=tmp_path / "nowhere")
    with pytest.raises(DataError, match="part val: 0 of 0 pictures are positive"):
        measured(index, bundle, split="val")


def test_a_sample_keeps_both_answers(index, bundle):
    found = measured(index, bundle, most=20)
    assert (len(found.cast.files), found.cast.in_part) == (20, PICTURES)
    assert 0 < found.rows[0].positives < 20


@pytest.fixture
def stored(index, tmp_path):
    """The index on disk, and a copy of the bundle, beside which the look at the test part is logged."""
    write_index(index, tmp_path / "index")
    (tmp_path / "tiny.tflite").write_bytes(BUNDLE.read_bytes())
    return tmp_path


def test_the_command_writes_numbers_tables_and_a_plot_and_logs_the_look(stored, capsys, monkeypatch):
    few = tuple(change for change in CHANGES if change.name in ("ink", "JPEG 30", "mirrored", "hair"))
    monkeypatch.setattr(robustness, "CHANGES", few)
    argv = [str(stored / "index"), str(stored / "tiny.tflite"), "--out", str(stored / "out"), "--workers", "1"]
    assert robustness.main(argv) == 0
    out, err = capsys.readouterr()
    said = json.loads((stored / "out" / "robustness.json").read_text(), parse_constant=lambda word: pytest.fail(word))
    assert len(said["rows"]) == 1 + len(few)
    assert said["pictures"] == PICTURES
    assert str(stored) not in json.dumps(said) + out
    assert "SYNTHETIC" in out
    assert "| tiny   | ink      | the generator |" in out
    assert "60 of 60 pictures" in err
    with Image.open(stored / "out" / "robustness.png") as plot:
        assert plot.width > plot.height / 3
    (look,) = json.loads((stored / "tiny.test_opened.json").read_text())
    assert (look["verb"], look["rows"]) == ("robustness", PICTURES)
    assert read_index(stored / "index").table.height == PICTURES


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["nowhere", "tiny.tflite"], 4, "nowhere: does not exist"),
        (["index", "tiny.tflite", "--split", "val"], 3, "part val"),
        (["index", "tiny.tflite", "--pictures", "-1"], 2, "above 0"),
        (["index", "tiny.tflite", "--other-copies", "nowhere"], 2, "is no folder"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(stored, capsys, monkeypatch, argv, code, words):
    monkeypatch.chdir(stored)
    assert robustness.main([*argv, "--out", "out"]) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]
    assert not (stored / "out").exists()


def test_the_plot_of_equal_rows_is_equal(found):
    assert draw(found.rows, synthetic=True) == draw(found.rows, synthetic=True)
