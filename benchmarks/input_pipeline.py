"""How much of the training step's speed our input pipeline leaves, and what tf.data and Keras layers would leave.

The limit is the same step on one batch that is in memory already. All ways take turns in one run, so that a busy moment
of the machine hits all of them; what counts is the share of the limit of the same round.
Run: python -m edge_melanoma.benchmarks.input_pipeline RUN INDEX
RUN is a folder that `edge-melanoma train` wrote: its network, picture contract and batch size are used. INDEX is split.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend
from edge_melanoma.data.index import Index, read_index
from edge_melanoma.data.parts import make_parts
from edge_melanoma.data.tensors import make_cache
from edge_melanoma.fitting.batches import BatchMaker
from edge_melanoma.fitting.distribution import distribution
from edge_melanoma.fitting.fit import Fitter
from edge_melanoma.fitting.network import load_network
from edge_melanoma.fitting.recipe import BalanceRecipe, FitRecipe
from edge_melanoma.fitting.sampling import Sampling
from edge_melanoma.parallel import usable_cores
from edge_melanoma.run_folder import Run, open_run

from .feeds import Feed, calls_at_once, constant, keras_folders, processes, tf_data, write_folders
from .host import RESULTS, write_result
from .speeds import Speeds, gain_of_workers, measure

SETS = ("light", "derm")
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The training part of the index, a whole number of batches of it."""

    tensors: Path  # .npy
    folders: Path  # JPEG, a folder a class
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    kilobytes: float  # of a JPEG


@contextlib.contextmanager
def prepared(run: Run, index: Index, *, batch: int, most: int | None) -> Iterator[Pictures]:
    """The training part as tensors and as JPEG folders."""
    parts = make_parts(index, run.task, needed=("train",))
    rows = np.random.default_rng(SEED).permutation(parts.rows["train"])[:most]
    rows = rows[: len(rows) // batch * batch]  # without a batch of another size, which would be compiled anew
    table, labels = parts.table[rows], parts.labels[rows]
    cache = make_cache(index.pictures(table), table["sha256"].fill_null("").to_list(), run.contract, "memory")
    try:
        with tempfile.TemporaryDirectory() as folder:
            size = write_folders(index.pictures(table), labels, run.task.classes, Path(folder))
            yield Pictures(
                tensors=cache.path,
                folders=Path(folder),
                labels=labels,
                classes=run.task.classes,
                kilobytes=size / len(rows) / 1e3,
            )
    finally:
        cache.close()


def fitter_of(run: Run, pictures: Pictures, *, batch: int, epochs_worth: float) -> Fitter:
    """The network and the training step of the run, all layers trained."""
    sampling = Sampling(
        labels=pictures.labels,
        classes=pictures.classes,
        balance=BalanceRecipe(method="none"),
        batch=batch,
        seed=SEED,
        steps_per_epoch=max(1, round(epochs_worth * len(pictures.labels) / batch)),
    )
    fit = FitRecipe(batch=batch, head_epochs=0, epochs=1, learning_rate=1e-4, schedule="constant", warmup_epochs=0.0)
    spread = distribution()
    return Fitter(load_network(run), fit, sampling, spread, seed=SEED)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All ways beside each other."""

    speeds: tuple[Speeds, ...]
    gains: Mapping[str, tuple[float, ...]]  # by more workers than one, where the same way was tried with one
    calls_at_once: Mapping[str, int]  # that tf.data has of a Python function


def compare_ways(run: Run, pictures: Pictures, fitter: Fitter, *, rounds: int, workers: int) -> Compared:
    """All ways as TensorFlow comes, then those that our trainings could use with its determinism switched on."""
    size, batch, tensors = run.contract.width, fitter.sampling.batch, pictures.tensors
    with contextlib.ExitStack() as stack:

        def ours(augment: str, processes_: int) -> Feed:
            maker = stack.enter_context(BatchMaker(tensors, augment=augment, seed=SEED, workers=processes_))
            return processes(maker, augment=augment)

        def theirs(augment: str, threads: int, *, whole: bool) -> Feed:
            return tf_data(tensors, augment=augment, seed=SEED, threads=threads, whole_batches=whole)

        def every(augment: str, count: int) -> list[Feed]:
            return [ours(augment, count), *(theirs(augment, count, whole=whole) for whole in (False, True))]

        limit, derm = constant(size, seed=SEED), every("derm", workers)
        folders = [
            keras_folders(pictures.folders, size=size, batch=batch, cached=cached, seed=SEED)
            for cached in (True, False)
        ]
        ways = [limit, *every("light", workers), *derm, *folders]
        free = measure(fitter, ways, rounds=rounds, deterministic=False)
        gains = gain_of_workers(fitter, every("derm", 1), derm, rounds=rounds)
        calls = {"as TensorFlow comes": calls_at_once(workers)}
        backend.be_deterministic()
        calls["deterministic"] = calls_at_once(workers)
        bound = measure(fitter, [limit, *derm], rounds=rounds, deterministic=True)
        return Compared(speeds=(*free, *bound), gains=gains, calls_at_once=calls)


HEADERS = (
    "way",
    "augmentation",
    "deterministic",
    "pictures/s",
    "share of the limit",
    "processor ms a picture",
    "made alone, pictures/s",
)


def table_rows(speeds: Sequence[Speeds]) -> list[tuple[str, ...]]:
    """Each way beside the limit that was measured with it."""
    rows: list[tuple[str, ...]] = []
    for one in speeds:
        limit = limit_of(one, speeds)
        shares = one.shares(limit)
        rows.append(
            (
                one.feed.name,
                one.feed.augment,
                "yes" if one.deterministic else "no",
                f"{statistics.median(lap.pictures_per_s for lap in one.training):.0f}",
                "1" if one is limit else f"{statistics.median(shares):.2f} ({min(shares):.2f}–{max(shares):.2f})",
                f"{statistics.median(lap.cpu_ms_per_picture for lap in one.training):.2f}",
                "" if one is limit else f"{statistics.median(lap.pictures_per_s for lap in one.alone):.0f}",
            )
        )
    return rows


def limit_of(one: Speeds, speeds: Sequence[Speeds]) -> Speeds:
    """The limit under the same determinism."""
    return next(other for other in speeds if other.deterministic == one.deterministic)


def settings_of(run: Run, fitter: Fitter, pictures: Pictures, arguments: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on."""
    facts, rows = run.about["model"], len(pictures.labels)
    return {
        "network": facts["backbone"],
        "parameters": facts["parameters"],
        "size": facts["size"],
        "batch": fitter.sampling.batch,
        "optimizer": fitter.fit.optimizer,
        "workers": arguments.workers,
        "pictures": rows,
        "kilobytes_per_jpeg": round(pictures.kilobytes, 1),
        "tensors_mb": round(pictures.tensors.stat().st_size / 1e6),
        "keras_cache_mb": round(rows * facts["size"] ** 2 * 3 * 4 / 1e6),
        "rounds": arguments.rounds,
        "steps_per_round": fitter.sampling.steps,
        "contract": asdict(run.contract),
        "load_before": round(arguments.load, 2),
    }


def remarks_on(settings: Mapping[str, Any], found: Compared) -> tuple[str, ...]:
    """What a reader of the table has to know."""
    gains = ", ".join(
        f"{name} {statistics.median(of):.2f} ({min(of):.2f}–{max(of):.2f})" for name, of in found.gains.items()
    )
    calls = ", ".join(f"{number} {when}" for when, number in found.calls_at_once.items())
    return (
        f"{settings['network']} at {settings['size']} pixels, batch {settings['batch']}, {settings['optimizer']}, "
        f"{settings['workers']} processes or threads; {settings['rounds']} rounds of {settings['steps_per_round']} "
        f"steps, all ways by turns; medians, the lowest and the highest share in brackets. Load of the machine before: "
        f"{settings['load_before']}.",
        "The share is that of the limit in the same round. Without a GPU, step and augmentation use the same cores, so "
        "that no way that augments can reach 1 on a quiet machine, and on a busy one the share says little: there "
        "*processor ms* counts, the time of all cores together. *Made alone*: what a step that uses no core could be "
        "fed with.",
        f"{settings['workers']} workers make batches of `derm` so many times as fast as one: {gains}.",
        f"{settings['pictures']:,} pictures, JPEGs of {settings['kilobytes_per_jpeg']} kB. Mapped tensors hold "
        f"{settings['tensors_mb']:,} MB, once for all processes; the cache of image_dataset_from_directory holds "
        f"{settings['keras_cache_mb']:,} MB, as float32.",
        "`light` and `derm` are our sets, the same bytes whoever makes them; the Keras layers are flip, rotation, "
        "zoom, contrast and brightness, and less than `derm`. *Deterministic*: with TensorFlow's determinism on, as in "
        f"our trainings by default; tf.data then has so many calls of Python under way at once: {calls}.",
    )


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m edge_melanoma.benchmarks.input_pipeline", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("index", type=Path, metavar="INDEX")
    parser.add_argument("--epochs-worth", type=float, default=0.5, metavar="N", help="epochs that a way runs a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--quick", action="store_true", help="one short round; prints, and keeps no result")
    arguments = parser.parse_args(argv)
    arguments.load = os.getloadavg()[0]
    if arguments.quick:
        arguments.rounds = 1
    return arguments


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write, print."""
    arguments = parsed(argv)
    run, index = open_run(arguments.run), read_index(arguments.index)
    batch = int(run.about["recipe"]["fit"]["batch"])
    with prepared(run, index, batch=batch, most=8 * batch if arguments.quick else None) as pictures:
        fitter = fitter_of(run, pictures, batch=batch, epochs_worth=arguments.epochs_worth)
        found = compare_ways(run, pictures, fitter, rounds=arguments.rounds, workers=arguments.workers)
        settings = settings_of(run, fitter, pictures, arguments)
    with tempfile.TemporaryDirectory() as nowhere:
        path = write_result(
            "input_pipeline",
            "How much of the training step's speed is left by what feeds it",
            {
                "settings": settings,
                "ways": [one.to_json(limit_of(one, found.speeds)) for one in found.speeds],
                "gains_by_workers": found.gains,
                "tf_data_calls_at_once": found.calls_at_once,
            },
            HEADERS,
            table_rows(found.speeds),
            arguments=("RUN", "INDEX", "--epochs-worth", f"{arguments.epochs_worth:g}"),
            remarks=remarks_on(settings, found),
            packages=("numpy", "tensorflow", "tf-keras", "albumentations", "opencv-python-headless"),
            folder=Path(nowhere) if arguments.quick else RESULTS,
        )
        print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
