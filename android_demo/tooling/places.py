"""Where things lie: the sources, what is built from them, and what the rest of the project lends."""

from __future__ import annotations

from pathlib import Path

DEMO = Path(__file__).resolve().parents[1]
PROJECT = DEMO.parent
GOLDEN = PROJECT / "tests" / "golden"
TINY_BUNDLE = GOLDEN / "tiny" / "tiny_bundle.tflite"
REFERENCE_BUNDLE = PROJECT / "edge_melanoma" / "models" / "reference.tflite"  # the package also goes without it
DEFAULT_BUNDLE = REFERENCE_BUNDLE if REFERENCE_BUNDLE.is_file() else TINY_BUNDLE
CORE, APP = DEMO / "core", DEMO / "app"
BUILT = DEMO / "build" / "make"  # beside Gradle's own build folders, and never committed


def kotlin_files(folder: Path) -> list[Path]:
    """The Kotlin files below a folder, in one order."""
    return sorted(folder.rglob("*.kt"))
