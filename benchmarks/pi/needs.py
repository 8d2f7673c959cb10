"""What the emulated Raspberry Pi needs of a machine; what is missing is one sentence, for users and skipped tests."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_melanoma.errors import EdgeMelanomaError, MissingExtraError
from edge_melanoma.machine import installed

PURPOSE = "the emulated Raspberry Pi"


class NeedsError(EdgeMelanomaError):
    """This machine lacks what the emulation needs, or cannot reach it."""

    exit_code = MissingExtraError.exit_code

    def __init__(self, message: str, *, output: str = "") -> None:
        super().__init__(message)
        self.output = output  # all that the failing program said


def need_linux_on_x86() -> None:
    """The comparison is with x86-64, and the emulator that is fetched runs there."""
    found = f"{platform.system()} on {platform.machine()}"
    if found != "Linux on x86_64":
        raise NeedsError(f"{PURPOSE} needs Linux on x86_64, and this is {found}")


def need_program(name: str, package: str) -> str:
    """The path of a program, or which Debian package has it."""
    path = shutil.which(name)
    if path is None:
        raise NeedsError(f"{PURPOSE} needs {name}, which is not installed: apt-get install {package}")
    return path


def need_pip() -> list[str]:
    """The command that is pip, of the Python that runs this."""
    if installed("pip") is None:
        raise NeedsError(f"{PURPOSE} needs pip, which this Python has not: {sys.executable} -m ensurepip")
    return [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def run_tool(
    command: Sequence[str | Path],
    *,
    what: str,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """What a program prints; where it fails, the sentence names what was being done and its own last words."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, env=env, cwd=cwd, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise NeedsError(f"{what}: not done after {timeout_s:.0f} s; it was stopped (is the network there?)") from error
    if done.returncode:
        said = done.stderr or done.stdout
        raise NeedsError(f"{what}: {Path(command[0]).name} failed: {complaint_in(said)}", output=said)
    return done.stdout


def complaint_in(text: str, *, most: int = 300) -> str:
    """The first complaint in what a program printed, else its last line, where Python says what went wrong."""
    lines = [line.strip(" │") for line in text.splitlines() if any(letter.isalnum() for letter in line)]
    complaints = [line for line in lines if line.startswith(("E:", "ERROR:", "Err:", "error:"))]
    return (complaints[:1] or lines[-1:] or ["it said nothing"])[0][:most]
