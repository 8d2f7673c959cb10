"""Runs Java programs: the compiler, the tests, D8, the signer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .fetch import MissingPartError

OLDEST_JAVA = 17
_TIMEOUT_S = 900
_MOST_SAID = 5000  # characters of an error: a compiler can go on for megabytes


class JavaFailedError(Exception):
    """A Java program ended with an error; the text is what it said."""


def java() -> str:
    """The `java` of this machine: of JAVA_HOME, else of the path."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if found is None:
        raise MissingPartError(
            f"a JDK, {OLDEST_JAVA} or newer: no `java` is here; install one (openjdk-17-jdk-headless)"
        )
    said = subprocess.run([found, "-version"], capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise MissingPartError(
            f"a JDK, {OLDEST_JAVA} or newer: {found} is {said.splitlines()[0] if said else 'silent'}"
        )
    return found


def class_path(parts: Iterable[Path]) -> str:
    """A class path of these files and folders."""
    return os.pathsep.join(map(str, parts))


def run_java(
    main_class: str,
    arguments: Sequence[str | Path],
    *,
    classes: Iterable[Path],
    properties: Mapping[str, str | Path] | None = None,
    options: Sequence[str] = (),
) -> str:
    """Run a main class to its end and return what it printed; JavaFailedError where it ends with an error."""
    command = [
        *(java(), *options),
        *(f"-D{name}={value}" for name, value in (properties or {}).items()),
        *("-cp", class_path(classes), main_class, *map(str, arguments)),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise JavaFailedError(f"{main_class} did not end within {_TIMEOUT_S} s") from error
    said = done.stdout + done.stderr
    if done.returncode:
        raise JavaFailedError(said.strip()[:_MOST_SAID] or f"{main_class} ended with {done.returncode}")
    return said
