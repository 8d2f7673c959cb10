"""`bench --data`: what the manifest promises of the test part is looked for on this device."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("polars", reason="needs the data extra")
pytest.importorskip("matplotlib", reason="needs the data extra")

from edge_melanoma.benchmarks.device.data_parity import on_data
from edge_melanoma.benchmarks.device.run import BenchRecipe, run
from edge_melanoma.benchmarks.device.subjects import open_subject
from edge_melanoma.bundle import open_bundle
from edge_melanoma.data.index import read_index
from edge_melanoma.errors import RecipeError

TINY = Path(__file__).parent / "golden" / "tiny"
BUNDLE = TINY / "tiny_bundle.tflite"


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")

    def edge_melanoma(*argv):
        subprocess.run(
            [sys.executable, "-m", "edge_melanoma", *map(str, argv)], cwd=folder, check=True, capture_output=True
        )

    edge_melanoma("data", "synth", "--out", "pictures", "--lesions", 90, "--size", 48, "--difficulty", "hard")
    edge_melanoma("data", "ingest", "synth", "pictures", "--out", "index")
    edge_melanoma("data", "split", "index", "--out", "split", "--despite-audit")
    return read_index(folder / "split")


@pytest.fixture(scope="module")
def found(index, tmp_path_factory):
    """What the tiny bundle makes of the index; it is not the one that it was made on."""
    path = tmp_path_factory.mktemp("bundle") / "tiny.tflite"
    shutil.copy(BUNDLE, path)
    return on_data(open_subject(path), index, threads=1)


@pytest.fixture
def promising(tiny, index, tmp_path):
    """Writes a bundle that says it was made on the index, and what it reached there."""

    def write(measures):
        def change(content):
            content["data"]["index_sha256"] = index.sha256
            content["data"]["pictures"] = dict(index.table["split"].value_counts().iter_rows())
            content["quantisation"]["calibration_ids"] = []
            content["metrics"] = {"split": "test", **{name: {"after": value} for name, value in measures.items()}}

        path = tmp_path / "promising.tflite"
        path.write_bytes(tiny.forged(BUNDLE.read_bytes(), change))
        return path

    return write


def by_name(parity):
    return {one.measure: one for one in parity.measures}


def test_on_another_index_everything_is_shown_and_nothing_judged(found, index):
    measures = by_name(found)
    assert set(measures) == {"AUC", "sensitivity", "specificity"}
    assert all(one.passed is None and one.stated is None for one in measures.values())
    assert found.passed
    assert "not the index" in found.remarks[0]
    assert found.pictures == index.table.filter(index.table["split"] == "test").height


def test_the_measures_are_those_of_a_count(found, index):
    """Every positive against every negative, and decisions picture by picture."""
    from edge_melanoma.runtime import Predictor

    predictor = Predictor(open_bundle(BUNDLE), threads=1)
    rows = index.table.filter(index.table["split"] == "test")
    said = [predictor.predict(picture.read()) for picture in index.pictures(rows)]
    truth = [dx == "MEL" for dx in rows["dx"]]
    positive = [one.probability for one, is_melanoma in zip(said, truth, strict=True) if is_melanoma]
    negative = [one.probability for one, is_melanoma in zip(said, truth, strict=True) if not is_melanoma]
    pairs = [(p > n) + (p == n) / 2 for p in positive for n in negative]
    refer = predictor.bundle.rule.threshold_refer.value
    measures = by_name(found)
    assert measures["AUC"].found == pytest.approx(sum(pairs) / len(pairs), abs=1e-5)
    assert measures["sensitivity"].found == pytest.approx(sum(p >= refer for p in positive) / len(positive), abs=1e-5)
    assert measures["specificity"].found == pytest.approx(sum(n < refer for n in negative) / len(negative), abs=1e-5)


def test_a_promise_that_is_kept_passes_and_one_that_is_not_ends_with_code_6(found, promising, index):
    kept = {"auc": "AUC", "sensitivity": "sensitivity", "specificity": "specificity"}
    true = {key: by_name(found)[name].found for key, name in kept.items()}
    quick = BenchRecipe(seconds=0, repeats=1, threads=1, sweep=False)
    picture = [Path(index.pictures()[0].name)]
    report = run([promising(true)], quick, pictures=picture, index=index)
    assert [one.passed for one in report.measurements[0].data.measures] == [True, True, True]
    assert report.exit_code == 0
    report = run([promising({**true, "auc": true["auc"] + 0.01})], quick, pictures=picture, index=index)
    assert [one.passed for one in report.measurements[0].data.measures] == [False, True, True]
    assert report.exit_code == 6


def test_decisions_are_compared_with_an_evaluation_beside_the_bundle(promising, index):
    import polars as pl

    path = promising({})
    command = [sys.executable, "-m", "edge_melanoma", "evaluate", str(path), "--data", str(index.folder)]
    subprocess.run([*command, "--rounds", "100"], check=True, capture_output=True)
    same = by_name(on_data(open_subject(path), index, threads=1))["decisions changed"]
    assert (same.found, same.passed) == (0.0, True)
    predictions = path.with_suffix(".evaluation-test") / "predictions.parquet"
    table = pl.read_parquet(predictions)
    other = {"low": "refer", "refer": "low", "uncertain": "low"}
    first = table["image_id"][0]
    changed = pl.when(pl.col("image_id").is_in(table["image_id"][:3].to_list())).then(
        pl.col("decision").replace_strict(other)
    )
    table.with_columns(changed.otherwise(pl.col("decision")).alias("decision")).write_parquet(predictions)
    parity = on_data(open_subject(path), index, threads=1)
    assert by_name(parity)["decisions changed"].found == pytest.approx(3 / table.height)
    assert not parity.passed
    assert first in parity.remarks[-1]


def test_every_look_at_the_test_part_is_logged(promising, index):
    path = promising({})
    on_data(open_subject(path), index, threads=1)
    log = json.loads(path.with_suffix(".test_opened.json").read_text())
    assert (log[-1]["verb"], log[-1]["index_sha256"]) == ("bench", index.sha256)


def test_a_plain_tflite_has_no_decisions_to_compare(index):
    with pytest.raises(RecipeError, match="needs a bundle"):
        run([TINY / "tiny_float32.tflite"], BenchRecipe(seconds=0), index=index)
