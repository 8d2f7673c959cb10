"""An evaluation on disk, and the log of every look at the test part.

metrics.json         every number
predictions.parquet  a row a picture: ids, logits, probability, decision; no paths
index.html           the page, which needs nothing else
"""

from __future__ import annotations

import getpass
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_melanoma.errors import ArtifactError
from edge_melanoma.evaluation.page import draw
from edge_melanoma.evaluation.result import KIND, METRICS_FILE, PAGE_FILE, PREDICTIONS_FILE, Evaluation
from edge_melanoma.output import check_vacant, new_folder, write_file, write_json
from edge_melanoma.plots import require_matplotlib

TEST_LOG_FILE = "test_opened.json"


def write_evaluation(evaluation: Evaluation, out: Path, *, force: bool = False, home: Path | None = None) -> int | None:
    """Write the evaluation to `out`; a look at the test part is logged at `home`, and its number is returned."""
    require_matplotlib()
    check_vacant(out, kind=KIND, force=force)
    look = None
    if evaluation.split == "test" and home is not None:
        look = log_test_opening(home, describe_look(evaluation))
    with new_folder(out, kind=KIND, force=force) as (draft, about):
        write_json(draft / METRICS_FILE, {**evaluation.to_json(), "test_look": look})
        evaluation.predictions.write_parquet(draft / PREDICTIONS_FILE)
        write_file(draft / PAGE_FILE, draw(evaluation, look=look))
        about.update(
            {
                **evaluation.about,
                "task": evaluation.task.name,
                "split": evaluation.split,
                "rows": evaluation.image.rows,
                "seed": evaluation.seed,
                "synthetic": evaluation.synthetic,
            }
        )
    return look


def describe_look(evaluation: Evaluation) -> dict[str, Any]:
    """What the log keeps of a look: on which data and with which model, and what was seen."""
    return {
        "index_sha256": evaluation.about.get("index_sha256"),
        "model_sha256": evaluation.model.get("sha256"),
        "task": evaluation.task.name,
        "rows": evaluation.image.rows,
        "seen": {name: estimate.to_json()["value"] for name, estimate in evaluation.headline().items()},
    }


def log_test_opening(home: Path, facts: Mapping[str, Any]) -> int:
    """Add a look at the test part to the log of a run or a bundle; returns the number of the look at these data, the
    first being 1.

    A figure that was looked at ten times while choices were made is no longer that of unseen pictures.
    """
    path = log_of(home)
    if not path.parent.is_dir():
        raise ArtifactError(f"{home}: does not exist; the log of test looks belongs into a run or beside a bundle")
    entry = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": _who(),
        "host": platform.node(),
        **facts,
    }
    with _alone(path.parent):
        looks = [*looks_at_test(home), entry]
        write_json(path, looks)
    return sum(look.get("index_sha256") == facts.get("index_sha256") for look in looks)


def log_of(home: Path) -> Path:
    """The log of test looks: in the folder of a run; beside a bundle, which is a file."""
    return home / TEST_LOG_FILE if home.is_dir() else home.with_suffix(f".{TEST_LOG_FILE}")


def check_log(home: Path) -> None:
    """Refuse early where a look could not be logged."""
    place = log_of(home).parent
    if not os.access(place, os.W_OK):
        raise ArtifactError(f"{place}: cannot be written, and the look at the test part is logged there")


def looks_at_test(home: Path) -> list[dict[str, Any]]:
    """All looks at the test part so far."""
    path = log_of(home)
    try:
        looks = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error}); it is the log of test looks and must not be lost"
        ) from error
    if not isinstance(looks, list) or not all(isinstance(look, dict) for look in looks):
        raise ArtifactError(f"{path}: is no list of looks; it is the log of test looks and must not be lost")
    return looks


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container without a user of that number
        return "unknown"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time in this folder, where the system has file locks."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
