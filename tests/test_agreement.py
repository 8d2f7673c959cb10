"""An engine must give the golden outputs; the one that rounds int8 twice may give the same decisions instead."""

import dataclasses
import json

import numpy as np
import pytest

from edge_melanoma import cli
from edge_melanoma.benchmarks.device.page import to_html, to_markdown
from edge_melanoma.benchmarks.device.run import BenchRecipe, run
from edge_melanoma.bundle import golden_of, pack_bundle, read_bundle
from edge_melanoma.bundle import verify as verifying
from edge_melanoma.bundle.agreement import agreement
from edge_melanoma.bundle.verify import verify
from edge_melanoma.decision import MOST_PROBABILITY_CHANGE
from edge_melanoma.runtime import engine
from edge_melanoma.trial import Trial, run_in_child

CLEAR, NEAR = 3, 0  # golden pictures: one whose probability hardly moves with a level, one near the middle


@pytest.fixture
def bundle(tiny):
    """The tiny bundle as if recorded elsewhere, with golden outputs of melanoma `moved` by so many levels."""

    def make(moved, *, kind="int8", rule=None, **identity):
        golden, here = tiny.golden(kind)
        identity = dataclasses.replace(here, **{"architecture": "riscv64", **identity})
        rule = rule or tiny.rule()
        manifest = tiny.manifest(kind, golden=identity, rule=rule, rule_before=rule)
        outputs = golden.outputs.copy()
        for picture, levels in moved.items():
            outputs[picture, 1] += np.asarray(levels, outputs.dtype)
        golden = golden_of(golden.inputs, outputs, manifest.model.output, rule)
        return pack_bundle(model=tiny.model_bytes(kind), manifest=manifest, golden=golden)

    return make


@pytest.fixture
def outputs(tiny):
    """What this engine returns for the golden pictures."""
    return tiny.golden()[0].outputs


def moved(data):
    return read_bundle(data, name="b").golden


def judged(data, outputs, engine="tflite-runtime"):
    trial = Trial(outputs=outputs, engine=engine, engine_version="2.14.0")
    return agreement(read_bundle(data, name="b"), trial)


def test_one_level_is_rounding_on_every_engine_and_needs_no_warning(bundle, outputs):
    for name in ("tflite-runtime", "ai-edge-litert", "tensorflow"):
        found = judged(bundle({CLEAR: 1}), outputs, name)
        assert found.passed
        assert found.warning is None


def test_three_levels_without_consequence_pass_on_the_engine_that_rounds_twice_with_a_warning(bundle, outputs):
    found = judged(bundle({CLEAR: 3}), outputs)
    assert found.passed
    for words in ("tflite-runtime 2.14.0", "up to 3 levels apart", "the probability up to 1.3e-06", "all 6 golden"):
        assert words in found.warning, found.warning


@pytest.mark.parametrize("name", ["ai-edge-litert", "tensorflow"])
def test_three_levels_are_refused_on_every_other_engine(bundle, outputs, name):
    found = judged(bundle({CLEAR: 3}), outputs, name)
    assert not found.passed
    assert "by decisions" not in found.detail


def test_a_decision_that_changes_is_refused_however_little_the_probability_moved(bundle, outputs, tiny):
    before, after = (float(golden.probability[NEAR]) for golden in (tiny.golden()[0], moved(bundle({NEAR: 1}))))
    assert 0 < after - before < MOST_PROBABILITY_CHANGE
    rule = tiny.rule(refer=(before + after) / 2)
    found = judged(bundle({CLEAR: 3, NEAR: 1}, rule=rule), outputs)
    assert not found.passed
    assert "1 of 6 decisions change" in found.detail


def test_a_probability_too_far_off_is_refused_although_it_decides_alike(bundle, outputs, tiny):
    data = bundle({NEAR: 3}, rule=tiny.rule(refer=0.9))
    before, after = (float(golden.probability[NEAR]) for golden in (tiny.golden()[0], moved(data)))
    assert MOST_PROBABILITY_CHANGE < after - before < 0.09
    found = judged(data, outputs)
    assert not found.passed
    assert "0 of 6 decisions change" in found.detail


def test_a_float_output_has_no_levels_to_excuse_it(bundle, tiny):
    found = judged(bundle({CLEAR: 0.01}, kind="float32"), tiny.golden("float32")[0].outputs)
    assert not found.passed


def test_where_the_outputs_were_recorded_they_have_to_be_equal_whatever_the_engine(bundle, outputs, tiny):
    here = {"engine": "tflite-runtime", "engine_version": "2.14.0", "architecture": tiny.golden()[1].architecture}
    found = judged(bundle({CLEAR: 1}, **here), outputs)
    assert not found.passed
    assert "have to be equal" in found.detail


# what a user sees of it


@pytest.fixture
def rounding_twice(bundle, tmp_path, monkeypatch):
    """The path of a bundle that is three levels off where it hurts nobody, on a machine with tflite-runtime."""
    if engine().name != "tflite-runtime":

        def in_child(*arguments, **more):
            return dataclasses.replace(
                run_in_child(*arguments, **more), engine="tflite-runtime", engine_version="2.14.0"
            )

        monkeypatch.setattr(verifying, "run_in_child", in_child)
    monkeypatch.setenv("EDGE_MELANOMA_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "bundle.tflite"
    path.write_bytes(bundle({CLEAR: 3}))
    return path


def command(monkeypatch, capfd, *argv):
    monkeypatch.setattr("sys.argv", ["edge-melanoma", *map(str, argv)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capfd.readouterr()
    assert not end.value.code, said.err
    return said


def test_verify_says_that_it_passes_by_decisions(rounding_twice, monkeypatch, capfd):
    out = command(monkeypatch, capfd, "verify", rounding_twice).out.splitlines()
    assert out[-1] == f"{rounding_twice}: passes by decisions"
    assert sum(line.startswith("warning: tflite-runtime 2.14.0 rounds int8 otherwise") for line in out) == 1
    (found,) = json.loads(command(monkeypatch, capfd, "verify", rounding_twice, "--json").out)
    assert (found["passed"], found["exit_code"], len(found["warnings"])) == (True, 0, 1)


def test_predict_warns_once_a_call_and_in_later_calls_too(rounding_twice, tiny, tmp_path, monkeypatch, capfd):
    from PIL import Image

    for number, pixels in enumerate(tiny.golden()[0].inputs[:2]):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    for _ in range(2):
        said = command(monkeypatch, capfd, "predict", tmp_path, "--model", rounding_twice, "--json")
        assert len(said.out.splitlines()) == 2
        assert said.err.count("rounds int8 otherwise") == 1


def test_bench_says_by_decisions_in_every_form(rounding_twice):
    report = run([rounding_twice], BenchRecipe(seconds=0, repeats=1, threads=1, sweep=False))
    assert report.exit_code == 0
    (warning,) = report.measurements[0].warnings
    assert warning in json.dumps(report.to_json())
    for text in (to_markdown(report), to_html(report)):
        assert "as promised, by decisions" in text
        assert warning in text


@pytest.mark.skipif(engine().name != "tflite-runtime", reason="needs tflite-runtime as the engine of this machine")
def test_the_engine_itself_passes_by_its_decisions(rounding_twice):
    found = verify(rounding_twice)
    assert found.verdict == "passes by decisions", found.verdict
    assert "some fifty times slower" in next(check.detail for check in found.checks if check.check == "engine")
