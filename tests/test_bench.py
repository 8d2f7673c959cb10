"""`bench` measures what runs, says what it ran on, and notices where a device does not give what was promised."""

import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_melanoma.benchmarks.device.anatomy import anatomy_of
from edge_melanoma.benchmarks.device.cold import measure_cold
from edge_melanoma.benchmarks.device.compare import compare
from edge_melanoma.benchmarks.device.end_to_end import STAGES, by_stages, drawn_pictures, given_pictures
from edge_melanoma.benchmarks.device.int8 import coverage_in_words, int8_in_words
from edge_melanoma.benchmarks.device.page import to_html, to_markdown
from edge_melanoma.benchmarks.device.result import read_report
from edge_melanoma.benchmarks.device.run import BenchRecipe, run
from edge_melanoma.benchmarks.device.subjects import open_subject, open_subjects
from edge_melanoma.benchmarks.device.writing import read_earlier, write_report
from edge_melanoma.bundle import golden_of, open_bundle, pack_bundle
from edge_melanoma.errors import ArtifactError, DataError, RecipeError
from edge_melanoma.machine import this_machine
from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER
from edge_melanoma.runtime import Predictor
from edge_melanoma.runtime.first_meeting import meet
from edge_melanoma.tflite.model import read_model

TINY = Path(__file__).parent / "golden" / "tiny"
BUNDLE, FLOAT, INT8 = (TINY / f"tiny_{name}.tflite" for name in ("bundle", "float32", "int8"))
QUICK = BenchRecipe(seconds=0, repeats=2, threads=1, sweep=False)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "reddish.png"
    Image.fromarray(open_bundle(BUNDLE).golden.inputs[0]).save(path)
    return path


@pytest.fixture(scope="module")
def report(picture):
    return run([BUNDLE, FLOAT], replace(QUICK, sweep=True), pictures=[picture])


@pytest.fixture
def wrong(tiny, tmp_path):
    """A bundle whose golden outputs are three levels off."""
    golden, identity = tiny.golden("int8")
    manifest = tiny.manifest("int8", golden=identity)
    moved = golden_of(golden.inputs, golden.outputs + np.uint8(3), manifest.model.output, manifest.rule)
    path = tmp_path / "wrong.tflite"
    path.write_bytes(pack_bundle(model=tiny.model_bytes("int8"), manifest=manifest, golden=moved))
    return path


# what is measured


def test_every_figure_stands_beside_its_device(report):
    bundle, plain = report.measurements
    assert (bundle.name, plain.name) == ("tiny_bundle.tflite", "tiny_float32.tflite")
    assert (bundle.artefact.format, plain.artefact.format) == ("int8", "float32")
    assert bundle.artefact.sha256 == open_bundle(BUNDLE).sha256
    assert bundle.device == plain.device
    assert bundle.device.machine.cores == this_machine().cores
    assert bundle.settings.threads == 1
    for _, series in bundle.all_series():
        assert len(series.runs) == 2
        assert all(one.queries >= 64 for one in series.runs)
        assert 0 < series.p50_ms <= series.p90_ms


def test_a_plain_tflite_is_measured_without_its_decisions(report):
    bundle, plain = report.measurements
    assert [one.picture for one in bundle.end_to_end] == ["reddish.png"]
    assert bundle.parity_passed
    assert [check.check for check in bundle.checks][-2:] == ["golden outputs", "decisions"]
    assert (plain.end_to_end, plain.checks, plain.cold[0].first_decision_ms) == ((), (), None)
    assert "no contract" in plain.artefact.remarks[0]


def test_the_sweep_goes_to_all_cores(report):
    threads = [one.threads for one in report.measurements[0].sweep]
    assert threads[0] == 1
    assert threads[-1] == this_machine().cores
    assert threads == sorted(set(threads))


def test_the_sweep_says_which_number_predict_takes(report, picture, tmp_path, monkeypatch):
    bundle, plain = report.measurements
    assert plain.predict_threads is None, "predict takes no plain .tflite"
    assert bundle.predict_threads == meet(open_bundle(BUNDLE)).threads
    assert f"; `predict` takes {bundle.predict_threads}" in to_markdown(report)
    assert to_html(report).count("(as predict)") == 1
    monkeypatch.setenv("EDGE_MELANOMA_CACHE", str(tmp_path))
    as_predict = run([BUNDLE], replace(QUICK, threads=None), pictures=[picture]).measurements[0]
    assert as_predict.settings.threads == as_predict.predict_threads


def test_a_report_comes_back_from_its_json(report):
    text = json.dumps(report.to_json())
    assert read_report(text.encode(), name="r") == report


def test_a_report_of_before_threads_were_tried_is_read_too(report):
    content = report.to_json()
    for one in content["measurements"]:
        del one["predict_threads"]
        for check in one["checks"]:
            del check["warning"]
    earlier = read_report(json.dumps(content).encode(), name="r")
    assert earlier == replace(
        report, measurements=tuple(replace(one, predict_threads=None) for one in report.measurements)
    )
    del content["measurements"][0]["settings"]
    with pytest.raises(ArtifactError, match="lacks settings"):
        read_report(json.dumps(content).encode(), name="r")


def test_the_stages_are_those_of_a_prediction(picture):
    predictor = Predictor(open_bundle(BUNDLE), threads=1)
    prediction, times = by_stages(predictor, picture)
    assert prediction == predictor.predict(picture)
    assert len(times) == len(STAGES)
    assert min(times) > 0


def test_decoding_and_turning_are_told_apart_in_every_form(report):
    assert {"decode", "turn upright"} < set(STAGES)
    found = report.measurements[0].end_to_end[0]
    assert tuple(found.stages_ms) == STAGES
    for text in (to_markdown(report), to_html(report)):
        flat = " ".join(re.sub(r"<[^>]+>", " ", text).split())
        assert re.search(r"read [\d.e-]+ ms, decode [\d.e-]+ ms, turn upright [\d.e-]+ ms, resize", flat)
    assert "<title>turn upright: " in to_html(report)


def test_a_picture_that_lies_takes_its_time_to_turn(tmp_path):
    predictor = Predictor(open_bundle(BUNDLE), threads=1)
    place = STAGES.index("turn upright")
    upright, lying = ([by_stages(predictor, one.path)[1][place] for _ in range(5)] for one in drawn_pictures(tmp_path))
    assert min(lying) > max(min(upright), 0)


def test_the_drawn_pictures_are_a_data_set_s_and_a_phone_s(tmp_path):
    small, phone = drawn_pictures(tmp_path)
    assert (small.size, phone.size) == ((600, 450), (3000, 4000))
    with Image.open(phone.path) as stored:
        assert stored.size == (4000, 3000), "lying, to be turned upright"
    assert phone.file_bytes > 1_000_000, "as long to decode as a photograph"


def test_memory_is_that_of_the_child_and_not_of_who_asks(picture):
    ballast = np.ones(400 << 20, np.uint8)
    cold = measure_cold(BUNDLE, is_bundle=True, threads=1, picture=picture)
    assert ballast[-1] == 1
    assert 10 < cold.libraries_mb <= cold.peak_mb < 300
    whole = cold.start_ms + cold.open_ms + cold.load_ms + cold.first_inference_ms
    assert cold.first_decision_ms > whole > cold.start_ms > 0


# what it is made of


def test_multiply_adds_are_counted_as_in_the_manifest():
    subject = open_subject(BUNDLE)
    anatomy = anatomy_of(subject.graph, subject.model)
    # a depthwise 3x3 to 8x8x6, a pointwise to 8 filters, a dense layer for 2 classes
    assert anatomy.macs == 8 * 8 * 6 * 9 + 8 * 8 * 8 * 6 + 8 * 2 == subject.bundle.manifest.model.macs
    assert anatomy.count == len(subject.graph.operators)
    assert anatomy.operators[0].macs == max(one.macs for one in anatomy.operators)


def test_what_the_delegate_took_and_what_it_left_are_all_operators():
    subject = open_subject(INT8)
    anatomy = anatomy_of(subject.graph, subject.model)
    assert anatomy.delegated is not None
    assert anatomy.delegated + sum(anatomy.left.values()) == anatomy.count
    assert f"{anatomy.delegated} of {anatomy.count}" in coverage_in_words(anatomy)


@pytest.mark.parametrize(
    ("features", "told"),
    [
        (("asimd", "asimddp"), "int8 can be faster than float here: the processor has asimddp"),
        (("asimd",), "about as fast as float here"),
        (("avx2",), "gains little here"),
        ((), "cannot be told"),
    ],
)
def test_why_int8_is_or_is_not_faster_is_said_of_this_processor(features, told):
    assert told in int8_in_words(replace(this_machine(), features=features), None)[0]
    assert "may be slower" in int8_in_words(this_machine(), "tflite-runtime is slow")[1]


# what is written


def test_every_output_names_the_device_and_what_speaks_against_it(report, tmp_path):
    out = tmp_path / "report"
    write_report(report, out)
    markdown, page = (out / "bench.md").read_text(), (out / "index.html").read_text()
    for text in (markdown, page):
        flat = " ".join(re.sub(r"<[^>]+>", " ", text).split())
        for words in (
            "governor",
            "temperature",
            "throttling",
            "engine",
            "libc",
            SYNTHETIC_BANNER,
            NOTICE.split("'")[0],
        ):
            assert words in flat, words
        for found in report.measurements:
            assert found.artefact.sha256 in flat
            assert all(mark in flat for mark in found.marks)
    assert "<svg" in page
    assert "matplotlib" not in page
    assert read_earlier(out) == report
    names = sorted(path.name for path in (out / "results").iterdir())
    assert len(names) == 2
    assert all(re.fullmatch(r"[a-z0-9.-]+\.json", name) for name in names)
    assert read_earlier(out / "results" / names[0]).measurements[0] in report.measurements


def test_a_mark_is_in_every_output(report):
    device = replace(report.measurements[0].device, marks=("it is throttled (while it was measured)",))
    marked = replace(report, measurements=(replace(report.measurements[0], device=device),))
    assert "it is throttled" in to_markdown(marked)
    assert "it is throttled" in to_html(marked)
    assert "it is throttled" in json.dumps(marked.to_json())


# against an earlier report


def slower(report, factor):
    def scaled(found):
        return replace(found, model=replace(found.model, p50_ms=found.model.p50_ms * factor))

    return replace(report, measurements=tuple(scaled(found) for found in report.measurements))


def test_a_figure_that_got_worse_beyond_the_tolerance_is_a_regression(report):
    assert compare(report, report).regressions == ()
    assert compare(slower(report, 1.04), report).regressions == ()
    worse = compare(slower(report, 1.06), report).regressions
    assert {one.figure for one in worse} == {"model only, p50 ms"}
    assert worse[0].ratio == pytest.approx(1.06)
    assert compare(slower(report, 1.06), report, tolerance=0.1).regressions == ()
    assert compare(slower(report, 0.5), report).regressions == ()


def on_other(report, **changed):
    return replace(
        report,
        measurements=tuple(replace(one, device=replace(one.device, **changed)) for one in report.measurements),
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"engine_version": "0.1"}, "another engine (ai-edge-litert 0.1, now "),
        ({"machine": replace(this_machine(), board="Raspberry Pi 4")}, "another machine (Raspberry Pi 4"),
    ],
)
def test_other_machines_and_engines_are_compared_only_when_told(report, changed, told):
    earlier = on_other(report, **changed)
    if "engine" in told:
        told = told.replace("ai-edge-litert", report.measurements[0].device.engine)
    with pytest.raises(RecipeError, match=re.escape(told)):
        compare(report, earlier)
    assert all(told in one.remark for one in compare(report, earlier, across=True).changes)


def test_other_numbers_of_threads_are_not_compared(report):
    settings = replace(report.measurements[0].settings, threads=3)
    earlier = replace(report, measurements=tuple(replace(one, settings=settings) for one in report.measurements))
    with pytest.raises(RecipeError, match=r"another number of threads \(3, now 1\)"):
        compare(report, earlier)


def test_artefacts_that_only_one_report_has_are_named(report):
    only_first = replace(report, measurements=report.measurements[:1])
    assert compare(report, only_first).left_out == (f"tiny_float32.tflite on {report.measurements[0].device.name}",)
    others = [replace(one.artefact, name=f"other-{one.name}", sha256="0" * 64) for one in report.measurements]
    found = zip(report.measurements, others, strict=True)
    strangers = replace(report, measurements=tuple(replace(one, artefact=other) for one, other in found))
    with pytest.raises(RecipeError, match="has none of these artefacts"):
        compare(report, strangers)


# what is refused


def test_a_device_that_decides_otherwise_is_measured_and_ends_with_code_6(wrong, picture):
    report = run([wrong], QUICK, pictures=[picture])
    assert report.exit_code == 6
    assert "NOT as promised" in to_markdown(report)
    assert report.measurements[0].model.p50_ms > 0


def test_what_is_broken_or_no_model_is_refused_before_anything_is_measured(tmp_path):
    path = tmp_path / "broken.tflite"
    path.write_bytes(BUNDLE.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="cut off"):
        open_subjects([INT8, path])
    path.write_text("no model")
    with pytest.raises(ArtifactError):
        open_subject(path)
    with pytest.raises(ArtifactError, match="cannot be read"):
        open_subject(tmp_path / "absent.tflite")
    (tmp_path / "tiny_int8.tflite").write_bytes(INT8.read_bytes())
    with pytest.raises(RecipeError, match="two of the files are called"):
        open_subjects([INT8, tmp_path / "tiny_int8.tflite"])


def test_a_tflite_to_which_another_tool_appended_an_archive_is_a_plain_one(tmp_path):
    path = tmp_path / "theirs.tflite"
    path.write_bytes(FLOAT.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "other\nmelanoma\n")
    subject = open_subject(path)
    assert subject.bundle is None
    assert subject.artefact.format == "float32"


def test_a_bundle_for_a_newer_schema_is_refused(tiny, tmp_path):
    path = tmp_path / "newer.tflite"
    path.write_bytes(tiny.forged(BUNDLE.read_bytes(), lambda content: content.update(schema_version=9)))
    with pytest.raises(ArtifactError, match="schema version 9"):
        run([path], QUICK)


def with_newer_operator(data):
    """The model with one operator's version set to 99, wherever in the file that stands."""
    for place in range(0, len(data) - 4, 4):
        changed = data[:place] + (99).to_bytes(4, "little") + data[place + 4 :]
        try:
            operators = read_model(changed, name="m").operators
        except ArtifactError:
            continue
        newer = [one for one in operators if one.version == 99]
        if newer:
            return changed, newer[0].name
    raise AssertionError("no operator has a version of its own")


def test_an_engine_too_old_for_an_operator_is_named_with_it(tmp_path):
    data, operator = with_newer_operator(INT8.read_bytes())
    path = tmp_path / "newer.tflite"
    path.write_bytes(data)
    engine = this_engine()
    with pytest.raises(ArtifactError, match=rf"{re.escape(engine)}.*'{operator}' version '99'"):
        run([path], QUICK)


def this_engine():
    from edge_melanoma.runtime import engine

    return str(engine())


def test_too_little_memory_is_said(monkeypatch):
    def without_memory(paths):
        raise MemoryError

    monkeypatch.setattr("edge_melanoma.benchmarks.device.run.open_subjects", without_memory)
    with pytest.raises(ArtifactError, match="needs more memory than this machine gives it"):
        run([BUNDLE], QUICK)


def test_pictures_that_cannot_be_used_are_refused(tmp_path):
    path = tmp_path / "text.jpg"
    path.write_text("no picture")
    with pytest.raises(DataError):
        given_pictures([path])


@pytest.mark.parametrize(
    ("change", "told"), [({"seconds": -1}, "--seconds"), ({"repeats": 0}, "--repeats"), ({"threads": 0}, "--threads")]
)
def test_impossible_settings_are_refused(change, told):
    with pytest.raises(RecipeError, match=told):
        replace(QUICK, **change)


def test_more_threads_than_any_machine_has_a_use_for_are_refused():
    with pytest.raises(RecipeError, match="50000 threads: 1 to"):
        run([BUNDLE], replace(QUICK, threads=50_000))


def test_a_report_that_is_none_is_refused(tmp_path, report):
    file = tmp_path / "r.json"
    for content, told in (
        (b"{}", "is no report of"),
        (b"not json", "is not JSON"),
        (json.dumps({**report.to_json(), "schema_version": 7}).encode(), "schema version 7"),
        (json.dumps({**report.to_json(), "extra": 1}).encode(), "'extra' is unknown"),
    ):
        file.write_bytes(content)
        with pytest.raises(ArtifactError, match=told):
            read_earlier(file)
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_earlier(tmp_path / "absent.json")


# the command line

FAST = ("--seconds", "0", "--repeats", "1", "--threads", "1", "--no-sweep")
PRELUDE = "import resource, sys, importlib.metadata\nfrom edge_melanoma import cli\n"


def command(*argv, code=0, prelude=""):
    script = f"{PRELUDE}{prelude}\nsys.argv = ['edge-melanoma', *sys.argv[1:]]\ncli.main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, *map(str, argv)], capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_bench_on_the_command_line(picture, tmp_path):
    out = tmp_path / "out"
    done = command("bench", BUNDLE, *FAST, "--picture", picture, "--out", out)
    for words in (
        "model only",
        "governor",
        "temperature",
        "throttling",
        "ai-edge",
        "from reddish.png",
        SYNTHETIC_BANNER,
    ):
        assert words in done.stdout, words
    again = command("bench", BUNDLE, *FAST, "--picture", picture, "--compare", out, "--tolerance", "9", "--json")
    assert read_report(again.stdout.encode(), name="stdout").measurements
    earlier = json.loads((out / "bench.json").read_text())
    earlier["measurements"][0]["model"]["p50_ms"] /= 1000
    (tmp_path / "fast.json").write_text(json.dumps(earlier))
    worse = command("bench", BUNDLE, *FAST, "--picture", picture, "--compare", tmp_path / "fast.json", code=6)
    assert "worse: tiny_bundle.tflite" in worse.stderr
    refused = command("bench", BUNDLE, *FAST, "--out", out, code=4)
    assert "exists already" in refused.stderr


def test_bench_in_one_line_says_what_is_missing(tmp_path):
    no_engine = (
        "found = importlib.metadata.version\n"
        "def version(name):\n"
        "    if name in ('ai-edge-litert', 'tflite-runtime', 'tensorflow'):\n"
        "        raise importlib.metadata.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "importlib.metadata.version = version\n"
    )
    done = command("bench", BUNDLE, *FAST, code=5, prelude=no_engine)
    assert re.search(r"^error: .*pip install", done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1
    for argv, told in (
        (("--python", "python3"), "give --on"),
        (("--data", tmp_path, "--on", "pi"), "--data is read on the machine that measures"),
        (("--on", "-oProxyCommand=true"), "as ssh takes it"),
    ):
        assert told in command("bench", BUNDLE, *FAST, *argv, code=2).stderr


def test_a_full_disk_is_one_line_and_leaves_nothing(picture, tmp_path):
    pytest.importorskip("resource", reason="needs limits on the size of a file")
    limited = "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))\n"
    done = command("bench", BUNDLE, *FAST, "--picture", picture, "--out", tmp_path / "out", code=4, prelude=limited)
    assert "cannot be written (File too large)" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_help_imports_nothing_heavy():
    prelude = (
        "import atexit\n"
        "heavy = ('numpy', 'tensorflow', 'polars', 'matplotlib', 'ai_edge_litert')\n"
        "atexit.register(lambda: print([name for name in heavy if name in sys.modules], file=sys.stderr))\n"
    )
    assert command("bench", "--help", prelude=prelude).stderr.strip() == "[]"
