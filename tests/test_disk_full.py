"""A training for which there is no room ends with one line and code 4, and goes on from its last epoch later.

The system's limit on the size of a file stands in for the full disk: it fails the same writes, and needs no rights.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("resource", reason="needs limits on the size of a file")
pytestmark = pytest.mark.tensorflow

LIMITED = """
import resource, sys
from edge_melanoma.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
main()
"""
TINY = ["--set", "model.size=32", "--set", "fit.epochs=2", "--set", "fit.head_epochs=1", "--set", "fit.batch=16"]
UNLIMITED = 10**12


def edge_melanoma(*argv, cwd, code=0, most_bytes=UNLIMITED, temporary=None):
    environment = {**os.environ, **({"TMPDIR": str(temporary)} if temporary else {})}
    command = [sys.executable, "-c", LIMITED, str(most_bytes), *map(str, argv)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    edge_melanoma(
        "data", "synth", "--out", "pictures", "--lesions", 90, "--size", 48, "--difficulty", "easy", cwd=folder
    )
    edge_melanoma("data", "ingest", "synth", "pictures", "--out", "index", cwd=folder)
    edge_melanoma("data", "split", "index", "--out", "split", "--despite-audit", "--folds", 3, cwd=folder)
    return folder


def train(data, out, **limits):
    return edge_melanoma("train", "quick", "--data", "split", "--out", out, *TINY, cwd=data, **limits)


def files(folder):
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_without_room_for_the_tensors_nothing_is_left(data, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    in_memory = set(Path("/dev/shm").glob("edge-melanoma-tensors-*"))
    done = train(data, tmp_path / "run", most_bytes=50_000, code=4, temporary=temporary)
    assert "the tensors, " in done.stderr
    assert "cannot be kept there (File too large)" in done.stderr
    assert files(tmp_path) == set()
    assert set(Path("/dev/shm").glob("edge-melanoma-tensors-*")) <= in_memory


def test_without_room_for_the_next_state_the_last_one_stays_and_is_gone_on_from(data, tmp_path):
    run = tmp_path / "run"
    # the state of the second epoch, with the optimizer of the whole network, is larger than that of the head's
    done = train(data, run, most_bytes=6_500_000, code=4)
    assert "checkpoint.npz: cannot be written (File too large)" in done.stderr
    assert not [name for name in files(run) if name.endswith(".part")]
    assert len((run / "history.csv").read_text().splitlines()) == 1 + 1
    edge_melanoma("evaluate", run, "--data", "split", cwd=data, code=4)
    edge_melanoma("train", "quick", "--data", "split", "--out", run, *TINY, "--resume", cwd=data)
    assert len((run / "history.csv").read_text().splitlines()) == 1 + 3
    assert "weights.weights.h5" in files(run)
    assert "checkpoint.npz" not in files(run)
