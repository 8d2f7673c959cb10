"""Which plots the page of an evaluation shows, each with the words for who cannot see it."""

from __future__ import annotations

import numpy as np

from edge_melanoma.decision import DecisionRule, logit
from edge_melanoma.evaluation import drawings
from edge_melanoma.evaluation.level import CURVE_AT
from edge_melanoma.evaluation.result import Evaluation
from edge_melanoma.metrics import Ranking

Plot = tuple[bytes, str]


def ranking_plots(evaluation: Evaluation) -> list[Plot]:
    """ROC and precision-recall, with the thresholds on them."""
    image, synthetic = evaluation.image, evaluation.synthetic
    roc = Ranking(image.y, image.log_odds).roc()
    recall, alarms = roc.sensitivity[0], roc.false_positive_rate[0]
    precision = roc.true_positive[0, 1:] / (roc.true_positive[0, 1:] + roc.false_positive[0, 1:])
    on_roc = {p.name: (1 - p.specificity.value, p.sensitivity.value) for p in image.operating_points}
    on_pr = {p.name: (p.sensitivity.value, p.ppv.value) for p in image.operating_points if p.ppv.trials}
    auc = image.metrics["roc_auc"]
    return [
        (
            drawings.roc_curve((alarms, recall), (CURVE_AT, *image.roc_band), on_roc, synthetic=synthetic),
            f"ROC curve with its band; the area is {auc}",
        ),
        (
            drawings.precision_recall_curve((recall[1:], precision), image.prevalence, on_pr, synthetic=synthetic),
            f"precision over recall; the mean precision is {image.metrics['average_precision']}",
        ),
    ]


def decision_plots(evaluation: Evaluation) -> list[Plot]:
    """Decision curve and risk over coverage."""
    image, synthetic = evaluation.image, evaluation.synthetic
    plots = [
        (
            drawings.decision_curve(image.net_benefit, synthetic=synthetic),
            "net benefit of referring by the model, all, none",
        )
    ]
    if image.risk_coverage is not None:
        curve = drawings.risk_coverage_curve(*image.risk_coverage, synthetic=synthetic)
        plots.append((curve, "share of wrong decisions over the share of pictures that get one"))
    return plots


def calibration_plots(evaluation: Evaluation) -> list[Plot]:
    """Reliability, and the scores of both classes."""
    image, synthetic = evaluation.image, evaluation.synthetic
    thresholds = {} if evaluation.rule is None else _thresholds(evaluation.rule)
    return [
        (drawings.reliability_curve(image.reliability, synthetic=synthetic), "said and observed share in 15 bins"),
        (
            drawings.score_histogram(image.y, image.log_odds, thresholds, synthetic=synthetic),
            "histogram of the scores of positive and negative pictures",
        ),
    ]


def class_plot(evaluation: Evaluation) -> bytes:
    """The confusion matrix."""
    image = evaluation.image
    counts = np.zeros((0, 0), np.int64) if image.confusion is None else image.confusion
    return drawings.matrix(counts, image.classes, synthetic=evaluation.synthetic)


def _thresholds(rule: DecisionRule) -> dict[str, float]:
    """As log-odds at the prevalence that the scores are for."""
    shown = rule.as_calibrated()
    return {"low": logit(shown.threshold_low.value), "refer": logit(shown.threshold_refer.value)}
