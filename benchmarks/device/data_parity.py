"""Decisions and measures on the pictures of an index, computed on this device, beside what the manifest states.

The golden outputs show that the engine rounds as it should; this shows that what was promised of the model holds here.
Where an evaluation of the same bundle lies beside it, decisions are compared picture by picture as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_melanoma.decision import DecisionRule
from edge_melanoma.errors import EdgeMelanomaError
from edge_melanoma.runtime import Model

from .subjects import Subject

if TYPE_CHECKING:
    from edge_melanoma.data.index import Index
    from edge_melanoma.evaluation.rows import Rows

SPLIT = "test"
AUC_LIMIT = 0.002  # that rounding on another processor may move it
SHARE_LIMIT = 0.005  # of the positives or negatives; always one picture


@dataclass(frozen=True, kw_only=True)
class Stated:
    """One measure: as the manifest has it, and as it is here."""

    measure: str
    stated: float | None
    found: float
    limit: float | None
    passed: bool | None  # None where it is not judged


@dataclass(frozen=True, kw_only=True)
class DataParity:
    """The test part of an index, decided on this device."""

    pictures: int
    positives: int
    measures: tuple[Stated, ...]
    remarks: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Does nothing that was judged fail?"""
        return all(one.passed is not False for one in self.measures)


def on_data(subject: Subject, index: Index, *, threads: int | None, workers: int | None = None) -> DataParity:
    """Decide on the test part of the index; the look at it is logged beside the bundle."""
    from edge_melanoma.data.parts import make_parts
    from edge_melanoma.evaluation.predicting import predict_rows
    from edge_melanoma.evaluation.rows import select_rows
    from edge_melanoma.evaluation.writing import log_test_opening

    bundle = subject.bundle
    if bundle is None:
        raise ValueError(f"{subject.path}: a plain .tflite has no decisions")
    model = Model(bundle.model, threads=threads, name=bundle.name)
    parts = make_parts(index, bundle.task, needed=())
    chosen = parts.table[parts.rows[SPLIT]]
    predictions = predict_rows(model.logits, bundle.contract, bundle.task, index, chosen, workers=workers)
    rows = select_rows(predictions, index.table, bundle.task, SPLIT)
    found = _found(rows, bundle.rule)
    same = bundle.manifest.data.index_sha256 == index.sha256
    stated = _stated(bundle.manifest.metrics) if same else {}
    measures = [_beside(name, found[name], stated.get(name), rows) for name in found]
    remarks = [] if same else ["this is not the index that the bundle was made on, so that nothing is judged"]
    flips, remark = _flips(subject.path, bundle.sha256, rows, bundle.rule)
    log_test_opening(
        subject.path,
        {
            "verb": "bench",
            "index_sha256": index.sha256,
            "model_sha256": bundle.sha256,
            "task": bundle.task.name,
            "rows": len(rows),
            "seen": found,
        },
    )
    return DataParity(
        pictures=len(rows),
        positives=int(rows.positive.sum()),
        measures=(*measures, *flips),
        remarks=(*remarks, remark),
    )


def _found(rows: Rows, rule: DecisionRule) -> dict[str, float]:
    """AUC, and what the decision to refer does at the bundle's threshold."""
    from edge_melanoma.metrics.ranking import roc_auc

    y = rows.positive
    referred = rule.probability(rows.logits) >= rule.threshold_refer.value
    return {
        "AUC": roc_auc(y, rule.log_odds(rows.logits)),
        "sensitivity": float(referred[y].mean()),
        "specificity": float((~referred[~y]).mean()),
    }


def _stated(metrics: Mapping[str, Any]) -> dict[str, float]:
    """What the manifest says of the converted model on its test part."""
    if metrics.get("split") != SPLIT:
        return {}
    names = {"auc": "AUC", "sensitivity": "sensitivity", "specificity": "specificity"}
    values = {shown: metrics[key]["after"] for key, shown in names.items() if isinstance(metrics.get(key), Mapping)}
    return {name: float(value) for name, value in values.items() if value is not None}


def _beside(name: str, found: float, stated: float | None, rows: Rows) -> Stated:
    limit = AUC_LIMIT
    if name != "AUC":
        pictures = int(rows.positive.sum() if name == "sensitivity" else (~rows.positive).sum())
        limit = max(SHARE_LIMIT, 1 / pictures)
    judged = None if stated is None else bool(abs(found - stated) <= limit + 1e-6)
    shown = None if judged is None else limit
    return Stated(measure=name, stated=stated, found=round(found, 6), limit=shown, passed=judged)


def _flips(path: Path, sha256: str, rows: Rows, rule: DecisionRule) -> tuple[list[Stated], str]:
    """Decisions that differ from those of the machine on which this bundle was evaluated, if that lies here."""
    from edge_melanoma.evaluation.contestants import find_evaluation
    from edge_melanoma.evaluation.result import PREDICTIONS_FILE

    make = f"decisions are compared picture by picture where `edge-melanoma evaluate {path.name}` was run before"
    try:
        there = _decided_there(find_evaluation(path, SPLIT) / PREDICTIONS_FILE, sha256)
    except (EdgeMelanomaError, OSError):
        there = None
    if there is None:
        return [], make
    here = dict(zip(rows.table["image_id"].to_list(), rule.decisions(rule.probability(rows.logits)), strict=True))
    common = sorted(set(here) & set(there))
    if not common:
        return [], make
    changed = [image for image in common if here[image] != there[image]]
    share, limit = len(changed) / len(common), max(SHARE_LIMIT, 1 / len(common))
    told = f": {', '.join(changed[:10])}{' …' if len(changed) > 10 else ''}" if changed else ""
    flips = Stated(measure="decisions changed", stated=0.0, found=share, limit=limit, passed=share <= limit)
    return [flips], f"{len(changed)} of {len(common):,} decisions differ from the evaluation beside the bundle{told}"


def _decided_there(predictions: Path, sha256: str) -> Mapping[str, str] | None:
    import polars as pl

    facts = json.loads(predictions.with_name("metrics.json").read_text(encoding="utf-8"))
    if facts.get("model", {}).get("sha256") != sha256:
        return None
    table = pl.read_parquet(predictions, columns=["image_id", "decision"], glob=False)
    return dict(zip(table["image_id"].to_list(), table["decision"].to_list(), strict=True))
