"""What the metrics are called on a page, and what each says in a few words."""

from __future__ import annotations

from collections.abc import Mapping

from edge_melanoma.metrics import Estimate, Rate, RateChange
from edge_melanoma.metrics.estimate import shown, span

WITHOUT_THRESHOLD: Mapping[str, tuple[str, str]] = {
    "roc_auc": ("ROC-AUC", "chance that a positive picture scores above a negative one"),
    "pauc80": ("pAUC80", "area above a sensitivity of 80 %, as in ISIC 2024; 0.2 is perfect, 0.02 chance"),
    "average_precision": ("average precision", "mean precision over the positives; chance is the prevalence"),
    "se_at_sp80": ("sensitivity at specificity 80 %", "the best on this very curve, so no promise"),
    "se_at_sp90": ("sensitivity at specificity 90 %", "likewise"),
    "se_at_sp95": ("sensitivity at specificity 95 %", "likewise"),
    "sp_at_se90": ("specificity at sensitivity 90 %", "likewise"),
    "sp_at_se95": ("specificity at sensitivity 95 %", "likewise"),
}
OF_PROBABILITY: Mapping[str, tuple[str, str]] = {
    "brier": ("Brier score", "mean squared error of the probability; lower is better"),
    "brier_skill": ("Brier skill", "gain over always saying the prevalence; 0 is none, 1 perfect"),
    "ece": ("calibration error (ECE)", "mean gap between said and observed over 15 bins of equally many"),
    "calibration_intercept": (
        "calibration intercept",
        "0 is right; above 0, probabilities are too low on the whole",
    ),
    "calibration_slope": ("calibration slope", "1 is right; below 1, probabilities are too extreme"),
}
OF_DECISION: Mapping[str, tuple[str, str]] = {
    "sensitivity": ("sensitivity", "share of the positives found"),
    "specificity": ("specificity", "share of the negatives spared"),
    "balanced_accuracy": ("balanced accuracy", "mean of the two"),
    "ppv": ("PPV", "share of positives among those referred, here"),
    "npv": ("NPV", "share of negatives among those not referred, here"),
    "ppv_at_prevalence": ("PPV at {prior}", "the same where {prior} are positive"),
    "npv_at_prevalence": ("NPV at {prior}", "the same where {prior} are positive"),
    "nnb": ("number needed to biopsy", "referred for one positive, here"),
    "nnb_at_prevalence": ("number needed to biopsy at {prior}", "the same where {prior} are positive"),
    "lr_positive": ("LR+", "how much a referral raises the odds"),
    "lr_negative": ("LR−", "how much its absence lowers them"),
    "f1": ("F1", "sensitivity and PPV alike"),
    "f2": ("F2", "a miss weighs four times as much"),
    "mcc": ("MCC", "correlation of decision and truth"),
}
SELECTIVE: Mapping[str, tuple[str, str]] = {
    "aurc": ("AURC", "mean share of wrong decisions over all coverages; lower is better"),
    "se_at_coverage90": ("sensitivity of the surest 90 %", "the tenth nearest to the threshold abstains"),
    "sp_at_coverage90": ("specificity of the surest 90 %", "likewise"),
    "se_at_coverage80": ("sensitivity of the surest 80 %", "the fifth nearest to the threshold abstains"),
    "sp_at_coverage80": ("specificity of the surest 80 %", "likewise"),
}
OF_CLASSES: Mapping[str, tuple[str, str]] = {
    "classes.balanced_accuracy": ("balanced accuracy", "mean recall, the metric of ISIC 2018 and 2019"),
    "classes.accuracy": ("accuracy", "share of right ones; the most frequent class dominates it"),
    "classes.macro_f1": ("macro F1", "mean F1 of the classes"),
    "classes.macro_auc": ("macro AUC", "mean AUC of each class against the rest"),
}


def value(estimate: Estimate | Rate | None) -> str:
    """The value alone."""
    return "–" if estimate is None else shown(estimate.value)


def whole(found: Estimate | Rate | RateChange | None) -> str:
    """Value and interval."""
    return "–" if found is None or found.value != found.value else str(found)


def interval(estimate: Estimate | Rate | None, *, bca: bool = False) -> str:
    """The interval alone."""
    if estimate is None:
        return "–"
    if isinstance(estimate, Rate):
        return "–" if bca else span(estimate.low, estimate.high)
    if bca and estimate.low_bca is None:
        return "–"
    low, high = (estimate.low_bca, estimate.high_bca) if bca else (estimate.low, estimate.high)
    return "–" if low is None or high is None or low != low else span(low, high)


def per_cent(share: float, digits: int = 1) -> str:
    """A share in per cent."""
    return f"{100 * share:.{digits}f} %"
