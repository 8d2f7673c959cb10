"""The tools that make an APK, taken out of the parts that bring them: aapt2, D8, apksigner."""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .fetch import MissingPartError, fetch, parts_folder
from .java import JavaFailedError, run_java
from .parts import AAPT2, D8, FRAMEWORK, SIGNER, TFLITE, Part

_AAPT2_OF = {"Linux": "prebuilt/linux/aapt2_64", "Darwin": "prebuilt/macosx/aapt2_64"}


def framework() -> Path:
    """The classes and resources of Android: what is compiled and linked against."""
    return fetch([FRAMEWORK])[FRAMEWORK]


def tensorflow_lite() -> Path:
    """The unpacked AAR: classes.jar, and jni/ABI/libtensorflowlite_jni.so."""

    def unpack(archive: Path, folder: Path) -> None:
        with zipfile.ZipFile(archive) as aar:
            aar.extractall(folder)

    return _unpacked(TFLITE, unpack)


def run_aapt2(arguments: Sequence[str | Path]) -> str:
    """Run aapt2 and return what it said; JavaFailedError where it ends with an error."""
    done = subprocess.run([_aapt2(), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise JavaFailedError((done.stdout + done.stderr).strip())
    return done.stdout + done.stderr


def run_d8(classes: Iterable[Path], out: Path, *, library: Path, oldest_api: int, release: bool = True) -> str:
    """Turn class files and jars into dex files in the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    options = ["--release" if release else "--debug", "--min-api", str(oldest_api), "--lib", library, "--output", out]
    files = [file for path in classes for file in (sorted(path.rglob("*.class")) if path.is_dir() else [path])]
    return run_java("com.android.tools.r8.D8", [*options, *files], classes=fetch(D8).values(), options=("-Xmx2g",))


def run_apksigner(arguments: Sequence[str | Path]) -> str:
    """Run apksigner and return what it said; JavaFailedError where it ends with an error."""
    jars = [jar for part in SIGNER for jar in sorted(_unpacked(part, _unpack_debian).rglob("*.jar"))]
    return run_java("com.android.apksigner.ApkSignerTool", arguments, classes=jars)


def _aapt2() -> Path:
    inside = _AAPT2_OF.get(platform.system())
    if inside is None or platform.machine() not in ("x86_64", "AMD64", "arm64"):
        raise MissingPartError(f"aapt2: there is none for {platform.system()} on {platform.machine()} in {AAPT2.file}")

    def unpack(archive: Path, folder: Path) -> None:
        with zipfile.ZipFile(archive) as jar:
            path = Path(jar.extract(inside, folder))
        path.chmod(0o755)

    return _unpacked(AAPT2, unpack) / inside


def _unpacked(part: Part, unpack: Callable[[Path, Path], None]) -> Path:
    """The folder with a part's content, made whole before it gets its name."""
    place = parts_folder() / part.sha256[:12] / "unpacked"
    if place.is_dir():
        return place
    archive = fetch([part])[part]
    draft = Path(tempfile.mkdtemp(prefix="unpacking-", dir=parts_folder()))
    try:
        unpack(archive, draft)
        draft.chmod(0o755)
        draft.replace(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


def _unpack_debian(archive: Path, folder: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        raise MissingPartError(f"dpkg-deb, which unpacks {archive.name}: it comes with Debian")
    subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True, capture_output=True)
