"""What a training is: every choice that changes its result, with a default, checked before a picture is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edge_melanoma.errors import RecipeError
from edge_melanoma.labels import AkPolicy, Task, task
from edge_melanoma.preprocess import GeometryName, PreprocessContract

BalanceMethod = Literal[
    "none", "batches", "sqrt", "oversample", "undersample", "class-weights", "logit-adjustment", "materialised"
]


@dataclass(frozen=True, kw_only=True)
class TaskRecipe:
    """The question."""

    name: str = "mel"
    ak_policy: AkPolicy = "mixed"

    def __post_init__(self) -> None:
        self.task()

    def task(self) -> Task:
        return task(self.name, ak_policy=self.ak_policy)


@dataclass(frozen=True, kw_only=True)
class ModelRecipe:
    """The network."""

    backbone: str = "mobilenetv2-0.35"
    size: int = 96  # pixels, square
    geometry: GeometryName = "crop"
    dropout: float = 0.2
    weights: str = "none"  # none, imagenet, the path of an .h5 file, or that of a run

    def __post_init__(self) -> None:
        _within("model.dropout", self.dropout, 0, 0.9)
        self.contract()

    def contract(self) -> PreprocessContract:
        return PreprocessContract(width=self.size, height=self.size, geometry=self.geometry)


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """Which pictures, and where their pixels are kept."""

    cache: Literal["memory", "disk"] = "memory"
    max_pictures: int | None = None  # of the training part: a seeded sample, stratified by class
    workers: int | None = None  # processes that augment; None: all cores

    def __post_init__(self) -> None:
        if self.max_pictures is not None:
            _within("data.max_pictures", self.max_pictures, 2, 10**9)
        if self.workers is not None:
            _within("data.workers", self.workers, 1, 256)


@dataclass(frozen=True, kw_only=True)
class BalanceRecipe:
    """How the rare class is heard, in the training part only.

    `batches` draws every batch evenly from the classes; `sqrt` by the square root of their frequency; `oversample`
    and `undersample` change how often a picture comes in an epoch; `materialised` repeats pictures until each class
    has `per_class` more, as the studies did that wrote augmented copies to disk; `class-weights` weighs the loss;
    `logit-adjustment` shifts the logits by tau times the log-frequency in the loss.
    """

    method: BalanceMethod = "batches"
    per_class: int = 500  # materialised
    tau: float = 1.0  # logit-adjustment

    def __post_init__(self) -> None:
        _within("balance.per_class", self.per_class, 1, 10**7)
        _within("balance.tau", self.tau, 0, 5)


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
        _within("fit.batch", self.batch, 1, 65536)
        _within("fit.head_epochs", self.head_epochs, 0, 10000)
        _within("fit.epochs", self.epochs, 0, 10000)
        if self.head_epochs + self.epochs == 0:
            raise RecipeError("fit.head_epochs and fit.epochs are both 0: nothing would be trained")
        for name, highest in (("learning_rate", 10.0), ("head_learning_rate", 10.0)):
            _above("fit." + name, getattr(self, name), 0, highest)
        _within("fit.warmup_epochs", self.warmup_epochs, 0, 1000)
        _within("fit.weight_decay", self.weight_decay, 0, 1)
        _within("fit.focal_gamma", self.focal_gamma, 0, 10)
        _within("fit.label_smoothing", self.label_smoothing, 0, 0.5)
        _within("fit.batch_norm_momentum", self.batch_norm_momentum, 0, 0.9999)
        if self.ema is not None:
            _within("fit.ema", self.ema, 0, 0.99999)
        if self.patience is not None:
            _within("fit.patience", self.patience, 1, 10000)
        if self.clip_norm is not None:
            _above("fit.clip_norm", self.clip_norm, 0, 1e6)
        if self.steps_per_epoch is not None:
            _within("fit.steps_per_epoch", self.steps_per_epoch, 1, 10**9)

    @property
    def all_epochs(self) -> int:
        return self.head_epochs + self.epochs


@dataclass(frozen=True, kw_only=True)
class TrainRecipe:
    """A whole training."""

    description: str = ""
    seed: int = 0
    task: TaskRecipe = field(default_factory=TaskRecipe)
    model: ModelRecipe = field(default_factory=ModelRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    augment: Literal["none", "light", "derm", "strong", "seed004", "seed004-degrees"] = "derm"
    balance: BalanceRecipe = field(default_factory=BalanceRecipe)
    fit: FitRecipe = field(default_factory=FitRecipe)

    def __post_init__(self) -> None:
        _within("seed", self.seed, 0, 2**31 - 1)
        classes = len(self.task.task().classes)
        if self.balance.method == "batches" and self.fit.batch < classes:
            raise RecipeError(f"fit.batch is {self.fit.batch}: a balanced batch of {classes} classes needs as many")


def _within(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise RecipeError(f"{name} is {value}; {lowest:g} to {highest:g} is possible")


def _above(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest < value <= highest:
        raise RecipeError(f"{name} is {value}; above {lowest:g} and up to {highest:g} is possible")
