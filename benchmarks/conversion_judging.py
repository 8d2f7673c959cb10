"""What a converted model kept and what it costs: all of them by the same pictures, the same draws and the same gate.

The rule of each is fitted on the calibration part, the decisions are those of the test part, and the gate is the
default one, whatever the conversion itself was asked to pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.calibration import CalibrationRecipe, fit_rule, recipe_of
from edge_melanoma.data.index import Index
from edge_melanoma.data.parts import Parts, make_parts
from edge_melanoma.data.tensors import make_cache
from edge_melanoma.decision import DecisionRule
from edge_melanoma.errors import DataError
from edge_melanoma.evaluation.predicting import prediction_table
from edge_melanoma.fitting.fit import predict_logits
from edge_melanoma.parity import Output, ParityReport, judge
from edge_melanoma.run_folder import Run, read_rule
from edge_melanoma.runtime import Model

Pixels = NDArray[np.uint8]
Logits = NDArray[np.float32]
CALIBRATION, TEST = "calibration", "test"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The pictures, and what the float network says of them."""

    run: Run
    parts: Parts
    tensors: Mapping[str, Pixels]
    reference: Mapping[str, Logits]
    rule: DecisionRule

    def predictions(self, part: str, logits: Logits) -> pl.DataFrame:
        """Logits of a part as the table that is judged."""
        return prediction_table(self.parts.table[self.parts.rows[part]], logits, self.run.task)

    def said_by(self, model: bytes, *, name: str) -> dict[str, Logits]:
        """The logits of a model on both parts."""
        runner = Model(model, name=name)
        return {part: runner.logits(tensors) for part, tensors in self.tensors.items()}

    def judge(self, model: bytes, tflite_float: Logits, *, name: str, rounds: int) -> ParityReport:
        """The model against the float network on the test part, by the default gate."""
        logits, output = self.said_by(model, name=name), Model(model, name=name).output
        recipe = recipe_of(self.rule, where="decision.json")
        rule = _fitted(self.run, self.parts, self.predictions(CALIBRATION, logits[CALIBRATION]), recipe)
        return judge(
            self.predictions(TEST, self.reference[TEST]),
            self.predictions(TEST, logits[TEST]),
            self.parts.table,
            self.run.task,
            split=TEST,
            reference_rule=self.rule,
            candidate_rule=rule,
            output=Output(dtype=output.dtype, scale=output.scale, zero_point=output.zero_point),
            tflite_float=self.predictions(TEST, tflite_float),
            rounds=rounds,
            names=("the float model", name),
        )


def set_up(run: Run, index: Index, network: Any) -> Bench:
    """Decode both parts and ask the float network."""
    if index.sha256 != run.about["index_sha256"] or run.about["fold"] is not None:
        raise DataError(f"{index.folder}: is not the index that {run.folder} was trained on, or the run is of a fold")
    parts = make_parts(index, run.task, needed=("train", CALIBRATION, TEST))
    tensors = {part: decoded(run, index, parts.table[parts.rows[part]]) for part in (CALIBRATION, TEST)}
    said = {
        part: predict_logits(network, pixels, np.arange(len(pixels)), turns=run.turns)
        for part, pixels in tensors.items()
    }
    rule = read_rule(run.folder)
    if rule is None:
        rows = parts.table[parts.rows[CALIBRATION]]
        rule = _fitted(run, parts, prediction_table(rows, said[CALIBRATION], run.task), CalibrationRecipe())
    return Bench(run=run, parts=parts, tensors=tensors, reference=said, rule=rule)


def decoded(run: Run, index: Index, rows: pl.DataFrame) -> Pixels:
    """Pictures as the run's contract makes them."""
    hashes = rows["sha256"].fill_null("").to_list()
    cache = make_cache(index.pictures(rows), hashes, run.contract, "memory")
    try:
        return np.array(cache.open())
    finally:
        cache.close()


def _fitted(run: Run, parts: Parts, predictions: pl.DataFrame, recipe: CalibrationRecipe) -> DecisionRule:
    return fit_rule(predictions, parts.table, run.task, recipe, class_shares_train=run.about["prior_train"])
