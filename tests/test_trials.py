"""Trials judge a recipe on pictures that its training has not seen, and compare on the same ones."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
judge = pytest.importorskip("sklearn.metrics")
pytestmark = pytest.mark.tensorflow

TINY = ["model.size=32", "model.backbone=seedcnn", "fit.epochs=2", "fit.head_epochs=0", "fit.batch=16"]


def python(*argv, cwd, code=0):
    done = subprocess.run([sys.executable, "-m", *map(str, argv)], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == code, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two trials on one index."""
    here = tmp_path_factory.mktemp("trials")
    tool = "edge_melanoma"
    python(tool, "data", "synth", "--out", "pictures", "--lesions", 90, "--size", 48, "--difficulty", "easy", cwd=here)
    python(tool, "data", "ingest", "synth", "pictures", "--out", "index", cwd=here)
    python(tool, "data", "split", "index", "--out", "split", "--despite-audit", cwd=here)
    changes = [word for change in TINY for word in ("--set", change)]
    for seed in (0, 1):
        argv = ["run", f"seed{seed}", "quick", "--data", "split", "--out", ".", "--set", f"seed={seed}", *changes]
        done = python("edge_melanoma.train.trials", *argv, cwd=here)
        assert len(re.findall(r"^epoch \d: .*inside AUC .*outside AUC", done.stdout, re.MULTILINE)) == 2
    return here


def outside(folder, name):
    arrays = np.load(folder / name / "logits.npz")
    logits = arrays["logits/outside"][-1].astype(np.float64)
    return arrays["labels/outside"] == 1, logits


def compared(folder, *trials):
    printed = python("edge_melanoma.train.trials", "compare", *trials, cwd=folder).stdout
    return dict(re.findall(r"^(.+), outside, AUC: ([\d.]+)", printed, re.MULTILINE)), printed


def test_a_trial_compares_by_what_a_judge_finds_in_its_logits(folder):
    found, printed = compared(folder, "seed0", "seed1")
    y, logits = outside(folder, "seed1")
    assert float(found["seed1"]) == pytest.approx(judge.roc_auc_score(y, logits[:, 1] - logits[:, 0]), abs=6e-4)
    shares = json.loads((folder / "seed1" / "trial.json").read_text())["shares_train"]
    called = (np.exp(logits) / shares).argmax(axis=1)
    balanced = re.search(r"seed1, outside, balanced accuracy: ([\d.]+)", printed).group(1)
    assert float(balanced) == pytest.approx(judge.balanced_accuracy_score(y, called), abs=6e-4)


def test_trials_joined_by_a_plus_answer_with_the_mean_of_their_logits(folder):
    found, _ = compared(folder, "seed0", "seed0+seed1")
    y, first = outside(folder, "seed0")
    mean = (first + outside(folder, "seed1")[1]) / 2
    assert float(found["seed0 + seed1"]) == pytest.approx(judge.roc_auc_score(y, mean[:, 1] - mean[:, 0]), abs=6e-4)


def test_trials_on_two_indexes_are_not_compared(folder):
    about = json.loads((folder / "seed1" / "trial.json").read_text())
    (folder / "other").mkdir()
    (folder / "other" / "logits.npz").write_bytes((folder / "seed1" / "logits.npz").read_bytes())
    (folder / "other" / "trial.json").write_text(json.dumps({**about, "name": "other", "index_sha256": "0" * 64}))
    for second in ("other", "seed0+other"):
        failed = python("edge_melanoma.train.trials", "compare", "seed0", second, cwd=folder, code=1)
        assert "of two indexes" in failed.stderr
