"""Logits with the probability, the scores and the decision that Python makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edge_melanoma.decision import DecisionRule, Interval, Threshold, with_prevalence

SEED = 21
CASES_PER_RULE = 600


def write_decisions(out: Path) -> None:
    """`decisions.json`: rules of several kinds, each with its cases."""
    rng = np.random.default_rng(SEED)
    content = [{"rule": rule.to_json(), "cases": _cases(rule, rng)} for rule in _rules()]
    (out / "decisions.json").write_text(json.dumps(content), encoding="utf-8")


def _rules() -> list[DecisionRule]:
    seven = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    balanced = (1 / 7,) * 7
    rare = with_prevalence((0.03, 0.05, 0.11, 0.01, 0.11, 0.67, 0.02), (4,), 0.02)
    return [
        _rule(("other", "melanoma"), (1,), 1.25, (0.5, 0.5), (0.6, 0.4), 0.3, 0.6),
        _rule(("other", "melanoma"), (1,), 0.32, (0.5, 0.5), (0.99, 0.01), 0.004, 0.02),
        _rule(("benign", "malignant"), (1,), 4.0, (0.999, 0.001), (0.001, 0.999), 0.5, 0.5),
        _rule(seven, (4,), 1.24, balanced, rare, 0.01, 0.05),
        _rule(seven, (0, 1, 4), 0.9, balanced, tuple(rare), 0.05, 0.2),
        _rule(("a", "b", "c"), (0, 2), 2.0, (0.2, 0.3, 0.5), (0.5, 0.3, 0.2), 0.0, 1.0),
    ]


def _rule(
    classes: tuple[str, ...],
    positive: tuple[int, ...],
    temperature: float,
    train: tuple[float, ...],
    deploy: tuple[float, ...],
    low: float,
    refer: float,
) -> DecisionRule:
    def threshold(value: float) -> Threshold:
        known = Interval(value=0.9, low=0.8, high=1.0)
        return Threshold(value=value, low=value, high=value, chosen_for="a test", sensitivity=known, specificity=known)

    return DecisionRule(
        task="made up",
        classes=classes,
        positive=positive,
        temperature=Interval(value=temperature, low=temperature, high=temperature),
        shares_train=train,
        shares_deploy=deploy,
        threshold_low=threshold(low),
        threshold_refer=threshold(refer),
    )


def _cases(rule: DecisionRule, rng: np.random.Generator) -> list[list[Any]]:
    spread = rng.choice([0.1, 3.0, 30.0, 1000.0], (CASES_PER_RULE, 1))
    logits = (rng.normal(0, 1, (CASES_PER_RULE, len(rule.classes))) * spread).astype(np.float32)
    probability, scores = rule.probability(logits), rule.scores(logits)
    decisions = rule.decisions(probability)
    return [
        [row.tolist(), p, score.tolist(), decision]
        for row, p, score, decision in zip(logits, probability.tolist(), scores, decisions, strict=True)
    ]
