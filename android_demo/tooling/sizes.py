"""The step `sizes`: what the APK is made of, written down beside the other measurements.

cd android_demo && python -m tooling sizes
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from edge_melanoma.machine import this_machine
from edge_melanoma.output import write_file, write_json
from edge_melanoma.report import markdown_table

from .apk import APK, MODEL, Entry, apk, check_apk, entries, methods_of, page_of
from .parts import KOTLIN, TENSORFLOW_LITE
from .places import PROJECT
from .report import StepReport

RESULTS = PROJECT / "benchmarks" / "results"
COMMAND = "cd android_demo && python -m tooling sizes"


def sizes(bundle: Path) -> StepReport:
    """Build the APK, and write results/android_apk.json and .md."""
    report = apk(bundle)
    if report.problems:
        return StepReport(name="sizes", problems=report.problems)
    facts, _ = check_apk(APK, bundle)
    found = entries(APK)
    parts = _parts(found)
    with zipfile.ZipFile(APK) as archive:
        methods = {name: methods_of(archive.read(name)) for name in archive.namelist() if name.endswith(".dex")}
        pages = {name: page_of(archive.read(name)) for name in archive.namelist() if name.endswith(".so")}
    content = {
        "command": COMMAND,
        "host": this_machine().to_json(),
        "versions": {"kotlin": KOTLIN, "tensorflow-lite": TENSORFLOW_LITE},
        "bundle": {"name": bundle.name, "sha256": hashlib.sha256(bundle.read_bytes()).hexdigest()},
        "apk_bytes": facts["bytes"],
        "parts": parts,
        "methods": methods,
        "native_library_page_bytes": pages,
        "entries": [vars(entry) for entry in found],
    }
    write_json(RESULTS / "android_apk.json", content)
    write_file(RESULTS / "android_apk.md", _page(bundle.name, int(facts["bytes"]), parts, methods, pages))
    return StepReport(name="sizes", facts={part: told["packed_bytes"] for part, told in parts.items()})


def _part_of(entry: Entry) -> str:
    if entry.name.startswith("lib/"):
        return f"TensorFlow Lite for {entry.name.split('/')[1]}"
    if entry.name.endswith(".dex"):
        return "code"
    return "the bundle" if entry.name == MODEL else "resources, manifest, assets"


def _parts(found: list[Entry]) -> dict[str, dict[str, int]]:
    """The bytes of each part, as they are and as they are packed."""
    parts: dict[str, dict[str, int]] = {}
    for entry in found:
        part = parts.setdefault(_part_of(entry), {"files": 0, "bytes": 0, "packed_bytes": 0})
        part["files"] += 1
        part["bytes"] += entry.size_bytes
        part["packed_bytes"] += entry.packed_bytes
    return dict(sorted(parts.items(), key=lambda item: -item[1]["packed_bytes"]))


def _page(
    bundle: str,
    apk_bytes: int,
    parts: Mapping[str, Mapping[str, int]],
    methods: Mapping[str, int],
    pages: Mapping[str, int],
) -> str:
    packed = sum(part["packed_bytes"] for part in parts.values())
    rows = [[part, f"{told['packed_bytes']:,}", f"{told['bytes']:,}"] for part, told in parts.items()]
    rows += [["padding, directory, signature", f"{apk_bytes - packed:,}", ""], ["all", f"{apk_bytes:,}", ""]]
    aligned = ", ".join(f"{name.split('/')[1]} {page:,}" for name, page in sorted(pages.items()))
    one = max((told["packed_bytes"] for part, told in parts.items() if part.endswith("arm64-v8a")), default=0)
    others = sum(told["packed_bytes"] for part, told in parts.items() if part.startswith("TensorFlow")) - one
    lines = [
        "# What the APK is made of",
        "",
        f"`{COMMAND}`; Kotlin {KOTLIN}, TensorFlow Lite {TENSORFLOW_LITE}, dexed by D8 without shrinking, with "
        f"{bundle}. Built, signed and statically verified; not run on Android.",
        "",
        markdown_table(("part", "bytes in the APK", "unpacked"), rows),
        f"- {sum(methods.values()):,} methods; a dex file holds 65,536 ({len(methods)} in this APK).",
        f"- A store that delivers the native library of one processor (arm64-v8a) leaves out {others:,} bytes.",
        f"- Alignment of the loaded segments of the native libraries, as `readelf -lW` has it: {aligned}. Phones with "
        "pages of 16,384 bytes need that much, or Android's compatibility mode for such libraries (read, "
        "not tried). 2.16.1 is the newest TensorFlow Lite on Maven Central that brings its libraries; LiteRT is on "
        "Google's Maven.",
    ]
    return "\n".join(lines) + "\n"
