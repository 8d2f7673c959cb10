"""From the model's logits to `low`, `uncertain` or `refer`: the only such code in Python, from training to the device.

A model returns logits, because an int8 probability is too coarse for a screening threshold. What turns them into a
decision is float arithmetic that travels with the model:

    p' = softmax(logits / temperature + log shares_deploy − log shares_train), summed over the positive classes
    p' < threshold_low → low     p' ≥ threshold_refer → refer     between → uncertain

The shares undo the balance that the model was trained with, class by class: 0.90 learned at one melanoma in two is
0.083 where one picture in a hundred is one, and a rare benign class that was shown often counts for less. NumPy only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_melanoma.errors import ArtifactError, DataError, RecipeError

RULE_VERSION = 1
MOST_PROBABILITY_CHANGE = 0.05  # that a conversion or an engine may make: what a reader sees stays about the same

Decision = Literal["low", "uncertain", "refer"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value and how well it is known."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.low) and math.isfinite(self.high)):
            raise RecipeError(f"interval {self.value} ({self.low} to {self.high}): three finite numbers are needed")


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A probability that divides two answers, what it was chosen for, and what it did where it was chosen."""

    value: float
    low: float  # the interval of the value
    high: float
    chosen_for: str  # "sensitivity of at least 0.95"
    sensitivity: Interval
    specificity: Interval

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.value <= self.high <= 1:
            raise RecipeError(
                f"threshold {self.value} ({self.low} to {self.high}): a probability inside its interval is needed"
            )


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """How logits become a decision; frozen once thresholds were chosen, and carried by run and bundle."""

    task: str
    classes: tuple[str, ...]  # in the order of the logits
    positive: tuple[int, ...]  # the classes whose probabilities add up to the one that is decided on
    temperature: Interval
    shares_train: tuple[float, ...]  # of the classes that the model learned from, as balanced
    shares_deploy: tuple[float, ...]  # of the classes that the thresholds and the shown probability are for
    threshold_low: Threshold
    threshold_refer: Threshold
    fitted_on: Mapping[str, Any] = field(default_factory=dict)  # part, rows, positives, prevalence, remarks …
    version: int = RULE_VERSION

    def __post_init__(self) -> None:
        if self.version != RULE_VERSION:
            raise RecipeError(f"decision rule of version {self.version}; this program knows version {RULE_VERSION}")
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise RecipeError(f"classes {', '.join(self.classes)}: two or more are needed, none twice")
        places, inside = set(self.positive), range(len(self.classes))
        if not places or len(places) != len(self.positive) or not places < set(inside):
            raise RecipeError(f"positive classes {self.positive}: some, not all, of 0 to {len(self.classes) - 1}")
        if not self.temperature.value > 0:
            raise RecipeError(f"temperature {self.temperature.value}: above 0 is needed")
        for name in ("shares_train", "shares_deploy"):
            shares = getattr(self, name)
            if len(shares) != len(self.classes) or not all(0 < share < 1 for share in shares):
                raise RecipeError(f"{name} {shares}: a share between 0 and 1 is needed for each class")
            if abs(math.fsum(shares) - 1) > 1e-6:
                raise RecipeError(f"{name} {shares}: add up to {math.fsum(shares):g}, not 1")
        if self.threshold_low.value > self.threshold_refer.value:
            raise RecipeError(
                f"threshold_low {self.threshold_low.value} lies above threshold_refer {self.threshold_refer.value}"
            )

    @property
    def prior_train(self) -> float:
        """The share of positives that the model learned from."""
        return math.fsum(self.shares_train[place] for place in self.positive)

    @property
    def prior_deploy(self) -> float:
        """The share of positives that the shown probability is for."""
        return math.fsum(self.shares_deploy[place] for place in self.positive)

    def log_odds(self, logits: ArrayLike) -> Floats:
        """The log-odds of p' for logits of the shape (…, class)."""
        z = np.asarray(logits, np.float64)
        if z.ndim < 1 or z.shape[-1] != len(self.classes):
            raise DataError(f"logits of the shape {z.shape}; {len(self.classes)} of them are needed for each picture")
        moved = shares_moved(self.shares_train, self.shares_deploy)
        return positive_log_odds(z, self.positive, temperature=self.temperature.value, moved=moved)

    def probability(self, logits: ArrayLike) -> Floats:
        """p' for logits of the shape (…, class): calibrated, and for the prevalence of `prior_deploy`."""
        return probability_of(self.log_odds(logits))

    def scores(self, logits: ArrayLike) -> Floats:
        """The share of p' and its like for every class; (…, class) -> (…, class), adding up to 1."""
        moved = shares_moved(self.shares_train, self.shares_deploy)
        z = np.asarray(logits, np.float64) / self.temperature.value + moved
        return np.asarray(np.exp(z - _log_sum_exp(z)[..., None]))

    def called(self, logits: ArrayLike) -> NDArray[np.int64]:
        """The likeliest class for logits of the shape (…, class) where all classes are equally common."""
        z = np.asarray(logits, np.float64) / self.temperature.value - np.log(self.shares_train)
        return np.asarray(z.argmax(axis=-1), np.int64)

    def decide(self, p: float) -> Decision:
        """The decision for one probability."""
        if not 0 <= p <= 1:  # a NaN must never pass for `low`
            raise DataError(f"probability {p}: between 0 and 1 is needed")
        return "refer" if p >= self.threshold_refer.value else "low" if p < self.threshold_low.value else "uncertain"

    def decisions(self, p: ArrayLike) -> list[Decision]:
        """The decision for each of many probabilities."""
        return [self.decide(value) for value in np.asarray(p, np.float64).ravel().tolist()]

    def at_prior(self, prior_deploy: float) -> DecisionRule:
        """The same decisions, with probabilities and thresholds expressed for another prevalence of the positives."""
        if not 0 < prior_deploy < 1:
            raise RecipeError(f"prevalence {prior_deploy}: a share between 0 and 1 is needed")
        shift = logit(prior_deploy) - logit(self.prior_deploy)
        return replace(
            self,
            shares_deploy=with_prevalence(self.shares_deploy, self.positive, prior_deploy),
            threshold_low=_shifted(self.threshold_low, shift),
            threshold_refer=_shifted(self.threshold_refer, shift),
        )

    def as_calibrated(self) -> DecisionRule:
        """The same decisions, expressed for the prevalence of the pictures that they were chosen on."""
        return self.at_prior(float(self.fitted_on.get("prevalence", self.prior_deploy)))

    def to_json(self) -> dict[str, Any]:
        """The rule as a run and a bundle carry it."""
        return {
            "version": self.version,
            "task": self.task,
            "classes": list(self.classes),
            "positive": list(self.positive),
            "temperature": vars(self.temperature),
            "shares_train": list(self.shares_train),
            "shares_deploy": list(self.shares_deploy),
            "threshold_low": _threshold_to_json(self.threshold_low),
            "threshold_refer": _threshold_to_json(self.threshold_refer),
            "fitted_on": dict(self.fitted_on),
        }

    @classmethod
    def from_json(cls, value: Any) -> DecisionRule:
        """Read a rule back; a key too many, a key missing or a value of another kind is an error."""
        given = _keys(value, {f.name for f in fields(cls)}, "decision rule")
        try:
            return cls(
                version=_of(int, given, "version"),
                task=_of(str, given, "task"),
                classes=tuple(_each(str, given, "classes")),
                positive=tuple(_each(int, given, "positive")),
                temperature=_interval(given["temperature"], "temperature"),
                shares_train=tuple(_each(float, given, "shares_train")),
                shares_deploy=tuple(_each(float, given, "shares_deploy")),
                threshold_low=_threshold(given["threshold_low"], "threshold_low"),
                threshold_refer=_threshold(given["threshold_refer"], "threshold_refer"),
                fitted_on=_of(dict, given, "fitted_on"),
            )
        except RecipeError as error:
            raise ArtifactError(f"decision rule: {error}") from error


def positive_classes(classes: Sequence[str]) -> tuple[int, ...]:
    """The classes of a task that the decision is about: the second of two, and melanoma among many."""
    if len(classes) == 2:
        return (1,)
    found = tuple(place for place, name in enumerate(classes) if name in ("mel", "melanoma"))
    if not found:
        raise RecipeError(f"classes {', '.join(classes)}: none is called mel, so there is nothing to refer for")
    return found


def called(logits: ArrayLike, rule: DecisionRule | None) -> NDArray[np.int64]:
    """The likeliest class where all are equally common, as balanced accuracy asks; without a rule, the highest logit.

    The highest logit alone would depend on how common the training made each class.
    """
    return np.asarray(np.asarray(logits).argmax(axis=-1), np.int64) if rule is None else rule.called(logits)


def shares_moved(train: ArrayLike, deploy: ArrayLike) -> Floats:
    """What is added to the logit of each class to get from one set of class shares to the other."""
    return np.asarray(np.log(np.asarray(deploy, np.float64)) - np.log(np.asarray(train, np.float64)))


def with_prevalence(shares: Sequence[float], positive: Sequence[int], prevalence: float) -> tuple[float, ...]:
    """The shares with the positives together at `prevalence`; among them, and among the others, as before."""
    now = math.fsum(shares[place] for place in positive)
    up, down = prevalence / now, (1 - prevalence) / (1 - now)
    return tuple(share * (up if place in positive else down) for place, share in enumerate(shares))


def positive_log_odds(
    logits: ArrayLike, positive: Sequence[int], *, temperature: float = 1.0, moved: ArrayLike = 0.0
) -> Floats:
    """The log-odds of the positive classes together, `moved` being added to each logit; (…, class) -> (…)."""
    z = np.asarray(logits, np.float64) / temperature + np.asarray(moved, np.float64)
    if not np.isfinite(z).all():
        raise DataError(f"{(~np.isfinite(z)).sum():,} of {z.size:,} logits are not finite; the model is broken")
    chosen = np.zeros(z.shape[-1], bool)
    chosen[list(positive)] = True
    return _log_sum_exp(z[..., chosen]) - _log_sum_exp(z[..., ~chosen])


def probability_of(log_odds: ArrayLike) -> Floats:
    """1 / (1 + exp(−x)), without overflow."""
    x = np.asarray(log_odds, np.float64)
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, small) / (1.0 + small))


def _log_sum_exp(z: Floats) -> Floats:
    highest = z.max(axis=-1)
    return np.asarray(highest + np.log(np.exp(z - highest[..., None]).sum(axis=-1)))


def logit(p: float) -> float:
    """The log-odds of one probability."""
    return -math.inf if p == 0 else math.inf if p == 1 else math.log(p) - math.log1p(-p)


def _shifted(threshold: Threshold, shift: float) -> Threshold:
    def moved(p: float) -> float:
        return float(probability_of(logit(p) + shift))

    return replace(threshold, value=moved(threshold.value), low=moved(threshold.low), high=moved(threshold.high))


def _threshold_to_json(threshold: Threshold) -> dict[str, Any]:
    return {
        **vars(threshold),
        "sensitivity": vars(threshold.sensitivity),
        "specificity": vars(threshold.specificity),
    }


def _threshold(value: Any, where: str) -> Threshold:
    given = _keys(value, {f.name for f in fields(Threshold)}, where)
    return Threshold(
        value=_of(float, given, "value"),
        low=_of(float, given, "low"),
        high=_of(float, given, "high"),
        chosen_for=_of(str, given, "chosen_for"),
        sensitivity=_interval(given["sensitivity"], f"{where}.sensitivity"),
        specificity=_interval(given["specificity"], f"{where}.specificity"),
    )


def _interval(value: Any, where: str) -> Interval:
    given = _keys(value, {"value", "low", "high"}, where)
    return Interval(**{name: _of(float, given, name) for name in ("value", "low", "high")})


def _keys(value: Any, expected: set[str], where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ArtifactError(f"{where}: is {type(value).__name__}, not an object with {', '.join(sorted(expected))}")
    for problem, names in (("lacks", expected - value.keys()), ("has the unknown key", value.keys() - expected)):
        if names:
            raise ArtifactError(f"{where}: {problem} {', '.join(sorted(map(str, names)))}")
    return cast(dict[str, Any], value)


def _of(kind: type, given: Mapping[str, Any], name: str) -> Any:
    value = given[name]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ArtifactError(f"{name}: is {value!r}, not {kind.__name__}")
    return value


def _each(kind: type, given: Mapping[str, Any], name: str) -> list[Any]:
    return [_of(kind, {name: item}, name) for item in _of(list, given, name)]
