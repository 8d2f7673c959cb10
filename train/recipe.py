"""What a training is: every choice that changes its result, with a default, checked before a picture is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edge_melanoma.errors import RecipeError
from edge_melanoma.fitting.recipe import AugmentName, BalanceRecipe, FitRecipe, above, within
from edge_melanoma.labels import AkPolicy, Task, task
from edge_melanoma.preprocess import GeometryName, PreprocessContract


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
    turns: Literal[1, 4] = 1  # 4: it answers with the mean of the picture's quarter turns, for four times the work
    dropout: float = 0.2
    weights: str = "none"  # none, imagenet, the path of an .h5 file, or that of a run
    weights_licence: str = ""  # of an .h5 file from elsewhere; the model inherits it, and unknown allows nothing

    def __post_init__(self) -> None:
        within("model.dropout", self.dropout, 0, 0.9)
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
            within("data.max_pictures", self.max_pictures, 2, 10**9)
        if self.workers is not None:
            within("data.workers", self.workers, 1, 256)


@dataclass(frozen=True, kw_only=True)
class TeacherRecipe:
    """Finished runs, or a folder of folds, whose logits are learned beside the labels; none: labels alone."""

    runs: tuple[str, ...] = ()
    share: float = 0.7  # of the loss

    def __post_init__(self) -> None:
        above("teacher.share", self.share, 0, 1)


@dataclass(frozen=True, kw_only=True)
class TrainRecipe:
    """A whole training."""

    description: str = ""
    seed: int = 0
    task: TaskRecipe = field(default_factory=TaskRecipe)
    model: ModelRecipe = field(default_factory=ModelRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    augment: AugmentName = "derm"
    balance: BalanceRecipe = field(default_factory=BalanceRecipe)
    fit: FitRecipe = field(default_factory=FitRecipe)
    teacher: TeacherRecipe = field(default_factory=TeacherRecipe)

    def __post_init__(self) -> None:
        within("seed", self.seed, 0, 2**31 - 1)
        classes = len(self.task.task().classes)
        if self.balance.method == "batches" and self.fit.batch < classes:
            raise RecipeError(f"fit.batch is {self.fit.batch}: a balanced batch of {classes} classes needs as many")
