"""The gate as a list: what each check is called, what it asks, and which view decides it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge_melanoma.parity import findings_decisions as decisions
from edge_melanoma.parity import findings_scores as scores
from edge_melanoma.parity.gate import MINUS, Facts, Finding, GateRow, Judged, per_cent
from edge_melanoma.parity.recipe import GateRecipe, View
from edge_melanoma.parity.view import ViewResult

_COUNTED = {"either threshold": "at either threshold", "any change": "all", "refer or not": "into or out of refer"}
_EITHER: View = "both"  # the view makes no difference


@dataclass(frozen=True)
class _Check:
    name: str
    title: str
    asked: Callable[[GateRecipe], str]
    view: Callable[[GateRecipe], View]
    find: Callable[[Judged], Finding]


_CHECKS = (
    _Check(
        "positives",
        "positives to judge by",
        lambda r: f"≥ {r.min_positives}",
        lambda r: _EITHER,
        decisions.positives,
    ),
    _Check(
        "float_logits",
        "float TFLite against Keras: largest logit difference",
        lambda r: f"≤ {r.max_float_logit_difference:g}; hard > {r.hard_float_logit_difference:g}",
        lambda r: _EITHER,
        scores.float_logits,
    ),
    _Check(
        "auc",
        "change of ROC-AUC",
        lambda r: (
            f"lower bound ≥ {MINUS}{r.max_auc_drop:g}; hard: value < {MINUS}{r.hard_auc_drop:g}; "
            f"aim ≥ {MINUS}{r.aim_auc_drop:g}"
        ),
        lambda r: r.ranking_view,
        scores.auc,
    ),
    _Check(
        "pauc80",
        "change of pAUC80",
        lambda r: f"lower bound ≥ {MINUS}{r.max_pauc80_drop:g}",
        lambda r: r.ranking_view,
        scores.pauc80,
    ),
    _Check(
        "sensitivity",
        "change of the sensitivity of refer",
        lambda r: f"≥ {MINUS}{100 * r.max_sensitivity_drop:g} pp; hard < {MINUS}{100 * r.hard_sensitivity_drop:g} pp",
        lambda r: r.sensitivity_view,
        decisions.sensitivity,
    ),
    _Check(
        "subgroup",
        "change of the sensitivity in the worst subgroup",
        lambda r: f"≥ {MINUS}{100 * r.max_subgroup_drop:g} pp",
        lambda r: r.subgroup_view,
        decisions.subgroup,
    ),
    _Check(
        "flips",
        "changed decisions",
        lambda r: (
            f"{_COUNTED[r.flips_are]} ≤ {per_cent(r.max_flips)}; hard > {per_cent(r.hard_flips)}; "
            f"aim ≤ {per_cent(r.aim_flips)}"
        ),
        lambda r: r.flips_view,
        decisions.flips,
    ),
    _Check(
        "flips_near",
        "changed decisions near a threshold",
        lambda r: f"≤ {per_cent(r.max_flips_near)}",
        lambda r: r.flips_view,
        decisions.flips_near,
    ),
    _Check(
        "positives_to_low",
        "positives that became low",
        lambda r: "count and ids" if r.max_positives_to_low is None else f"≤ {r.max_positives_to_low}",
        lambda r: r.sensitivity_view,
        decisions.positives_to_low,
    ),
    _Check(
        "abstain",
        "agreement on uncertain",
        lambda r: f"≥ {per_cent(r.min_abstain_agreement)}",
        lambda r: r.abstain_view,
        decisions.abstain,
    ),
    _Check(
        "threshold_inside",
        "thresholds inside the range of the output",
        lambda r: "strictly inside; hard: refer outside",
        lambda r: r.threshold_view,
        scores.threshold_inside,
    ),
    _Check(
        "levels",
        "distinct output levels",
        lambda r: f"≥ {r.min_levels}; hard < {r.hard_levels}",
        lambda r: _EITHER,
        scores.levels,
    ),
    _Check(
        "step",
        "probability per output level, at a threshold",
        lambda r: f"≤ {r.max_step:g}",
        lambda r: r.step_view,
        scores.step,
    ),
    _Check(
        "probability",
        "change of the shown probability, 99th percentile",
        lambda r: f"≤ {r.max_probability_change:g}",
        lambda r: r.probability_view,
        scores.probability,
    ),
    _Check(
        "calibration",
        "rise of the calibration error (ECE)",
        lambda r: f"≤ {r.max_ece_rise:g}",
        lambda r: r.probability_view,
        scores.calibration,
    ),
    _Check(
        "temperature",
        "temperature, converted over float",
        lambda r: f"{r.min_temperature_ratio:g} to {r.max_temperature_ratio:g}",
        lambda r: _EITHER,
        scores.temperature,
    ),
)
NAMES = tuple(check.name for check in _CHECKS)


def gate_rows(recipe: GateRecipe, views: Mapping[str, ViewResult], facts: Facts) -> tuple[GateRow, ...]:
    """Every check under every view."""
    return tuple(
        GateRow(
            name=check.name,
            title=check.title,
            asked=check.asked(recipe),
            view=check.view(recipe),
            findings={name: check.find(Judged(recipe=recipe, view=view, facts=facts)) for name, view in views.items()},
        )
        for check in _CHECKS
        if check.name != "float_logits" or facts.float_logit_difference is not None
    )
