"""The step `apk`: dex the code, put the APK together, sign it with a debug key, and look at what came out.

Built so without Gradle: aligned as zipalign would, signed by apksigner, and statically verified; not run on Android.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_melanoma.bundle import open_bundle

from .android_tools import framework, run_aapt2, run_apksigner, run_d8, tensorflow_lite
from .app import OLDEST_API, OUT, PACKAGE, TARGET_API, compile_app, tflite_classes
from .core import compile_core
from .fetch import MissingPartError, fetch
from .java import JavaFailedError, java
from .parts import STDLIB
from .report import StepReport

APK, DEX = OUT / "edge-melanoma-demo.apk", OUT / "dex"
MODEL = "assets/model.tflite"
NATIVE = "libtensorflowlite_jni.so"
PAGE, WORD = 16384, 4  # what native libraries, and everything else that is stored, has to begin at a multiple of
STORED = (".so", ".tflite", ".arsc")
ALIGNED_FIELD = 0xD935  # Android's own extra field, by which a signer keeps an alignment
_FIRST_DATE = (1981, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file in the APK."""

    name: str
    size_bytes: int
    packed_bytes: int
    stored: bool
    begins_at: int


def build_apk(bundle: Path) -> Path:
    """The signed APK with this bundle in it."""
    main, resources = compile_app()
    shutil.rmtree(DEX, ignore_errors=True)
    classes = [main, compile_core(), *tflite_classes(), fetch([STDLIB])[STDLIB]]
    run_d8(classes, DEX, library=framework(), oldest_api=OLDEST_API)
    draft = OUT / "unsigned.apk"
    _pack(draft, resources.apk, bundle)
    _sign(draft, APK)
    return APK


def _contents(resources: Path, bundle: Path) -> Iterator[tuple[str, bytes]]:
    """What goes into the APK, in one order."""
    with zipfile.ZipFile(resources) as linked:
        for name in sorted(linked.namelist()):
            yield name, linked.read(name)
    for path in sorted(DEX.glob("classes*.dex")):
        yield path.name, path.read_bytes()
    yield MODEL, bundle.read_bytes()
    for path in sorted((tensorflow_lite() / "jni").glob(f"*/{NATIVE}")):
        yield f"lib/{path.parent.name}/{path.name}", path.read_bytes()


def _pack(apk: Path, resources: Path, bundle: Path) -> None:
    """Write the APK; what is stored begins where Android can map it."""
    with zipfile.ZipFile(apk, "w") as out:
        for name, content in _contents(resources, bundle):
            entry = zipfile.ZipInfo(name, _FIRST_DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(STORED) else zipfile.ZIP_DEFLATED
            if entry.compress_type == zipfile.ZIP_STORED:
                entry.extra = _alignment(out.start_dir, name, PAGE if name.endswith(".so") else WORD)
            out.writestr(entry, content)


def _alignment(at: int, name: str, multiple: int) -> bytes:
    """An extra field that moves the content of an entry to a multiple."""
    begins = at + 30 + len(name.encode()) + 6
    padding = -begins % multiple
    return struct.pack("<HHH", ALIGNED_FIELD, 2 + padding, multiple) + bytes(padding)


def _sign(draft: Path, apk: Path) -> None:
    """Sign with a debug key, which is made where there is none: it says nothing of who made the APK."""
    key = OUT / "debug.keystore"
    if not key.is_file():
        keytool = Path(java()).with_name("keytool")
        found = shutil.which(str(keytool)) or shutil.which("keytool")
        if found is None:
            raise MissingPartError("keytool, which makes the key: it comes with every JDK")
        asked = "-genkeypair -alias debug -keyalg RSA -keysize 2048 -validity 10000 -storepass android -keypass android"
        command = [found, *asked.split(), "-dname", "CN=Debug", "-keystore", str(key)]
        subprocess.run(command, check=True, capture_output=True)
    signed = apk.with_suffix(".signing")
    options: list[str | Path] = [
        "--ks",
        key,
        "--ks-pass",
        "pass:android",
        "--min-sdk-version",
        str(OLDEST_API),
        "--out",
        signed,
    ]
    run_apksigner(["sign", *options, draft])
    signed.replace(apk)
    draft.unlink()


def entries(apk: Path) -> list[Entry]:
    """What is in the APK, and where it begins."""
    with zipfile.ZipFile(apk) as archive, apk.open("rb") as file:
        found = []
        for info in archive.infolist():
            file.seek(info.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
            found.append(
                Entry(
                    name=info.filename,
                    size_bytes=info.file_size,
                    packed_bytes=info.compress_size,
                    stored=info.compress_type == zipfile.ZIP_STORED,
                    begins_at=info.header_offset + 30 + name + extra,
                )
            )
    return found


def methods_of(dex: bytes) -> int:
    """How many methods a dex file names; 65,536 is its limit."""
    if not dex.startswith(b"dex\n"):
        raise ValueError("is no dex file")
    return int(struct.unpack_from("<I", dex, 0x58)[0])


def page_of(library: bytes) -> int:
    """The smallest alignment of the loaded segments of an ELF file: what `readelf -l` calls Align."""
    if library[:4] != b"\x7fELF" or library[5] != 1:
        raise ValueError("is no little-endian ELF file")
    if library[4] == 2:
        (start,), (size, count) = struct.unpack_from("<Q", library, 0x20), struct.unpack_from("<HH", library, 0x36)
        fields = "<I44xQ"
    else:
        (start,), (size, count) = struct.unpack_from("<I", library, 0x1C), struct.unpack_from("<HH", library, 0x2A)
        fields = "<I24xI"
    segments = [struct.unpack_from(fields, library, start + i * size) for i in range(count)]
    return min(int(align) for kind, align in segments if kind == 1)


def check_apk(apk: Path, bundle: Path) -> tuple[dict[str, str | int | float], list[str]]:
    """What the APK is, and what about it is not as it should be."""
    found = entries(apk)
    with zipfile.ZipFile(apk) as archive:
        contents = {entry.name: archive.read(entry.name) for entry in found}
    problems = [*_layout(found, contents, bundle), *_manifest(apk)]
    dex = [content for name, content in contents.items() if name.endswith(".dex")]
    pages = {name.split("/")[1]: page_of(content) for name, content in contents.items() if name.endswith(".so")}
    try:
        signed = run_apksigner(["verify", "--verbose", "--min-sdk-version", str(OLDEST_API), apk])
    except JavaFailedError as error:
        signed = ""
        problems.append(f"its signature does not verify: {error}")
    schemes = re.findall(r"using (v[\d.]+) scheme.*?: true", signed)
    facts: dict[str, str | int | float] = {
        "bytes": apk.stat().st_size,
        "methods": sum(map(methods_of, dex)),
        "dex files": len(dex),
        "signature schemes": ", ".join(schemes) or "none",
        "alignment of native libraries": ", ".join(f"{abi} {page}" for abi, page in sorted(pages.items())),
        "on 16 KB pages": "aligned" if min(pages.values()) >= PAGE else "needs Android's compatibility mode",
    }
    return facts, problems


def _layout(found: list[Entry], contents: Mapping[str, bytes], bundle: Path) -> Iterator[str]:
    names = [entry.name for entry in found]
    yield from (f"{name}: is in it twice" for name in sorted({name for name in names if names.count(name) > 1}))
    if contents.get(MODEL) != bundle.read_bytes():
        yield f"{MODEL}: is not the bundle that was asked for"
    for entry in found:
        multiple = PAGE if entry.name.endswith(".so") else WORD
        if entry.name.endswith(STORED) and not entry.stored:
            yield f"{entry.name}: is compressed, and has to be mapped"
        elif entry.stored and entry.begins_at % multiple:
            yield f"{entry.name}: begins at {entry.begins_at}, which is no multiple of {multiple}"
    abis = {name.split("/")[1] for name in names if name.startswith("lib/")}
    if not {"arm64-v8a", "armeabi-v7a"} <= abis:
        yield f"has native libraries for {sorted(abis)} only"


def _manifest(apk: Path) -> Iterator[str]:
    """Nothing may be asked for, nothing may be backed up, and others may start the window only."""
    permissions = [line for line in run_aapt2(["dump", "permissions", apk]).splitlines() if "permission" in line]
    yield from (f"asks for a permission: {line.strip()}" for line in permissions)
    tree = run_aapt2(["dump", "xmltree", "--file", "AndroidManifest.xml", apk])
    if not re.search(r"allowBackup\(0x[0-9a-f]+\)=false", tree):
        yield "does not refuse backups"
    exported = re.split(r"\n\s*E: ", tree)
    open_parts = [part.split(" ")[0] for part in exported if re.search(r"exported\(0x[0-9a-f]+\)=true", part)]
    if open_parts != ["activity"]:
        yield f"others may reach {open_parts}; the activity alone is meant"
    badging = run_aapt2(["dump", "badging", apk])
    asked = (f"package: name='{PACKAGE}'", f"dkVersion:'{OLDEST_API}'", f"targetSdkVersion:'{TARGET_API}'", "'de'")
    yield from (f"aapt2 dump badging does not say {wanted}" for wanted in asked if wanted not in badging)
    if "application-debuggable" in badging:
        yield "is debuggable"


def apk(bundle: Path) -> StepReport:
    """Build the APK with a bundle and check it."""
    open_bundle(bundle)
    try:
        built = build_apk(bundle)
    except JavaFailedError as error:
        return StepReport(name="apk", problems=(f"is not built: {error}",))
    facts, problems = check_apk(built, bundle)
    return StepReport(name="apk", facts=facts, problems=tuple(problems))
