"""The 256 values of an 8-bit output laid where the decisions are made, and nothing else of the model changed."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytestmark = pytest.mark.tensorflow

from edge_melanoma import backend  # noqa: E402
from edge_melanoma.convert.export import to_tflite  # noqa: E402
from edge_melanoma.convert.output_range import choose_range, grid, quantised, with_output_range  # noqa: E402
from edge_melanoma.decision import DecisionRule, Interval, Threshold  # noqa: E402
from edge_melanoma.runtime import Model as Runner  # noqa: E402
from edge_melanoma.tflite.model import read_model  # noqa: E402


def pictures(*, seed, count=64):
    rng = np.random.default_rng(seed)
    light = rng.normal(0, 60, (count, 1, 1, 3)) + rng.normal(0, 20, (count, 16, 16, 3))
    return np.clip(128 + light, 0, 255).astype(np.uint8)


def network(end=()):
    """Logits that differ from picture to picture, with whatever layers behind them."""
    keras = backend.keras()
    backend.set_seeds(5)
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(keras.layers.Rescaling(1 / 64, offset=-2)(image))
    x = keras.layers.Conv2D(16, 3, activation="relu")(x)
    x = keras.layers.Dense(3, name="logits")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, x)
    kernel, _ = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel * 8, np.array([6, -4, 0], np.float32)])
    for layer in end:
        x = layer(x)
    return keras.Model(image, x)


def threshold(value):
    interval = Interval(value=value, low=value, high=value)
    return Threshold(
        value=value, low=value, high=value, chosen_for="a test", sensitivity=interval, specificity=interval
    )


def rule(low=0.02, refer=0.2):
    return DecisionRule(
        task="mel",
        classes=("other", "melanoma"),
        positive=(1,),
        temperature=Interval(value=1.0, low=0.9, high=1.1),
        shares_train=(0.5, 0.5),
        shares_deploy=(0.5, 0.5),
        threshold_low=threshold(low),
        threshold_refer=threshold(refer),
    )


def long_tailed_logits(count=2000):
    """Most pictures are clear: their logits reach to thirty, while the thresholds lie at log-odds of -4 and -1.4."""
    rng = np.random.default_rng(0)
    log_odds = np.concatenate([rng.normal(-2.5, 2, count // 2), -np.abs(rng.standard_t(2, count // 2)) * 5]).clip(-60)
    return np.stack([-log_odds / 2, log_odds / 2], axis=1).astype(np.float32)


def turned(rule, logits, changed):
    before, after = (rule.decisions(rule.probability(each)) for each in (logits, changed))
    return np.mean([one != two for one, two in zip(before, after, strict=True)])


def test_the_range_of_the_output_is_laid_where_decisions_are_made():
    logits = long_tailed_logits()
    low, high = choose_range(logits[None], rule())
    assert logits.min() <= low < -2 < 2 < high <= logits.max()
    whole, chosen = quantised(logits, float(logits.min()), float(logits.max())), quantised(logits, low, high)
    assert turned(rule(), logits, chosen) <= 0.5 * turned(rule(), logits, whole)
    near = np.abs(rule().log_odds(logits) + 2.5) < 2
    off = [np.abs(rule().log_odds(each) - rule().log_odds(logits))[near].mean() for each in (chosen, whole)]
    assert off[0] < 0.7 * off[1]


def test_the_range_is_wide_enough_for_turns_that_differ_more_than_their_mean():
    """Cut off one by one, the answers would have another mean, although that lies well inside."""
    mean = long_tailed_logits().clip(-4, 4)
    apart = np.random.default_rng(1).normal(0, 4, mean.shape).astype(np.float32)
    turns = np.stack([mean + apart, mean - apart])
    ranges = choose_range(turns, rule()), choose_range(mean[None], rule())
    changed = [quantised(quantised(turns, *ends).mean(axis=0), *ends) for ends in ranges]
    assert turned(rule(), mean, changed[0]) < 0.5 * turned(rule(), mean, changed[1])


@pytest.mark.parametrize("ends", [(0.0, 0.5), (0.02, 1.0), (0.0, 0.0), (0.3, 0.3)])
def test_a_range_is_found_for_thresholds_that_nothing_reaches_too(ends):
    logits = long_tailed_logits(200)
    low, high = choose_range(logits[None], rule(*ends))
    assert logits.min() <= low < high <= logits.max()


@pytest.mark.parametrize(("low", "high"), [(-3.0, 9.0), (2.0, 9.0), (-8.0, -1.0), (-0.001, 20.0)])
def test_zero_is_a_value_of_the_output_and_nothing_inside_is_off_by_more_than_one_level(low, high):
    scale, zero_point = grid(low, high)
    assert 0 <= zero_point <= 255
    inside = np.linspace(min(low, 0), max(high, 0), 999, dtype=np.float32)
    assert np.abs(quantised(inside, low, high) - inside).max() <= scale * (1 + 1e-3)
    assert quantised(np.zeros(1, np.float32), low, high) == 0
    assert len(np.unique(quantised(inside, low, high))) >= 255


@pytest.fixture(scope="module")
def integers():
    return to_tflite(network(), "int8", calibration=pictures(seed=1))


@pytest.mark.parametrize("part", [0.6, 0.3, 1.5])
def test_the_model_with_another_range_says_what_the_simulation_says(integers, part):
    wide, given = Runner(integers), pictures(seed=2)
    said = wide.logits(given)
    low, high = part * float(said.min()), part * float(said.max())
    changed = with_output_range(integers, low, high)
    narrow = Runner(changed)
    scale, zero_point = grid(low, high)
    assert (narrow.output.dtype, narrow.output.zero_point) == ("uint8", zero_point)
    assert narrow.output.scale == np.float32(scale)
    expected = quantised(said, low, high)
    # what the wide output says is itself up to half a level of its own away from what the integers inside sum up to
    assert np.abs(narrow.logits(given) - expected).max() <= scale + wide.output.scale / 2 + 1e-6
    assert len(np.unique(narrow.raw(given))) > 20


def test_nothing_but_the_output_is_changed(integers):
    before, after = (read_model(each, name="m") for each in (integers, with_output_range(integers, -2.0, 3.0)))
    moved = [
        replace(tensor, data_start=old.data_start) for old, tensor in zip(before.tensors, after.tensors, strict=True)
    ]
    differing = [old.index for old, new in zip(before.tensors, moved, strict=True) if old != new]
    dense, to_uint8 = before.operators[-2:]
    assert differing == [*dense.outputs, *to_uint8.outputs]
    assert before.operators == after.operators


@pytest.mark.parametrize("last", ["softmax", "sigmoid"])
def test_a_model_whose_logits_are_made_another_way_is_returned_as_it_is(last):
    model = to_tflite(network([backend.keras().layers.Activation(last)]), "int8", calibration=pictures(seed=1))
    assert with_output_range(model, -2.0, 3.0) == model


def test_a_float_model_is_returned_as_it_is():
    model = to_tflite(network(), "float32")
    assert with_output_range(model, -2.0, 3.0) == model
