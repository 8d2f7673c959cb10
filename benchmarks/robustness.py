"""How a bundle stands changes that do not change the lesion: light, sharpness, position, and what lies on the skin.

Every picture of a part is judged as it is and in every changed form, by every bundle, so that differences are paired.
Another copy of the data set, at another resolution and compressed anew, is the only change here that nobody made up.
Run: python -m edge_melanoma.benchmarks.robustness INDEX BUNDLE… [--split test] [--pictures 400] [--other-copies FOLDER]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from edge_melanoma.bundle import Bundle, open_bundle
from edge_melanoma.data.index import SPLITS, Index, read_index
from edge_melanoma.data.no_pixel import group_of
from edge_melanoma.data.parts import limited, make_parts
from edge_melanoma.data.pictures import Picture
from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.evaluation.writing import log_test_opening
from edge_melanoma.models import beside, find_bundle
from edge_melanoma.notice import SYNTHETIC_BANNER
from edge_melanoma.output import write_file
from edge_melanoma.parallel import OnProgress, silent
from edge_melanoma.plots import require_matplotlib
from edge_melanoma.report import markdown_table
from edge_melanoma.trial import check_in_child

from .host import RESULTS, write_result
from .program import exit_code_of
from .robustness_answers import FOUND, MISSING, UNREADABLE, Question, ask_all
from .robustness_changes import CHANGES, Change, require_opencv
from .robustness_judging import Pictures, Row, can_be_judged, judge
from .robustness_page import ARTEFACT_HEADERS, HEADERS, artefact_rows, draw, table_rows

ROUNDS, SEED = 2000, 0
NAME = "robustness"
PACKAGES = ("numpy", "pillow", "polars", "opencv-python-headless", "ai-edge-litert")
_MELANOMA_TASKS = ("mel", "melnv", "dx7", "dx8")


@dataclass(frozen=True, kw_only=True)
class Cast:
    """The pictures, where to read them, and what is to be told of them."""

    pictures: Pictures
    files: tuple[Picture, ...]
    in_part: int
    dx: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """What was found."""

    cast: Cast
    names: tuple[str, ...]  # of the bundles
    rows: tuple[Row, ...]
    other_copies: dict[str, int] | None  # FOUND, MISSING, UNREADABLE -> pictures
    found_share: dict[str, float]  # of each diagnosis, in the other copy
    seconds: float


def cast_of(index: Index, bundles: Sequence[Bundle], split: str, most: int | None) -> Cast:
    """The pictures of a part, or a sample with its shares; the same answers for every bundle, or none."""
    chosen: list[tuple[tuple[str, ...], list[bool], pl.DataFrame, int]] = []
    for bundle in bundles:
        parts = make_parts(index, bundle.task, needed=())
        inside = parts.rows[split]
        rows = limited(inside, parts.labels, most, seed=SEED)
        table = parts.table[rows]
        positive = np.isin(parts.labels[rows], bundle.rule.positive).tolist()
        chosen.append((tuple(table["image_id"]), positive, table, len(inside)))
    ids, positive, table, in_part = chosen[0]
    for bundle, (other_ids, other_positive, _, _) in zip(bundles, chosen, strict=True):
        if (other_ids, other_positive) != (ids, positive):
            raise RecipeError(
                f"{bundle.name}: its task {bundle.task.name} has other pictures or other answers than "
                f"{bundles[0].task.name} of {bundles[0].name}; compare bundles that ask for the same"
            )
    y = np.array(positive, bool)
    if not can_be_judged(y):
        raise DataError(
            f"{index.folder}, part {split}: {int(y.sum())} of {len(y):,} pictures are positive in "
            f"{bundles[0].task.name}; both answers are needed"
        )
    pictures = Pictures(ids=ids, positive=y, groups=group_of(table).to_numpy())
    return Cast(pictures=pictures, files=tuple(index.pictures(table)), in_part=in_part, dx=tuple(table["dx"]))


def run(
    index: Index,
    bundles: Sequence[Bundle],
    *,
    split: str = "test",
    most: int | None = None,
    other_copies: Path | None = None,
    changes: Sequence[Change] = CHANGES,
    rounds: int = ROUNDS,
    workers: int | None = None,
    on_progress: OnProgress = silent,
) -> Robustness:
    """Judge the pictures of a part in every form by every bundle."""
    started, names = time.monotonic(), names_of(bundles)
    if other_copies is not None and not other_copies.is_dir():
        raise RecipeError(f"{other_copies}: is no folder; give the one that holds NAME.jpg for every image_id")
    cast = cast_of(index, bundles, split, most)
    paths = tuple(bundle.path for bundle in bundles if bundle.path is not None)
    question = Question(bundles=paths, changes=tuple(changes), other_copies=other_copies)
    answers = ask_all(cast.files, question, workers=workers, on_progress=on_progress)
    rows: list[Row] = []
    for place, (name, bundle) in enumerate(zip(names, bundles, strict=True)):
        rows += judge(name, place, bundle.rule, cast.pictures, answers, changes, rounds=rounds, seed=SEED)
    status = [answer.other_copy for answer in answers]
    counts = {word: status.count(word) for word in (FOUND, MISSING, UNREADABLE)}
    return Robustness(
        cast=cast,
        names=names,
        rows=tuple(rows),
        other_copies=None if other_copies is None else counts,
        found_share={} if other_copies is None else _shares_found(cast.dx, status),
        seconds=time.monotonic() - started,
    )


def names_of(bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """What tells the bundles apart: their files' names, else their models', else their paths."""
    files = [Path(bundle.name).stem for bundle in bundles]
    for names in (files, [bundle.manifest.model.name for bundle in bundles], [bundle.name for bundle in bundles]):
        if len(set(names)) == len(names):
            return tuple(names)
    raise RecipeError(f"{', '.join(names)}: two bundles have the same name; give each once")


def _shares_found(dx: Sequence[str], status: Sequence[str | None]) -> dict[str, float]:
    of = {name: [word == FOUND for each, word in zip(dx, status, strict=True) if each == name] for name in set(dx)}
    return {name: round(sum(found) / len(found), 4) for name, found in sorted(of.items())}


def remarks(found: Robustness, index: Index, bundles: Sequence[Bundle], split: str) -> list[str]:
    """What the tables cannot say of themselves."""
    cast, y = found.cast, found.cast.pictures.positive
    sample = "" if len(y) == cast.in_part else f", a sample of {cast.in_part:,} that keeps the shares of the classes"
    said = [f"{SYNTHETIC_BANNER}."] if index.is_synthetic else []
    said += [
        f"{len(y):,} pictures of the part {split}{sample}; {int(y.sum()):,} positive (task {bundles[0].task.name}). "
        f"Intervals of 95 %: of the AUC by {ROUNDS:,} draws of whole groups, of sensitivity and specificity Wilson's "
        "over as many independent pictures as the groups are worth; a change is paired with the unchanged picture.",
        "Decisions are those of the model under its own thresholds, whatever the gate makes of the picture. What the "
        "gate refuses is `uncertain` in use. The last columns count the positive ones that were referred and are no "
        "longer, those of them that the gate takes (what is told is `uncertain` or `low`), and all that are now `low`.",
        "The changes are made, one at a time, of the part of the decoded picture that the model sees; sigma of the "
        "noise is of a pixel of that, so that pictures with many pixels stand more of it.",
        "Drawn artefacts are no real ones. Those of training's drawing were seen in training by a model whose "
        "augmentation has them; the generator's by none, unless it was trained on synthetic pictures.",
        "Many changes are looked at: of forty intervals of 95 %, two miss by chance.",
    ]
    said += [
        f"{name}: was made on another index, so that whether it has seen these pictures cannot be told."
        for name, bundle in zip(found.names, bundles, strict=True)
        if bundle.manifest.data.index_sha256 != index.sha256
    ]
    if found.other_copies is not None:
        said.append(_about_other_copies(found))
    return said


def _about_other_copies(found: Robustness) -> str:
    counts, shares = found.other_copies or {}, found.found_share
    told = ", ".join(f"{share:.0%} of {dx}" for dx, share in shares.items())
    return (
        f"Other copy: {counts[FOUND]:,} of {len(found.cast.files):,} pictures are there, {counts[MISSING]:,} are "
        f"missing, {counts[UNREADABLE]:,} cannot be read; its row compares the same pictures of both copies. It has "
        f"{told}: in a mixture of both copies sharpness would tell the class, so train on one of them only."
    )


def write(found: Robustness, index: Index, bundles: Sequence[Bundle], given: argparse.Namespace) -> Path:
    """Write NAME.json, NAME.md and NAME.png."""
    folder, positives = given.out, _positives(bundles[0])
    arguments = ["INDEX", *(f"{name}.tflite" for name in found.names), "--split", given.split]
    arguments += ["--pictures", str(given.pictures)] if given.pictures else []
    arguments += ["--other-copies", "FOLDER"] if given.other_copies else []
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / f"{NAME}.png", draw(found.rows, synthetic=index.is_synthetic))
    path = write_result(
        NAME,
        "What changes that leave the lesion as it is do to a decision",
        result_of(found, index, bundles, given.split),
        [header.format(positives=positives) for header in HEADERS],
        table_rows(found.rows),
        arguments=arguments,
        remarks=remarks(found, index, bundles, given.split),
        packages=PACKAGES,
        folder=folder,
    )
    headers = [header.format(positives=positives) for header in ARTEFACT_HEADERS]
    more = (
        f"\n## The same lesions with something on the skin\n\n{markdown_table(headers, artefact_rows(found.rows))}"
        f"\n![change of AUC and sensitivity for every change, with intervals]({NAME}.png)\n"
    )
    write_file(path, path.read_text(encoding="utf-8") + more)
    return path


def result_of(found: Robustness, index: Index, bundles: Sequence[Bundle], split: str) -> dict[str, Any]:
    """Everything in numbers; no picture is named."""
    return {
        "split": split,
        "index_sha256": index.sha256,
        "synthetic": index.is_synthetic,
        "task": bundles[0].task.name,
        "pictures": len(found.cast.files),
        "pictures_in_part": found.cast.in_part,
        "rounds": ROUNDS,
        "seed": SEED,
        "seconds": round(found.seconds, 1),
        "bundles": {name: bundle.sha256 for name, bundle in zip(found.names, bundles, strict=True)},
        "other_copies": found.other_copies,
        "share_in_other_copies": found.found_share,
        "rows": [row.to_json() for row in found.rows],
    }


def _positives(bundle: Bundle) -> str:
    return "melanomas" if bundle.task.name in _MELANOMA_TASKS else "positives"


def _tell(done: int, total: int) -> None:
    """On the terminal one line that is written over; in a file ten of them."""
    if sys.stderr.isatty():
        print(f"\r{done:,} of {total:,} pictures", end="\n" if done == total else "", file=sys.stderr, flush=True)
    elif done == total or done % max(1, total // 10) == 0:
        print(f"{done:,} of {total:,} pictures", file=sys.stderr, flush=True)


def _measure(given: argparse.Namespace) -> Path:
    require_matplotlib()
    require_opencv()
    if given.pictures < 0:
        raise RecipeError(f"--pictures {given.pictures}: a number above 0 is needed, or 0 for all")
    index, bundles = read_index(given.index), [open_bundle(find_bundle(path)) for path in given.bundles]
    for bundle in bundles:
        check_in_child(bundle.model, name=bundle.name)
    found = run(
        index,
        bundles,
        split=given.split,
        most=given.pictures or None,
        other_copies=given.other_copies,
        changes=CHANGES,
        workers=given.workers,
        on_progress=_tell,
    )
    path = write(found, index, bundles, given)
    for bundle in bundles if given.split == "test" else ():
        seen = {"verb": NAME, "index_sha256": index.sha256, "model_sha256": bundle.sha256, "task": bundle.task.name}
        log_test_opening(beside(bundle.path) if bundle.path else given.index, {**seen, "rows": len(found.cast.files)})
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("index", type=Path, metavar="INDEX")
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", help="a path, reference or reference-small")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--pictures", type=int, default=0, help="at most so many, by their classes' shares; 0: all")
    parser.add_argument("--other-copies", type=Path, metavar="FOLDER", help="holds NAME.jpg for every image_id")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where the result goes")
    parser.add_argument("--workers", type=int, help="processes; by default one for each core")
    given = parser.parse_args(arguments)
    return exit_code_of(lambda: _measure(given))


if __name__ == "__main__":
    sys.exit(main())
