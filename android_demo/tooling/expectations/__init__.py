"""What Python makes of pictures, logits and bundles, written down for the Kotlin tests to compare with.

Nothing of it is committed: it is computed anew whenever Python's code, the golden files or the bundle change.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ..places import DEMO, GOLDEN, PROJECT
from .bundles import write_bundles
from .decisions import write_decisions
from .pictures import write_decoded, write_mutants
from .predictions import write_predictions

_STAMP = "made-from.sha256"


def write_expectations(out: Path, *, bundle: Path) -> bool:
    """Fill the folder `out`; False where what is there already is right."""
    stamp, made_of = out / _STAMP, _identity(bundle)
    if stamp.is_file() and stamp.read_text() == made_of:
        return False
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    write_decoded(out)
    write_mutants(out)
    write_decisions(out)
    write_bundles(out)
    write_predictions(out, bundle)
    stamp.write_text(made_of)
    return True


def _identity(bundle: Path) -> str:
    folders = (PROJECT / "edge_melanoma", GOLDEN, DEMO / "tooling" / "expectations")
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    found = hashlib.sha256()
    for path in [*(path for path in files if "__pycache__" not in path.parts), bundle]:
        found.update(f"\0{path}\0".encode() + path.read_bytes())
    return found.hexdigest()
