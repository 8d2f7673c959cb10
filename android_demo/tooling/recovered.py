"""The step `recovered`: the tests of core/ once more, against classes that the APK's dex files are turned back into.

What D8 made of the code is what a phone would run; an error of its making, or of ours in calling it, would show here.
Turned back by enjarify: dex-translator, which is here already, mixes up the stores into arrays.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from .apk import APK, apk
from .app import OUT
from .app_parts import ENJARIFY
from .core import EXPECTATIONS, compile_core, compile_core_tests, run_core_tests
from .expectations import write_expectations
from .fetch import MissingPartError, fetch
from .java import JavaFailedError
from .report import StepReport

RECOVERED = OUT / "recovered"
PREFIX = "edgemelanoma/core/"
# run in a process of its own, so that no code of enjarify's is imported here
_PROGRAM = """
import pathlib, sys
from enjarify import dalvikformats, parsedex
from enjarify.jvm import writeclass
from enjarify.jvm.optimization import options
from enjarify.mutf8 import decode
CONST_WIDE_32 = 0x17
plain = dalvikformats.decode
def with_sign(shorts, place, opcode):  # enjarify 1.0.3 takes a negative 64-bit constant of 32 bits for a positive one
    end, found = plain(shorts, place, opcode)
    if opcode == CONST_WIDE_32:
        found[-1] = dalvikformats.sign(found[-1], 32)
    return end, found
dalvikformats.decode = with_sign
folder, prefix, *files = sys.argv[1:]
for file in files:
    for found in parsedex.DexFile(pathlib.Path(file).read_bytes()).classes:
        name = decode(found.name)
        if name.startswith(prefix):
            place = pathlib.Path(folder, name + ".class")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(writeclass.toClassFile(found, options.NONE))
"""


def recover(built: Path) -> int:
    """Write the classes of core/ out of an APK's dex files; returns how many there are."""
    program = OUT / "enjarify"
    if shutil.which("dpkg-deb") is None:
        raise MissingPartError(f"dpkg-deb, which unpacks {ENJARIFY.file}: it comes with Debian")
    archive = fetch([ENJARIFY])[ENJARIFY]
    subprocess.run(["dpkg-deb", "--extract", archive, program], check=True, capture_output=True)
    shutil.rmtree(RECOVERED, ignore_errors=True)
    with zipfile.ZipFile(built) as apk_file:
        names = sorted(name for name in apk_file.namelist() if name.endswith(".dex"))
        dex = [apk_file.extract(name, OUT / "taken-out") for name in names]
    done = subprocess.run(
        [sys.executable, "-O", "-c", _PROGRAM, str(RECOVERED), PREFIX, *dex],
        env={**os.environ, "PYTHONPATH": str(program / "usr" / "lib" / "python3" / "dist-packages")},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise JavaFailedError(done.stderr[-2000:])
    return sum(1 for _ in RECOVERED.rglob("*.class"))


def recovered(bundle: Path) -> StepReport:
    """The tests of core/ against what comes back out of the APK."""
    if not APK.is_file() and (report := apk(bundle)).problems:
        return StepReport(name="recovered", problems=report.problems)
    try:
        compile_core_tests()
        count, compiled = recover(APK), sum(1 for _ in compile_core().rglob("*.class"))
    except JavaFailedError as error:
        return StepReport(name="recovered", problems=(f"cannot be turned back: {error}",))
    write_expectations(EXPECTATIONS, bundle=bundle)
    report = run_core_tests(RECOVERED, name="recovered")
    facts = {"classes": count, "classes that were dexed": compiled, **report.facts}
    return StepReport(name="recovered", facts=facts, problems=report.problems)
