"""What the comparison of conversions concludes from figures: the lax gate, ratios of one run, rows and verdicts."""

import hashlib
import importlib.util
import zlib
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest

from edge_melanoma.benchmarks import conversion
from edge_melanoma.benchmarks.conversion_ways import (
    KINDS,
    LAX,
    OURS,
    THEIRS,
    LeftOutError,
    Made,
    by_command,
    by_hand,
)
from edge_melanoma.convert.recipe import RUNGS
from edge_melanoma.parity import GateRecipe
from edge_melanoma.runtime.cost import compressed_bytes, quartiles_of_ratios, relative_times, time_laps

needs_tensorflow = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs the train extra")


def change(before, after):
    return {"before": before, "after": after, "difference": after - before, "low": -0.01, "high": 0.002}


def in_numbers(kind="post-training", *, failed=(), hard=(), instructions=()):
    rate = {"value": 0.05, "successes": 5, "trials": 100}
    return {
        "kind": kind,
        "way": kind,
        "instructions": dict(instructions),
        "bytes": 628_000,
        "compressed_bytes": 452_000,
        "time_over_float32": {"q25": 0.75, "median": 0.8, "q75": 0.85},
        "auc": change(0.9, 0.895),
        "sensitivity_frozen": change(0.9, 0.88),
        "decisions_changed_frozen": rate,
        "changed_at_refer_frozen": rate,
        "changed_at_low_frozen": {**rate, "value": 0.0, "successes": 0},
        "p99_probability_change": {"frozen": 0.2, "refitted": 0.1},
        "failed_checks": list(failed),
        "failed_hard": list(hard),
    }


def test_the_lax_gate_loosens_every_limit_that_there_is():
    limits = {field.name for field in fields(GateRecipe) if field.name.startswith(("min_", "max_", "hard_"))}
    assert set(LAX) == limits - {"max_positives_to_low"}, "that one is no limit unless it is asked for"
    lax, strict = GateRecipe(**LAX), GateRecipe()
    for name in LAX:
        looser, tighter = getattr(lax, name), getattr(strict, name)
        upper = name.startswith("max_") or (name.startswith("hard_") and name != "hard_levels")
        assert looser > tighter if upper else looser < tighter, name


def test_every_rung_of_the_ladder_is_a_row():
    asked = " ".join(part for way in OURS.values() for part in way.arguments)
    shorthand = {"post-training": "--ptq", "quantisation-aware": "--qat"}
    assert all(shorthand.get(rung, rung) in asked for rung in RUNGS)
    assert set(KINDS) == {*OURS, *THEIRS}


def test_a_busy_lap_changes_no_ratio():
    """In the second lap the machine was busy: both take three times as long."""
    laps = {"float32": [1.0, 3.0, 1.0], "int8": [0.5, 1.5, 0.5]}
    assert quartiles_of_ratios(laps, reference="float32") == {"float32": (1.0, 1.0, 1.0), "int8": (0.5, 0.5, 0.5)}


def test_a_time_is_a_median_of_ratios_and_no_ratio_of_medians():
    """It is busy for two laps of three, by chance for one model more than for the other."""
    laps = {"float32": [1.0, 4.0, 4.0], "int8": [0.5, 1.9, 2.0]}
    assert relative_times(laps, reference="float32") == {"float32": 1.0, "int8": 0.5}


def test_every_model_is_timed_in_every_lap(tiny):
    models = {kind: tiny.model_bytes(kind) for kind in ("float32", "int8")}
    laps = time_laps(models, tiny.pictures(1, seed=3)[0][0], laps=2)
    assert {name: len(seconds) for name, seconds in laps.items()} == {"float32": 2, "int8": 2}
    assert all(second > 0 for seconds in laps.values() for second in seconds)


def test_the_float_network_is_the_first_row_and_stands_beside_what_changed():
    first, second = conversion.table_rows([in_numbers()])
    assert len(first) == len(second) == len(conversion.HEADERS)
    assert dict(zip(conversion.HEADERS, first, strict=True))["test AUC"] == "0.9000"
    row = dict(zip(conversion.HEADERS, second, strict=True))
    assert (row["kB"], row["kB, zlib"], row["time / float32"]) == ("628", "452", "0.80 (0.75 to 0.85)")
    assert (row["test AUC"], row["change of AUC (95 %)"]) == ("0.8950", "-0.0050 (-0.0100 to +0.0020)")
    assert (row["decisions changed"], row["p99 change of probability"]) == ("5.00% (5)", "0.1000")


def test_counted_instructions_stand_beside_those_of_float32():
    counts = [{"cortex-a72": {"all": 8_000_000}}, {"cortex-a72": {"all": 6_000_000}}]
    found = [in_numbers(kind, instructions=each) for kind, each in zip(("float32", "shipped"), counts, strict=True)]
    rows = conversion.table_rows(found)
    assert [row[-1] for row in rows] == ["", "8.0 M, 1.00", "6.0 M, 0.75"]
    assert {len(row) for row in rows} == {len(conversion.headers(found))} == {len(conversion.HEADERS) + 1}


@pytest.mark.parametrize(
    ("failed", "hard", "said"),
    [((), (), "passes"), (("flips", "auc"), ("flips",), "fails: flips!, auc")],
)
def test_a_verdict_names_the_checks_that_failed(failed, hard, said):
    assert conversion.verdict(failed, hard) == said


def test_zeros_count_in_the_archive_and_not_in_the_file():
    noise = np.random.default_rng(0).integers(0, 256, 4096, np.uint8)
    half = np.where(np.arange(4096) % 2, noise, 0).astype(np.uint8)
    assert compressed_bytes(half.tobytes()) < compressed_bytes(noise.tobytes())
    assert compressed_bytes(noise.tobytes()) == len(zlib.compress(noise.tobytes(), level=9))


def test_a_way_that_fails_is_left_out_with_what_it_said(tmp_path):
    with pytest.raises(LeftOutError, match=r"exit code 4: .*does not exist"):
        by_command("float32", tmp_path / "no-run", None, tmp_path, quick=True)


def test_the_result_says_what_may_be_done_with_the_pictures():
    about = {"licenses": ["CC-BY-NC-4.0"]}
    bench = SimpleNamespace(run=SimpleNamespace(about=about), parts=SimpleNamespace(rows={"test": range(1502)}))
    made = [SimpleNamespace(title="int8, quantisation-aware", remarks=("epoch 2 of 3 is kept",))]
    told = " ".join(conversion.remarks_of(bench, made, {"pruned": "exit code 1: /somewhere"}, 2000))
    assert "1,502 test pictures" in told
    assert "non-commercial" in told
    assert "pruned" in told
    assert "int8, quantisation-aware: epoch 2 of 3 is kept." in told
    assert "/somewhere" not in told, "a message may name folders of this machine"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((), ("RUN",)),
        (("--name", "mine"), ("RUN", "--name", "mine")),
        (
            ("--kinds", "float16", "--bundle", "a/b.tflite", "--count", "--name", "b"),
            ("RUN", *("--kinds", "float32", "float16"), *("--bundle", "b.tflite"), "--count", *("--name", "b")),
        ),
    ],
)
def test_the_printed_command_makes_the_same_result(argv, words):
    arguments = conversion.parser().parse_args(["/home/me/run", *argv])
    assert conversion.words_of(arguments, conversion.asked_for(arguments)) == words


def test_the_result_says_which_files_were_judged(tmp_path):
    run = SimpleNamespace(weights=tmp_path / "weights", about={"index_sha256": "1" * 64})
    run.weights.write_bytes(b"weights")
    (tmp_path / "b.tflite").write_bytes(b"bundle")
    weights, bundle = (hashlib.sha256(content).hexdigest() for content in (b"weights", b"bundle"))
    assert conversion.hashes_of(run, None) == {"weights": weights, "index": "1" * 64}
    assert conversion.hashes_of(run, tmp_path / "b.tflite")["bundle"] == bundle


def test_every_way_says_which_model_was_judged():
    estimate = SimpleNamespace(to_json=dict)
    rates = dict.fromkeys(("any change", "refer or not", "low or not"), estimate)
    of_decisions = {"sensitivity": estimate, "specificity": estimate, "flip_rates": rates, "positives_moved": len}
    views = {
        name: SimpleNamespace(name=name, auc=estimate, p99_probability_change=0.1, **of_decisions)
        for name in ("frozen", "refitted")
    }
    report = SimpleNamespace(views=views, logits=SimpleNamespace(largest=0.1), passed=True, failed_rows=[])
    made = Made(kind="float16", title="float16", model=b"model", bytes=5, compressed_bytes=5, seconds=1.0)
    found = conversion.in_numbers(made, report, (0.75, 0.8, 0.85), {})
    assert found["model_sha256"] == hashlib.sha256(b"model").hexdigest()


@pytest.fixture(scope="module")
def network():
    from edge_melanoma import backend

    backend.set_seeds(0)
    keras = backend.keras()
    picture = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(picture)
    x = keras.layers.Conv2D(32, 3, activation="relu")(x)
    return keras.Model(picture, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


@pytest.mark.tensorflow
@needs_tensorflow
@pytest.mark.parametrize("kind", sorted(THEIRS))
def test_what_a_user_would_make_runs_in_our_engine_and_says_nearly_the_same(network, kind):
    from edge_melanoma.runtime import Model

    if kind == "ai-edge-quantizer" and importlib.util.find_spec("ai_edge_quantizer") is None:
        pytest.skip("needs: pip install ai-edge-quantizer")
    # one picture again and again: ai-edge-quantizer takes the mean of the pictures' ranges, not their union
    pictures = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8).repeat(10, 0)
    made = by_hand(kind, network, pictures)
    model = Model(made.model)
    assert (model.input.dtype, model.output.dtype) == ("int8", "int8")
    before = network(pictures.astype(np.float32), training=False).numpy()
    after = model.logits(pictures)
    assert np.abs(after - before).max() < 0.05 * np.ptp(before), "256 levels of input, weights and output"
