"""Predictions in, an evaluation out: every figure with the interval that a dermatology researcher would ask for.

    evaluation = evaluate(predictions, index.table, task("mel"), rule, split="test")
    write_evaluation(evaluation, run / "evaluation-test", home=run)
    write_comparison(compare([first, second]), out)

NumPy, polars and matplotlib; never TensorFlow. The same code measures the float model, the int8 one, and a device.
"""

from __future__ import annotations

from edge_melanoma.evaluation.comparing import Comparison, compare
from edge_melanoma.evaluation.comparison_page import write_comparison
from edge_melanoma.evaluation.evaluating import ceiling_of, evaluate
from edge_melanoma.evaluation.result import Evaluation
from edge_melanoma.evaluation.rows import OUT_OF_FOLD, Rows, by_lesion, logit_columns, select_rows
from edge_melanoma.evaluation.writing import log_test_opening, looks_at_test, write_evaluation

__all__ = [
    "OUT_OF_FOLD",
    "Comparison",
    "Evaluation",
    "Rows",
    "by_lesion",
    "ceiling_of",
    "compare",
    "evaluate",
    "log_test_opening",
    "logit_columns",
    "looks_at_test",
    "select_rows",
    "write_comparison",
    "write_evaluation",
]
