"""The tone of skin as a subgroup: the estimate against drawn pictures whose true angle is known, and who is grouped."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pl = pytest.importorskip("polars")

from edge_melanoma.data.index import Index  # noqa: E402
from edge_melanoma.data.synth import SynthRecipe  # noqa: E402
from edge_melanoma.data.synth.latents import artefacts_of, case_of  # noqa: E402
from edge_melanoma.data.synth.render import render  # noqa: E402
from edge_melanoma.evaluation import evaluate  # noqa: E402
from edge_melanoma.evaluation.predicting import predict_rows  # noqa: E402
from edge_melanoma.evaluation.rows import select_rows  # noqa: E402
from edge_melanoma.evaluation.subgroups import ESTIMATED_TONE, FEWEST, NOT_TOLD, members  # noqa: E402
from edge_melanoma.evaluation.tone import COLUMN, REMARK, estimated_ita, estimated_tones  # noqa: E402
from edge_melanoma.labels import task  # noqa: E402
from edge_melanoma.preprocess import PreprocessContract  # noqa: E402

_spec = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made_up)

SIDE, MEL = 96, task("mel")
CONTRACT = PreprocessContract(width=SIDE, height=SIDE)
DRAWN = SynthRecipe(lesions=60, size=SIDE, classes=7, tone_weights=(1, 1, 1, 1, 1, 1), seed=5)
CASES = [case_of(DRAWN, number) for number in range(60)]
TRUE = np.array([case.lesion.person.ita for case in CASES])


def drawn(*, artefacts=None, nuisance):
    """A picture of each lesion, with its own artefacts unless these are given."""
    return [
        render(
            case.lesion,
            view=0,
            size=SIDE,
            artefacts=artefacts_of(DRAWN, case, 0) if artefacts is None else artefacts,
            nuisance=nuisance,
        )
        for case in CASES
    ]


def estimates(pictures, contract=CONTRACT):
    return np.array([estimated_ita(picture, contract) for picture in pictures])


@pytest.fixture(scope="module")
def plain():
    """Each lesion under a white light, with nothing on the skin."""
    return drawn(artefacts=set(), nuisance=0.0)


@pytest.fixture(scope="module")
def under_white_light(plain):
    return estimates(plain)


# --- the estimate ---


def test_under_a_white_light_it_is_the_true_angle(under_white_light):
    error = under_white_light - TRUE
    assert np.sqrt((error**2).mean()) < 3
    assert abs(error.mean()) < 2


def test_hair_a_ruler_and_dark_corners_hardly_move_it(under_white_light):
    covered = estimates(drawn(artefacts={"hair", "ruler", "vignette"}, nuisance=0.0))
    assert np.quantile(np.abs(covered - under_white_light), 0.9) < 4


def test_a_camera_moves_it_by_a_class_so_that_it_orders_people_and_does_not_measure_them():
    """What the remark says: the error with white balance, exposure, fall-off and artefacts."""
    found = estimates(drawn(nuisance=1.0))
    error = np.abs(found - TRUE)
    assert np.corrcoef(found, TRUE)[0, 1] > 0.93
    assert 4 < np.median(error) < 12
    assert np.quantile(error, 0.9) < 28


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (120, 120, 120)])
def test_padding_is_no_skin(plain, colour):
    tensor = plain[0]
    padded = np.full((SIDE, SIDE, 3), colour, np.uint8)
    padded[24:72] = np.asarray(Image.fromarray(tensor).resize((SIDE, 48)))
    contract = PreprocessContract(width=SIDE, height=SIDE, geometry="pad", pad_rgb=colour)
    assert estimated_ita(padded, contract) == pytest.approx(estimated_ita(tensor, CONTRACT), abs=3)
    assert np.isnan(estimated_ita(np.zeros((SIDE, SIDE, 3), np.uint8), CONTRACT))


def test_a_large_tensor_has_the_angle_of_a_small_one(plain, under_white_light):
    large = np.asarray(Image.fromarray(plain[1]).resize((300, 300)))
    contract = PreprocessContract(width=300, height=300)
    assert estimated_ita(large, contract) == pytest.approx(under_white_light[1], abs=2)


# --- the groups ---


def test_each_angle_has_the_class_of_kinyanjui_and_what_is_bluer_than_skin_has_none():
    angles = [60.0, 50.0, 35.0, 19.0, 0.0, -60.0, 120.0, -120.0, None]
    found = estimated_tones(pl.DataFrame({COLUMN: angles})).to_list()
    assert found == ["very light", "light", "intermediate", "tan", "brown", "dark", None, None, None]


def with_angles(table, predictions, angles):
    column = pl.Series(COLUMN, np.resize(angles, table.height), dtype=pl.Float64)
    return predictions.with_columns(column)


def test_estimated_tones_are_groups_apart_from_told_ones_and_small_ones_are_only_counted():
    table = made_up.index_table(700)
    predictions = made_up.predict(table, MEL)
    angles = np.where(np.arange(table.height) % 50 == 0, 0.0, np.where(np.arange(table.height) % 2, 60.0, 100.0))
    found = evaluate(
        with_angles(table, predictions, angles), table, MEL, None, split="test", rounds=50, without_pixels=False
    )
    groups = {group.value: group for group in found.subgroups if group.attribute == ESTIMATED_TONE}
    assert list(groups) == ["very light", "brown", NOT_TOLD]
    assert groups["brown"].positives < FEWEST
    assert groups["brown"].auc is None
    assert groups["very light"].auc is not None
    assert "tone" not in {group.attribute for group in found.subgroups}
    assert REMARK in [remark.text for remark in found.remarks]


def test_without_an_estimate_nothing_is_said_of_it():
    table = made_up.index_table(300)
    rows = select_rows(made_up.predict(table, MEL), table, MEL, "test")
    assert not [key for key in members(rows) if key[0] in ("tone", ESTIMATED_TONE)]


def stored(folder, pictures, **columns):
    """An index of these pictures."""
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number}.png")
    table = made_up.index_table(40, source="synth", **columns)[: len(pictures)]
    table = table.with_columns(pl.Series("image_path", [f"{number}.png" for number in range(len(pictures))]))
    return Index(table=table, roots={"synth": folder})


def forward(tensors):
    return np.zeros((len(tensors), 2), np.float32)


def test_it_is_estimated_only_where_it_is_asked_for_and_the_index_lacks_it(plain, tmp_path):
    pictures = plain[:6]
    index = stored(tmp_path, pictures)
    ask = {"workers": 1, "tones": True}
    found = predict_rows(forward, CONTRACT, MEL, index, index.table, **ask)
    assert found[COLUMN].to_list() == estimates(pictures).tolist()
    assert COLUMN not in predict_rows(forward, CONTRACT, MEL, index, index.table, workers=1).columns
    told = index.with_table(index.table.with_columns(ita=pl.lit(30.0)))
    assert COLUMN not in predict_rows(forward, CONTRACT, MEL, told, told.table, **ask).columns
