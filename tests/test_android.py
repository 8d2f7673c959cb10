"""The Android demo: core/ proven on the JVM to do what Python does, and the tooling that builds it without Gradle.

Without a JDK, or where a part cannot be fetched, what needs them is skipped with the reason; `make android` fails then.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1] / "android_demo"
MISSING_PART = 5


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "tooling", *arguments],
        cwd=DEMO,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=1500,
    )


TINY = DEMO.parent / "tests" / "golden" / "tiny" / "tiny_bundle.tflite"
REFERENCE = DEMO.parent / "edge_melanoma" / "models" / "reference.tflite"


@pytest.fixture(scope="module", params=[TINY, REFERENCE], ids=["tiny", "reference"])
def core(request, tmp_path_factory):
    """The report of the step `core` on a bundle."""
    if not request.param.is_file():
        pytest.skip(f"{request.param.name} is not in this checkout")
    report = tmp_path_factory.mktemp("android") / "report.json"
    done = run("core", "--bundle", str(request.param), "--report", str(report))
    if done.returncode == MISSING_PART:
        pytest.skip(done.stderr.strip())
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    # one test asks for pictures with each of the three answers, which only the tiny bundle is sure to have
    allowed = 0 if request.param == TINY else 1
    return {**json.loads(report.read_text(encoding="utf-8"))[0], "may be skipped": allowed}


@pytest.fixture
def tooling(monkeypatch):
    """The tooling as a package: it is a program of android_demo/ and not installed."""
    monkeypatch.syspath_prepend(str(DEMO))
    from tooling import fetch, parts

    return fetch, parts


@pytest.mark.android
@pytest.mark.timeout(1600)
def test_core_does_on_the_jvm_what_python_does(core):
    facts = core["facts"]
    assert core["passed"]
    assert facts["skipped"] == core["may be skipped"]
    vectors = json.loads((DEMO.parent / "tests" / "golden" / "golden.json").read_text(encoding="utf-8"))["vectors"]
    proven = [count for what, count in facts.items() if "vectors equal to the byte" in what]
    assert sum(map(int, proven)) == len(vectors), "every golden vector is compared"
    assert int(facts["pictures with Python's decision by the real native library"]) >= 200
    assert int(facts["logits with Python's decision"]) >= 3000


def test_a_bundle_that_was_changed_is_refused_before_anything_is_built(tmp_path):
    bundle = tmp_path / "changed.tflite"
    data = bytearray(TINY.read_bytes())
    data[2000] ^= 1
    bundle.write_bytes(data)
    done = run("core", "--bundle", str(bundle))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "is not what the manifest names" in done.stderr


def test_gradle_and_the_tooling_build_with_the_same_versions(tooling):
    _, parts = tooling
    versions = tomllib.loads((DEMO / "gradle" / "libs.versions.toml").read_text())["versions"]
    here = {
        "kotlin": parts.KOTLIN,
        "junit-platform": parts.JUNIT_PLATFORM,
        "jna": parts.JNA,
        "tensorflow-lite": parts.TENSORFLOW_LITE,
    }
    assert {name: versions[name] for name in here} == here
    target = {re.search(r"JVM_(\w+)\)", path.read_text())[1] for path in DEMO.glob("*/build.gradle.kts")}
    assert target == {"1_8"}


def test_every_part_is_pinned_and_no_registry_is_named(tooling):
    _, parts = tooling
    for part in parts.ALL_PARTS:
        assert re.fullmatch(r"[0-9a-f]{64}", part.sha256), part.name
        assert re.search(r"[:=]\d", part.coordinates), part.name
    code = "\n".join(path.read_text() for path in (DEMO / "tooling").rglob("*.py"))
    assert not re.search(r"https?://", code)


def test_core_has_no_android_import():
    code = {path: path.read_text() for path in (DEMO / "core" / "src").rglob("*.kt")}
    assert code
    assert not [path.name for path, text in code.items() if re.search(r"^import (android|androidx)\.", text, re.M)]


def test_the_files_of_core_are_short_and_their_lines_too():
    files = list((DEMO / "core" / "src").rglob("*.kt"))
    long = [path.name for path in files if len(path.read_text().splitlines()) > 300]
    wide = [path.name for path in files if any(len(line) > 120 for line in path.read_text().splitlines())]
    assert (long, wide) == ([], [])


# Fetching: a small Maven that does what a test says.


@pytest.fixture
def mvn(tmp_path, monkeypatch):
    """Puts a `mvn` on the path whose whole work is a line of shell; $folder is where the file has to go."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def doing(line):
        script = '#!/bin/sh\nfor a; do case "$a" in -DoutputDirectory=*) folder="${a#*=}";; esac; done\n'
        (folder / "mvn").write_text(script + line + "\n")
        (folder / "mvn").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")

    return doing


@pytest.fixture
def part(tooling):
    _, parts = tooling
    right = "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"  # of "hi\n"
    return parts.Part(name="a greeting", source="maven", coordinates="org.example:hi:1", sha256=right)


def test_a_part_is_fetched_once_and_then_kept(tooling, mvn, part):
    fetch, _ = tooling
    mvn('echo hi > "$folder/hi-1.jar"')
    assert fetch.missing([part]) == [part]
    assert fetch.fetch([part])[part].read_text() == "hi\n"
    mvn("exit 1")
    assert fetch.missing([part]) == []
    assert fetch.fetch([part])[part].read_text() == "hi\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('echo other > "$folder/hi-1.jar"', "has the SHA-256"),
        ('printf h > "$folder/hi-1.jar"; echo "[ERROR] broken pipe"; exit 1', "broken pipe"),
        ("exit 0", "brought no hi-1.jar"),
    ],
)
def test_what_is_not_whole_is_never_taken_and_the_part_is_named(tooling, mvn, part, line, said):
    fetch, _ = tooling
    mvn(line)
    with pytest.raises(fetch.MissingPartError, match=said) as caught:
        fetch.fetch([part])
    assert "a greeting (org.example:hi:1)" in str(caught.value)
    assert caught.value.exit_code == MISSING_PART
    assert not [path for path in fetch.parts_folder().rglob("*") if path.is_file()]


def test_a_part_that_was_damaged_in_the_cache_is_fetched_again(tooling, mvn, part):
    fetch, _ = tooling
    mvn('echo hi > "$folder/hi-1.jar"')
    place = fetch.fetch([part])[part]
    place.write_text("damaged")
    assert fetch.fetch([part])[part].read_text() == "hi\n"


def test_a_missing_client_is_named_with_what_it_was_to_fetch(tooling, part, tmp_path, monkeypatch):
    fetch, _ = tooling
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(fetch.MissingPartError, match="mvn would fetch it and is not installed"):
        fetch.fetch([part])


def test_without_a_jdk_the_command_says_so_with_its_own_code(tmp_path):
    done = run("core", JAVA_HOME=str(tmp_path), XDG_CACHE_HOME=os.environ.get("XDG_CACHE_HOME", ""))
    assert done.returncode == MISSING_PART
    assert re.search("a JDK, 17 or newer|would fetch it|cannot fetch it", done.stderr)


def test_an_unknown_step_is_refused():
    done = run("cook")
    assert done.returncode == 2
    assert "known: parts" in done.stderr
