"""What a conversion works with: the run's float network, and the pictures of each part with what it says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edge_melanoma.calibration import FEWEST_POSITIVES, CalibrationRecipe, fit_rule, recipe_of
from edge_melanoma.data.index import Index, read_index
from edge_melanoma.data.parts import Parts, make_parts, with_fold
from edge_melanoma.data.tensors import TensorCache, make_cache
from edge_melanoma.decision import DecisionRule, positive_classes
from edge_melanoma.errors import ArtifactError, DataError, EdgeMelanomaError
from edge_melanoma.evaluation.predicting import prediction_table
from edge_melanoma.fitting.fit import logits_of_turns, predict_logits
from edge_melanoma.fitting.network import load_network
from edge_melanoma.parallel import OnProgress, silent
from edge_melanoma.run_folder import RULE, Run, keep_rule, open_run, read_rule

Pixels = NDArray[np.uint8]
Logits = NDArray[np.float32]
Ints = NDArray[np.int64]

CALIBRATION, CHOICE, TEST = "calibration", "val", "test"  # parts: rules are fitted, rungs chosen, the result reported


class Material:
    """A run and its data; a context manager, because it holds tensors."""

    def __init__(self, folder: Path, *, index: Index | None, on_progress: OnProgress = silent) -> None:
        self.run: Run = open_run(folder)
        self.index = _index_of(self.run, index)
        self.task, self.contract = self.run.task, self.run.contract
        self.parts: Parts = make_parts(self.index, self.task, needed=("train", "val", "calibration", "test"))
        self._check_thresholds()
        self._on_progress = on_progress
        self._kept = ExitStack()
        self._caches: dict[str, TensorCache] = {}
        self._reference: dict[str, Logits] = {}  # by turn
        self._network: Any = None

    def __enter__(self) -> Material:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept.close()

    @property
    def network(self) -> Any:
        """The float network as it was trained; not to be changed."""
        if self._network is None:
            self._network = load_network(self.run)
            _check_ends(self._network, self)
        return self._network

    def labels(self, part: str) -> Ints:
        """The class of every picture of a part."""
        return self.parts.labels[self.parts.rows[part]]

    def table(self, part: str) -> pl.DataFrame:
        """The rows of a part."""
        return self.parts.table[self.parts.rows[part]]

    def cache(self, part: str) -> TensorCache:
        """The tensors of a part in a file that other processes can map."""
        if part not in self._caches:
            self._caches[part] = self._decode(self.table(part))
        return self._caches[part]

    def tensors(self, part: str) -> Pixels:
        """The tensors of a part."""
        return self.cache(part).open()

    def training_tensors(self, rows: Ints) -> Pixels:
        """The tensors of some pictures of the training part, without decoding the others."""
        if "train" in self._caches:
            return np.array(self._caches["train"].open()[rows])
        cache = self._decode(self.table("train")[rows])
        return np.array(cache.open())

    def _decode(self, rows: pl.DataFrame) -> TensorCache:
        hashes = rows["sha256"].fill_null("").to_list()
        pictures = self.index.pictures(rows)
        cache = make_cache(pictures, hashes, self.contract, "memory", on_progress=self._on_progress)
        self._kept.callback(cache.close)
        return cache

    def reference(self, part: str) -> Logits:
        """What the float network says of a part."""
        mean: Logits = self.reference_of_turns(part).mean(axis=0)
        return mean

    def reference_of_turns(self, part: str) -> Logits:
        """The same (turn, picture, class), of each turn of a picture that its answer is the mean of."""
        if part not in self._reference:
            tensors, turns = self.tensors(part), self.run.turns
            self._reference[part] = logits_of_turns(self.network, tensors, np.arange(len(tensors)), turns=turns)
        return self._reference[part]

    def answers(self, network: Any, tensors: Pixels) -> Logits:
        """What a network of this run answers, in float."""
        return predict_logits(network, tensors, np.arange(len(tensors)), turns=self.run.turns)

    def predictions(self, part: str, logits: Logits) -> pl.DataFrame:
        """Logits of a part as the table that is judged."""
        return prediction_table(self.table(part), logits, self.task)

    def rule_before(self) -> DecisionRule:
        """The float network's rule: the run's, or fitted now and kept with the run."""
        kept = read_rule(self.run.folder)
        if kept is not None:
            return kept
        rule = self.fit_rule(self.reference(CALIBRATION), CalibrationRecipe())
        keep_rule(self.run.folder, rule)
        return rule

    def _check_thresholds(self) -> None:
        """Are there some, or can there be? Before anything is imported or decoded."""
        kept = read_rule(self.run.folder)
        if kept is None:
            self._check_positives()
        else:
            self._check_rule(kept)

    def _check_rule(self, rule: DecisionRule) -> None:
        """Is it this run's, and does it say how it was chosen? The converted model's is chosen likewise."""
        mine = (rule.task, rule.classes) == (self.task.name, self.task.classes)
        if not mine or not isinstance(rule.fitted_on.get("recipe"), Mapping):
            wrong = "does not say how it was chosen" if mine else f"is for {rule.task} ({', '.join(rule.classes)})"
            raise ArtifactError(
                f"{self.run.folder / RULE}: {wrong}; delete it, and evaluate the run again to fit it anew"
            )

    def _check_positives(self) -> None:
        """With what can be given to mend it."""
        labels = self.labels(CALIBRATION)
        positives = int(np.isin(labels, positive_classes(self.task.classes)).sum())
        if positives < FEWEST_POSITIVES:
            raise DataError(
                f"{self.run.folder}: has no thresholds yet, and the calibration part has only {positives} positives "
                f"among {len(labels):,} pictures; {FEWEST_POSITIVES} are needed: split with a larger calibration part, "
                f"or choose them with `edge-melanoma evaluate {self.run.folder} --data INDEX --split val --allow-few`, "
                "which keeps them with the run"
            )

    def rule_after(self, logits: Logits) -> DecisionRule:
        """The rule of a converted model: chosen for the same as the float one's, on its own logits."""
        return self.fit_rule(logits, recipe_of(self.rule_before(), where=RULE))

    def fit_rule(self, logits: Logits, recipe: CalibrationRecipe) -> DecisionRule:
        """Temperature and thresholds from the calibration part."""
        return fit_rule(
            self.predictions(CALIBRATION, logits),
            self.parts.table,
            self.task,
            recipe,
            class_shares_train=self.run.about["prior_train"],
        )


def _check_ends(network: Any, material: Material) -> None:
    """Does the network take what the contract makes, and answer what the task asks?"""
    contract, classes = material.contract, len(material.task.classes)
    found = (tuple(network.input_shape[1:]), network.output_shape[-1])
    wanted = ((contract.height, contract.width, 3), classes)
    if found != wanted:
        raise ArtifactError(
            f"{material.run.folder}: its network makes {found[1]} logits of {_sides(found[0])}, its note says "
            f"{classes} of {_sides(wanted[0])}; one of them was edited, so train again"
        )


def _sides(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _index_of(run: Run, given: Index | None) -> Index:
    """The index that the run was trained on, with the parts it had."""
    index = given
    if index is None:
        try:
            index = read_index(Path(run.about["index"]))
        except EdgeMelanomaError as error:
            raise ArtifactError(
                f"{run.folder}: the index that it was trained on cannot be read; name it with --data ({error})"
            ) from error
    if index.sha256 != run.about["index_sha256"]:
        raise DataError(f"{index.folder}: is not the index that {run.folder} was trained on; give that one with --data")
    fold = run.about["fold"]
    return index if fold is None else with_fold(index, fold, seed=run.seed)


Forward = Callable[[Pixels], Logits]
