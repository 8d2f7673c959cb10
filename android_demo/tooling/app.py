"""The step `app`: link the app's resources and compile its code against the Android framework."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .android_tools import framework, run_aapt2, tensorflow_lite
from .app_parts import TFLITE_API
from .core import compile_core
from .fetch import fetch
from .java import JavaFailedError
from .kotlin import compile_kotlin
from .parts import STDLIB
from .places import APP, BUILT
from .report import StepReport

OLDEST_API, TARGET_API = 26, 35  # Gradle's target is the newest; the framework that is linked with here is of API 35
VERSION_CODE, VERSION_NAME = 1, "0.1.0"
PACKAGE = "edgemelanoma.app"
SOURCES = APP / "src" / "main"
OUT = BUILT / "app"
MAIN, BENCH = OUT / "main", OUT / "bench"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What aapt2 made: an APK without code, and the manifest as it stands in it."""

    apk: Path
    manifest: Path
    code: Path  # the folder with R.kt


def link_resources() -> Resources:
    """Compile and link the resources; JavaFailedError says what aapt2 found wrong."""
    generated = OUT / "generated"
    generated.mkdir(parents=True, exist_ok=True)
    compiled, apk, symbols, manifest = (OUT / name for name in ("res.zip", "res.apk", "R.txt", "AndroidManifest.xml"))
    # Gradle takes the package from `namespace`, aapt2 alone from the manifest
    text = (SOURCES / "AndroidManifest.xml").read_text(encoding="utf-8")
    text = text.replace("<manifest ", f'<manifest package="{PACKAGE}" ', 1)
    # as Gradle does from minSdk 23 on: the libraries are mapped out of the APK
    text = text.replace("<application", '<application android:extractNativeLibs="false"', 1)
    manifest.write_text(text, encoding="utf-8")
    run_aapt2(["compile", "--dir", SOURCES / "res", "-o", compiled])
    options: list[str | Path] = ["--manifest", manifest, "-I", framework(), "-o", apk, "--output-text-symbols", symbols]
    options += ["--min-sdk-version", str(OLDEST_API), "--target-sdk-version", str(TARGET_API)]
    options += ["--version-code", str(VERSION_CODE), "--version-name", VERSION_NAME, compiled]
    run_aapt2(["link", *options, "-A", SOURCES / "assets"])
    (generated / "R.kt").write_text(_kotlin_of(symbols.read_text(encoding="utf-8")), encoding="utf-8")
    return Resources(apk=apk, manifest=manifest, code=generated)


def _kotlin_of(symbols: str) -> str:
    """The identifiers of the resources as Kotlin: what Gradle's plugin makes a Java class of."""
    kinds: dict[str, list[str]] = {}
    for kind, name, value in re.findall(r"^int (\w+) (\w+) (0x[0-9a-f]+)$", symbols, re.MULTILINE):
        if kind != "styleable":
            kinds.setdefault(kind, []).append(f"        const val {name}: Int = {value}")
    objects = [f"    object {kind} {{\n{chr(10).join(lines)}\n    }}" for kind, lines in sorted(kinds.items())]
    suppressed = '@file:Suppress("ClassName", "ConstPropertyName")'
    return "\n".join([suppressed, "", f"package {PACKAGE}", "", "object R {", *objects, "}", ""])


def tflite_classes() -> list[Path]:
    """The Java classes of TensorFlow Lite, which two archives share between them."""
    place = OUT / "tensorflow-lite-api.jar"
    archive = fetch([TFLITE_API])[TFLITE_API]
    with zipfile.ZipFile(archive) as aar:
        content = aar.read("classes.jar")
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_file() or place.read_bytes() != content:
        place.write_bytes(content)
    return [tensorflow_lite() / "classes.jar", place]


def compile_bench() -> Path:
    """The statistics of the latency screen alone: that they compile without Android proves that they need none."""
    core, stdlib = compile_core(), fetch([STDLIB])[STDLIB]
    compile_kotlin(
        [SOURCES / "kotlin" / "edgemelanoma" / "app" / "bench"], BENCH, classes=[core, stdlib], module="bench"
    )
    return BENCH


def compile_app() -> tuple[Path, Resources]:
    """The compiled classes of app/src/main, and the resources that they name."""
    core, stdlib, resources = compile_core(), fetch([STDLIB])[STDLIB], link_resources()
    classes = [core, *tflite_classes(), framework(), stdlib]
    compile_kotlin([SOURCES / "kotlin", resources.code], MAIN, classes=classes, module="app")
    return MAIN, resources


def untranslated(languages: Iterable[str] = ("de",)) -> list[str]:
    """What a language lacks of the texts, or has too much, or asks for with other arguments."""
    problems = []
    english = _texts("values")
    for language in languages:
        other = _texts(f"values-{language}")
        problems += [f"{name}: is missing in values-{language}" for name in sorted(english.keys() - other.keys())]
        problems += [f"{name}: is in values-{language} only" for name in sorted(other.keys() - english.keys())]
        problems += [
            f"{name}: asks for {_arguments(english[name])} in values and {_arguments(other[name])} in values-{language}"
            for name in sorted(english.keys() & other.keys())
            if _arguments(english[name]) != _arguments(other[name])
        ]
    return problems


def _texts(folder: str) -> dict[str, str]:
    text = (SOURCES / "res" / folder / "strings.xml").read_text(encoding="utf-8")
    return dict(re.findall(r'<string name="(\w+)">(.*?)</string>', text, re.DOTALL))


def _arguments(text: str) -> list[str]:
    return sorted(re.findall(r"%\d\$[sd]", text))


def app(_: Path) -> StepReport:
    """Link and compile the app, and compare its languages."""
    try:
        compile_bench()
        compile_app()
    except JavaFailedError as error:
        return StepReport(name="app", problems=(f"does not compile: {error}",))
    files = list((SOURCES / "kotlin").rglob("*.kt"))
    facts = {"Kotlin files": len(files), "texts in English and German": len(_texts("values"))}
    return StepReport(name="app", facts=facts, problems=tuple(untranslated()))
