"""What is known of every network without building it: the committed table, which measure.py writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .profile import Profile
from .table import BACKBONES, Backbone

PROFILES = Path(__file__).with_name("profiles.json")
CLASSES = 2  # of the head that is counted: most tasks here have two answers


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network at one size."""

    network: Backbone
    size: int
    profile: Profile

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.network.name,
            "title": self.network.title,
            "role": self.network.role,
            "native_size": self.network.native_size,
            "size": self.size,
            **self.profile.to_json(),
            "imagenet": self.network.imagenet is not None,
        }


def committed_rows() -> list[Row]:
    """Every network of the table at its native size."""
    known = json.loads(PROFILES.read_text(encoding="utf-8"))["networks"]
    return [
        Row(
            network=network,
            size=known[name]["size"],
            profile=Profile(parameters=known[name]["parameters"], macs=known[name]["macs"]),
        )
        for name, network in BACKBONES.items()
    ]


def measured_row(network: Backbone, size: int) -> Row:
    """A network at a size that no table has; builds it, so it takes seconds and needs the `train` extra."""
    from .build import build_model
    from .profile import profile

    model = build_model(network.name, size=size, classes=CLASSES)
    return Row(network=network, size=size, profile=profile(model))
