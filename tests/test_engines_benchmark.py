"""Two engines beside each other: levels, decisions at each threshold and probabilities, counted by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from edge_melanoma.benchmarks import engines
from edge_melanoma.bundle import open_bundle, pack_bundle
from edge_melanoma.decision import DecisionRule, Interval, Threshold
from edge_melanoma.errors import DataError
from edge_melanoma.runtime import Model, NoEngineError

TINY = Path(__file__).parent / "golden" / "tiny" / "tiny_bundle.tflite"
STEP = 0.5


def threshold(value):
    whole = Interval(value=0.9, low=0.8, high=1.0)
    return Threshold(value=value, low=value, high=value, chosen_for="a test", sensitivity=whole, specificity=whole)


def plain_rule():
    """One under which the probability is the logistic function of the difference of the logits."""
    return DecisionRule(
        task="mel",
        classes=("other", "melanoma"),
        positive=(1,),
        temperature=Interval(value=1.0, low=1.0, high=1.0),
        shares_train=(0.5, 0.5),
        shares_deploy=(0.5, 0.5),
        threshold_low=threshold(0.3),
        threshold_refer=threshold(0.7),
        fitted_on={"split": "calibration", "rows": 4, "positives": 2, "prevalence": 0.5},
    )


def logits(*margins):
    return np.array([(0.0, margin) for margin in margins])


def logistic(margin):
    return 1 / (1 + math.exp(-margin))


def test_what_moves_is_counted_at_each_threshold():
    """Margins of -.85 and .85 are the thresholds: one picture crosses the lower, one the upper, one both, one none."""
    usual, other = logits(-1.0, 0.5, -1.5, 2.0), logits(-0.5, 1.0, 1.5, 2.0)
    found = engines.apart(usual, other, plain_rule(), np.array([False, True, False, True]), step=STEP)
    assert (found.pictures, found.changed, found.changed_low, found.changed_refer) == (4, 3, 2, 2)
    assert found.outputs_off == 3 / 8
    assert found.most_levels == 3.0 / STEP
    assert found.moved_most == pytest.approx(logistic(1.5) - logistic(-1.5))
    assert found.auc == pytest.approx(3 / 4)  # the negative that moved to 1.5 now stands before one positive of two
    assert found.auc_difference == pytest.approx(-1 / 4)
    assert engines.row("m", found)[1:7] == ("4", "37.5%", "6 levels", "75.00% (3)", "50.00% (2)", "50.00% (2)")


def test_an_engine_that_gives_the_same_is_not_apart():
    said = logits(-1.0, 1.0)
    found = engines.apart(said, said, plain_rule(), np.array([False, True]), step=STEP)
    assert (found.outputs_off, found.most_levels, found.changed, found.moved_most) == (0, 0, 0, 0)
    assert found.auc_difference == 0


def test_without_both_engines_it_says_which_one_lacks_and_what_installs_it(monkeypatch, capsys):
    monkeypatch.setattr("edge_melanoma.runtime.engines.installed", lambda name: None)
    with pytest.raises(NoEngineError, match=r"ai-edge-litert: is not installed; .*pip install"):
        engines.engines_here()
    assert engines.main(["no-index", "reference"]) == NoEngineError.exit_code
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_compared_is_what_the_usual_engine_gives_through_our_own_door():
    usual = engines.ENGINES[0]
    if usual.version is None or usual.trouble() is not None:
        pytest.skip(f"needs {usual.name}")
    bundle = open_bundle(TINY)
    given = bundle.golden.inputs
    expected = Model(bundle.model, threads=1, name=bundle.name).logits(given)
    np.testing.assert_array_equal(engines.logits_of(usual, bundle, given), expected)


def test_a_float_bundle_has_no_levels_to_be_apart_by(tiny, tmp_path):
    golden, identity = tiny.golden("float32")
    path = tmp_path / "float.tflite"
    manifest = tiny.manifest("float32", golden=identity)
    path.write_bytes(pack_bundle(model=tiny.model_bytes("float32"), manifest=manifest, golden=golden))
    with pytest.raises(DataError, match=r"returns floats.*an int8 bundle is needed"):
        engines.compare(open_bundle(path), None, "calibration", engines.ENGINES)
