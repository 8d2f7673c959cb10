"""Every task on every device, and the table of what came out.

Devices take turns on the cores of this machine; each task runs here once and is compared with all of them.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from edge_melanoma.bundle import open_bundle
from edge_melanoma.errors import EdgeMelanomaError, RecipeError
from edge_melanoma.parallel import usable_cores
from edge_melanoma.picture import PictureError
from edge_melanoma.preprocess import PreprocessContract

from .cache import Say, note_of
from .device import Device
from .process import Done, kill_all, run_to_end
from .tasks import TASKS, Job, Task, Verdict, judge
from .wheels import installed_bytes

TIMEOUT_S = 1500.0  # of one task: most take half a minute, bench of 0.7 G multiply-adds more than seven


@dataclass(frozen=True, kw_only=True)
class Row:
    """One task on one device."""

    device: str
    task: str
    bundle: str | None  # None: it is not about one
    passed: bool
    detail: str
    seconds: float | None = None  # of this machine: they say nothing about a Raspberry Pi
    peak_mb: float | None = None  # with the emulator's own memory
    here_peak_mb: float | None = None  # of the same task on this machine

    def to_json(self) -> dict[str, Any]:
        return vars(self)


@dataclass(frozen=True, kw_only=True)
class PiReport:
    """All rows, and what the devices are made of."""

    rows: tuple[Row, ...]
    bundles: Mapping[str, str]  # their SHA-256, by name
    base_install_bytes: Mapping[str, Mapping[str, int]]  # by suite, then by package

    @property
    def passed(self) -> bool:
        return bool(self.rows) and all(row.passed for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        rows = [row.to_json() for row in self.rows]
        return {
            "passed": self.passed,
            "bundles": self.bundles,
            "rows": rows,
            "base_install_bytes": self.base_install_bytes,
        }


def jobs_of(bundles: Sequence[Path], *, golden: Path, pictures: Path | None = None) -> list[Job]:
    """A job for each bundle, refused before anything is built; `pictures` is a folder, by default the golden one."""
    names = [bundle.name for bundle in bundles]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RecipeError(f"two of the bundles are called {twice[0]}; rename one, the table tells them apart by name")
    hashes = [open_bundle(bundle).sha256 for bundle in bundles]
    shown = (pictures or golden.parent / "pictures").absolute()
    smallest = _smallest(shown)
    return [
        Job(bundle=bundle.absolute(), sha256=sha256, pictures=shown, picture=smallest, golden=golden.absolute())
        for bundle, sha256 in zip(bundles, hashes, strict=True)
    ]


def _smallest(pictures: Path) -> Path:
    found = sorted(pictures.iterdir(), key=lambda path: path.stat().st_size) if pictures.is_dir() else []
    for path in found:
        with contextlib.suppress(PictureError):
            PreprocessContract(width=32, height=32).to_tensor(path)  # refused by whoever decodes it, not by its header
            return path
    raise RecipeError(f"{pictures}: is no folder with pictures; JPEG, PNG or BMP are taken")


def run(devices: Sequence[Device], jobs: Sequence[Job], *, tasks: Sequence[Task] = TASKS, say: Say) -> PiReport:
    """Try the tasks with each bundle on each device."""
    with tempfile.TemporaryDirectory(prefix="edge-melanoma-pi-") as folder, ThreadPoolExecutor(usable_cores()) as pool:
        here = _Here(Path(folder))
        futures = [pool.submit(_row, device, task, job, here) for device, task, job in _plan(devices, tasks, jobs)]
        try:
            rows = tuple(_told(futures, say))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            kill_all()
            raise
    sizes = {device.suite.name: installed_bytes(device.sites) for device in devices}
    return PiReport(rows=rows, bundles={job.bundle.name: job.sha256 for job in jobs}, base_install_bytes=sizes)


def _plan(devices: Sequence[Device], tasks: Sequence[Task], jobs: Sequence[Job]) -> Iterator[tuple[Device, Task, Job]]:
    for device in devices:
        for task in tasks:
            for job in jobs if task.of_bundle else jobs[:1]:
                yield device, task, job


def _told(futures: Sequence[Future[Row]], say: Say) -> Iterator[Row]:
    for done, future in enumerate(futures, start=1):
        row = future.result()
        what = " ".join(filter(None, (row.task, row.bundle)))
        say(f"[{done}/{len(futures)}] {row.device}, {what}: {'ok' if row.passed else 'FAILS'}, {row.detail}")
        yield row


class _Here:
    """The same tasks on this machine, each once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done = cache(self._run)  # two devices may ask at once: then it runs twice, and the results are equal

    def _run(self, task: Task, job: Job) -> Done:
        command = [sys.executable, "-P", "-m", task.module, *task.arguments(job)]
        env = {**os.environ, "PYTHONUTF8": "1", "XDG_CACHE_HOME": str(self.folder / "here")}
        return run_to_end(command, timeout_s=TIMEOUT_S, env=env)


def _row(device: Device, task: Task, job: Job, here: _Here) -> Row:
    about: dict[str, Any] = {
        "device": device.name,
        "task": task.name,
        "bundle": job.bundle.name if task.of_bundle else None,
    }
    try:
        # met for the first time there: what is remembered of bundles does not outlive the run
        env = {"XDG_CACHE_HOME": str(here.folder / device.folder.name)}
        there = device.run_module(task.module, *task.arguments(job), timeout_s=TIMEOUT_S, env=env)
        ours = here.done(task, job) if task.here_too else None
        verdict = judge(task, device, there, ours)
    except EdgeMelanomaError as error:
        return Row(**about, **vars(Verdict(passed=False, detail=str(error))))
    return Row(
        **about,
        passed=verdict.passed,
        detail=verdict.detail,
        seconds=round(there.seconds, 1),
        peak_mb=round(there.peak_mb),
        here_peak_mb=round(ours.peak_mb) if ours else None,
    )


def versions(device: Device) -> Mapping[str, str]:
    """What the base install consists of there."""
    return {name: version for site in device.sites for name, version in note_of(site)["packages"].items()}
