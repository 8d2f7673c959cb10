"""The command as a user meets it: results on stdout, talk on stderr, one line and one code for every mistake."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "edge_melanoma"]


def edge_melanoma(*argv, cwd, code=0):
    done = subprocess.run([*COMMAND, *map(str, argv)], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small data set taken through every verb, as a user would."""
    folder = tmp_path_factory.mktemp("made")
    edge_melanoma("data", "synth", "--out", "pictures", "--lesions", 40, "--size", 48, cwd=folder)
    edge_melanoma("data", "ingest", "synth", "pictures", "--out", "index", cwd=folder)
    edge_melanoma("data", "audit", "index", cwd=folder, code=0)
    edge_melanoma("data", "split", "index", "--out", "split", cwd=folder)
    return folder


def test_the_main_path_ends_in_a_page(made):
    edge_melanoma("data", "eda", "split", cwd=made)
    page = (made / "split" / "eda" / "index.html").read_text()
    assert "SYNTHETIC" in page
    assert "Not a medical device" in page


@pytest.mark.parametrize(
    "argv",
    [
        ["data", "synth", "--out", "p2", "--lesions", "4", "--size", "40", "--json"],
        ["data", "ingest", "synth", "pictures", "--out", "i2", "--json"],
        ["data", "audit", "split", "--out", "a2", "--json"],
        ["data", "split", "index", "--out", "s2", "--json"],
        ["data", "show", "split", "--json"],
        ["data", "show", "split", "SYN_0000001", "--json"],
        ["data", "eda", "split", "--out", "e2", "--json"],
        ["doctor", "--json"],
    ],
)
def test_json_is_all_that_is_on_stdout(made, argv):
    json.loads(edge_melanoma(*argv, cwd=made).stdout)


def test_version_and_help_of_everything(made):
    assert edge_melanoma("--version", cwd=made).stdout.startswith("edge-melanoma ")
    for verb in ("synth", "ingest", "audit", "split", "eda", "show"):
        assert "--json" in edge_melanoma("data", verb, "--help", cwd=made).stdout


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["data", "synth", "--out", "x", "--lesions", "0"], 2, "lesions = 0: must be a whole number from 1"),
        (["data", "ingest", "kaggle", "pictures", "--out", "x"], 2, "source 'kaggle' is unknown; known: ham10000"),
        (["data", "ingest", "csv", "pictures", "--out", "x", "--column", "dx"], 2, "give it as OURS=THEIRS"),
        (["data", "ingest", "synth", "nowhere", "--out", "x"], 3, "nowhere: does not exist; give the folder"),
        (["data", "ingest", "ham10000", "pictures", "--out", "x"], 3, "HAM10000_metadata"),
        (["data", "ingest", "synth", "pictures", "--out", "index"], 4, "exists already; give --force"),
        (["data", "audit", "pictures"], 4, "pictures: holds pictures, not an index"),
        (["data", "split", "nowhere", "--out", "x"], 4, "nowhere: does not exist; make it with"),
        (["data", "split", "split", "--out", "x"], 4, "has not been audited; run: edge-melanoma data audit"),
        (["data", "split", "index", "--out", "x", "--train", "0.9"], 2, "not to 1"),
        (["data", "show", "split", "SYN_9999999"], 3, "has no picture 'SYN_9999999'"),
        (["data", "show", "split", "--root", "ham=x"], 2, "the index has no such source; it has: synth"),
        (["data", "audit", "split", "--out", "/proc/none/x"], 4, "cannot be written"),
    ],
)
def test_a_mistake_is_one_line_with_its_code_and_leaves_nothing(made, argv, code, message):
    before = sorted(path.name for path in made.iterdir())
    done = edge_melanoma(*argv, cwd=made, code=code)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert sorted(path.name for path in made.iterdir()) == before


def test_what_a_user_wrote_is_printed_as_it_is_written(made, tmp_path):
    picture = next((made / "pictures" / "SYN_images").iterdir())
    (tmp_path / "set" / "MEL").mkdir(parents=True)
    (tmp_path / "set" / "MEL" / "[red].jpg").write_bytes(picture.read_bytes())
    licence = ("--license", r"own \[/x]")
    done = edge_melanoma("data", "ingest", "folder", "set", "--out", "[b]", *licence, cwd=tmp_path)
    assert done.stdout.startswith("[b]: 1 pictures")
    assert r"licence: own \[/x]" in done.stdout
    shown = edge_melanoma("data", "show", "[b]", "MEL/[red]", cwd=tmp_path).stdout
    assert r"own \[/x]" in shown
    assert "MEL/[red].jpg" in shown


def test_an_unknown_option_is_a_wrong_request(made):
    assert "No such option" in edge_melanoma("data", "synth", "--colour", cwd=made, code=2).stderr


def test_a_failing_audit_ends_with_6_and_its_report(tmp_path):
    edge_melanoma("data", "synth", "--out", "pictures", "--lesions", 20, "--size", 40, cwd=tmp_path)
    edge_melanoma("data", "ingest", "synth", "pictures", "--out", "index", cwd=tmp_path)
    victim = sorted((tmp_path / "pictures" / "SYN_images").glob("*.jpg"))[3]
    victim.write_bytes(victim.read_bytes()[:600])
    done = edge_melanoma("data", "audit", "index", cwd=tmp_path, code=6)
    assert "unreadable" in done.stdout
    report = json.loads((tmp_path / "index" / "audit" / "audit.json").read_text())
    fired = {check["name"]: check for check in report["checks"] if check["count"]}
    assert list(fired) == ["unreadable"]
    assert victim.stem in str(fired["unreadable"]["examples"])
    done = edge_melanoma("data", "split", "index", "--out", "split", cwd=tmp_path, code=3)
    assert "fails its audit: unreadable (1)" in done.stderr


def test_ctrl_c_half_way_leaves_nothing_and_says_so(tmp_path):
    argv = [*COMMAND, "data", "synth", "--out", "pictures", "--lesions", "4000", "--workers", "2"]
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".pictures.*/SYN_images/*.jpg")):
        assert time.monotonic() < deadline, "no picture was drawn"
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "stopped; what was not finished has not been written" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_without_the_data_extra_the_message_has_the_command(tmp_path):
    blocked = Path(tmp_path / "blocked")
    blocked.mkdir()
    (blocked / "polars.py").write_text("raise ModuleNotFoundError(\"No module named 'polars'\", name='polars')")
    done = subprocess.run(
        [*COMMAND, "data", "show", "x"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(blocked)},
    )
    assert done.returncode == 5
    assert "pip install 'edge-melanoma[data]'" in done.stderr


def test_a_closed_pipe_is_no_drama(made):
    argv = " ".join([*COMMAND, "data", "show", "split"])
    done = subprocess.run(f"{argv} | true", shell=True, capture_output=True, text=True, cwd=made)
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", ["models", "models --json", "--version", "--help", "doctor --json", "show -h"])
def test_results_that_cannot_be_written_end_in_one_line(argv, unbuffered):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge_melanoma", *argv.split()], stdout=full, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered}, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert "standard output: cannot be written (No space left on device)" in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_who_has_enough_hears_no_complaint(unbuffered):
    with subprocess.Popen(
        [sys.executable, "-m", "edge_melanoma", "models", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    ) as running:  # fmt: skip
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 141


@pytest.mark.skipif(os.name != "posix", reason="needs a shell that closes a stream")
@pytest.mark.parametrize("argv", ["models", "--help", "doctor --json"])
def test_results_for_a_closed_output_end_in_one_line(argv):
    done = subprocess.run(f"{' '.join(COMMAND)} {argv} >&-", shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert "standard output: is closed" in done.stderr


def test_a_terminal_of_few_letters_gets_escapes_for_the_others():
    done = subprocess.run(
        [*COMMAND, "show", "reference"], capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0, done.stderr
    assert b"\\xb7 int8" in done.stdout


def test_a_place_that_takes_nothing_is_told_before_a_measurement(tmp_path):
    (tmp_path / "file").write_text("no folder")
    out = tmp_path / "file" / "out"
    bundle = Path(__file__).parent / "golden" / "tiny" / "tiny_bundle.tflite"
    done = edge_melanoma("bench", bundle, "--out", out, cwd=tmp_path, code=4)
    assert "cannot be written" in done.stderr
    assert "golden" not in done.stderr + done.stdout
