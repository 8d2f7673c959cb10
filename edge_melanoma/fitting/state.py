"""The state of a training after an epoch: all that is needed to go on as if nothing had happened.

One file, written beside the old one and renamed; a kill at any moment leaves the state of a whole epoch. NumPy arrays
and JSON only, so that reading it runs no code.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.errors import ArtifactError
from edge_melanoma.output import write_file

CHECKPOINT = "checkpoint.npz"
Arrays = list[NDArray[Any]]


@dataclass(kw_only=True)
class FitState:
    """Where a training stands."""

    epoch: int = 0  # how many are done
    weights: Arrays = field(default_factory=list)
    average: Arrays = field(default_factory=list)  # of the weights; empty without averaging
    optimizer: Arrays = field(default_factory=list)  # of the phase that the last epoch belonged to
    best_weights: Arrays = field(default_factory=list)
    best_score: float | None = None
    best_epoch: int | None = None
    without_gain: int = 0  # epochs
    history: list[dict[str, Any]] = field(default_factory=list)
    bound_to: dict[str, str] = field(default_factory=dict)  # hashes of the recipe and the data


_ARRAYS = ("weights", "average", "optimizer", "best_weights")


def save_state(folder: Path, state: FitState) -> None:
    """Write the state whole, in place of the one before."""
    arrays = {f"{name}/{n:05}": value for name in _ARRAYS for n, value in enumerate(getattr(state, name))}
    plain = {key: value for key, value in asdict(state).items() if key not in _ARRAYS}
    arrays["plain"] = np.frombuffer(json.dumps(plain).encode(), np.uint8)
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    write_file(folder / CHECKPOINT, stream.getvalue())


def load_state(folder: Path) -> FitState | None:
    """The state that an earlier process left, or None where there is none."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            plain = json.loads(arrays["plain"].tobytes())
            names = sorted(arrays.files)
            lists = {kind: [arrays[n] for n in names if n.startswith(f"{kind}/")] for kind in _ARRAYS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path}: is broken ({error}); start again with --force") from error
    state = FitState(**plain)
    for kind, values in lists.items():
        setattr(state, kind, values)
    return state
