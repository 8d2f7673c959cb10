"""A bundle that this machine has not run yet proves itself first, in a process of its own, on its golden pictures.

What crashes or hangs the engine is found there, and so is an engine that computes something else than what was
measured. Then it is found out how many threads help. Both cost time, so they are done once for every bundle, engine and
machine; a small file in the cache folder remembers what came of it. Where none can be written, the bundle proves itself
each time, and the threads are not tried: that would take longer than the predictions it is to speed up.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_melanoma import __version__
from edge_melanoma.bundle import Bundle, open_bundle
from edge_melanoma.cache import cache_folder
from edge_melanoma.errors import ArtifactError
from edge_melanoma.machine import this_machine
from edge_melanoma.models import find_bundle
from edge_melanoma.parallel import usable_cores
from edge_melanoma.runtime.door import check_threads, engine, usual_threads
from edge_melanoma.runtime.predictor import Predictor

if TYPE_CHECKING:
    from edge_melanoma.bundle.verify import Check

MAX_BYTES = 1 << 16  # of the file; what is larger is not ours


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """What is known of a bundle on this machine."""

    threads: int  # that help
    warning: str | None  # what to tell whoever uses it here


def meet(bundle: Bundle, *, proof: Sequence[Check] | None = None) -> Meeting:
    """Let a bundle prove itself if it is met for the first time; ArtifactError if it fails.

    `proof` is what `verify` found a moment ago, if it was asked.
    """
    place = _place(bundle)
    known = None if place is None else _recalled(place)
    if known is not None:
        return known
    warning = _proved(bundle, proof)
    if place is None or not _can_write(place.parent):
        return Meeting(threads=usual_threads(), warning=warning)
    from edge_melanoma.runtime.threads import threads_that_help

    found = Meeting(threads=threads_that_help(bundle), warning=warning)
    _remember(place, found)
    return found


def introduce(bundle: Bundle, *, threads: int | None = None) -> Predictor:
    """A predictor of a bundle that has proved itself here, with as many threads as help."""
    check_threads(threads)  # before the bundle is run to prove itself
    met = meet(bundle)
    predictor = Predictor(bundle, threads=threads or met.threads)
    predictor.warnings = tuple(filter(None, (predictor.model.engine.slow_engine, met.warning)))
    return predictor


def open_predictor(model: str | Path | None = None, *, threads: int | None = None) -> Predictor:
    """The same of a bundle's path, or of a model of the package by its name, without one the package's first."""
    return introduce(open_bundle(find_bundle(model)), threads=threads)


def _proved(bundle: Bundle, proof: Sequence[Check] | None) -> str | None:
    """The warning with which it passes, if there is one."""
    from edge_melanoma.bundle.verify import prove  # only now: it brings a child process along

    checks = list(prove(bundle)) if proof is None else proof
    failed = [check for check in checks if not check.passed]
    if failed:
        raise ArtifactError(
            f"{bundle.name}: does not give here what was measured: {'; '.join(check.detail for check in failed)}; "
            "do not use it with this engine (edge-melanoma verify tells more)"
        )
    return "; ".join(check.warning for check in checks if check.warning) or None


def _place(bundle: Bundle) -> Path | None:
    """The file that remembers this bundle on this machine; None where there can be none."""
    machine, which = this_machine(), engine()
    facts = (bundle.sha256, str(which), __version__, machine.architecture, machine.cpu or "", *machine.features)
    name = hashlib.sha256("\n".join((*facts, f"{machine.cores} cores")).encode()).hexdigest()
    try:
        return cache_folder() / "proved" / f"{name}.json"
    except RuntimeError:  # no home
        return None


def _recalled(place: Path) -> Meeting | None:
    """What the file says, if it is one that we wrote; else the bundle is met anew."""
    try:
        with place.open("rb") as stream:
            content = json.loads(stream.read(MAX_BYTES))
        threads, warning = content["threads"], content["warning"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    if type(threads) is not int or not 1 <= threads <= usable_cores() or not isinstance(warning, str | None):
        return None
    return Meeting(threads=threads, warning=warning)


def _can_write(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder.is_dir() and os.access(folder, os.W_OK)


def _remember(place: Path, found: Meeting) -> None:
    from edge_melanoma.output import write_json

    with contextlib.suppress(ArtifactError):  # a full disk: next time again, then
        write_json(place, asdict(found))
