"""From a picture to a decision by one bundle: what `predict` prints, `bench` times, and the Android app does too.

    predictor = open_predictor("model.tflite")  # proved on this machine first; Predictor(bundle) is without
    found = predictor.predict(Path("lesion.jpg"))
    found.decision, found.probability, found.reasons

The steps stand apart, to be timed one by one and run beside each other: `look` (decode, shrink, judge the capture)
needs no model and lets other threads run meanwhile, `infer` only a tensor, `decide` only numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.bundle import Bundle
from edge_melanoma.capture import CaptureGate, Reason, measure
from edge_melanoma.decision import Decision
from edge_melanoma.picture import decode, open_picture
from edge_melanoma.preprocess import PreprocessContract
from edge_melanoma.runtime.door import Model

BETWEEN = Reason(code="between", words="the probability lies between the thresholds of low and refer")


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """A picture before the model saw it."""

    tensor: NDArray[np.uint8] = field(repr=False)  # [H,W,3], as the contract makes it
    reasons: tuple[Reason, ...]  # why it is not fit to be judged; none: it is


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a bundle says of one picture."""

    decision: Decision
    probability: float  # of the positive classes, calibrated, at the prevalence that the bundle states
    reasons: tuple[Reason, ...]  # why it is `uncertain`
    scores: Mapping[str, float]  # the same probability for every class; they add up to 1


class Predictor:
    """A bundle, ready to judge pictures; not to be shared between threads, except for `look`."""

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        self.bundle = bundle
        self.model = Model(bundle.model, threads=threads, name=bundle.name)
        self.warnings: tuple[str, ...] = ()  # of how it does on this machine, where it was asked to prove itself

    def predict(self, picture: Path | bytes, *, name: str | None = None) -> Prediction:
        """The decision on a picture file or its bytes; PictureError where it cannot be read."""
        found = look(picture, self.bundle.contract, self.bundle.manifest.capture_gate, name=name)
        return self.decide(self.infer(found.tensor), found)

    def look(self, picture: Path | bytes, *, name: str | None = None) -> Look:
        """The picture as the model will see it, and whether it is fit to be judged."""
        return look(picture, self.bundle.contract, self.bundle.manifest.capture_gate, name=name)

    def infer(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The logits of one tensor [H,W,3]."""
        logits: NDArray[np.float32] = self.model.logits(tensor[None])[0]
        return logits

    def decide(self, logits: NDArray[np.float32], found: Look) -> Prediction:
        """The decision; a picture that is not fit to be judged is `uncertain` whatever the model made of it."""
        rule = self.bundle.rule
        probability = float(rule.probability(logits))
        decision = rule.decide(probability)
        reasons = found.reasons
        if reasons:
            decision = "uncertain"
        elif decision == "uncertain":
            reasons = (BETWEEN,)
        scores = dict(zip(rule.classes, rule.scores(logits).tolist(), strict=True))
        return Prediction(decision=decision, probability=probability, reasons=reasons, scores=scores)


def look(
    picture: Path | bytes, contract: PreprocessContract, gate: CaptureGate | None, *, name: str | None = None
) -> Look:
    """The picture as the model will see it, and whether it is fit to be judged."""
    file = open_picture(picture, name=name)
    tensor = contract.image_to_tensor(decode(file, contract.reduction(file.facts)))
    if gate is None:
        return Look(tensor=tensor, reasons=())
    return Look(tensor=tensor, reasons=gate.reasons(measure(tensor, contract, file.facts.upright_size)))
