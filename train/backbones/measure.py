"""Writes profiles.json, the table that `edge-melanoma models` prints without TensorFlow: every network at its native
size with a head for two classes.

Run after a change of a network: python -m edge_melanoma.train.backbones.measure
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from edge_melanoma import backend
from edge_melanoma.output import write_json

from .build import build_model
from .profile import profile
from .profiles import CLASSES, PROFILES
from .table import BACKBONES


def measure() -> dict[str, Any]:
    """The content of profiles.json."""
    networks = {}
    for name, network in BACKBONES.items():
        model = build_model(name, size=network.native_size, classes=CLASSES)
        networks[name] = {"size": network.native_size, **profile(model).to_json()}
        print(f"{name}: {networks[name]}", file=sys.stderr)
        backend.keras().backend.clear_session()
    return {
        "command": "python -m edge_melanoma.train.backbones.measure",
        "classes": CLASSES,
        "versions": backend.versions(),
        "networks": networks,
    }


if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else PROFILES
    write_json(out, measure())
