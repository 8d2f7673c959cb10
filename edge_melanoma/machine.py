"""What this machine is, as far as it decides whether and how fast a model runs: every number we print carries it.

Reads /proc and package metadata only: nothing is imported that could crash or take seconds.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_melanoma.parallel import usable_cores

# instruction sets that int8 kernels use, and what each is good for
INT8_FEATURES: Mapping[str, str] = {
    "avx2": "x86 int8 by 16-bit multiply-adds",
    "avx512_vnni": "x86 int8 dot product, 512 bits",
    "avx_vnni": "x86 int8 dot product, 256 bits",
    "amx_int8": "x86 int8 matrix tiles",
    "asimd": "arm64 vectors; without asimddp int8 is about as fast as float",
    "asimdhp": "arm64 half-precision arithmetic",
    "asimddp": "arm64 int8 dot product (Raspberry Pi 5; not on a Pi 4, 3 or Zero 2)",
    "i8mm": "arm64 int8 matrix multiply",
}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The hardware and the system."""

    board: str | None  # as the device tree names it: "Raspberry Pi 4 Model B Rev 1.4"
    cpu: str | None
    architecture: str
    cores: int  # that this process may use
    features: tuple[str, ...]  # of INT8_FEATURES
    memory_mb: int | None
    memory_available_mb: int | None
    system: str
    c_library: str
    python: str

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "features": list(self.features)}


def this_machine() -> Machine:
    """The machine that runs this."""
    cpuinfo = _read("/proc/cpuinfo")
    flags = set(_field(cpuinfo, "flags", "Features").replace("avx512vnni", "avx512_vnni").split())
    memory = _read("/proc/meminfo")
    return Machine(
        board=_read("/proc/device-tree/model").rstrip("\0\n") or None,
        cpu=_field(cpuinfo, "model name", "Model", "Hardware") or platform.processor() or None,
        architecture=platform.machine(),
        cores=usable_cores(),
        features=tuple(name for name in INT8_FEATURES if name in flags),
        memory_mb=_megabytes(memory, "MemTotal"),
        memory_available_mb=_megabytes(memory, "MemAvailable"),
        system=_system(),
        c_library=" ".join(platform.libc_ver()).strip(),
        python=platform.python_version(),
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _field(text: str, *names: str) -> str:
    for name in names:
        found = re.search(rf"^{re.escape(name)}\s*:\s*(.+)$", text, re.MULTILINE)
        if found:
            return found[1].strip()
    return ""


def _megabytes(meminfo: str, name: str) -> int | None:
    kilobytes = _field(meminfo, name).removesuffix(" kB")
    return int(kilobytes) // 1024 if kilobytes.isdigit() else None


def _system() -> str:
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.system()} {platform.release()}"
    except (OSError, KeyError):
        return platform.platform()


def installed(distribution: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def extras() -> dict[str, dict[str, str | None]]:
    """For every extra of this package, what it needs here and which version of it is installed (None: absent)."""
    wanted: dict[str, list[str]] = {}
    for requirement in importlib.metadata.requires("edge-melanoma") or []:
        found = re.fullmatch(r"([\w.-]+)(?:\[([\w,-]+)\])?[^;]*;(.*)extra == [\"']([\w-]+)[\"'].*", requirement)
        if found and _applies(found[3]):
            wanted.setdefault(found[4], []).append(found[1] if found[2] is None else f"[{found[2]}]")
    return {
        extra: {name: installed(name) for name in _flat(extra, wanted)} for extra in sorted(wanted) if extra != "dev"
    }


def _applies(marker: str) -> bool:
    """The only other marker of our extras is the 32-bit ARM one."""
    return "armv7l" not in marker or (platform.machine() == "armv7l" and sys.version_info < (3, 12))


def _flat(extra: str, wanted: Mapping[str, list[str]]) -> list[str]:
    names: list[str] = []
    for name in wanted.get(extra, []):
        inner = name.strip("[]").split(",") if name.startswith("[") else None
        names += [part for e in inner for part in _flat(e, wanted)] if inner else [name]
    return list(dict.fromkeys(names))


def engine_works(module: str, *, timeout_s: float = 60.0) -> str | None:
    """None when the engine can be imported, else why not; asked in a child, which may crash in our place."""
    command = [sys.executable, "-c", f"from {module} import Interpreter"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env={**os.environ})
    except subprocess.TimeoutExpired:
        return f"importing it took more than {timeout_s:.0f} s"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"importing it ends with signal {-done.returncode}"
    return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
