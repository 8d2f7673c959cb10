"""Measure artefacts on this device: what `edge-melanoma bench` does before it prints.

Runs of several artefacts take turns, so that a slow minute of the device hits all of them, and everything that can be
refused is refused before the first of them.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_melanoma import __version__
from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.machine import installed, this_machine
from edge_melanoma.runtime import Model, Predictor, engine
from edge_melanoma.runtime.door import check_threads, usual_threads
from edge_melanoma.runtime.threads import numbers_to_try

from .anatomy import anatomy_of
from .cold import NO_MEMORY, Cold, measure_cold
from .compare import Side, machine_in_words
from .conditions import Conditions, clocks, emulator, look, marks, worst
from .data_parity import on_data
from .end_to_end import Picture, drawn_pictures, given_pictures, stage_medians
from .int8 import int8_in_words, measured_in_words
from .result import Device, EndToEnd, Measurement, Report, Settings
from .stream import Query, Series, Timed, run_stream, series_of
from .subjects import Subject, open_subjects

if TYPE_CHECKING:
    from edge_melanoma.data.index import Index

OnStep = Callable[[str, int, int], None]
Check = Callable[[Sequence[Side]], object]  # asked about what will be measured; it may refuse
SHORTER = 3  # by which a sweep's run and an end-to-end run are shorter than the model's own


@dataclass(frozen=True, kw_only=True)
class BenchRecipe:
    """How to measure."""

    seconds: float = 10.0  # at least, of every run of the model
    repeats: int = 3
    threads: int | None = None  # None: as many as `predict` takes
    sweep: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= 3600:
            raise RecipeError(f"--seconds {self.seconds:g}: 0 to 3600 are taken")
        if not 1 <= self.repeats <= 100:
            raise RecipeError(f"--repeats {self.repeats}: 1 to 100 are taken")
        if self.threads is not None and self.threads < 1:
            raise RecipeError(f"--threads {self.threads}: 1 or more are needed")


def run(
    paths: Sequence[Path],
    recipe: BenchRecipe,
    *,
    pictures: Sequence[Path] = (),
    index: Index | None = None,
    check: Check = lambda sides: None,
    on_step: OnStep = lambda what, done, total: None,
) -> Report:
    """Measure these artefacts here; `pictures` instead of drawn ones, `index` for decisions on its test part."""
    check_threads(recipe.threads)  # not by the recipe: with --on, another machine's cores count
    engine()
    try:
        return _run(paths, recipe, pictures, index, check, on_step)
    except MemoryError as error:
        raise ArtifactError(f"{', '.join(map(str, paths))}: {NO_MEMORY}") from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise ArtifactError(f"{tempfile.gettempdir()}: cannot be written ({error.strerror}); free some room") from error


def _run(
    paths: Sequence[Path],
    recipe: BenchRecipe,
    pictures: Sequence[Path],
    index: Index | None,
    check: Check,
    on_step: OnStep,
) -> Report:
    subjects = open_subjects(paths)
    if index is not None and all(subject.bundle is None for subject in subjects):
        raise RecipeError("--data needs a bundle: a plain .tflite has no decisions to compare")
    check([_side(subject, recipe) for subject in subjects])
    with tempfile.TemporaryDirectory(prefix="edge-melanoma-bench-") as folder:
        shown = given_pictures(pictures) if pictures else drawn_pictures(Path(folder))
        return Report(measurements=tuple(_Bench(subjects, recipe, shown, index, on_step).measure()))


def _side(subject: Subject, recipe: BenchRecipe) -> Side:
    return Side(
        name=subject.artefact.name,
        sha256=subject.artefact.sha256,
        label=None,
        machine=machine_in_words(this_machine()),
        engine=str(engine()),
        threads=_threads(recipe, subject) or usual_threads(),
    )


class _Bench:
    """One call: the artefacts, and what was seen of the device on the way."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        recipe: BenchRecipe,
        pictures: Sequence[Picture],
        index: Index | None,
        on_step: OnStep,
    ) -> None:
        self.subjects, self.recipe, self.pictures, self.index = subjects, recipe, pictures, index
        self.machine = this_machine()
        self._on_step, self._done = on_step, 0
        self._seen: list[Conditions] = []
        bundles = sum(subject.bundle is not None for subject in subjects)
        each = 1 + bool(self._threads_to_try())  # cold starts count as a step, and so does a sweep
        self._total = recipe.repeats * (len(subjects) + bundles * len(pictures)) + each * len(subjects)

    def measure(self) -> Iterator[Measurement]:
        """All artefacts, by turns."""
        before, started = look(), clocks()
        cold = [self._cold(subject) for subject in self.subjects]
        benches = [_Timings(subject, self.recipe, self.pictures) for subject in self.subjects]
        for _ in range(self.recipe.repeats):
            for one in benches:
                for what, timing in one.runs():
                    self._step(f"{one.subject.artefact.name}: {what}")
                    timing()
                    self._seen.append(look())
        sweeps = [self._sweep(subject) for subject in self.subjects]
        after, ended = look(), clocks()
        others = ended.others_since(started) if started and ended else None
        device = self._device(before, after, others)
        found = [self._measurement(*each, device) for each in zip(benches, cold, sweeps, strict=True)]
        pairs = _pairs(found)
        for measured in found:
            told = measured_in_words([pair for pair in pairs if measured.name in pair])
            yield replace(measured, int8=(*measured.int8, *told))

    def _step(self, what: str) -> None:
        self._on_step(what, self._done, self._total)
        self._done += 1

    def _cold(self, subject: Subject) -> tuple[Cold, ...]:
        self._step(f"{subject.artefact.name}: starting cold")
        is_bundle = subject.bundle is not None
        once = partial(
            measure_cold,
            subject.path,
            is_bundle=is_bundle,
            threads=_threads(self.recipe, subject),
            picture=_largest(self.pictures).path if is_bundle else None,
        )
        return tuple(once() for _ in range(self.recipe.repeats))

    def _threads_to_try(self) -> list[int]:
        return numbers_to_try(self.machine.cores) if self.recipe.sweep else []

    def _sweep(self, subject: Subject) -> tuple[Series, ...]:
        found = []
        for place, threads in enumerate(self._threads_to_try()):
            if not place:
                self._step(f"{subject.artefact.name}: numbers of threads")
            query = model_query(Model(subject.model, threads=threads, name=str(subject.path)), subject)
            found.append(series_of([run_stream(query, seconds=self.recipe.seconds / SHORTER)], threads=threads))
        return tuple(found)

    def _device(self, before: Conditions, after: Conditions, others: float | None) -> Device:
        which, during, within = engine(), worst(self._seen), emulator()
        found = marks(before, during, after, others=others, cores=self.machine.cores)
        if within is not None:
            found.insert(0, f"all of this ran in an emulator ({within}): its times say nothing of any device")
        return Device(
            label=None,
            machine=self.machine,
            engine=which.name,
            engine_version=which.version,
            slow_engine=which.slow_engine,
            emulator=within,
            versions={"edge_melanoma": __version__, "numpy": installed("numpy"), "pillow": installed("pillow")},
            before=before,
            during=during,
            after=after,
            others_share=None if others is None else round(others, 4),
            marks=tuple(found),
        )

    def _measurement(
        self, timings: _Timings, cold: tuple[Cold, ...], sweep: tuple[Series, ...], device: Device
    ) -> Measurement:
        subject, recipe, threads = timings.subject, self.recipe, timings.threads
        anatomy = anatomy_of(subject.graph, subject.model)
        data = None
        if self.index is not None and subject.bundle is not None:
            data = on_data(subject, self.index, threads=threads)
        return Measurement(
            device=device,
            artefact=subject.artefact,
            settings=Settings(seconds=recipe.seconds, repeats=recipe.repeats, threads=threads),
            model=series_of(timings.model, threads=threads),
            end_to_end=timings.end_to_end(),
            cold=cold,
            cold_picture=_largest(self.pictures).name if subject.bundle else None,
            sweep=sweep,
            anatomy=anatomy,
            int8=int8_in_words(self.machine, device.slow_engine),
            checks=subject.checks,
            data=data,
            predict_threads=subject.predict_threads,
        )


class _Timings:
    """One artefact, ready to run, and its runs so far."""

    def __init__(self, subject: Subject, recipe: BenchRecipe, pictures: Sequence[Picture]) -> None:
        self.subject, self.recipe = subject, recipe
        threads = _threads(recipe, subject)
        self.predictor = None if subject.bundle is None else Predictor(subject.bundle, threads=threads)
        self._model = (
            Model(subject.model, threads=threads, name=str(subject.path))
            if self.predictor is None
            else self.predictor.model
        )
        self.threads = self._model.threads
        self.pictures = pictures if self.predictor else ()
        self.model: list[Timed] = []
        self._whole: dict[str, list[Timed]] = {picture.name: [] for picture in self.pictures}

    def runs(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """One run of everything, each to be called."""
        yield "model only", partial(self._time, model_query(self._model, self.subject), self.model, 1)
        for picture in self.pictures:
            if self.predictor is not None:
                query = partial(self.predictor.predict, picture.path)
                yield f"end to end, {picture.name}", partial(self._time, query, self._whole[picture.name], SHORTER)

    def _time(self, query: Query, into: list[Timed], shorter: int) -> None:
        into.append(run_stream(query, seconds=self.recipe.seconds / shorter))

    def end_to_end(self) -> tuple[EndToEnd, ...]:
        """What the runs from a file to a decision say."""
        if self.predictor is None:
            return ()
        return tuple(
            EndToEnd(
                picture=picture.name,
                size=picture.size,
                file_bytes=picture.file_bytes,
                series=series_of(self._whole[picture.name], threads=self.threads),
                stages_ms=stage_medians(self.predictor, picture.path),
            )
            for picture in self.pictures
        )


def _threads(recipe: BenchRecipe, subject: Subject) -> int | None:
    """As asked for, else as `predict` does; None: as a model gets where nothing was tried."""
    return recipe.threads or subject.predict_threads


def model_query(model: Model, subject: Subject) -> Query:
    """One inference, as `predict` asks for it: a uint8 tensor in, the model's own numbers out."""
    if subject.bundle is not None:
        batch = subject.bundle.golden.inputs[:1].copy()
    else:
        batch = np.random.default_rng(0).integers(0, 256, model.input.shape, dtype=np.uint8)
    return partial(model.raw, batch)


def _largest(pictures: Sequence[Picture]) -> Picture:
    return max(pictures, key=lambda one: one.size[0] * one.size[1])


def _pairs(found: Sequence[Measurement]) -> list[tuple[str, str, float]]:
    """Int8 and float models of the same network: equal multiply-adds and input."""
    return [
        (small.name, large.name, small.model.p50_ms / large.model.p50_ms)
        for small in found
        for large in found
        if small.artefact.format == "int8" and large.artefact.format in ("float32", "float16")
        if small.anatomy.macs == large.anatomy.macs
    ]
