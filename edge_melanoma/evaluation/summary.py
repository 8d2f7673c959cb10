"""What a bundle carries of an evaluation: enough for its card, small enough for a phone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_melanoma.bundle.origins import portable
from edge_melanoma.errors import ArtifactError
from edge_melanoma.output import read_origin
from edge_melanoma.recipe import wordless

METRICS = "metrics.json"
_OF_A_GROUP = ("attribute", "value", "rows", "positives")
_ESTIMATES = ("auc", "sensitivity", "specificity")
_OF_THRESHOLDS = ("split", "rows", "positives")
DIGITS = 6


def read_evaluation(folder: Path) -> Mapping[str, Any]:
    """The figures that `edge-melanoma evaluate` wrote to a folder."""
    note = read_origin(folder)
    if note is None or note["kind"] != "evaluation":
        what = f"holds {note['kind']}" if note else "is not an evaluation"
        raise ArtifactError(f"{folder}: {what}; give the folder that `edge-melanoma evaluate` wrote")
    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{folder / METRICS}: cannot be read ({error}); evaluate again") from error
    if not isinstance(metrics, Mapping) or not metrics.keys() >= _NEEDED:
        missing = ", ".join(sorted(_NEEDED - set(metrics if isinstance(metrics, Mapping) else ())))
        raise ArtifactError(f"{folder / METRICS}: lacks {missing}; evaluate again with this version")
    return metrics


_NEEDED = {"split", "about", "headline", "image", "lesion", "subgroups", "no_pixel_baseline", "worst_group", "remarks"}


def failures(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """The remarks that say why the figures of an evaluation are not to be believed."""
    return tuple(remark["text"] for remark in metrics["remarks"] if remark["tone"] == "fail")


def comparable(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe less what changes no weight, and may differ between trainings by it: its words, where teachers lie."""
    plain = wordless(portable(recipe))
    return {**plain, "teacher": {**plain.get("teacher", {}), "runs": []}}


def summarise(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of an evaluation that a card shows."""
    about, picture, lesion = metrics["about"], metrics["image"], metrics["lesion"]
    baseline = metrics["no_pixel_baseline"]
    return {
        "split": metrics["split"],
        "models": about.get("models", 1),
        "held_out_centres": about.get("held_out_centres", []),
        "index_sha256": about["index_sha256"],
        "pictures": picture["rows"],
        "positives": picture["positives"],
        "thresholds_set_on": _thresholds(metrics.get("rule")),
        "groups": picture["groups"],
        "figures": {name: _short(item) for name, item in metrics["headline"].items()},
        "by_lesion": {"roc_auc": _short(lesion["metrics"]["roc_auc"])} if lesion else {},
        "histology_confirmed_auc": _short(metrics.get("histology_confirmed_auc")),
        "no_pixel_auc": {name: _short(item) for name, item in (baseline or {}).get("auc", {}).items()},
        "subgroups": [
            {**{key: group[key] for key in _OF_A_GROUP}, **{key: _short(group.get(key)) for key in _ESTIMATES}}
            for group in metrics["subgroups"]
        ],
    }


def _thresholds(rule: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """How many pictures chose the thresholds: no interval of what they do holds that."""
    fitted = (rule or {}).get("fitted_on") or {}
    return {key: fitted[key] for key in _OF_THRESHOLDS if key in fitted} or None


def _short(item: Mapping[str, Any] | None) -> dict[str, float] | None:
    """Value and interval, without the digits that nobody needs."""
    if item is None:
        return None
    return {key: round(float(item[key]), DIGITS) for key in ("value", "low", "high") if item.get(key) is not None}
