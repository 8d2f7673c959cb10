"""`verify` says of a bundle whether it holds here, check by check; `show` prints what it is; both by exit codes too."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_melanoma.attribution import MADE_BY
from edge_melanoma.bundle import golden_of, open_bundle, pack_bundle, read_bundle
from edge_melanoma.bundle.card import card
from edge_melanoma.bundle.reading import CHECKS
from edge_melanoma.bundle.verify import RUNNING, record_golden, verify
from edge_melanoma.errors import ArtifactError
from edge_melanoma.models import in_words
from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER
from edge_melanoma.tflite.model import read_model

TINY = Path(__file__).parent / "golden" / "tiny"
BUNDLE = TINY / "tiny_bundle.tflite"


@pytest.fixture(scope="module")
def data():
    return BUNDLE.read_bytes()


@pytest.fixture
def recorded(tiny, tmp_path):
    """Writes a bundle whose golden outputs were recorded here, changed as asked."""

    def write(kind="int8", *, outputs=None, name="bundle.tflite", **changed):
        golden, identity = tiny.golden(kind)
        manifest = tiny.manifest(kind, **{"golden": identity, **changed})
        if outputs is not None:
            golden = golden_of(golden.inputs, outputs(golden.outputs), manifest.model.output, manifest.rule)
        path = tmp_path / name
        path.write_bytes(pack_bundle(model=tiny.model_bytes(kind), manifest=manifest, golden=golden))
        return path

    return write


def elsewhere(tiny, kind="int8"):
    """As if the golden outputs came from another machine."""
    return dataclasses.replace(tiny.golden(kind)[1], architecture="riscv64")


def row(found, name):
    return next(check for check in found.checks if check.check == name)


def command(*argv, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "edge_melanoma", *map(str, argv)], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_a_bundle_recorded_here_passes_every_check(recorded):
    found = verify(recorded())
    assert found.passed
    assert (found.exit_code, found.verdict) == (0, "passes")
    assert tuple(check.check for check in found.checks) == (*CHECKS, *RUNNING)
    assert "so they have to be equal" in row(found, "golden outputs").detail
    assert SYNTHETIC_BANNER in found.remarks


@pytest.mark.parametrize("kind", ["int8", "float32"])
def test_both_formats_pass_when_recorded_elsewhere_too(recorded, tiny, kind):
    found = verify(recorded(kind, golden=elsewhere(tiny, kind)))
    assert found.passed
    assert "may lie between" in row(found, "golden outputs").detail


def test_the_committed_bundle_passes_on_every_machine():
    found = verify(BUNDLE)
    assert found.passed, found.verdict


def plus(step):
    def change(outputs):
        changed = outputs.copy()
        changed[0, 0] += np.asarray(step, outputs.dtype)
        return changed

    return change


@pytest.mark.parametrize(
    ("kind", "step", "here", "elsewhere_too"),
    [("int8", 1, 6, 0), ("int8", 2, 6, 6), ("float32", 1e-5, 6, 0), ("float32", 1e-2, 6, 6)],
)
def test_other_outputs_end_with_code_6_unless_another_machine_explains_them(
    recorded, tiny, kind, step, here, elsewhere_too
):
    assert verify(recorded(kind, outputs=plus(step))).exit_code == here
    found = verify(recorded(kind, outputs=plus(step), golden=elsewhere(tiny, kind)))
    assert found.exit_code == elsewhere_too
    assert "of values differ, by up to" in row(found, "golden outputs").detail


def test_a_decision_that_turns_round_ends_with_code_6_however_small_the_difference(recorded, tiny):
    golden, _ = tiny.golden()
    p = float(golden.probability[0])
    shifted = golden_of(golden.inputs, plus(1)(golden.outputs), tiny.manifest().model.output, tiny.rule())
    between = (p + float(shifted.probability[0])) / 2  # a threshold that one level of one logit crosses
    rule = tiny.rule(low=min(0.3, between - 0.01), refer=between)
    found = verify(recorded(outputs=plus(1), golden=elsewhere(tiny), rule=rule, rule_before=rule))
    assert row(found, "golden outputs").passed
    assert not row(found, "decisions").passed
    assert "picture 0" in row(found, "decisions").detail
    assert found.exit_code == 6


def test_a_broken_bundle_fails_at_the_check_that_finds_it_and_ends_with_code_4(data, tmp_path, tiny):
    flipped = bytearray(data)
    flipped[100] ^= 1
    cases = {
        "file": b"",
        "archive": data[:-100],
        "manifest": tiny.forged(data, lambda content: content.update(more=1)),
        "hashes": bytes(flipped),
        "labels": tiny.forged(data, labels=b"a\nb\n"),
        "structure": tiny.forged(data, model=data[:1000]),
        "ends": tiny.forged(data, lambda content: content["model"]["output"].update(zero_point=1)),
        "operators": tiny.forged(data, lambda content: content["model"].update(format="dynamic")),
        "metadata": tiny.forged(
            data, model=read_bundle(data, name="t").model.replace(b"TFLITE_METADATA", b"TFLITE_METADATB")
        ),
        "golden vectors": tiny.forged(data, golden=b"PK\x05\x06" + bytes(18)),
    }
    assert tuple(cases) == CHECKS
    for check, content in cases.items():
        path = tmp_path / "bundle.tflite"
        path.write_bytes(content)
        found = verify(path)
        assert [one.check for one in found.checks if one.passed is False] == [check], found.verdict
        assert found.exit_code == 4
        assert [one.check for one in found.checks][: len(CHECKS)] == list(CHECKS)


def test_an_engine_that_crashes_is_a_failed_check(recorded, monkeypatch, tmp_path):
    path = recorded()
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nkill -SEGV $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    found = verify(path)
    assert not row(found, "engine").passed
    assert "SIGSEGV" in found.verdict
    assert found.exit_code == 4


def test_outputs_that_are_not_finite_are_not_recorded(tiny):
    data = tiny.model_bytes("float32")
    bias = next(one for one in read_model(data, name="m.tflite").tensors if one.constant and one.shape == (2,))
    model = bytearray(data)
    model[bias.data_start : bias.data_start + 8] = np.full(2, np.nan, np.float32).tobytes()
    with pytest.raises(ArtifactError, match="not finite"):
        record_golden(bytes(model), tiny.pictures(2, seed=1)[0], tiny.rule(), name="m.tflite")


# the command line


def test_verify_on_the_command_line(recorded, tmp_path):
    path = recorded()
    done = command("verify", path)
    assert done.stdout.splitlines()[-1] == f"{path}: passes"
    assert sum(line.startswith("✓") for line in done.stdout.splitlines()) == len(CHECKS) + len(RUNNING)
    wrong = recorded(outputs=plus(3), name="wrong.tflite")
    assert "golden outputs" in command("verify", wrong, code=6).stdout.splitlines()[-1]
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(path.read_bytes()[:-1])
    done = command("verify", path, wrong, broken, "--json", code=4)
    found = json.loads(done.stdout)
    assert [one["passed"] for one in found] == [True, False, False]
    assert [one["exit_code"] for one in found] == [0, 6, 4]
    assert done.stderr == ""


@pytest.mark.parametrize("lost", ["no-such.tflite", "n" * 5000])
def test_one_that_is_not_there_takes_no_result_from_the_others(recorded, lost):
    path = recorded()
    done = command("verify", path, lost, path, code=4)
    assert done.stderr == ""
    assert [line for line in done.stdout.splitlines() if line.startswith((f"{path}: ", f"{lost}: "))] == [
        f"{path}: passes",
        f"{lost}: file: does not exist; name the path of a bundle, or one of the package: {in_words()}",
        f"{path}: passes",
    ]
    found = json.loads(command("verify", path, lost, "--json", code=4).stdout)
    assert [(one["bundle"], one["exit_code"]) for one in found] == [(str(path), 0), (lost, 4)]
    assert [check["check"] for check in found[1]["checks"]] == [*CHECKS, *RUNNING]
    assert [check["passed"] for check in found[1]["checks"]] == [False, *[None] * (len(CHECKS) + len(RUNNING) - 1)]


FORGED = "bad\x1b[2J.tflite\nreference.tflite: passes"


def test_a_name_cannot_pass_for_a_verdict_or_command_the_terminal(recorded, tmp_path, data):
    good, bad, lost = recorded(name=FORGED), tmp_path / f"cut {FORGED}", tmp_path / f"lost {FORGED}"
    bad.write_bytes(data[:-1])
    for done in (
        command("verify", good),
        command("verify", bad, code=4),
        command("show", good),
        command("show", lost, code=4),
    ):
        text = done.stdout + done.stderr
        assert "\x1b" not in text
        assert "bad\\x1b[2J.tflite\\nreference.tflite: passes" in text
        assert not any(line.startswith("reference") for line in text.splitlines())
    page = command("show", good, "--markdown").stdout
    assert "\x1b" not in page
    assert not any(line.startswith("reference") for line in page.splitlines())


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names of any bytes")
def test_a_name_that_is_no_text_makes_json_that_strict_readers_take(recorded):
    path = recorded(name=os.fsdecode(b"l\xe4sion.tflite"))
    (verified,), shown = (json.loads(command(verb, path, "--json").stdout) for verb in ("verify", "show"))
    for found in (verified, shown):
        assert found["bundle"].endswith("l\N{REPLACEMENT CHARACTER}sion.tflite")
        assert bytes.fromhex(found["bundle_bytes_hex"]) == os.fsencode(path)
    assert "bundle_bytes_hex" not in json.loads(command("show", BUNDLE, "--json").stdout)


@pytest.mark.parametrize("timeout", ["nan", "inf", "0"])
def test_a_time_that_is_none_is_refused(timeout):
    done = command("verify", BUNDLE, "--timeout", timeout, code=2)
    assert "--timeout" in done.stderr
    assert "Traceback" not in done.stderr


def test_show_prints_what_a_person_needs(tiny):
    text = command("show", BUNDLE).stdout
    flat = " ".join(text.split())
    for words in (
        *(SYNTHETIC_BANNER, NOTICE, "tiny · int8", "other, melanoma", "0.981 (0.962–0.994)", "p ≥ 0.6000"),
        *("sensitivity of at least 0.95", "decision flips ≤ 3 % 0.5 % pass", "CC0-1.0 (synthetic)", "Diagnosis"),
        open_bundle(BUNDLE).sha256,
    ):
        assert words in flat, words
    assert text.splitlines()[0] == text.splitlines()[-1] == SYNTHETIC_BANNER
    assert "\x1b" not in text
    shown = json.loads(command("show", BUNDLE, "--json").stdout)
    assert shown["manifest"]["data"]["synthetic"] is True
    assert shown["sha256"] == open_bundle(BUNDLE).sha256


def test_show_says_what_is_forbidden_and_what_was_not_met(data, tiny):
    def spoil(content):
        content["licence"].update(
            commercial=False,
            data=["CC-BY-NC-4.0", "CC0-1.0 (synthetic)"],
            reasons=["data: CC-BY-NC-4.0 does not allow commercial use"],
        )
        content["gate"]["rows"][0]["passed"] = False

    sections = {section.title: section for section in card(read_bundle(tiny.forged(data, spoil), name="t")).sections}
    assert ("commercial use", "NOT ALLOWED") in sections["Licence"].rows
    assert sections["Gate, NOT MET"].rows[0][-1] == "NOT MET"


def test_show_says_that_a_model_was_pruned_or_clustered_and_is_no_faster_for_it(data, tiny):
    def shrunk(**recipe):
        forged = tiny.forged(data, lambda content: content["quantisation"].update(recipe=recipe))
        (origin,) = (one for one in card(read_bundle(forged, name="t")).sections if one.title == "Origin")
        return {row[0]: row[1] for row in origin.rows}

    assert not {"pruned", "clustered"} & set(shrunk(prune=None, cluster=None))
    rows = shrunk(prune={"sparsity": 0.5, "pattern": "2:4"}, cluster={"clusters": 16})
    no_faster = "a smaller download, not a faster prediction"
    assert rows["pruned"] == f"0.500 of the large layers' weights, pattern 2:4: {no_faster}"
    assert rows["clustered"] == "16 different weights in each large layer"
    assert shrunk(prune={}, cluster={})["clustered"] == "– different weights in each large layer"


def test_show_says_what_training_began_with(data, tiny):
    forged = tiny.forged(data, lambda content: content["run"]["recipe"].update(model={"weights": "imagenet"}))
    (origin,) = (one for one in card(read_bundle(forged, name="t")).sections if one.title == "Origin")
    assert ("began with", "imagenet") in origin.rows


def test_show_tells_the_words_of_its_makers_and_names_who_made_the_pictures(data, tiny):
    def spoil(content):
        content["run"]["recipe"]["description"] = "for a small phone"
        content["quantisation"]["recipe"]["description"] = "the first rung was chosen on the test part"
        content["data"]["sources"][0]["name"] = "ham10000"

    sections = {section.title: section for section in card(read_bundle(tiny.forged(data, spoil), name="t")).sections}
    said = [row[1] for row in sections["Model"].rows if row[0] == "its makers say"]
    assert said == ["for a small phone", "the first rung was chosen on the test part"]
    (made,) = (row[1] for row in sections["Licence"].rows if row[0] == "pictures by")
    assert "Tschandl" in made
    assert "10.1038/sdata.2018.161" in made


def test_the_makers_of_every_published_data_set_are_known():
    sources = pytest.importorskip("edge_melanoma.data.sources", reason="needs the data extra").sources
    assert set(MADE_BY) == set(sources()) - {"folder", "csv", "synth"}


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        ([], []),
        ([{"backbone": "efficientnet-lite0", "weights_sha256": "ab12"}], ["efficientnet-lite0, weights ab12"]),
        (["large"], ["large"]),
    ],
)
def test_show_says_who_taught_it(data, tiny, runs, told):
    forged = tiny.forged(data, lambda content: content["run"]["recipe"].update(teacher={"runs": runs, "share": 0.7}))
    (origin,) = (one for one in card(read_bundle(forged, name="t")).sections if one.title == "Origin")
    assert [row[1] for row in origin.rows if row[0] == "taught by"] == told


def test_show_sets_float_and_converted_side_by_side_with_their_difference(data, tiny):
    change = {
        "before": 0.91,
        "after": 0.905,
        "difference": -0.005,
        "low": -0.009,
        "high": -0.001,
        "interval_by": "pairs",
    }
    metrics = {
        "split": "test",
        "roc_auc": change,
        "flips": {"value": 0.012, "low": 0.005, "high": 0.02},
        "float": {"by sex": {"female": {"value": 0.9, "low": 0.8, "high": 0.95}}},
        "converted": {"by sex": {"female": {"value": 0.89, "low": None, "high": None}}},
    }
    measured = card(read_bundle(tiny.forged(data, lambda found: found.update(metrics=metrics)), name="t")).sections[1]
    assert measured.title == "Measured (split test)"
    assert measured.columns == ("", "float", "converted", "difference")
    assert set(measured.rows) == {
        ("roc_auc", "0.910", "0.905", "−0.005 (−0.009 to −0.001)"),
        ("share of decisions changed, the float model's thresholds", "", "0.012 (0.005–0.020)", ""),
        ("by sex.female", "0.900 (0.800–0.950)", "0.890", ""),
    }


def test_show_refuses_what_is_no_bundle_in_one_line(tmp_path, tiny):
    path = tmp_path / "plain.tflite"
    path.write_bytes(tiny.model_bytes("int8"))
    done = command("show", path, code=4)
    assert done.stderr.strip() == (
        f"error: {path}: is a plain .tflite; a bundle is what `edge-melanoma convert` writes"
    )
    assert "Traceback" not in done.stderr


def test_verify_and_show_import_no_tensorflow_and_no_tables():
    for argv in (["verify", str(BUNDLE)], ["show", str(BUNDLE)], ["verify", "--help"], ["show", "--help"]):
        code = (
            "import sys\nfrom edge_melanoma.cli import command\n"
            f"try: command()({argv!r})\nexcept SystemExit as end: assert end.code in (0, None), end.code\n"
            "heavy = ('tensorflow', 'tf_keras', 'polars', 'pandas', 'sklearn', 'matplotlib', 'h5py', 'flatbuffers')\n"
            "print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stderr.splitlines()[-1] == "[]"


# every format, as the converter makes it


@pytest.fixture(scope="module")
def network(tiny):
    pytest.importorskip("tensorflow", reason="needs the train extra")
    return tiny.trained_network()


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", ["float16", "int16x8"])
def test_the_other_formats_make_bundles_that_pass(tiny, network, tmp_path, kind):
    from edge_melanoma import backend

    seen = tiny.pictures(tiny.PICTURES, seed=7)[0]
    model = tiny.with_names(tiny.converted(backend.tensorflow(), network, kind, seen))
    golden, identity = record_golden(model, tiny.pictures(4, seed=9)[0], tiny.rule(), name=kind)
    manifest = tiny.manifest(model=tiny.model_facts(kind, model), golden=identity)
    (tmp_path / "bundle.tflite").write_bytes(pack_bundle(model=model, manifest=manifest, golden=golden))
    assert verify(tmp_path / "bundle.tflite").passed
