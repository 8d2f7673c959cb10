"""Bundles that must open, and bundles that must not although every sum in them was repaired."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from edge_melanoma.bundle import pack_bundle, read_bundle
from edge_melanoma.bundle.archive import read_archive
from edge_melanoma.bundle.reading import LIMITS, MANIFEST
from edge_melanoma.errors import ArtifactError

from ..places import GOLDEN, TINY_BUNDLE

Change = Callable[[dict[str, Any]], None]
Place = tuple[str | int, ...]  # to a value inside the manifest


def write_bundles(out: Path) -> None:
    """`bundles/NAME.tflite` and `bundles.json`: does Python take it, and what is wrong with it?

    `forged/NUMBER.tflite` and `forged.json` are the same for a manifest with another value in one place.
    """
    tiny, committed = tiny_maker(), TINY_BUNDLE.read_bytes()
    for folder, name, bundles in (
        ("bundles", "bundles.json", _bundles(tiny, committed)),
        ("forged", "forged.json", _forged(tiny, committed)),
    ):
        (out / folder).mkdir()
        found = {}
        for number, (what, data) in enumerate(bundles):
            file = f"{what if folder == 'bundles' else number}.tflite"
            (out / folder / file).write_bytes(data)
            found[what] = {"file": f"{folder}/{file}", **_verdict(data, what)}
        (out / name).write_text(json.dumps(found, indent=1), encoding="utf-8")


def _verdict(data: bytes, name: str) -> dict[str, Any]:
    try:
        return {"taken": True, "sha256": read_bundle(data, name=name).sha256}
    except ArtifactError as error:
        return {"taken": False, "problem": str(error)}


def tiny_maker() -> ModuleType:
    """tests/golden/tiny/make.py, which knows how to forge a bundle."""
    spec = importlib.util.spec_from_file_location("tiny_make", GOLDEN / "tiny" / "make.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(GOLDEN / "tiny" / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _bundles(tiny: ModuleType, committed: bytes) -> Iterator[tuple[str, bytes]]:
    yield "as_committed", committed
    vectors, identity = tiny.golden("float32")
    manifest = tiny.manifest("float32", golden=identity)
    yield "float32", pack_bundle(model=tiny.model_bytes("float32"), manifest=manifest, golden=vectors)
    for name, change in _changes():
        yield name, tiny.forged(committed, change)
    yield "other_labels", tiny.forged(committed, labels=b"melanoma\nother\n")
    yield "float_model_for_int8", tiny.forged(committed, model=tiny.model_bytes("float32"))
    plain = tiny.model_bytes("int8")
    yield "plain_model", plain
    yield "two_archives", committed + committed[len(plain) :]
    yield "something_behind", committed + b"\0"
    yield "something_before", b"\0" + committed


def _changes() -> Iterator[tuple[str, Change]]:
    yield "odd_texts", lambda content: content["rule"]["fitted_on"].update(_ODD_TEXTS)
    yield "odd_numbers", lambda content: content["metrics"].update(_ODD_NUMBERS)
    yield "capture_gate", lambda content: content.update(capture_gate=_gate())
    yield "newer_schema", lambda content: content.update(schema_version=2)
    yield "newer_contract", lambda content: content["preprocessing"].update(version=2)
    yield "newer_rule", lambda content: content["rule"].update(version=2)
    yield "key_too_many", lambda content: content.update(author="nobody")
    yield "key_missing", lambda content: content.pop("metrics")
    yield "key_too_many_in_rule", lambda content: content["rule"].update(author="nobody")
    yield "no_notice", lambda content: content.update(notice="Trust this.")
    yield "synthetic_unsaid", lambda content: content.update(synthetic_banner=None)
    yield "other_size", lambda content: content["preprocessing"].update(width=17)
    yield "other_scale", lambda content: content["model"]["output"].update(scale=0.125)
    yield "other_zero_point", lambda content: content["model"]["output"].update(zero_point=125)
    yield "other_classes", lambda content: content["rule"].update(classes=["melanoma", "other"])
    yield "other_threshold", lambda content: content["rule"]["threshold_low"].update(value=0.32)
    yield "thresholds_crossed", lambda content: content["rule"]["threshold_low"].update(value=0.65, high=0.7)
    yield "other_temperature", lambda content: content["rule"]["temperature"].update(value=1.3)
    yield "text_for_number", lambda content: content["rule"]["temperature"].update(value="1.25")
    yield "unprintable", lambda content: content["rule"]["fitted_on"].update(remark="red \x1b[31m text")
    yield "more_golden_pictures", lambda content: content["golden"].update(pictures=7)


def _forged(tiny: ModuleType, committed: bytes) -> Iterator[tuple[str, bytes]]:
    """Every value that a device uses, and every object and list around it, replaced by others."""
    gated = tiny.forged(committed, lambda content: content.update(capture_gate=_gate()))
    archive = read_archive(gated, limits=LIMITS, name="bundle")
    manifest = json.loads(archive.entries[MANIFEST])
    for path in [path for used in _USED for path in _places(_at(manifest, used), used)]:
        for other in _OTHERS:
            if other != _at(manifest, path) or type(other) is not type(_at(manifest, path)):
                yield f"{'.'.join(map(str, path))} = {other!r}", tiny.forged(gated, _replacing(path, other))


def _places(value: Any, path: Place) -> Iterator[Place]:
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from _places(item, (*path, key))


def _at(content: Any, path: Place) -> Any:
    for key in path:
        content = content[key]
    return content


def _replacing(path: Place, other: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        _at(content, path[:-1])[path[-1]] = other

    return change


_USED: tuple[Place, ...] = (
    ("preprocessing",),
    ("rule",),
    ("task", "name"),
    ("task", "classes"),
    ("model", "input"),
    ("model", "output"),
    ("capture_gate",),
    ("notice",),
    ("synthetic_banner",),
    ("schema_version",),
)
_OTHERS: tuple[Any, ...] = (None, True, -1, 0, 0.5, 1, 2.5, 3, 1e300, "", "a text", [], [0], {}, {"value": 1})
_ODD_TEXTS = {"é": 'a "quoted" \\ text', "𝒳": "astral", "\uffee": "two\nlines", "/": "", "": "empty key"}
_ODD_NUMBERS = {"small": 5e-324, "large": 1.7976931348623157e308, "power": 2.0**-44, "minus": -0.0, "whole": -(2**63)}


def _gate() -> dict[str, Any]:
    gate: dict[str, Any] = json.loads((GOLDEN / "capture.json").read_text(encoding="utf-8"))["gate"]
    return gate
