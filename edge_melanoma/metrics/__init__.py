"""How well scores and decisions tell classes apart, each figure with the interval that repeated pictures leave.

    auc = roc_auc(y, score)
    found = bootstrap(ranking_measures(y, score), y, groups, rng=np.random.default_rng(0))
    print(found.estimate("pauc80"))            # 0.143 (0.121–0.160)

    both = together(*(prefixed(f"{name}/", ranking_measures(y, s)) for name, s in (("float", s0), ("int8", s1))))
    apart = bootstrap(both, y, groups, rng=rng).difference("int8/roc_auc", "float/roc_auc")    # on the same draws

A metric that is to have an interval takes weights: a matrix (round, row) that says how often a bootstrap round drew
each row, so that all rounds are counted at once. Whole groups (patients, lesions) are drawn, never single pictures.
NumPy only: the same figures on a server and on a Raspberry Pi.
"""

from __future__ import annotations

from edge_melanoma.metrics.bootstrap import Bootstrap, Measures, bootstrap, cluster_bootstrap, prefixed, together
from edge_melanoma.metrics.classes import class_measures, confusion_matrix, macro_recall
from edge_melanoma.metrics.decisions import (
    Counts,
    McNemar,
    NetBenefit,
    Rate,
    RateChange,
    count,
    decision_measures,
    grouped_change,
    grouped_wilson,
    mcnemar,
    net_benefit,
    predictive_value,
    wilson,
)
from edge_melanoma.metrics.delong import DeLong, delong, delong_difference
from edge_melanoma.metrics.estimate import Estimate, Floats, Statistic
from edge_melanoma.metrics.probability import (
    Bin,
    brier,
    calibration_error,
    calibration_error_floor,
    calibration_line,
    equal_mass_bins,
    probability_measures,
    reliability,
)
from edge_melanoma.metrics.ranking import (
    Ranking,
    Roc,
    average_precision,
    pauc80,
    ranking_measures,
    roc_auc,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    weighted_roc_auc,
)
from edge_melanoma.metrics.selective import risk_coverage, selective_measures

__all__ = [
    "Bin",
    "Bootstrap",
    "Counts",
    "DeLong",
    "Estimate",
    "Floats",
    "McNemar",
    "Measures",
    "NetBenefit",
    "Ranking",
    "Rate",
    "RateChange",
    "Roc",
    "Statistic",
    "average_precision",
    "bootstrap",
    "brier",
    "calibration_error",
    "calibration_error_floor",
    "calibration_line",
    "class_measures",
    "cluster_bootstrap",
    "confusion_matrix",
    "count",
    "decision_measures",
    "delong",
    "delong_difference",
    "equal_mass_bins",
    "grouped_change",
    "grouped_wilson",
    "macro_recall",
    "mcnemar",
    "net_benefit",
    "pauc80",
    "predictive_value",
    "prefixed",
    "probability_measures",
    "ranking_measures",
    "reliability",
    "risk_coverage",
    "roc_auc",
    "selective_measures",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
    "together",
    "weighted_roc_auc",
    "wilson",
]
