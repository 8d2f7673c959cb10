"""Does a training ever beat what is possible? Synthetic sets with a known ceiling, through the whole command line.

A synthetic picture tells its class through one latent only, so no model of the pictures has a higher expected AUC than
the latent itself: Φ(Δ/√2). A test AUC above that beyond its interval would be a leak of ours: in the drawing, the
split, the training or the evaluation. The latent's own AUC on the very same test pictures is the sharper judge, because
the luck of the test part is in both.
Run: python -m edge_melanoma.benchmarks.synthetic_ceiling
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from edge_melanoma.decision import positive_classes, positive_log_odds
from edge_melanoma.errors import EXIT_GATE_NOT_MET
from edge_melanoma.labels import task_from_json
from edge_melanoma.metrics import Estimate, Floats, bootstrap, weighted_roc_auc

from .host import write_result

DELTAS = (1.2, 2.0, 2.8)  # hard, standard, easy
LESIONS = 1500
PARTS = {"train": 0.5, "val": 0.1, "calibration": 0.1, "test": 0.3}  # much to test on: the interval is the point
ROUNDS, SEED = 2000, 0


@dataclass(frozen=True, kw_only=True)
class Found:
    """One training beside its ceiling, on the pictures of its test part."""

    delta: float
    ceiling: float
    pictures: int
    melanomas: int
    auc: Estimate
    latent: Estimate  # the AUC of the latent on the same pictures
    difference: Estimate  # the model less the latent, under the same draws
    seconds: float

    @property
    def is_above(self) -> bool:
        """Above what is possible, beyond its interval?"""
        return self.auc.low > self.ceiling or self.difference.low > 0

    def to_json(self) -> dict[str, Any]:
        """Everything found."""
        return {
            "delta": self.delta,
            "ceiling": self.ceiling,
            "pictures": self.pictures,
            "melanomas": self.melanomas,
            "auc": self.auc.to_json(),
            "latent_auc": self.latent.to_json(),
            "model_less_latent": self.difference.to_json(),
            "is_above": self.is_above,
            "seconds": round(self.seconds, 1),
        }


def edge_melanoma(*argv: object, cwd: Path) -> Any:
    """A command as a user gives it, in a process of its own; its result."""
    command = [sys.executable, "-m", "edge_melanoma", *map(str, argv), "--json"]
    return json.loads(subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE).stdout)


def train_and_test(delta: float, folder: Path, *, lesions: int) -> Found:
    """Draw, read, split, train, evaluate."""
    start = time.perf_counter()
    drawn = edge_melanoma(
        *("data", "synth", "--delta", delta, "--lesions", lesions, "--seed", SEED, "--out", "pictures"), cwd=folder
    )
    edge_melanoma("data", "ingest", "synth", "pictures", "--out", "index", cwd=folder)
    shares = [word for part, share in PARTS.items() for word in (f"--{part}", share)]
    edge_melanoma(*("data", "split", "index", "--out", "split", "--despite-audit", *shares), cwd=folder)
    edge_melanoma("train", "quick", "--data", "split", "--out", "run", cwd=folder)
    evaluation = edge_melanoma("evaluate", "run", "--data", "split", "--split", "test", cwd=folder)
    return beside_latent(
        delta,
        drawn["ceiling"]["mel_auc"],
        pl.read_parquet(folder / "run" / "evaluation-test" / "predictions.parquet", glob=False),
        pl.read_csv(folder / "pictures" / "SYN_metadata.csv", columns=["image_id", "z"], glob=False),
        classes=task_from_json(evaluation["task"], where="the evaluation").classes,
        seconds=time.perf_counter() - start,
    )


def beside_latent(
    delta: float,
    ceiling: float,
    predictions: pl.DataFrame,
    latents: pl.DataFrame,
    *,
    classes: Sequence[str],
    seconds: float,
) -> Found:
    """The model's AUC and that of the latent on the same pictures."""
    rows = predictions.join(latents, on="image_id", how="left", maintain_order="left")
    positive = positive_classes(tuple(classes))
    y = np.isin(rows["answer"].to_numpy(), positive)
    scores = {
        "model": positive_log_odds(rows.select(f"logit_{name}" for name in classes).to_numpy(), positive),
        "latent": rows["z"].to_numpy(),
    }

    def measures(weights: Floats) -> dict[str, Floats]:
        return {name: weighted_roc_auc(y, score, weights) for name, score in scores.items()}

    drawn = bootstrap(measures, y, rows["group"].to_numpy(), rng=np.random.default_rng(SEED), rounds=ROUNDS)
    return Found(
        delta=delta,
        ceiling=ceiling,
        pictures=len(y),
        melanomas=int(y.sum()),
        auc=drawn.estimate("model"),
        latent=drawn.estimate("latent"),
        difference=drawn.difference("model", "latent"),
        seconds=seconds,
    )


def verdict(found: Sequence[Found]) -> str:
    """The answer in one sentence."""
    above = [one for one in found if one.is_above]
    if above:
        told = ", ".join(f"{one.delta:g}" for one in above)
        return f"**Above what is possible, beyond its interval, at Δ = {told}: something leaks.**"
    gaps = sorted(-one.difference.value for one in found)
    return (
        "Never above what is possible beyond its interval. The trainings stay "
        f"{gaps[0]:.2f} to {gaps[-1]:.2f} below the latent: a leak that is worth less than that would not be seen here."
    )


def write(found: Sequence[Found], *, lesions: int, load: float) -> Path:
    """The result, with what it depends on."""
    rows = [
        (f"{one.delta:g}", one.pictures, one.melanomas, one.auc, f"{one.ceiling:.3f}", one.latent, one.difference)
        for one in found
    ]
    settings = {"lesions": lesions, "parts": PARTS, "recipe": "quick", "seed": SEED, "rounds": ROUNDS, "load": load}
    return write_result(
        "synthetic_ceiling",
        "Trainings on synthetic pictures beside the best that is possible",
        {"settings": settings, "found": [one.to_json() for one in found]},
        ("Δ", "test pictures", "melanomas", "test AUC", "ceiling Φ(Δ/√2)", "AUC of the latent", "model less latent"),
        rows,
        arguments=() if lesions == LESIONS else ("--lesions", str(lesions)),
        remarks=(
            verdict(found),
            f"{lesions:,} lesions of one or two pictures for each Δ, {PARTS['test']:.0%} of them to test on; recipe "
            "`quick`, one training each, through `data synth`, `data ingest`, `data split`, `train`, `evaluate`.",
            "95 % intervals over patients. The latent is what the pictures are drawn from; its AUC on the same test "
            "pictures shows their luck, and the paired difference takes it out.",
        ),
        packages=("numpy", "tensorflow", "tf-keras", "albumentations"),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Train once for every Δ; 6 where a training is better than possible."""
    parser = argparse.ArgumentParser(prog="python -m edge_melanoma.benchmarks.synthetic_ceiling", description=__doc__)
    parser.add_argument("--lesions", type=int, default=LESIONS)
    lesions = parser.parse_args(argv).lesions
    load = os.getloadavg()[0]
    found = []
    for delta in DELTAS:
        with tempfile.TemporaryDirectory() as folder:
            found.append(train_and_test(delta, Path(folder), lesions=lesions))
    print(write(found, lesions=lesions, load=load).read_text(encoding="utf-8"))
    return EXIT_GATE_NOT_MET if any(one.is_above for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
