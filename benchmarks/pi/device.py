"""An emulated Raspberry Pi: a folder with its files and a Python in it that anyone can start, and how it is run.

The folder is a virtual environment whose `bin/python` is a script that starts the emulator. The emulator tells Python
that it was started as that script, so a child that Python starts as itself goes the same way: no binfmt_misc, no
namespace, no chroot, no root.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .boards import Board, facts, vcgencmd
from .process import Done, run_to_end
from .suites import KERNEL, Suite

_SETTINGS = {"PYTHONUTF8": "1", "COLUMNS": "200"}  # all that reaches in of this machine, with the PATH
_TOOL = """#!/bin/sh
exec "$(dirname "$0")/python" -P -m edge_melanoma "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Device:
    """A board with a release of its system."""

    board: Board
    suite: Suite
    folder: Path
    sites: tuple[Path, ...]  # where its packages lie: ours, then those of the base install

    @property
    def name(self) -> str:
        return f"{self.board.core}, {self.suite.name}"

    def run_module(self, name: str, *arguments: str, timeout_s: float, env: Mapping[str, str] | None = None) -> Done:
        """Run a module on the device, as `python -m` does."""
        return self._run(["-m", name, *arguments], timeout_s, env)

    def run_code(self, code: str, *, timeout_s: float) -> Done:
        """Run a few lines of Python on the device."""
        return self._run(["-c", code], timeout_s, None)

    def _run(self, arguments: Sequence[str], timeout_s: float, env: Mapping[str, str] | None) -> Done:
        path = os.pathsep.join([str(self.folder / "bin"), os.environ.get("PATH", os.defpath)])
        command = [str(self.folder / "bin" / "python"), "-P", *arguments]
        return run_to_end(command, timeout_s=timeout_s, env={"PATH": path, **_SETTINGS, **(env or {})})


def write_device(
    draft: Path,
    *,
    folder: Path,
    board: Board,
    suite: Suite,
    emulator: Sequence[str],
    userland: Path,
    sites: Sequence[Path],
) -> None:
    """Lay out a device in `draft`, which will be renamed to `folder`."""
    root = draft / "root"
    for path, text in facts(board).items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="ascii")
    for entry in userland.iterdir():
        if entry.is_dir():
            (root / entry.name).symlink_to(entry)
    packages = draft / "lib" / f"python{suite.python}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "parts.pth").write_text("".join(f"{site}\n" for site in sites), encoding="utf-8")
    (draft / "pyvenv.cfg").write_text(f"home = {userland / 'usr' / 'bin'}\ninclude-system-site-packages = false\n")
    start = [*emulator, "-cpu", board.core, "-L", str(folder / "root"), "-r", KERNEL, "-0"]
    python = shlex.quote(str(userland / "usr" / "bin" / f"python{suite.python}"))
    programs = {
        "python": f'#!/bin/sh\nexec {shlex.join(start)} "$0" {python} "$@"\n',
        "edge-melanoma": _TOOL,
        "vcgencmd": vcgencmd(board),
    }
    (draft / "bin").mkdir()
    for name, text in programs.items():
        program = draft / "bin" / name
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
