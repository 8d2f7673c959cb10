"""A program run to its end or to a limit: what it said, how long it took, and the most memory that it held.

Nothing that was started outlives us, however we end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_melanoma.errors import ArtifactError

from .needs import complaint_in

# A process of its own, small: the peak of a child begins with the memory of whoever started it. Its standard input ends
# when we do, and then it takes everything that it started along.
_STARTER = """
import json, os, resource, signal, subprocess, sys, threading, time
def watch():
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=watch, daemon=True).start()
started = time.monotonic()
code = subprocess.call(sys.argv[2:], stdin=subprocess.DEVNULL)
peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
with open(sys.argv[1], "w") as report:
    json.dump({"code": code, "seconds": time.monotonic() - started, "peak_mb": peak_kb / 1024}, report)
"""
_running: set[int] = set()  # process groups, of whichever thread


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a program ended."""

    code: int  # negative: the signal that ended it
    stdout: str
    stderr: str
    seconds: float
    peak_mb: float  # of the largest of its processes

    @property
    def complaint(self) -> str:
        """Its code and its words, for a sentence about what failed."""
        return f"exit code {self.code}: {complaint_in(self.stderr.strip() or self.stdout)}"


def run_to_end(command: Sequence[str], *, timeout_s: float, env: Mapping[str, str]) -> Done:
    """Run a command line away from the checkout; beyond the limit all of its processes are killed: an error."""
    with tempfile.TemporaryDirectory(prefix="edge-melanoma-pi-") as folder:
        report = Path(folder) / "report.json"
        process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _STARTER, str(report), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=folder,
            start_new_session=True,
        )
        _running.add(process.pid)
        try:
            stdout, stderr = _ended(process, timeout_s)
            about = json.loads(report.read_text(encoding="utf-8"))
        except subprocess.TimeoutExpired as error:
            raise ArtifactError(
                f"{' '.join(command)}: did not come to an end in {timeout_s:.0f} s; it was stopped"
            ) from error
        except FileNotFoundError as error:
            said = complaint_in(stderr.decode("utf-8", "replace"))
            raise ArtifactError(f"{' '.join(command)}: was killed from outside, or never began ({said})") from error
        finally:
            _kill(process.pid)
            _running.discard(process.pid)
            process.communicate()
    return Done(stdout=stdout.decode("utf-8", "replace"), stderr=stderr.decode("utf-8", "replace"), **about)


def _ended(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[bytes, bytes]:
    """What it printed; its standard input stays open meanwhile, which `communicate` would close."""
    standard_input, process.stdin = process.stdin, None
    try:
        return process.communicate(timeout=timeout_s)
    finally:
        if standard_input:
            standard_input.close()


def kill_all() -> None:
    """Stop what other threads of this process wait for."""
    for group in list(_running):
        _kill(group)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
