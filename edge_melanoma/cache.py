"""Where this program keeps what it can make again: nothing in there is ever needed."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """EDGE_MELANOMA_CACHE, else `edge-melanoma` in the user's cache folder; it need not exist."""
    given = os.environ.get("EDGE_MELANOMA_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "edge-melanoma"
