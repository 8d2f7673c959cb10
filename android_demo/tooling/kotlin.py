"""Compiles Kotlin without Gradle, and only what changed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from .fetch import fetch
from .java import class_path, run_java
from .parts import COMPILER, KOTLIN
from .places import kotlin_files

JVM_TARGET = "1.8"  # as in the Gradle files: no newer class of Java's library can slip in, which Android 8 lacks
_COMPILER_MAIN = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
_STAMP = "compiled-from.sha256"


def compile_kotlin(
    sources: Sequence[Path],
    out: Path,
    *,
    classes: Iterable[Path],
    module: str,
    friend: Path | None = None,
) -> bool:
    """Compile the Kotlin files below `sources` into the folder `out`; False where nothing had changed.

    A warning is an error. `friend` is the output whose internals may be used: that of the module under test.
    """
    files = [file for folder in sources for file in kotlin_files(folder)]
    classes = list(classes)
    stamp, made_of = out.with_name(out.name + "." + _STAMP), _identity(files, classes)
    if out.is_dir() and stamp.is_file() and stamp.read_text() == made_of:
        return False
    stamp.unlink(missing_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    options: list[str | Path] = ["-d", out, "-jvm-target", JVM_TARGET, "-module-name", module]
    options += ["-no-stdlib", "-no-reflect", "-Werror", f"-Xjdk-release={JVM_TARGET}"]
    if friend is not None:
        options.append(f"-Xfriend-paths={friend}")
    run_java(
        _COMPILER_MAIN,
        [*options, "-classpath", class_path(classes), *files],
        classes=fetch(COMPILER).values(),
        options=("-Xmx1g", "-Xss4m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    )
    stamp.write_text(made_of)
    return True


def _identity(files: Iterable[Path], classes: Iterable[Path]) -> str:
    """What an output was made of: compiler, every source, and what it was compiled against."""
    found = hashlib.sha256(f"{KOTLIN} {JVM_TARGET}".encode())
    for path in files:
        found.update(f"\0{path}\0".encode() + path.read_bytes())
    for path in classes:
        for file in sorted(path.rglob("*.class")) if path.is_dir() else [path]:
            found.update(f"\0{file}\0".encode() + (file.read_bytes() if path.is_dir() else b""))
    return found.hexdigest()
