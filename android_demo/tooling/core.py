"""The step `core`: compile core/, and prove on the JVM that it does what Python does."""

from __future__ import annotations

import importlib.util
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path

from edge_melanoma.bundle import open_bundle
from edge_melanoma.machine import installed

from .expectations import write_expectations
from .fetch import MissingPartError, fetch
from .java import JavaFailedError, run_java
from .kotlin import compile_kotlin
from .parts import CORE_PARTS, JNA_PART, JUNIT, STDLIB
from .places import BUILT, CORE, GOLDEN
from .report import StepReport

MAIN, TESTS = BUILT / "core" / "main", BUILT / "core" / "tests"
EXPECTATIONS = BUILT / "expectations"
LITERT = "ai-edge-litert"
_JUNIT_MAIN = "org.junit.platform.console.ConsoleLauncher"


def compile_core() -> Path:
    """The compiled classes of core/src/main."""
    stdlib = fetch([STDLIB])[STDLIB]
    compile_kotlin([CORE / "src" / "main" / "kotlin"], MAIN, classes=[stdlib], module="core")
    return MAIN


def compile_core_tests() -> Path:
    """The compiled classes of core/src/test."""
    main, parts = compile_core(), fetch([STDLIB, JUNIT, JNA_PART])
    compile_kotlin(
        [CORE / "src" / "test" / "kotlin"], TESTS, classes=[main, *parts.values()], friend=main, module="core-tests"
    )
    return TESTS


def core(bundle: Path) -> StepReport:
    """Compile core/, write down what Python makes of everything, and run the tests against it."""
    open_bundle(bundle)
    fetch(CORE_PARTS)
    try:
        compile_core_tests()
    except JavaFailedError as error:
        return StepReport(name="core", problems=(f"does not compile: {error}",))
    write_expectations(EXPECTATIONS, bundle=bundle)
    return run_core_tests(MAIN, name="core")


def run_core_tests(classes: Path, *, name: str, only: str | None = None) -> StepReport:
    """The tests of core/ against these classes of it, which may be a folder or a jar recovered from an APK.

    `only` is a pattern of the class names that are run.
    """
    notes, results = BUILT / f"{name}-notes.txt", BUILT / f"{name}-results"
    notes.unlink(missing_ok=True)
    shutil.rmtree(results, ignore_errors=True)
    parts = fetch([STDLIB, JUNIT, JNA_PART])
    problems: list[str] = []
    selected = ["--include-classname", only] if only else []
    try:
        run_java(
            _JUNIT_MAIN,
            ["execute", "--scan-class-path", TESTS, *selected, "--reports-dir", results, "--details", "none"],
            classes=[classes, TESTS, *parts.values()],
            properties={
                "edgemelanoma.golden": GOLDEN,
                "edgemelanoma.expectations": EXPECTATIONS,
                "edgemelanoma.litert": native_library(),
                "edgemelanoma.notes": notes,
                "jna.tmpdir": BUILT,
            },
            options=("-Xmx2g", "-ea", "-XX:+UseSerialGC"),
        )
    except JavaFailedError as error:
        problems.append(str(error))
    cases = [case for path in sorted(results.glob("TEST-*.xml")) for case in ElementTree.parse(path).iter("testcase")]
    skipped = [case for case in cases if case.find("skipped") is not None]
    problems = _failures(cases) or problems
    if len(skipped) == len(cases):
        problems.append(f"{len(cases)} tests, of which {len(skipped)} were skipped: nothing is proven")
    facts: dict[str, str | int | float] = {"tests": len(cases), "skipped": len(skipped), **_facts(notes)}
    return StepReport(name=name, facts=facts, problems=tuple(problems))


def _facts(notes: Path) -> dict[str, str]:
    """What the tests said that they found."""
    facts: dict[str, str] = {}
    for line in sorted(notes.read_text(encoding="utf-8").splitlines()) if notes.is_file() else []:
        what, found = line.split("\t", 1)
        facts[what] = f"{facts[what]}; {found}" if what in facts else found
    return facts


def _failures(cases: Iterable[ElementTree.Element]) -> list[str]:
    failed = []
    for case in cases:
        for wrong in (*case.findall("failure"), *case.findall("error")):
            said = (wrong.get("message") or wrong.text or "").strip()
            failed.append(f"{case.get('classname')}, {case.get('name')}: {said[:2000]}")
    return failed


def native_library() -> Path:
    """libLiteRt.so of the installed ai-edge-litert: the engine that Python's side of the comparison runs too."""
    found = importlib.util.find_spec("ai_edge_litert")
    for folder in (found.submodule_search_locations or []) if found else []:
        for library in sorted(Path(folder).glob("libLiteRt.*")):
            if library.suffix in (".so", ".dylib", ".dll"):
                return library
    version = installed(LITERT)
    raise MissingPartError(
        f"libLiteRt, which {LITERT} {version or '(not installed)'} does not bring: pip install {LITERT}"
    )
