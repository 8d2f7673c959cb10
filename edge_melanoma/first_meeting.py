"""A bundle that this machine has not run yet proves itself first, in a process of its own, on its golden pictures.

What crashes or hangs the engine is found there, and so is an engine that computes something else than what was
measured. That costs a second process, so it is done once for every bundle, engine and machine; an empty file in the
cache folder remembers it. Where none can be written, it is done each time.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from edge_melanoma import __version__
from edge_melanoma.bundle import Bundle
from edge_melanoma.cache import cache_folder
from edge_melanoma.errors import ArtifactError
from edge_melanoma.machine import this_machine
from edge_melanoma.runtime import engine


def meet(bundle: Bundle) -> bool:
    """Let a bundle prove itself if it is met for the first time, and say whether it was; ArtifactError if it fails."""
    remembered = _remembered(bundle)
    if remembered is not None and remembered.exists():
        return False
    from edge_melanoma.bundle.verify import prove  # only now: it brings a child process along

    failed = [check for check in prove(bundle) if not check.passed]
    if failed:
        raise ArtifactError(
            f"{bundle.name}: does not give here what was measured: {'; '.join(check.detail for check in failed)}; "
            "do not use it with this engine (edge-melanoma verify tells more)"
        )
    if remembered is not None:
        with contextlib.suppress(OSError):  # next time again, then
            remembered.parent.mkdir(parents=True, exist_ok=True)
            remembered.touch()
    return True


def _remembered(bundle: Bundle) -> Path | None:
    """The file that says that this bundle has proved itself here; None where there can be none."""
    machine, which = this_machine(), engine()
    facts = (bundle.sha256, str(which), __version__, machine.architecture, machine.cpu or "", *machine.features)
    name = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    try:
        return cache_folder() / "proved" / name
    except RuntimeError:  # no home
        return None
