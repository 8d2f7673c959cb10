"""The steps `bench` and `screen`: the app's statistics against Python's, and its Activity under Robolectric."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from edge_melanoma.benchmarks.device.early_stopping import slower_queries
from edge_melanoma.benchmarks.device.stream import Timed, series_of
from edge_melanoma.benchmarks.device.warm_up import settled_after
from edge_melanoma.bundle.strict import fields_to_json

from .android_tools import framework
from .app import OUT, PACKAGE, compile_app, compile_bench, tflite_classes
from .app_parts import INSTRUMENTED, ROBOLECTRIC_PARTS
from .core import EXPECTATIONS, compile_core, compile_core_tests, native_library
from .expectations import write_expectations
from .fetch import fetch
from .java import JavaFailedError, run_java
from .kotlin import compile_kotlin
from .parts import JNA_PART, JUNIT, STDLIB
from .places import APP, GOLDEN, TINY_BUNDLE
from .report import StepReport

STANDINS, SCREEN_TESTS, BENCH_TESTS = OUT / "standins", OUT / "screen-tests", OUT / "bench-tests"
SCREENS, BENCH_REPORT = OUT / "screens", OUT / "bench.json"
STATISTICS = OUT / "statistics.json"
_JUNIT_MAIN = "org.junit.platform.console.ConsoleLauncher"
_OPENED = ("java.lang", "java.util", "java.io", "java.net", "java.nio", "java.lang.reflect", "java.util.concurrent")


def bench(_: Path) -> StepReport:
    """Percentiles, warm-up and series as the latency screen has them, against benchmarks/device."""
    try:
        main, core = compile_bench(), compile_core()
        parts = fetch([STDLIB, JUNIT])
        sources = APP / "src" / "test" / "kotlin"
        compile_kotlin([sources], BENCH_TESTS, classes=[main, core, *parts.values()], friend=main, module="bench-tests")
    except JavaFailedError as error:
        return StepReport(name="bench", problems=(f"does not compile: {error}",))
    STATISTICS.write_text(json.dumps(_statistics()), encoding="utf-8")
    classes = [BENCH_TESTS, main, core, *parts.values()]
    return _run_tests("bench", BENCH_TESTS, classes, {"edgemelanoma.statistics": STATISTICS}, ())


def _statistics() -> dict[str, object]:
    """What Python makes of many made-up latencies."""
    rng = np.random.default_rng(3)
    streams = [_stream(rng, int(rng.integers(40, 700)), kind) for kind in range(4) for _ in range(25)]
    series = []
    for lengths in ((64,), (70, 333, 64), (1000, 900), (64, 65)):
        runs = [
            Timed(warm_up_queries=i, settled=i != 1, latencies_ns=tuple(_stream(rng, n, 0)))
            for i, n in enumerate(lengths)
        ]
        given = [{"warm_up": run.warm_up_queries, "settled": run.settled, "ns": run.latencies_ns} for run in runs]
        series.append({"runs": given, "series": fields_to_json(series_of(runs, threads=4))})
    return {
        "slower": {str(share): [slower_queries(n, share) for n in range(1, 2001)] for share in (0.9, 0.99)},
        "settled": [{"ns": ns, "after": settled_after(ns)} for ns in streams],
        "series": series,
    }


def _stream(rng: np.random.Generator, length: int, kind: int) -> list[int]:
    """Latencies in nanoseconds: quiet, with a slow beginning, drifting, or all alike."""
    ns = 2e6 * np.exp(rng.normal(0, 0.05, length))
    if kind == 1:
        ns[: length // 5] *= 3
    elif kind == 2:
        ns *= np.linspace(1, 2, length)
    elif kind == 3:
        ns[:] = 2e6
    return [int(value) for value in ns]


def screen(_: Path) -> StepReport:
    """The Activity under Robolectric with Android's own graphics, and LiteRT's desktop library as its engine."""
    # always the tiny bundle: the tests ask for pictures with each of the three answers
    write_expectations(EXPECTATIONS, bundle=TINY_BUNDLE)
    try:
        classes = _compile_screen_tests()
    except JavaFailedError as error:
        return StepReport(name="screen", problems=(f"does not compile: {error}",))
    shutil.rmtree(SCREENS, ignore_errors=True)
    notes = OUT / "screen-notes.txt"
    properties: dict[str, str | Path] = {
        "edgemelanoma.golden": GOLDEN,
        "edgemelanoma.expectations": EXPECTATIONS,
        "edgemelanoma.litert": native_library(),
        "edgemelanoma.notes": notes,
        "edgemelanoma.screens": SCREENS,
        "edgemelanoma.bench-report": BENCH_REPORT,
        "jna.tmpdir": OUT,
        "java.io.tmpdir": _empty(OUT / "tmp"),
        "robolectric.offline": "true",
        "robolectric.dependency.dir": fetch([INSTRUMENTED])[INSTRUMENTED].parent,
    }
    options = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
    return _run_tests("screen", SCREEN_TESTS, classes, properties, options, notes=notes)


def _compile_screen_tests() -> list[Path]:
    """The class path of the tests, in their order."""
    main, resources = compile_app()
    core, core_tests = compile_core(), compile_core_tests()
    libraries = [path for part, path in fetch(ROBOLECTRIC_PARTS).items() if part is not INSTRUMENTED]
    stdlib, jna = fetch([STDLIB, JNA_PART]).values()
    standins = Path(__file__).with_name("standins")
    compile_kotlin([standins], STANDINS, classes=[framework(), stdlib], module="standins")
    needed = [main, core, core_tests, STANDINS, *tflite_classes(), *libraries, stdlib, jna]
    sources = APP / "src" / "robolectric" / "kotlin"
    compile_kotlin([sources], SCREEN_TESTS, classes=[*needed, framework()], friend=main, module="screen-tests")
    # JUnit looks at the tests before Robolectric puts its own framework below them
    return [_settings(resources.apk, resources.manifest), SCREEN_TESTS, *needed, fetch([JUNIT])[JUNIT], framework()]


def _settings(apk: Path, manifest: Path) -> Path:
    """The folder that tells Robolectric where the resources are, as Gradle's plugin would write it."""
    folder = OUT / "settings"
    place = folder / "com" / "android" / "tools"
    place.mkdir(parents=True, exist_ok=True)
    lines = {
        "android_resource_apk": apk,
        "android_merged_manifest": manifest,
        "android_custom_package": PACKAGE,
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    (place / "test_config.properties").write_text(text, encoding="utf-8")
    return folder


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _run_tests(
    name: str,
    tests: Path,
    classes: Iterable[Path],
    properties: Mapping[str, str | Path],
    options: Sequence[str],
    *,
    notes: Path | None = None,
) -> StepReport:
    """Run every test in a folder; one that is skipped counts as a problem, because here each has what it needs."""
    results, problems, selected = _empty(OUT / f"{name}-results"), [], ("--include-classname", ".*Test")
    if notes is not None:
        notes.unlink(missing_ok=True)
    try:
        run_java(
            _JUNIT_MAIN,
            ["execute", "--scan-class-path", tests, *selected, "--reports-dir", results, "--details", "none"],
            classes=classes,
            properties=properties,
            options=("-Xmx3g", "-ea", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *options),
        )
    except JavaFailedError as error:
        problems.append(str(error)[:4000])
    cases = [case for path in sorted(results.glob("TEST-*.xml")) for case in ElementTree.parse(path).iter("testcase")]
    failed = [
        f"{case.get('name')}: {(wrong.text or wrong.get('message') or wrong.tag)[:1500]}"
        for case in cases
        for wrong in (*case.findall("failure"), *case.findall("error"), *case.findall("skipped"))
    ]
    facts: dict[str, str | int | float] = {"tests": len(cases)}
    for line in sorted(notes.read_text(encoding="utf-8").splitlines()) if notes is not None and notes.is_file() else []:
        what, found = line.split("\t", 1)
        facts[what] = found
    return StepReport(name=name, facts=facts, problems=tuple(failed or problems or ([] if cases else ["no test ran"])))
