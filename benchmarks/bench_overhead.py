"""Does `bench` measure the model, or itself? Its median against a bare interpreter loop, and what other ways take.

Every way runs the same picture with one thread, by turns, so that a slow moment of the machine hits all of them; what
counts is the ratio to the bare loop in the same round. Ways that are not installed are left out with the reason.
Run: python -m edge_melanoma.benchmarks.bench_overhead MODEL… [--run RUN] [--rounds N] [--name NAME]
MODEL is a bundle or a .tflite; RUN is what the first one was converted from, for a row of Keras itself.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.errors import EXIT_GATE_NOT_MET, EdgeMelanomaError
from edge_melanoma.machine import installed
from edge_melanoma.runtime import Model, engine

from .device.run import model_query
from .device.stream import run_stream, series_of
from .device.subjects import Subject, open_subject
from .host import write_result

BARE, OURS = "bare interpreter loop", "bench"
LIMIT = 1.02
ROUNDS, SECONDS, WARM_UP = 15, 0.4, 30
HEADERS = ("model", "way", "median ms", "times the bare loop", "in rounds (25–75 %)")
Way = Callable[[], float]  # one round: its median in milliseconds


class LeftOutError(Exception):
    """A way that this machine does not have."""


def bare_loop(interpreter: Any, picture: NDArray[np.uint8]) -> Way:
    """set_tensor, invoke, get_tensor: what a minimal script does; a float model needs its pixels as floats."""
    interpreter.allocate_tensors()
    given, returned = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def once() -> object:
        interpreter.set_tensor(given["index"], picture.astype(given["dtype"], copy=False))
        interpreter.invoke()
        return interpreter.get_tensor(returned["index"])

    return lambda: plain_median(once)


def plain_median(once: Callable[[], object], seconds: float = SECONDS) -> float:
    """The median milliseconds of a call; nothing of bench is in it."""
    for _ in range(WARM_UP):
        once()
    times: list[int] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 8:
        begin = time.perf_counter_ns()
        once()
        times.append(time.perf_counter_ns() - begin)
    return statistics.median(times) / 1e6


def by_bench(subject: Subject) -> Way:
    """As the verb does it: the same query, the same stream, the same median."""
    query = model_query(Model(subject.model, threads=1, name=subject.artefact.name), subject)
    return lambda: series_of([run_stream(query, seconds=SECONDS)], threads=1).p50_ms


def by_tensorflow(subject: Subject, picture: NDArray[np.uint8]) -> Way:
    """TensorFlow's own interpreter."""
    if installed("tensorflow") is None:
        raise LeftOutError("TensorFlow is not installed")
    from edge_melanoma import backend

    return bare_loop(backend.tensorflow().lite.Interpreter(model_content=subject.model, num_threads=1), picture)


def by_tflite_runtime(subject: Subject, picture: NDArray[np.uint8]) -> Way:
    """The engine before LiteRT."""
    version = installed("tflite-runtime")
    if version is None:
        raise LeftOutError("tflite-runtime is not installed (it has wheels up to Python 3.11, and needs NumPy 1)")
    try:
        interpreter = importlib.import_module("tflite_runtime.interpreter").Interpreter
        return bare_loop(interpreter(model_content=subject.model, num_threads=1), picture)
    except (ImportError, ValueError, RuntimeError) as error:
        raise LeftOutError(f"tflite-runtime {version}: {str(error).splitlines()[0]}") from error


def by_keras(run: Path | None, picture: NDArray[np.uint8]) -> dict[str, Way]:
    """The network before conversion, called and asked to predict, as a user of Keras would."""
    if run is None:
        raise LeftOutError("no --run was given")
    from edge_melanoma import backend
    from edge_melanoma.fitting.network import load_network
    from edge_melanoma.run_folder import open_run

    network = load_network(open_run(run))
    batch = picture.astype(np.float32)
    if network.input_shape[1:] != picture.shape[1:]:
        raise LeftOutError(f"the run's network takes {network.input_shape[1:]}, the model {picture.shape[1:]}")
    tensor = backend.tensorflow().constant(batch)
    return {
        "Keras, model(x)": lambda: plain_median(lambda: network(tensor, training=False).numpy()),
        "Keras, model.predict(x)": lambda: plain_median(lambda: network.predict(batch, verbose=0)),
    }


def ways_of(subject: Subject, run: Path | None) -> tuple[dict[str, Way], dict[str, str]]:
    """Every way that works here, and why the others do not."""
    given = Model(subject.model, threads=1, name=subject.artefact.name).input
    picture = np.random.default_rng(0).integers(0, 256, given.shape, dtype=np.uint8)
    ways: dict[str, Way] = {
        BARE: bare_loop(engine().interpreter(model_content=subject.model, num_threads=1), picture),
        OURS: by_bench(subject),
    }
    left_out = {}
    others: dict[str, Callable[[], dict[str, Way]]] = {
        "TensorFlow's interpreter": lambda: {"TensorFlow's interpreter": by_tensorflow(subject, picture)},
        "tflite-runtime": lambda: {"tflite-runtime": by_tflite_runtime(subject, picture)},
        "Keras": lambda: by_keras(run, picture),
    }
    for name, make in others.items():
        try:
            ways.update(make())
        except (LeftOutError, EdgeMelanomaError) as error:
            left_out[name] = str(error)
    return ways, left_out


def measure(ways: Mapping[str, Way], rounds: int) -> dict[str, list[float]]:
    """Every way in every round, another one first each time; a round before them does not count."""
    names = list(ways)
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        turn = number % len(names)
        medians = {name: ways[name]() for name in (*names[turn:], *names[:turn])}
        if number:
            for name, value in medians.items():
                found[name].append(value)
    return found


def row(model: str, way: str, found: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """One way of one model."""
    quartiles = ratios(found[way], found[BARE])
    apart = f"{_ratio(quartiles[0])}–{_ratio(quartiles[2])}"
    return model, way, f"{statistics.median(found[way]):.4g}", _ratio(quartiles[1]), apart


def _ratio(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.0f}"


def ratios(one: Sequence[float], other: Sequence[float]) -> tuple[float, float, float]:
    """The quartiles of the ratios, round by round."""
    low, middle, high = np.quantile(np.asarray(one) / np.asarray(other), (0.25, 0.5, 0.75))
    return float(low), float(middle), float(high)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every model; 6 where bench's median is more than 2 % off the bare loop's."""
    parser = argparse.ArgumentParser(prog="python -m edge_melanoma.benchmarks.bench_overhead", description=__doc__)
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--name", default="bench_overhead")
    asked = parser.parse_args(argv)
    load, rows, result, off = os.getloadavg()[0], [], {}, []
    missing: dict[tuple[str, str], list[str]] = {}  # what was left out and why: of which models
    for place, path in enumerate(asked.models):
        subject = open_subject(path)
        ways, left_out = ways_of(subject, None if place else asked.run)
        print(f"{path.name}: {', '.join(ways)}", flush=True)
        found = measure(ways, asked.rounds)
        ours = ratios(found[OURS], found[BARE])
        if abs(ours[1] - 1) > LIMIT - 1:
            off.append(path.name)
        rows += [row(path.name, way, found) for way in found]
        result[path.name] = {"sha256": subject.artefact.sha256, "median_ms": found, "bench_over_bare": ours}
        for reason in left_out.items():
            missing.setdefault(reason, []).append(path.name)
    verdict = f"more than 2 % off for {', '.join(off)}" if off else "within 2 % for every model"
    written = write_result(
        asked.name,
        "What `bench` measures against a bare interpreter loop",
        {"rounds": asked.rounds, "seconds_of_a_round": SECONDS, "load_before": load, "models": result},
        HEADERS,
        rows,
        arguments=("MODEL …", *(("--run RUN",) if asked.run else ())),
        remarks=(
            f"bench's median is {verdict}: the median over {asked.rounds} rounds of the ratio in one round.",
            f"One thread, one picture at a time, {SECONDS:g} s a round after a warm-up; load before: {load:.1f}.",
            *(f"{name} is left out for {', '.join(models)}: {why}." for (name, why), models in missing.items()),
        ),
        packages=("ai-edge-litert", "tensorflow", "tf-keras", "numpy"),
        module="bench_overhead",
    )
    print(written.read_text(encoding="utf-8"))
    return EXIT_GATE_NOT_MET if off else 0


if __name__ == "__main__":
    sys.exit(main())
