"""What a machine has and lacks for each part of this package, and the command that mends it."""

from __future__ import annotations

import sys
from typing import Any

from PIL import features

from edge_melanoma import __version__
from edge_melanoma.machine import extras, installed, this_machine
from edge_melanoma.runtime.engines import ENGINES, SLOW, install_command, only_slow_engines

SUPPORTED = ((3, 11), (3, 13))
PURPOSE = {
    "data": "tables and plots: data ingest, audit, split, eda",
    "train": "training and conversion",
    "runtime": "the engine for 32-bit Raspberry Pi OS",
    "all": "everything",
}


def examine() -> dict[str, Any]:
    """Everything doctor knows."""
    engines: dict[str, dict[str, str | None]] = {}
    for kind in ENGINES:
        engines[kind.name] = {"version": kind.version, "trouble": kind.trouble() if kind.version else None}
    engines["tensorflow"] = {"version": installed("tensorflow"), "trouble": None}
    facts: dict[str, Any] = {
        "edge_melanoma": __version__,
        "machine": this_machine().to_json(),
        "engines": engines,
        "libraries": {
            "numpy": installed("numpy"),
            "pillow": installed("pillow"),
            "libjpeg-turbo": features.version_feature("libjpeg_turbo"),
        },
        "extras": extras(),
    }
    facts["mends"] = _mends(facts)
    return facts


def _mends(facts: dict[str, Any]) -> list[dict[str, str]]:
    mends = []
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        mends.append({"lacks": f"Python 3.11 to 3.13 (this is {facts['machine']['python']})", "mend": "install one"})
    engines = facts["engines"]
    for kind in ENGINES:
        if trouble := engines[kind.name]["trouble"]:
            mends.append({"lacks": f"a working {kind.name}: {trouble}", "mend": kind.mend()})
    working = {name for name, engine in engines.items() if engine["version"] and not engine["trouble"]}
    if not working:
        mends.append({"lacks": "an engine that runs models", "mend": install_command()})
    elif not engines["ai-edge-litert"]["version"] and "tflite-runtime" in working and not only_slow_engines():
        mends.append({"lacks": f"the fast engine ({SLOW})", "mend": install_command()})
    if facts["libraries"]["libjpeg-turbo"] is None:
        mends.append(
            {
                "lacks": "libjpeg-turbo in Pillow: tensors of JPEG pictures may differ from the contract",
                "mend": "pip install --force-reinstall --only-binary :all: pillow",
            }
        )
    for extra, packages in facts["extras"].items():
        missing = [name for name, version in packages.items() if version is None]
        if missing and extra != "all":
            mends.append(
                {
                    "lacks": f"{PURPOSE.get(extra, extra)} ({', '.join(missing)})",
                    "mend": f"pip install 'edge-melanoma[{extra}]'",
                }
            )
    return mends
