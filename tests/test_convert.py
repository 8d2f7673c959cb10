"""A run becomes one file that proves itself, or a report that says why not, and never half of either."""

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytestmark = pytest.mark.tensorflow

import polars as pl  # noqa: E402

from edge_melanoma.bundle import open_bundle  # noqa: E402
from edge_melanoma.bundle.card import card  # noqa: E402
from edge_melanoma.bundle.verify import verify  # noqa: E402
from edge_melanoma.cli import main  # noqa: E402
from edge_melanoma.convert import run as stage  # noqa: E402
from edge_melanoma.convert.recipe import ConvertRecipe  # noqa: E402
from edge_melanoma.data.index import read_index, write_index  # noqa: E402
from edge_melanoma.evaluation.writing import looks_at_test  # noqa: E402
from edge_melanoma.fitting.network import load_network  # noqa: E402
from edge_melanoma.run_folder import open_run  # noqa: E402
from edge_melanoma.runtime import Model as Runner  # noqa: E402
from edge_melanoma.runtime import Predictor  # noqa: E402

COMMAND = [sys.executable, "-m", "edge_melanoma"]
TRAINED = ["model.backbone=seedcnn", "model.size=32", "fit.epochs=12", "fit.batch=16"]
SHARES = ["--train", 0.5, "--val", 0.15, "--calibration", 0.15, "--test", 0.2]
AT_LEAST = {
    "min_positives": 1,
    "min_abstain_agreement": 0,
    "hard_levels": 1,
    "min_levels": 1,
    "min_temperature_ratio": 0.01,
}
AT_MOST = {
    **{f"{edge}_{what}": 1 for edge in ("max", "hard") for what in ("auc_drop", "sensitivity_drop", "flips")},
    **{"max_pauc80_drop": 1, "max_subgroup_drop": 1, "max_flips_near": 1, "max_step": 1, "max_ece_rise": 1},
    **{"max_probability_change": 1, "max_temperature_ratio": 10},
}
# a network that has seen two hundred pictures is judged on forty melanomas: what is tested is not whether it is good
LAX = [word for key, value in (AT_LEAST | AT_MOST).items() for word in ("--gate", f"{key}={value}")]
STRICT = ["--gate", "max_probability_change=0"]  # no integer model can


def in_a_process(*argv, cwd):
    done = subprocess.run([*COMMAND, *map(str, argv)], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr[-3000:]


def edge_melanoma(*argv, code=0):
    """The command in this process, so that TensorFlow is imported once."""
    said = SimpleNamespace(stdout=io.StringIO(), stderr=io.StringIO())
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said.stdout), redirect_stderr(said.stderr):
        patch.setattr(sys, "argv", ["edge-melanoma", *map(str, argv)])
        with pytest.raises(SystemExit) as end:
            main()
    said.stdout, said.stderr = said.stdout.getvalue(), said.stderr.getvalue()
    assert end.value.code == code, said.stderr[-3000:]
    return said


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with an index, `split`, and a network trained on it, `run`."""
    folder = tmp_path_factory.mktemp("home")
    drawn = ["--out", "pictures", "--lesions", 300, "--size", 48, "--difficulty", "easy"]
    in_a_process("data", "synth", *drawn, cwd=folder)
    in_a_process("data", "ingest", "synth", "pictures", "--out", "index", cwd=folder)
    in_a_process("data", "split", "index", "--out", "split", "--despite-audit", *SHARES, cwd=folder)
    changes = [word for change in TRAINED for word in ("--set", change)]
    in_a_process("train", "quick", "--data", "split", "--out", "run", *changes, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def converted(home):
    """The run as an int8 bundle, and what the command said."""
    argv = ["convert", home / "run", "--int8", "--out", home / "model.tflite", "--set", "calibration.pictures=60", *LAX]
    said = edge_melanoma(*argv, "--json")
    return SimpleNamespace(
        argv=argv,
        path=home / "model.tflite",
        result=json.loads(said.stdout),
        bundle=open_bundle(home / "model.tflite"),
        looks=looks_at_test(home / "run"),
    )


def card_rows(path):
    return [row for section in card(open_bundle(path)).sections for row in section.rows]


def report_of(out):
    return json.loads((out.with_suffix(".report") / "parity.json").read_text())


# --- what a conversion leaves ---


def test_a_bundle_verifies_and_has_a_report_beside_it(home, converted):
    found = verify(converted.path)
    assert found.passed, found.verdict
    assert converted.result["passed"] is True
    assert converted.result["bundle"] == str(converted.path)
    page = (home / "model.report" / "index.html").read_text()
    for words in ("SYNTHETIC", "Not a medical device", "What was tried", "post-training"):
        assert words in page
    assert not list(home.glob(".*"))


def test_the_manifest_says_what_the_model_is_made_of(home, converted):
    manifest, index = converted.bundle.manifest, read_index(home / "split")
    assert manifest.synthetic_banner
    assert manifest.model.format == "int8"
    assert (manifest.model.input.dtype, manifest.model.output.dtype) == ("uint8", "uint8")
    assert manifest.data.index_sha256 == index.sha256
    assert dict(manifest.data.pictures) == dict(index.table["split"].value_counts().rows())
    assert manifest.rule_before.to_json() == json.loads((home / "run" / "decision.json").read_text())
    assert manifest.rule.fitted_on["split"] == "calibration"
    assert str(home) not in json.dumps(manifest.run.recipe) + json.dumps(manifest.quantisation.recipe)


def test_calibration_pictures_are_of_the_training_part_and_evenly_of_both_classes(home, converted):
    ids = converted.bundle.manifest.quantisation.calibration_ids
    table = read_index(home / "split").table
    drawn = table.filter(pl.col("image_id").is_in(list(ids)))
    assert len(ids) == len(set(ids)) == len(drawn) == 60
    assert set(drawn["split"]) == {"train"}
    assert sorted(drawn["dx"].value_counts()["count"]) == [30, 30]


def test_the_gate_is_kept_as_it_was_asked_with_what_was_found(converted):
    gate, report = converted.bundle.manifest.gate, report_of(converted.path)
    assert {key: gate.asked[key] for key in AT_LEAST | AT_MOST} == AT_LEAST | AT_MOST
    assert [row.name for row in gate.rows] == [row["name"] for row in report["rows"]]
    assert [row.found for row in gate.rows] == [row["found"] for row in report["rows"]]
    assert not gate.not_met


def test_the_rung_is_chosen_on_validation_and_reported_once_on_test(home, converted):
    assert [each["gate"]["split"] for each in converted.result["attempts"]] == ["val"]
    report = report_of(converted.path)
    assert (report["split"], report["quick"]) == ("test", False)
    assert converted.bundle.manifest.metrics["split"] == "test"
    (look,) = converted.looks
    assert (look["verb"], look["rows"]) == ("convert", report["pictures"])
    assert look["seen"]["auc"] == pytest.approx(report["views"]["refitted"]["auc"]["after"], abs=1e-6)


def test_the_same_run_converted_twice_gives_the_same_bytes(home, converted, tmp_path):
    environment = {**os.environ, "PYTHONHASHSEED": "3"}  # the order of sets is another
    argv = ["again.tflite" if word == converted.path else str(word) for word in converted.argv]
    subprocess.run([*COMMAND, *argv], check=True, capture_output=True, cwd=tmp_path, env=environment)
    assert (tmp_path / "again.tflite").read_bytes() == converted.path.read_bytes()


# --- the bundle in the verbs that take one ---


def test_a_bundle_is_evaluated_and_compared_with_its_run(home, converted):
    rounds = ["--data", home / "split", "--rounds", 100, "--json"]
    found = json.loads(edge_melanoma("evaluate", converted.path, *rounds).stdout)
    assert found["model"]["sha256"] == converted.bundle.sha256
    assert found["rule"] == converted.bundle.rule.to_json()
    said = report_of(converted.path)["views"]["refitted"]
    assert found["image"]["metrics"]["roc_auc"]["value"] == pytest.approx(said["auc"]["after"], abs=1e-6)
    assert found["image"]["metrics"]["refer.sensitivity"]["value"] == pytest.approx(
        said["sensitivity"]["after"], abs=1e-6
    )
    assert (home / "model.evaluation-test" / "index.html").is_file()
    assert len(looks_at_test(converted.path)) == 1
    assert json.loads((home / "model.test_opened.json").read_text())[0]["model_sha256"] == converted.bundle.sha256
    edge_melanoma("evaluate", home / "run", *rounds)
    argv = ["compare", home / "run", converted.path, "--out", home / "comparison", "--rounds", 100, "--json"]
    standings = json.loads(edge_melanoma(*argv).stdout)["standings"]
    assert [standing["model"]["size_bytes"] for standing in standings] == [
        (home / "run" / "weights.weights.h5").stat().st_size,
        converted.path.stat().st_size,
    ]
    lost = standings[1]["differences_to_first"]["roc_auc"]["value"]
    assert lost == pytest.approx(said["auc"]["after"] - said["auc"]["before"], abs=2e-6)


def test_what_was_measured_is_what_predict_says_of_the_same_files(home, converted, tmp_path):
    if not (home / "model.evaluation-test").exists():
        edge_melanoma("evaluate", converted.path, "--data", home / "split", "--rounds", 100)
    measured = pl.read_parquet(home / "model.evaluation-test" / "predictions.parquet")
    logits = measured.select(f"logit_{name}" for name in converted.bundle.task.classes).to_numpy()
    expected = dict(zip(measured["image_id"], converted.bundle.rule.probability(logits), strict=True))
    index = read_index(home / "split")
    rows = index.table.filter(pl.col("image_id").is_in(measured["image_id"].to_list()))
    paths = [str(picture.root / picture.path) for picture in index.pictures(rows)]
    files = dict(zip(paths, rows["image_id"], strict=True))
    said = edge_melanoma("predict", *files, "--model", converted.path, "--json").stdout
    lines = [json.loads(line) for line in said.splitlines()]
    assert {files[line["picture"]]: line["melanoma_probability"] for line in lines} == pytest.approx(
        expected, abs=1e-12
    )
    gated = [line for line in lines if line["reason_codes"] not in ([], ["between"])]
    assert len(gated) < 0.2 * len(lines)
    for line in lines:
        if line not in gated:
            assert line["decision"] == converted.bundle.rule.decide(line["melanoma_probability"])


def test_a_bundle_on_another_index_is_judged_with_a_word_on_leaks(home, converted, tmp_path):
    index = read_index(home / "split")
    write_index(index.with_table(index.table.filter(pl.col("split") != "calibration")), tmp_path / "other")
    argv = ["evaluate", converted.path, "--data", tmp_path / "other", "--split", "val", "--out", tmp_path / "out"]
    assert "was trained on another index" in edge_melanoma(*argv, "--rounds", 100).stdout


# --- the gate is not met ---


def test_below_the_gate_there_is_a_report_and_code_6_and_no_bundle(home, tmp_path):
    looks = len(looks_at_test(home / "run"))
    rungs = ["--set", 'rungs=["post-training", "calibrated rounding"]']
    said = edge_melanoma("convert", home / "run", "--out", tmp_path / "m.tflite", *LAX, *STRICT, *rungs, code=6)
    assert [path.name for path in tmp_path.iterdir()] == ["m.report"]
    report = report_of(tmp_path / "m.tflite")
    assert report["failed"] == ["probability"]
    assert report["split"] == "val", "where nothing passes, the test part stays closed"
    assert len(looks_at_test(home / "run")) == looks
    assert "no bundle was written" in said.stdout
    steps = [line for line in said.stdout.splitlines() if line.startswith("next: ")]
    assert "the ladder has more to try: mixed precision, quantisation-aware" in steps[0]
    assert "set by --gate" in steps[-1]
    told = [line.partition(":")[0] for line in said.stderr.splitlines() if "% of the decisions changed: fails" in line]
    assert told == ["post-training", "calibrated rounding"]
    page = (tmp_path / "m.report" / "index.html").read_text()
    assert "change of the shown probability" in page
    assert "calibrated rounding" in page


def test_below_the_gate_an_older_bundle_stays_as_it_is(home, converted, tmp_path):
    old = tmp_path / "m.tflite"
    shutil.copy(converted.path, old)
    argv = ["convert", home / "run", "--ptq", "--out", old, "--force", *LAX, *STRICT]
    result = json.loads(edge_melanoma(*argv, "--json", code=6).stdout)
    assert (result["passed"], result["bundle"]) == (False, None)
    assert old.read_bytes() == converted.path.read_bytes()


def test_a_conversion_that_is_stopped_leaves_nothing(home, tmp_path):
    def stop(attempt):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.run(home / "run", ConvertRecipe(), tmp_path / "m.tflite", watch=stage.Watch(on_attempt=stop))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("train", "12 training pictures; at least 20 are needed to calibrate an integer model"),
        ("calibration", "run: has no thresholds yet, and the calibration part has only 6 positives among 12 pictures"),
    ],
)
def test_too_few_pictures_are_told_before_the_work(home, tmp_path, monkeypatch, part, message):
    table, here = read_index(home / "split").table, pl.col("split") == part
    few = pl.concat([table.filter(~here), *(one.head(6) for _, one in table.filter(here).group_by("dx"))])
    index = write_index(read_index(home / "split").with_table(few), tmp_path / "few")
    shutil.copytree(home / "run", tmp_path / "run", ignore=shutil.ignore_patterns("decision.json"))
    note = json.loads((tmp_path / "run" / "edge-melanoma.json").read_text())
    note |= {"index": str(index.folder), "index_sha256": index.sha256}
    (tmp_path / "run" / "edge-melanoma.json").write_text(json.dumps(note))
    monkeypatch.setattr(stage, "to_tflite", lambda *_: pytest.fail("it is converted first"))
    said = edge_melanoma("convert", tmp_path / "run", "--out", tmp_path / "m.tflite", code=3)
    assert said.stderr.startswith("error: ")
    assert message in said.stderr
    assert said.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few", "run"]
    assert not (tmp_path / "run" / "decision.json").exists()


# --- the other kinds ---


def test_a_float32_bundle_says_what_keras_says(home, tmp_path):
    edge_melanoma("convert", home / "run", "--float32", "--out", tmp_path / "m.tflite", *LAX)
    bundle = open_bundle(tmp_path / "m.tflite")
    assert verify(tmp_path / "m.tflite").passed
    assert bundle.manifest.quantisation.calibration_ids == ()
    rows = {row["name"]: row for row in report_of(tmp_path / "m.tflite")["rows"]}
    assert rows["float_logits"]["views"]["frozen"]["value"] <= 1e-4
    given = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    exact = load_network(open_run(home / "run"))(given.astype(np.float32), training=False).numpy()
    np.testing.assert_allclose(Runner(bundle.model).logits(given), exact, atol=1e-4)


@pytest.fixture(scope="module")
def of_turns(home):
    """The run, as if it had been asked to answer for a picture's quarter turns: its training is the same."""
    folder = home / "of_turns"
    shutil.copytree(home / "run", folder, ignore=shutil.ignore_patterns("decision.json"))
    note = json.loads((folder / "edge-melanoma.json").read_text())
    note["recipe"]["model"]["turns"] = 4
    (folder / "edge-melanoma.json").write_text(json.dumps(note))
    return folder


def test_a_model_of_quarter_turns_decides_the_same_of_each(home, of_turns, tmp_path):
    out = tmp_path / "m.tflite"
    edge_melanoma("convert", of_turns, "--int8", "--out", out, "--set", "calibration.pictures=60", *LAX)
    assert verify(out).passed
    rows = {row["name"]: row for row in report_of(out)["rows"]}
    assert rows["float_logits"]["views"]["frozen"]["value"] <= 1e-4, "the float file says what Keras says of the turns"
    assert ("answers for", "the picture and its quarter turns, 4 in all, by their mean") in card_rows(out)
    predictor = Predictor(open_bundle(out))
    index = read_index(home / "split")
    for picture in index.pictures()[:10]:
        tensor = predictor.look(picture.root / picture.path).tensor
        answers = [predictor.infer(np.ascontiguousarray(np.rot90(tensor, k))) for k in range(4)]
        for answer in answers[1:]:
            np.testing.assert_array_equal(answer, answers[0])


def test_integers_of_16_bits_answer_for_no_turns(of_turns, tmp_path):
    (tmp_path / "recipe.toml").write_text('format = "int16x8"\n')
    argv = ["convert", of_turns, "--recipe", tmp_path / "recipe.toml", "--out", tmp_path / "m.tflite"]
    said = edge_melanoma(*argv, code=2)
    assert "answers for 4 turns of a picture, which int16x8 would make in float" in said.stderr


@pytest.mark.parametrize("kind", ["float16", "dynamic", "int16x8"])
def test_every_other_kind_is_a_bundle_too(home, tmp_path, kind):
    (tmp_path / "recipe.toml").write_text(f'format = "{kind}"\nrounds = 100\n')
    argv = ["convert", home / "run", "--recipe", tmp_path / "recipe.toml", "--out", tmp_path / "m.tflite", *LAX]
    edge_melanoma(*argv)
    assert verify(tmp_path / "m.tflite").passed
    manifest = open_bundle(tmp_path / "m.tflite").manifest
    assert manifest.model.format == kind
    assert bool(manifest.quantisation.calibration_ids) == (kind == "int16x8")


@pytest.mark.slow
def test_half_of_the_weights_pruned_and_trained_with_the_rounding_in_it(home, tmp_path):
    quick = ["--set", "tune.epochs=2", "--set", "tune.batch=16", "--set", "tune.learning_rate=0.001"]
    argv = ["convert", home / "run", "--qat", "--prune", 0.5, "--out", tmp_path / "m.tflite", *quick, *LAX]
    result = json.loads(edge_melanoma(*argv, "--json").stdout)
    assert [each["rung"] for each in result["attempts"]] == ["quantisation-aware"]
    saving = result["saving"]
    assert 0.45 < saving["zeros"] < 0.6
    assert saving["zeros_before"] < 0.1
    assert saving["compressed_bytes"] < 0.8 * saving["compressed_bytes_before"]
    assert abs(saving["size_bytes"] - saving["size_bytes_before"]) < 0.05 * saving["size_bytes"]
    assert saving["words"] in result["remarks"]
    assert verify(tmp_path / "m.tflite").passed
    from edge_melanoma.tflite.model import read_model

    model = read_model(open_bundle(tmp_path / "m.tflite").model, name="m")
    kernels = [
        tensor for tensor in model.tensors if tensor.type == "INT8" and tensor.data and len(tensor.data) > 10_000
    ]
    zeros = sum(bytes(kernel.data).count(0) for kernel in kernels) / sum(len(kernel.data) for kernel in kernels)
    assert kernels
    assert 0.45 < zeros < 0.6
