"""Do two versions of one model decide alike? The gate of every conversion, and later of every device.

    report = judge(
        keras, int8, index.table, task("mel"), split="test",
        reference_rule=rule, candidate_rule=rule_of_int8, output=Output(dtype="int8", scale=0.1, zero_point=-4),
    )
    report.passed, report.failed_rows          # below the gate nothing ships
    write_parity(report, out)

An equal AUC is no parity: with one calibration picture a model kept most of its AUC and lost all of its specificity,
because its threshold fell off the values that the output could take. So decisions are compared, picture by picture.
NumPy, polars and matplotlib; never TensorFlow.
"""

from __future__ import annotations

from edge_melanoma.parity.gate import Finding, GateRow
from edge_melanoma.parity.grid import Output
from edge_melanoma.parity.judging import judge
from edge_melanoma.parity.page import Section, draw, write_parity
from edge_melanoma.parity.recipe import GateRecipe
from edge_melanoma.parity.report import ParityReport
from edge_melanoma.parity.view import Flip, ViewResult

__all__ = [
    "Finding",
    "Flip",
    "GateRecipe",
    "GateRow",
    "Output",
    "ParityReport",
    "Section",
    "ViewResult",
    "draw",
    "judge",
    "write_parity",
]
