"""`bench` throws nothing away that it measured: what cannot be compared is refused before, what can not, is written."""

import json
import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import typer
from PIL import Image

from edge_melanoma.benchmarks.device.compare import partners, side_of
from edge_melanoma.benchmarks.device.page import to_html, to_markdown
from edge_melanoma.benchmarks.device.remote import Connection, run_on
from edge_melanoma.benchmarks.device.result import Report, read_report
from edge_melanoma.benchmarks.device.run import BenchRecipe, run
from edge_melanoma.benchmarks.device.writing import MAX_REPORT_BYTES, read_earlier, write_report
from edge_melanoma.bundle import open_bundle
from edge_melanoma.cli import bench as verb
from edge_melanoma.errors import ArtifactError, RecipeError

TINY = Path(__file__).parent / "golden" / "tiny"
BUNDLE, FLOAT = (TINY / f"tiny_{name}.tflite" for name in ("bundle", "float32"))
QUICK = BenchRecipe(seconds=0, repeats=1, threads=1, sweep=False)


@pytest.fixture(scope="module")
def report():
    return run([FLOAT], QUICK)


def changed(report, what):
    """The same report of another device, file or setting."""

    def one(found):
        if what == "threads":
            return replace(found, settings=replace(found.settings, threads=3))
        if what == "engine":
            return replace(found, device=replace(found.device, engine_version="0.1"))
        if what == "machine":
            return replace(found, device=replace(found.device, machine=replace(found.device.machine, board="Pi")))
        return replace(found, artefact=replace(found.artefact, name=f"other-{found.name}", sha256="0" * 64))

    return replace(report, measurements=tuple(one(found) for found in report.measurements * (1 + (what == "names"))))


CHANGES = {
    "threads": "another number of threads",
    "engine": "another engine",
    "machine": "another machine",
    "names": "has none of these artefacts",
}


# what is compared


@pytest.mark.parametrize("what", CHANGES)
def test_what_cannot_be_compared_is_refused_before_anything_is_measured(report, what):
    steps = []
    check = partial(partners, before=changed(report, what))
    with pytest.raises(RecipeError, match=CHANGES[what]):
        run([FLOAT], QUICK, check=check, on_step=lambda *step: steps.append(step))
    assert steps == []


def test_what_is_known_before_is_what_is_measured(report):
    told = []
    measured = run([FLOAT], replace(QUICK, threads=None), check=told.extend)
    assert told == [side_of(found) for found in measured.measurements]


@pytest.mark.parametrize("what", ["threads", "names"])
def test_of_other_hosts_the_files_and_threads_are_known_before(report, what):
    """No ssh reaches this host: that would be a failure in the report."""
    with pytest.raises(RecipeError, match=CHANGES[what]):
        run_on(["nowhere.invalid"], [FLOAT], QUICK, Connection(), check=partial(partners, before=changed(report, what)))


def test_the_same_file_is_found_under_another_name(report):
    """The Android app calls it as its network, `bench` as the file; a name may have passed to another file."""
    found = named(report, "reference.tflite", "other.tflite")
    first, second = found.measurements
    swapped = replace(
        found, measurements=tuple(of_file(one, name=f"lite0-{one.name}") for one in found.measurements[::-1])
    )
    assert partners([side_of(first), side_of(second)], swapped) == list(swapped.measurements[::-1])
    passed_on = replace(found, measurements=(second, of_file(first, name=second.name), of_file(first, sha256="f" * 64)))
    assert partners([side_of(first)], passed_on) == [passed_on.measurements[1]], "by file before name"
    assert partners([side_of(first)], replace(found, measurements=passed_on.measurements[::2])) == [
        passed_on.measurements[2]
    ], "else by name"


def test_the_same_device_counts_more_than_the_same_file(report):
    (found,) = report.measurements
    there, here = replace(found, device=replace(found.device, label="there")), of_file(found, sha256="f" * 64)
    assert partners([side_of(found)], replace(report, measurements=(there, here))) == [here]
    assert partners([side_of(found)], replace(report, measurements=(there,))) == [there]


def of_file(found, **changed):
    return replace(found, artefact=replace(found.artefact, **changed))


def test_an_impossible_tolerance_is_refused_before_anything_is_measured(report, tmp_path, monkeypatch):
    write_report(report, tmp_path / "earlier")
    monkeypatch.setattr(verb, "_here", lambda *given: pytest.fail("was measured"))
    with pytest.raises(RecipeError, match="--tolerance 99: a share is needed"):
        verb.bench([FLOAT], compare=tmp_path / "earlier", tolerance=99)


def test_what_another_host_measured_is_kept_where_it_cannot_be_compared(report, tmp_path, monkeypatch, capsys):
    write_report(changed(report, "machine"), tmp_path / "earlier")
    monkeypatch.setattr(verb, "_elsewhere", lambda *given: report)
    with pytest.raises(RecipeError, match="another machine"):
        verb.bench([FLOAT], on=["pi"], compare=tmp_path / "earlier", out=tmp_path / "out")
    assert read_earlier(tmp_path / "out") == report
    assert "model only" in capsys.readouterr().out


@pytest.mark.parametrize("factor", [0, 0.5, 1, None])
def test_json_has_the_comparison_and_is_read_as_a_report_all_the_same(report, tmp_path, monkeypatch, capsys, factor):
    """Null without --compare; a figure that was 0 has no ratio."""
    (found,) = report.measurements
    model = replace(found.model, p50_ms=found.model.p50_ms * (factor or 0))
    write_report(replace(report, measurements=(replace(found, model=model),)), tmp_path / "earlier")
    monkeypatch.setattr(verb, "_here", lambda *given: report)
    with pytest.raises(typer.Exit) as end:
        verb.bench([FLOAT], as_json=True, compare=None if factor is None else tmp_path / "earlier")
    printed = capsys.readouterr().out
    assert read_report(printed.encode(), name="stdout") == report
    comparison = json.loads(printed)["comparison"]
    if factor is None:
        assert comparison is None
        return
    figure = comparison["changes"][0]
    assert (figure["artefact"], figure["now"]) == (FLOAT.name, found.model.p50_ms)
    assert (figure["ratio"], figure["is_regression"]) == ({0: None, 0.5: 2, 1: 1}[factor], factor < 1)
    assert comparison["left_out"] == []
    assert end.value.exit_code == (6 if factor < 1 else 0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes and devices that have a path")
def test_an_earlier_report_is_a_file_and_not_without_end(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "read_bytes", lambda file: pytest.fail(f"{file} was read without limit"))
    for path in (Path("/dev/zero"), tmp_path / "pipe"):
        with pytest.raises(ArtifactError, match="is no file but a folder, device or pipe"):
            read_earlier(path)
    with (tmp_path / "large.json").open("wb") as stream:
        stream.truncate(MAX_REPORT_BYTES + 1)
    with pytest.raises(ArtifactError, match="larger than any report"):
        read_earlier(tmp_path / "large.json")


# what is written


def test_names_that_cannot_be_printed_are_escaped_and_the_report_can_be_compared(tmp_path):
    name = "m\n# heading\t\x1b[31m\udcff"
    model, picture = tmp_path / f"{name}.tflite", tmp_path / f"{name}.png"
    model.write_bytes(BUNDLE.read_bytes())
    Image.fromarray(open_bundle(BUNDLE).golden.inputs[0]).save(picture)
    found = run([model], QUICK, pictures=[picture])
    escaped = r"m\n# heading\t\x1b[31m\udcff"
    assert found.measurements[0].name == f"{escaped}.tflite"
    assert found.measurements[0].end_to_end[0].picture == f"{escaped}.png"
    write_report(found, tmp_path / "out")
    assert read_earlier(tmp_path / "out") == found
    assert [line for line in to_markdown(found).splitlines() if line.startswith("# heading")] == []


def named(report, *names):
    """A report of so many artefacts, by these names."""
    (found,) = report.measurements
    artefacts = [replace(found.artefact, name=name, sha256=f"{number:064}") for number, name in enumerate(names)]
    return replace(report, measurements=tuple(replace(found, artefact=artefact) for artefact in artefacts))


@pytest.mark.parametrize(
    "names", [("m-1.tflite", "m_1.tflite", "m-1-2.tflite"), ("A.tflite", "a.tflite"), (f"{'m' * 240}.tflite",)]
)
def test_every_artefact_has_a_file_of_its_own(report, tmp_path, names):
    several = named(report, *names)
    write_report(several, tmp_path / "out")
    files = sorted((tmp_path / "out" / "results").iterdir())
    read = [read_earlier(file).measurements[0] for file in files]
    assert {found.name: found for found in read} == {found.name: found for found in several.measurements}
    assert len(files) == len(names)


def test_stages_of_another_program_are_drawn_after_ours():
    found = run([BUNDLE], QUICK).measurements[0]
    stages = {"decode and turn upright": 30.0, "read": 1.0, "infer": 2.0}
    small, large = found.end_to_end
    theirs = replace(found, end_to_end=(replace(small, stages_ms=stages), replace(large, stages_ms={"wait": 4.0})))
    page = to_html(Report(measurements=(theirs,)))
    legend = re.findall(r">(read|decode|turn upright|infer|decode and turn upright|wait)</text>", page)
    assert legend == ["read", "infer", "decode and turn upright", "wait"]
    assert "<title>decode and turn upright: 30 ms</title>" in page
