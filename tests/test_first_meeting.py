"""A bundle proves itself once on a machine, and how many threads help it there is found out once and remembered."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_melanoma.bundle import golden_of, open_bundle, pack_bundle
from edge_melanoma.bundle import verify as verifying
from edge_melanoma.errors import ArtifactError
from edge_melanoma.machine import this_machine
from edge_melanoma.parallel import usable_cores
from edge_melanoma.runtime import Predictor, first_meeting, open_predictor, threads
from edge_melanoma.runtime.door import usual_threads
from edge_melanoma.runtime.first_meeting import Meeting, meet

BUNDLE = Path(__file__).parent / "golden" / "tiny" / "tiny_bundle.tflite"
PICTURE = Path(__file__).parent / "golden" / "pictures" / "one.png"


@pytest.fixture(scope="module")
def bundle():
    return open_bundle(BUNDLE)


@pytest.fixture(scope="module")
def proof():
    """What `verify` finds: whoever has it need not have the bundle prove itself again."""
    return verifying.verify(BUNDLE).checks


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGE_MELANOMA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "proved"


@pytest.fixture
def done(monkeypatch):
    """What was done at the meetings, by name; each is really done."""
    seen = []

    def watch(module, name):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, **more: seen.append(name) or original(*given, **more))

    watch(verifying, "prove")
    watch(threads, "threads_that_help")
    return seen


def test_a_program_that_opens_a_predictor_has_it_proved_too(cache, done):
    first = open_predictor(BUNDLE)
    assert done == ["prove", "threads_that_help"]
    assert open_predictor(str(BUNDLE)).predict(PICTURE).decision == first.predict(PICTURE).decision
    assert done == ["prove", "threads_that_help"]
    assert isinstance(first.warnings, tuple)
    with pytest.raises(ArtifactError, match="nosuch: does not exist"):
        open_predictor("nosuch")


def test_it_proves_itself_and_tries_threads_once(bundle, cache, done):
    first = meet(bundle)
    assert done == ["prove", "threads_that_help"]
    assert 1 <= first.threads <= usable_cores()
    assert first.warning is None
    assert meet(bundle) == first
    assert len(done) == 2
    (file,) = cache.iterdir()
    assert json.loads(file.read_text()) == {"threads": first.threads, "warning": None}


def test_what_is_remembered_is_what_counts(bundle, cache):
    meet(bundle)
    (file,) = cache.iterdir()
    file.write_text('{"threads": 1, "warning": "rounds otherwise"}')
    assert meet(bundle) == Meeting(threads=1, warning="rounds otherwise")


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"no json", b"\xff\xfe", b"[]", b"3", b"null", b"{}", b"[" * 50_000),
        *(b'{"threads": 1}', b'{"threads": true, "warning": null}', b'{"threads": "2", "warning": null}'),
        *(b'{"threads": 0, "warning": null}', b'{"threads": 4096, "warning": null}'),
        *(b'{"threads": 1, "warning": 5}', b" " * (1 << 20) + b'{"threads": 1, "warning": null}'),
    ],
)
def test_what_is_not_ours_to_read_is_found_out_anew(bundle, cache, proof, done, content):
    meet(bundle, proof=proof)
    (file,) = cache.iterdir()
    file.write_bytes(content)
    assert meet(bundle, proof=proof).warning is None
    assert done == ["threads_that_help"] * 2
    assert set(json.loads(file.read_text())) == {"threads", "warning"}
    assert file.stat().st_size < 1000


def test_another_number_of_cores_is_another_machine(bundle, cache, proof, done, monkeypatch):
    meet(bundle, proof=proof)
    more = dataclasses.replace(this_machine(), cores=this_machine().cores + 2)
    monkeypatch.setattr(first_meeting, "this_machine", lambda: more)
    meet(bundle, proof=proof)
    assert done == ["threads_that_help"] * 2
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("blocked", ["a file in the way", "no home", "read-only"])
def test_without_a_place_to_remember_it_proves_itself_each_time_and_tries_nothing(
    bundle, tmp_path, monkeypatch, done, blocked
):
    monkeypatch.delenv("EDGE_MELANOMA_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if blocked == "a file in the way":
        (tmp_path / "cache").write_text("in the way")
    elif blocked == "read-only":
        monkeypatch.setattr(first_meeting.os, "access", lambda path, mode: False)  # root may write anywhere
    else:
        monkeypatch.setattr(first_meeting, "cache_folder", no_home)
    for _ in range(2):
        assert meet(bundle) == Meeting(threads=usual_threads(), warning=None)
    assert done == ["prove", "prove"]


def no_home():
    raise RuntimeError("Could not determine home directory.")


def test_a_disk_that_is_full_is_no_reason_to_stop(bundle, cache, proof, monkeypatch):
    def full(path, value):
        raise ArtifactError(f"{path}: the disk is full")

    monkeypatch.setattr("edge_melanoma.output.write_json", full)
    assert meet(bundle, proof=proof).threads >= 1
    assert list(cache.iterdir()) == []


# one that computes something else


@pytest.fixture
def other(tiny, tmp_path):
    """A bundle whose golden outputs are three levels off, all of them."""
    golden, identity = tiny.golden("int8")
    manifest = tiny.manifest("int8", golden=dataclasses.replace(identity, architecture="riscv64"))
    outputs = np.where(golden.outputs > 0, golden.outputs - 3, golden.outputs + 3)
    outputs[0] = [255, 0]  # another decision
    golden = golden_of(golden.inputs, outputs, manifest.model.output, manifest.rule)
    path = tmp_path / "other.tflite"
    path.write_bytes(pack_bundle(model=tiny.model_bytes("int8"), manifest=manifest, golden=golden))
    return path


def test_one_that_computes_something_else_here_is_not_used(other, cache):
    for _ in range(2):  # a failure is not remembered as a success
        with pytest.raises(ArtifactError, match="does not give here what was measured"):
            meet(open_bundle(other))
    done = predict(other)
    assert done.returncode == 4
    assert not done.stdout
    assert "does not give here what was measured" in done.stderr


# the command


def predict(path, *more):
    command = [sys.executable, "-m", "edge_melanoma", "predict", str(PICTURE), "--model", str(path), *more]
    return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))


def test_predict_runs_with_the_threads_that_are_remembered_unless_told_otherwise(cache, monkeypatch, capfd):
    from edge_melanoma import cli

    asked = []

    class Watched(Predictor):
        def __init__(self, bundle, *, threads=None):
            asked.append(threads)
            super().__init__(bundle, threads=threads)

    met = meet(open_bundle(BUNDLE))
    monkeypatch.setattr("edge_melanoma.runtime.first_meeting.Predictor", Watched)
    for more in ([], ["--threads", "3"]):
        monkeypatch.setattr(sys, "argv", ["edge-melanoma", "predict", str(PICTURE), "--model", str(BUNDLE), *more])
        with pytest.raises(SystemExit):
            cli.main()
    assert asked == [met.threads, 3]


def test_the_first_call_of_predict_says_no_more_than_the_second(cache):
    first, second = predict(BUNDLE), predict(BUNDLE)
    assert (first.returncode, first.stdout, first.stderr) == (second.returncode, second.stdout, second.stderr)
    assert len(list(cache.iterdir())) == 1
