"""What a conversion is: the format, how far it may go to pass the gate, and what the gate asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from edge_melanoma.errors import RecipeError
from edge_melanoma.fitting.recipe import AugmentName, above, within
from edge_melanoma.parity.recipe import GateRecipe

from .cluster import ClusterRecipe
from .prune import PruneRecipe

Format = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
Rung = Literal["post-training", "calibrated rounding", "mixed precision", "quantisation-aware"]
RUNGS: tuple[Rung, ...] = get_args(Rung)


@dataclass(frozen=True, kw_only=True)
class CalibrationPictures:
    """The training pictures that ranges and roundings are taken from: a stratified draw."""

    pictures: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        within("calibration.pictures", self.pictures, 20, 5000)
        within("calibration.seed", self.seed, 0, 2**31 - 1)


@dataclass(frozen=True, kw_only=True)
class TuneRecipe:
    """The short training that pruning and quantisation-aware training need, taught by the float model."""

    epochs: int = 3
    batch: int = 32
    learning_rate: float = 1e-5
    distill: float = 1.0  # share of the loss that asks for the float model's answers, against the labels'
    augment: AugmentName = "light"
    steps_per_epoch: int | None = None  # None: as many as show the training part once
    workers: int | None = None

    def __post_init__(self) -> None:
        within("tune.epochs", self.epochs, 1, 1000)
        within("tune.batch", self.batch, 1, 4096)
        above("tune.learning_rate", self.learning_rate, 0, 1)
        within("tune.distill", self.distill, 0, 1)
        if self.steps_per_epoch is not None:
            within("tune.steps_per_epoch", self.steps_per_epoch, 1, 10**9)
        if self.workers is not None:
            within("tune.workers", self.workers, 1, 256)


@dataclass(frozen=True, kw_only=True)
class ConvertRecipe:
    """A whole conversion."""

    description: str = ""
    format: Format = "int8"
    rungs: tuple[str, ...] = RUNGS  # of the int8 ladder, climbed until the gate is passed
    seed: int = 0
    calibration: CalibrationPictures = field(default_factory=CalibrationPictures)
    prune: PruneRecipe | None = None
    cluster: ClusterRecipe | None = None
    repair: TuneRecipe = field(default_factory=lambda: TuneRecipe(epochs=12, learning_rate=1e-3))  # prune, cluster
    tune: TuneRecipe = field(default_factory=TuneRecipe)  # quantisation-aware
    gate: GateRecipe = field(default_factory=GateRecipe)
    rounds: int = 2000  # of the paired bootstrap on the test part

    def __post_init__(self) -> None:
        within("seed", self.seed, 0, 2**31 - 1)
        within("rounds", self.rounds, 100, 10**6)
        unknown = [rung for rung in self.rungs if rung not in RUNGS]
        if unknown or not self.rungs:
            raise RecipeError(f"rungs {', '.join(unknown) or 'are none'}; known: {', '.join(RUNGS)}")
        if self.format != "int8" and self.rungs != RUNGS:
            raise RecipeError(f"rungs {', '.join(self.rungs)}: {self.format} has none; they are those of int8")
