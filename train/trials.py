"""One change of a recipe at a time, judged after every epoch on pictures that do not come from the training.

A trial trains by a recipe and predicts two parts with the averaged weights of every epoch: *inside*, what the split
keeps for validation and calibration, and *outside*, its test part: make that a centre held out with `edge-melanoma data
split --hold-out-centre`. The last epoch counts, so that no part chooses one. Two trials on the same index are compared
on the same draws of lesions. What was tried, and what came out: LOG.md beside this file.

Run: python -m edge_melanoma.train.trials run NAME RECIPE --data INDEX --out DIR [--set KEY=VALUE]
     python -m edge_melanoma.train.trials compare DIR/BASE DIR/OTHER DIR/ONE+DIR/TWO …
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.data.index import Index, read_index
from edge_melanoma.data.no_pixel import group_of
from edge_melanoma.data.parts import make_parts
from edge_melanoma.data.tensors import make_cache
from edge_melanoma.decision import positive_classes, positive_log_odds
from edge_melanoma.errors import ArtifactError, DataError
from edge_melanoma.fitting.fit import predict_logits
from edge_melanoma.fitting.state import load_state
from edge_melanoma.labels import Task
from edge_melanoma.metrics import Estimate, bootstrap, class_measures, prefixed, ranking_measures, roc_auc, together
from edge_melanoma.metrics.bootstrap import Measures
from edge_melanoma.output import write_file, write_json
from edge_melanoma.recipe import parse_change, recipe_sha256, to_table

from .backbones import build_model
from .recipe import TrainRecipe
from .recipes import find_recipe
from .run import Watch
from .run import run as train

Ints = NDArray[np.int64]
PARTS = {"inside": ("val", "calibration"), "outside": ("test",)}
LOGITS = "logits.npz"
FIGURES = {"ranking.roc_auc": "AUC", "classes.balanced_accuracy": "balanced accuracy"}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a trial left behind: logits by part and epoch, beside the answers."""

    name: str
    classes: tuple[str, ...]
    index_sha256: str
    shares_train: tuple[float, ...]  # of the classes, as balanced
    labels: Mapping[str, Ints]
    groups: Mapping[str, Ints]
    logits: Mapping[str, NDArray[np.float32]]  # part -> (epoch, row, class)

    def measures(self, part: str, *, epoch: int = -1) -> Measures:
        """AUC of the class in question, and balanced accuracy."""
        logits, positive = self.logits[part][epoch], positive_classes(self.classes)
        wanted = np.isin(self.labels[part], positive)
        called = (logits - np.log(self.shares_train)).argmax(axis=1)  # the likeliest were all as common
        return together(
            prefixed("ranking.", ranking_measures(wanted, positive_log_odds(logits, positive))),
            class_measures(self.labels[part], called, self.classes),
        )


def run(name: str, recipe: TrainRecipe, index: Index, out: Path) -> Trial:
    """Train, and predict both parts after every epoch."""
    task = recipe.task.task()
    parts = make_parts(index, task, needed=("train", "val", "test"))
    rows = {part: np.concatenate([parts.rows[name] for name in names]) for part, names in PARTS.items()}
    judged = np.concatenate(list(rows.values()))
    everything = parts.table[judged]
    groups = np.unique(group_of(everything).to_numpy(), return_inverse=True)[1].astype(np.int64)
    hashes = everything["sha256"].fill_null("").to_list()
    cache = make_cache(index.pictures(everything), hashes, recipe.model.contract(), "memory")
    found: list[NDArray[np.float32]] = []
    folder = out / name
    try:
        tensors = cache.open()
        judge = _judge(recipe, task)
        answers = np.isin(parts.labels[judged], positive_classes(task.classes))
        inside = len(rows["inside"])
        cut = {"inside": slice(0, inside), "outside": slice(inside, None)}

        def on_epoch(row: Mapping[str, Any]) -> None:
            found.append(judge(folder, tensors))
            score = positive_log_odds(found[-1], positive_classes(task.classes))
            told = ", ".join(f"{part} AUC {roc_auc(answers[at], score[at]):.3f}" for part, at in cut.items())
            print(f"epoch {row['epoch']}: loss {row['train_loss']:.3f}, {told}", flush=True)

        run = train(recipe, index, folder, watch=Watch(on_epoch=on_epoch)).run
    finally:
        cache.close()
    stacked = np.stack(found)
    result = Trial(
        name=name,
        classes=task.classes,
        index_sha256=index.sha256,
        shares_train=tuple(run.about["prior_train"]),
        labels={part: parts.labels[rows[part]] for part in PARTS},
        groups={part: groups[cut[part]] for part in PARTS},
        logits={part: stacked[:, cut[part]] for part in PARTS},
    )
    _write(result, recipe, folder)
    return result


def _judge(recipe: TrainRecipe, task: Task) -> Any:
    """Logits of all pictures by the averaged weights that the training saved last."""
    model: list[Any] = []

    def judge(folder: Path, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        if not model:  # only now: the training has made its own first, so that its seeds are not used up
            asked = recipe.model
            model.append(build_model(asked.backbone, size=asked.size, classes=len(task.classes)))
        state = load_state(folder)
        if state is None:
            raise ArtifactError(f"{folder}: has no state after an epoch")
        for weight, value in zip(model[0].weights, state.average or state.weights, strict=True):
            weight.assign(value)
        return predict_logits(model[0], tensors, np.arange(len(tensors)), turns=recipe.model.turns)

    return judge


def _write(trial: Trial, recipe: TrainRecipe, folder: Path) -> None:
    stream = io.BytesIO()
    arrays = {f"{kind}/{part}": getattr(trial, kind)[part] for kind in ("labels", "groups", "logits") for part in PARTS}
    np.savez_compressed(stream, **arrays)
    write_file(folder / LOGITS, stream.getvalue())
    about = {key: getattr(trial, key) for key in ("name", "classes", "index_sha256", "shares_train")}
    write_json(folder / "trial.json", {**about, "recipe_sha256": recipe_sha256(recipe), "recipe": to_table(recipe)})


def read(folder: Path) -> Trial:
    """A trial that has ended."""
    try:
        about = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
        arrays = np.load(folder / LOGITS, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{folder}: is not a trial that has ended ({error})") from error
    kinds = {kind: {part: arrays[f"{kind}/{part}"] for part in PARTS} for kind in ("labels", "groups", "logits")}
    return Trial(
        name=about["name"],
        classes=tuple(about["classes"]),
        index_sha256=about["index_sha256"],
        shares_train=tuple(about["shares_train"]),
        **kinds,
    )


def _mean(named: str) -> Trial:
    """A trial, or several as one that answers with the mean of their last logits."""
    first, *others = found = [read(Path(folder)) for folder in named.split("+")]
    if any(other.index_sha256 != first.index_sha256 for other in others):
        raise DataError(f"{named}: of two indexes; train all on the same")
    last = {part: np.mean([trial.logits[part][-1:] for trial in found], axis=0) for part in PARTS}
    return replace(first, name=" + ".join(trial.name for trial in found), logits=last)


def compared(base: Trial, other: Trial, part: str) -> dict[str, tuple[Estimate, Estimate, Estimate]]:
    """Figure -> the base's, the other's, and their difference on the same draws of lesions."""
    if base.index_sha256 != other.index_sha256:
        raise DataError(f"{base.name} and {other.name}: of two indexes; train both on the same")
    both = together(prefixed("base/", base.measures(part)), prefixed("other/", other.measures(part)))
    drawn = bootstrap(both, base.labels[part], base.groups[part], rng=np.random.default_rng(0), rounds=1000)
    return {
        name: (
            drawn.estimate(f"base/{name}"),
            drawn.estimate(f"other/{name}"),
            drawn.difference(f"other/{name}", f"base/{name}"),
        )
        for name in FIGURES
    }


def main() -> None:
    """Run a trial, or compare some with a first one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    asked = verbs.add_parser("run")
    asked.add_argument("name")
    asked.add_argument("recipe")
    asked.add_argument("--data", type=Path, required=True)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--set", action="append", default=[], dest="changes")
    asked = verbs.add_parser("compare")
    asked.add_argument("trials", nargs="+", metavar="DIR/TRIAL[+DIR/TRIAL…]", help="+: the mean of their answers")
    given = parser.parse_args()
    if given.verb == "run":
        recipe = find_recipe(given.recipe, changes=dict(parse_change(change) for change in given.changes))
        run(given.name, recipe, read_index(given.data), given.out)
        return
    base, *others = map(_mean, given.trials)
    for other in others or [base]:
        for part in PARTS:
            for name, (first, second, apart) in compared(base, other, part).items():
                print(f"{other.name}, {part}, {FIGURES[name]}: {second} against {first}; difference {apart}")


if __name__ == "__main__":
    main()
