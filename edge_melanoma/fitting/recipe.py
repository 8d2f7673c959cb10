"""How a model is fitted: which pictures it sees how often, and the optimisation; checked before a picture is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_melanoma.errors import RecipeError

AugmentName = Literal["none", "light", "derm", "strong", "seed004", "seed004-degrees"]
BalanceMethod = Literal[
    "none", "batches", "sqrt", "oversample", "undersample", "class-weights", "logit-adjustment", "materialised"
]


@dataclass(frozen=True, kw_only=True)
class BalanceRecipe:
    """How the rare class is heard, in the training part only.

    `batches` draws every batch evenly from the classes; `sqrt` by the square root of their frequency; `oversample`
    and `undersample` change how often a picture comes in an epoch; `materialised` repeats pictures until each class
    has `per_class` more, as the studies did that wrote augmented copies to disk; `class-weights` weighs the loss;
    `logit-adjustment` shifts the logits by tau times the log-frequency in the loss.

    `centre_tau` does the like for where a picture comes from: in the loss the logits are shifted by that many times the
    log of how much more frequent a class is at the picture's centre than over all. What a centre photographs then
    explains itself, and the network gains nothing by recognising the centre.
    """

    method: BalanceMethod = "batches"
    per_class: int = 500  # materialised
    tau: float = 1.0  # logit-adjustment
    centre_tau: float = 0.0  # 0: centres are not told apart; 1: their shares are taken out whole

    def __post_init__(self) -> None:
        within("balance.per_class", self.per_class, 1, 10**7)
        within("balance.tau", self.tau, 0, 5)
        within("balance.centre_tau", self.centre_tau, 0, 5)


@dataclass(frozen=True, kw_only=True)
class FitRecipe:
    """The optimisation: first the head alone, then everything."""

    batch: int = 32
    head_epochs: int = 1
    epochs: int = 12  # after the head's
    steps_per_epoch: int | None = None  # None: as many as show the training part once
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    head_learning_rate: float = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_epochs: float = 1.0
    weight_decay: float = 1e-4
    clip_norm: float | None = 1.0
    loss: Literal["ce", "focal"] = "ce"
    focal_gamma: float = 2.0
    label_smoothing: float = 0.0
    ema: float | None = 0.99  # decay of the averaged weights a step; None: no averaging
    batch_norm_momentum: float = 0.9  # the frameworks' .99 leaves the statistics behind in a short fine-tuning
    monitor: Literal["auc", "loss", "balanced_accuracy"] = "auc"  # on the validation part
    patience: int | None = None  # epochs without a better value; None: never stop early
    mixed_precision: Literal["auto", "on", "off"] = "auto"  # auto: on a GPU
    deterministic: bool = True

    def __post_init__(self) -> None:
        within("fit.batch", self.batch, 1, 65536)
        within("fit.head_epochs", self.head_epochs, 0, 10000)
        within("fit.epochs", self.epochs, 0, 10000)
        if self.head_epochs + self.epochs == 0:
            raise RecipeError("fit.head_epochs and fit.epochs are both 0: nothing would be trained")
        for name, highest in (("learning_rate", 10.0), ("head_learning_rate", 10.0)):
            above("fit." + name, getattr(self, name), 0, highest)
        within("fit.warmup_epochs", self.warmup_epochs, 0, 1000)
        within("fit.weight_decay", self.weight_decay, 0, 1)
        within("fit.focal_gamma", self.focal_gamma, 0, 10)
        within("fit.label_smoothing", self.label_smoothing, 0, 0.5)
        within("fit.batch_norm_momentum", self.batch_norm_momentum, 0, 0.9999)
        if self.ema is not None:
            within("fit.ema", self.ema, 0, 0.99999)
        if self.patience is not None:
            within("fit.patience", self.patience, 1, 10000)
        if self.clip_norm is not None:
            above("fit.clip_norm", self.clip_norm, 0, 1e6)
        if self.steps_per_epoch is not None:
            within("fit.steps_per_epoch", self.steps_per_epoch, 1, 10**9)

    @property
    def all_epochs(self) -> int:
        return self.head_epochs + self.epochs


def within(name: str, value: float, lowest: float, highest: float) -> None:
    """Refuse a number outside [lowest, highest]."""
    if not lowest <= value <= highest:
        raise RecipeError(f"{name} is {value}; {_plain(lowest)} to {_plain(highest)} is possible")


def above(name: str, value: float, lowest: float, highest: float) -> None:
    """Refuse a number outside (lowest, highest]."""
    if not lowest < value <= highest:
        raise RecipeError(f"{name} is {value}; above {_plain(lowest)} and up to {_plain(highest)} is possible")


def _plain(limit: float) -> str:
    """A limit as one would type it: a whole number with all its digits."""
    return str(int(limit)) if limit == int(limit) else f"{limit:g}"
