"""Does a bundle decide alike in every engine? tflite-runtime, the one of 32-bit boards, beside ai-edge-litert.

Both get the same tensors, one picture at a time on one thread, so that only the engine differs. The part of the index
is calibration by default: that an engine rounds otherwise can be seen without another look at the test part.
Both have to be installed, which takes Python 3.11 and NumPy 1:
    pip install -e . polars ai-edge-litert tflite-runtime 'numpy<2'
Run: python -m edge_melanoma.benchmarks.engines INDEX BUNDLE… [--split calibration]
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.bundle import Bundle, open_bundle
from edge_melanoma.bundle.manifest import MODEL
from edge_melanoma.data.index import SPLITS, Index, read_index
from edge_melanoma.data.parts import make_parts
from edge_melanoma.decision import DecisionRule
from edge_melanoma.errors import DataError
from edge_melanoma.evaluation.predicting import predict_rows
from edge_melanoma.evaluation.rows import Rows, select_rows
from edge_melanoma.metrics.ranking import roc_auc
from edge_melanoma.models import find_bundle
from edge_melanoma.runtime import NoEngineError
from edge_melanoma.runtime.engines import ENGINES, EngineKind
from edge_melanoma.trial import check_in_child

from .host import RESULTS, write_result
from .program import exit_code_of

NAME = "engines"
HEADERS = (
    "bundle",
    "pictures",
    "outputs off",
    "by at most",
    "decisions changed",
    "at low",
    "at refer",
    "probability moved, 99 %",
    "at most",
    "AUC",
    "difference",
)
Floats = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Apart:
    """How far the answers of an engine lie from those of another."""

    pictures: int
    outputs_off: float  # share of the values that differ at all
    most_levels: float  # of the output's steps
    changed: int  # decisions
    changed_low: int  # pictures on the other side of this threshold
    changed_refer: int
    moved_p99: float  # of the probability
    moved_most: float
    auc: float
    auc_difference: float


def apart(reference: Floats, found: Floats, rule: DecisionRule, positive: NDArray[np.bool_], *, step: float) -> Apart:
    """The logits of two engines for the same pictures; `step` is what one level of the output is worth."""
    p, q = rule.probability(reference), rule.probability(found)
    levels, moved = np.abs(found - reference) / step, np.abs(q - p)
    auc = roc_auc(positive, rule.log_odds(found))
    low, refer = ((p >= limit.value) != (q >= limit.value) for limit in (rule.threshold_low, rule.threshold_refer))
    return Apart(
        pictures=len(p),
        outputs_off=float((levels > 0).mean()),
        most_levels=float(levels.max()),
        changed=int((low | refer).sum()),
        changed_low=int(low.sum()),
        changed_refer=int(refer.sum()),
        moved_p99=float(np.quantile(moved, 0.99)),
        moved_most=float(moved.max()),
        auc=auc,
        auc_difference=auc - roc_auc(positive, rule.log_odds(reference)),
    )


def row(name: str, found: Apart) -> tuple[str, ...]:
    """One bundle in the table."""

    def share(count: int) -> str:
        return f"{count / found.pictures:.2%} ({count})"

    return (
        name,
        f"{found.pictures:,}",
        f"{found.outputs_off:.1%}",
        f"{found.most_levels:.0f} levels",
        *(share(count) for count in (found.changed, found.changed_low, found.changed_refer)),
        f"{found.moved_p99:.4f}",
        f"{found.moved_most:.4f}",
        f"{found.auc:.4f}",
        f"{found.auc_difference:+.4f}",
    )


def engines_here() -> tuple[EngineKind, EngineKind]:
    """The engine that others are compared with, and the one that rounds otherwise."""
    for kind in ENGINES:
        trouble = "is not installed" if kind.version is None else kind.trouble()
        if trouble is not None:
            raise NoEngineError(
                f"{kind.name}: {trouble}; to compare engines takes Python 3.11 and "
                "pip install -e . polars ai-edge-litert tflite-runtime 'numpy<2'"
            )
    usual, *others = ENGINES
    return usual, next(kind for kind in others if kind.rounds_twice)


def compare(bundle: Bundle, index: Index, split: str, engines: tuple[EngineKind, EngineKind]) -> Apart:
    """What the second engine says of the part, beside what the first says."""
    step = bundle.manifest.model.output.scale
    if step is None:
        raise DataError(f"{bundle.name}: returns floats, which have no levels; an int8 bundle is needed")
    parts = make_parts(index, bundle.task, needed=(split,))
    chosen = parts.table[parts.rows[split]]

    def asked(kind: EngineKind) -> Rows:
        table = predict_rows(
            lambda tensors: logits_of(kind, bundle, tensors), bundle.contract, bundle.task, index, chosen
        )
        return select_rows(table, index.table, bundle.task, split)

    first, second = (asked(kind) for kind in engines)
    return apart(first.logits, second.logits, bundle.rule, first.positive, step=step)


def logits_of(kind: EngineKind, bundle: Bundle, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Past our own door, which opens to the best engine only."""
    interpreter = importlib.import_module(kind.module).Interpreter(model_content=bundle.model, num_threads=1)
    interpreter.allocate_tensors()
    given, returned = (ends[0]["index"] for ends in (interpreter.get_input_details(), interpreter.get_output_details()))
    pixels = bundle.manifest.model.input.pixels()
    outputs = []
    for done, tensor in enumerate(tensors, start=1):
        interpreter.set_tensor(given, (tensor if pixels is None else pixels[tensor])[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(returned)[0])
        if done == len(tensors) or done % 100 == 0:
            print(f"{bundle.name}, {kind.name}: {done:,} of {len(tensors):,} pictures", file=sys.stderr, flush=True)
    return bundle.manifest.model.output.logits(np.array(outputs))


def _measure(given: argparse.Namespace) -> Path:
    engines = engines_here()
    index = read_index(given.index)
    bundles = {path.stem: open_bundle(path) for path in map(find_bundle, given.bundles)}
    for name, bundle in bundles.items():
        check_in_child(bundle.model, name=name)
    found = {name: compare(bundle, index, given.split, engines) for name, bundle in bundles.items()}
    usual, other = engines
    return write_result(
        NAME,
        f"What {other.name} decides otherwise than {usual.name}",
        {
            "split": given.split,
            "index_sha256": index.sha256,
            "bundles": {
                name: {"model_sha256": bundle.manifest.parts[MODEL].sha256, **vars(found[name])}
                for name, bundle in bundles.items()
            },
        },
        HEADERS,
        [row(name, each) for name, each in found.items()],
        arguments=("INDEX", *bundles, "--split", given.split),
        remarks=(
            f"The {given.split} part of the index; one picture at a time, one thread.",
            f"A level is a step of the int8 output. The processor was {platform.machine()}: {other.name} has other "
            "kernels for 32-bit ARM, which may round otherwise again.",
        ),
        packages=("ai-edge-litert", "tflite-runtime", "numpy"),
        folder=given.out,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("index", type=Path, metavar="INDEX")
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", help="a path, reference or reference-small")
    parser.add_argument("--split", choices=SPLITS, default="calibration")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where the result goes")
    given = parser.parse_args(arguments)
    return exit_code_of(lambda: _measure(given))


if __name__ == "__main__":
    sys.exit(main())
