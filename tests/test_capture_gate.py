"""The capture gate refuses few pictures like those it was fitted on, says why in words, and is read strictly."""

import copy
import dataclasses
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from edge_melanoma.bundle.card import card
from edge_melanoma.bundle.reading import read_bundle
from edge_melanoma.capture import CaptureGate, CaptureLimits, CaptureMeasures, measure
from edge_melanoma.capture.fit import any_of, counts, fit_capture_gate, refused_by
from edge_melanoma.capture.limits import CHECKS, CODES, shown_apart
from edge_melanoma.convert.capture import MOST_PICTURES, _draw, fit_gate, section
from edge_melanoma.data import ingest
from edge_melanoma.data.index import read_index
from edge_melanoma.data.sources import Request
from edge_melanoma.data.synth import SynthRecipe, run
from edge_melanoma.errors import ArtifactError, DataError, RecipeError
from edge_melanoma.evaluation.rows import select_rows
from edge_melanoma.labels import task
from edge_melanoma.parity.scoring import scored
from edge_melanoma.picture import read_picture
from edge_melanoma.preprocess import PreprocessContract

GOLDEN = Path(__file__).parent / "golden"
SIDE = 64
CONTRACT = PreprocessContract(width=SIDE, height=SIDE)


@pytest.fixture(scope="module")
def gate():
    return fit_capture_gate(spread(500), CONTRACT)


# --- the limits ---


def of(**changed):
    """Measures of a picture that is fine."""
    fine = {"width_px": 900, "height_px": 900, "black_share": 0.0, "mean_luma": 140.0, "clipped_share": 0.0}
    fine |= {"glare_share": 0.0, "sharpness": 2.0, "skin_share": 1.0, "contrast": 0.5, "lesion_share": 0.3}
    return CaptureMeasures(**{**fine, "centre_share": 0.8, "scatter_share": 0.02, **changed})


def spread(count, seed=0):
    """Pictures whose measures differ, as training pictures' do."""
    rng = np.random.default_rng(seed)
    return [
        of(
            mean_luma=float(rng.normal(140, 20)),
            sharpness=float(rng.lognormal(0, 0.5)),
            contrast=float(rng.uniform(0.1, 0.8)),
            centre_share=float(rng.uniform(0.05, 1)),
            scatter_share=float(rng.uniform(0, 0.1)),
            clipped_share=float(rng.uniform(0, 0.4)),
        )
        for _ in range(count)
    ]


def test_fitting_keeps_to_the_share_of_all_and_to_that_of_each_check():
    for count in (200, 333, 2000):
        pictures = spread(count)
        gate = fit_capture_gate(pictures, CONTRACT)
        found = counts(refused_by(gate, pictures))
        assert found == gate.fitted_on["rejected"]
        assert found["any"] <= 0.05 * count
        assert all(found[code] <= 0.01 * count for code in CODES)
        assert found["any"] >= 0.02 * count  # and it is not idle
    strict = fit_capture_gate(spread(2000), CONTRACT, max_rejected_share=0.01)
    assert 0 < strict.fitted_on["rejected"]["any"] <= 20


def test_of_new_pictures_each_check_refuses_one_in_a_hundred_however_few_set_it():
    new = spread(4000, seed=99)
    refused = [counts(refused_by(fit_capture_gate(spread(200, seed), CONTRACT), new)) for seed in range(20)]
    codes = ("blurred", "off_centre", "scattered", "no_lesion")
    shares = np.mean([[each[code] for code in codes] for each in refused]) / len(new)
    assert 0.008 <= shares <= 0.0125


def test_a_limit_is_never_stricter_than_what_is_plainly_usable():
    gate = fit_capture_gate([of(mean_luma=150.0, lesion_share=0.4) for _ in range(300)], CONTRACT)
    limits = gate.limits
    assert (limits.min_mean_luma, limits.max_mean_luma, limits.max_lesion_share) == (59, 226, 0.85)
    assert (limits.min_width_px, limits.min_height_px) == (SIDE, SIDE)
    assert set(gate.fitted_on["set_by_pictures"]) == {
        *("min_sharpness", "min_contrast", "min_centre_share", "max_scatter_share")
    }
    assert gate.reasons(of(mean_luma=70.0)) == ()


def test_training_pictures_that_are_smaller_than_the_tensor_lower_the_limit():
    pictures = [of(width_px=40 + number % 3, height_px=50) for number in range(300)]
    limits = fit_capture_gate(pictures, CONTRACT).limits
    assert (limits.min_width_px, limits.min_height_px) == (40, 50)


def test_no_diagnosis_pays_for_the_others():
    many, pale = spread(2000), [of(contrast=float(c)) for c in np.linspace(0.02, 0.12, 250)]
    groups = ["NV"] * len(many) + ["BCC"] * len(pale)
    alike = fit_capture_gate(many + pale, CONTRACT)
    fair = fit_capture_gate(many + pale, CONTRACT, groups=groups)
    assert any_of(refused_by(alike, pale)).sum() > 10
    assert any_of(refused_by(fair, pale)).sum() <= 5
    few = fit_capture_gate(many + pale[:150], CONTRACT, groups=groups[:-100])
    assert few == fit_capture_gate(many + pale[:150], CONTRACT)


def test_too_few_pictures_set_no_gate():
    with pytest.raises(DataError, match="at least 200"):
        fit_capture_gate(spread(199), CONTRACT)


def test_an_equal_measure_is_taken_and_a_reason_names_found_limit_and_remedy(gate):
    limits = gate.limits
    assert gate.reasons(of(sharpness=limits.min_sharpness, scatter_share=limits.max_scatter_share)) == ()
    (reason,) = gate.reasons(of(sharpness=limits.min_sharpness - 1e-9))
    assert reason.code == "blurred"
    assert reason.words.startswith("too blurred to be judged: sharpness ")
    assert reason.words.endswith("hold still and focus again")
    found, limit = reason.words.split("sharpness ")[1].split(";")[0].split(", at least ")
    assert found != limit.removesuffix(" is needed")
    worst = of(width_px=1, height_px=1, black_share=1.0, mean_luma=0.0, sharpness=0.0, skin_share=0.0, contrast=0.0)
    assert len(gate.reasons(worst)) == 6
    for check in CHECKS:
        assert "\n" not in check.words(limits, worst)


def test_every_limit_has_a_check_and_every_measure_a_limit():
    limits = {field.name for field in dataclasses.fields(CaptureLimits)}
    assert {check.limit for check in CHECKS} == limits
    assert {check.measure for check in CHECKS} == {field.name for field in dataclasses.fields(CaptureMeasures)}
    page = (GOLDEN / "CAPTURE.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in (*limits, *CODES))


def test_numbers_are_shown_with_as_many_digits_as_it_takes():
    assert shown_apart("sharpness", 0.5, 2.0) == ("0.5", "2")
    assert shown_apart("sharpness", 0.123441, 0.123442) == ("0.123441", "0.123442")
    assert shown_apart("glare_share", 0.3, 0.05) == ("30 %", "5 %")
    assert shown_apart("width_px", 99, 1500) == ("99 pixels", "1,500 pixels")


# --- reading ---


def test_a_gate_reads_back_as_it_was(gate):
    assert CaptureGate.from_json(json.loads(json.dumps(gate.to_json()))) == gate


@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(CaptureLimits)])
def test_every_limit_is_asked_for_and_has_to_be_a_number(gate, key):
    content = gate.to_json()
    missing = copy.deepcopy(content)
    del missing["limits"][key]
    with pytest.raises(ArtifactError, match=f"lacks {key}"):
        CaptureGate.from_json(missing)
    for other in (math.nan, math.inf, -1, "0.5", None, True, [1], 10**400 if key.endswith("_px") else 1e400):
        wrong = copy.deepcopy(content)
        wrong["limits"][key] = other
        if other != 10**400:
            with pytest.raises(ArtifactError, match=key):
                CaptureGate.from_json(wrong)
    if key.endswith("_share"):
        content["limits"][key] = 1.5
        with pytest.raises(ArtifactError, match="at most 1"):
            CaptureGate.from_json(content)


def test_what_is_no_gate_of_this_version_is_refused(gate):
    content = gate.to_json()
    for wrong, says in (
        ({**content, "version": 2}, "version 2"),
        ({**content, "version": "1"}, "version"),
        ({**content, "more": 1}, "more"),
        ({**content, "limits": {**content["limits"], "min_zzz": 1}}, "min_zzz"),
        ({**content, "fitted_on": {"a": math.nan}}, "fitted_on"),
        ({**content, "fitted_on": None}, "fitted_on"),
        ({name: content[name] for name in ("version", "limits")}, "lacks fitted_on"),
        ({**content, "limits": {**content["limits"], "min_mean_luma": 250.0}}, "nothing would be taken"),
        (None, "object"),
        ([], "object"),
    ):
        with pytest.raises(ArtifactError, match=says):
            CaptureGate.from_json(wrong)
    with pytest.raises(RecipeError, match="min_width_px"):
        dataclasses.replace(gate.limits, min_width_px=-3)


# --- what a conversion makes of it ---


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """An index of drawn pictures, 210 of them for training; what a conversion knows of it."""
    home = tmp_path_factory.mktemp("capture")
    run(SynthRecipe(lesions=270, views=1, size=48), home / "pictures", workers=1)
    ingest.run("synth", Request(root=home / "pictures", unpack=home), home / "index", workers=1)
    index = read_index(home / "index")
    part = pl.Series("split", ["train"] * 210 + ["val"] * 60)
    index = index.with_table(index.table.with_columns(part))
    of_part = {name: index.table.filter(pl.col("split") == name) for name in ("train", "val")}
    return SimpleNamespace(
        index=index, contract=PreprocessContract(width=32, height=32), table=of_part.__getitem__, task=task("mel")
    )


def judged(material, rule):
    """The validation part under a rule, by logits that mostly know the answer."""
    table = material.table("val")
    logits = np.random.default_rng(0).normal(0, 1, (len(table), 2)).astype(np.float32)
    logits[:, 1] += 3 * (table["dx"] == "MEL").to_numpy()
    columns = {f"logit_{name}": logits[:, place] for place, name in enumerate(material.task.classes)}
    predictions = table.select("image_id", "split").with_columns(**columns)
    return scored(select_rows(predictions, material.index.table, material.task, "val"), rule)


def test_its_cost_is_counted_on_pictures_that_did_not_set_it(material, tiny):
    seen = judged(material, tiny.rule())
    steps = []
    gate = fit_gate(material, [seen], seed=3, on_step=lambda *step: steps.append(step))
    facts, cost = gate.fitted_on, gate.fitted_on["cost"]["val"]
    assert (facts["part"], facts["pictures"], facts["drawn_from"], facts["seed"]) == ("train", 210, 210, 3)
    assert steps[-1] == ("measuring val pictures", 60, 60)
    taken = np.array([not gate.reasons(each) for each in measured_by_hand(material, seen.rows.table)])
    positive, referred = seen.rows.positive, seen.decision == "refer"
    assert (cost["pictures"], cost["rejected"]["any"]) == (60, int((~taken).sum()))
    assert cost["positives_rejected"] == int((positive & ~taken).sum())
    for name, member in (("sensitivity", positive), ("sensitivity_accepted", positive & taken)):
        rate = cost[name]
        assert (rate["successes"], rate["trials"]) == (int((referred & member).sum()), int(member.sum()))
    assert json.loads(json.dumps(gate.to_json(), allow_nan=False)) == gate.to_json()
    assert fit_gate(material, [seen], seed=3, on_step=lambda *step: None) == gate


def measured_by_hand(material, table):
    for picture in material.index.pictures(table):
        image = read_picture(picture.read(), name=picture.name)
        yield measure(material.contract.image_to_tensor(image), material.contract, image.size)


def test_the_page_says_what_each_check_refuses_and_what_it_costs(material, tiny):
    gate = fit_gate(material, [judged(material, tiny.rule())], seed=0, on_step=lambda *step: None)
    found = section(gate)
    assert [row[0] for row in found.rows] == [check.code for check in CHECKS] + ["any"]
    assert found.headers == ["refused as", "asked", "train, of 210", "val, of 60"]
    assert found.rows[-1][2:] == [gate.fitted_on["rejected"]["any"], gate.fitted_on["cost"]["val"]["rejected"]["any"]]
    assert any(words.startswith("val: ") and "on those accepted" in words for words in found.paragraphs)


def test_few_training_pictures_leave_every_picture_to_the_model(material):
    few = SimpleNamespace(table=lambda part: material.table(part).head(50))
    assert fit_gate(few, [], seed=0, on_step=lambda *step: None) is None
    assert "fewer than 200" in section(None).paragraphs[0]


def test_of_many_training_pictures_a_seeded_draw_sets_the_limits():
    assert np.array_equal(_draw(MOST_PICTURES, 0), np.arange(MOST_PICTURES))
    first, again, other = (_draw(9 * MOST_PICTURES, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first)) == MOST_PICTURES
    assert first.max() > 8 * MOST_PICTURES


def rows_of(bundle):
    (found,) = [section for section in card(bundle).sections if section.title.startswith("Capture gate")]
    return found.rows


def test_the_card_shows_limits_and_cost_whatever_stands_beside_them(tiny):
    data = tiny.BUNDLE.read_bytes()
    assert ("blurred", "sharpness at least 0.25") in rows_of(read_bundle(data, name="tiny"))
    rate = {"value": 0.9, "low": 0.8, "high": 0.95}
    cost = {"pictures": 80, "rejected": {"any": 3}, "positives": 20, "positives_rejected": 1}
    cost |= {"sensitivity": rate, "sensitivity_accepted": rate}
    for fitted_on, says in (
        ({"pictures": 9, "part": "train", "cost": {"test": cost}}, "3 of 80 refused, 1 of 20 positives"),
        ({"cost": {"test": {"rejected": [1]}}}, "–"),
        ({"cost": {"test": 7}}, "–"),
        ({"cost": [1]}, ""),
        ({}, ""),
    ):

        def change(content, fitted_on=fitted_on):
            content["capture_gate"]["fitted_on"] = fitted_on

        rows = rows_of(read_bundle(tiny.forged(data, change), name="tiny"))
        assert says in " ".join(rows[-1])
    none = tiny.forged(data, lambda content: content.update(capture_gate=None))
    assert rows_of(read_bundle(none, name="tiny"))[0][0] == "none"
