"""The same measurement on other machines, over the system's OpenSSH: nothing has to be installed there but Python.

One connection a host: it takes a tar with the wheel of this very package and the artefacts into a fresh temporary
folder, installs, measures, answers with the report, and removes the folder whatever happened. Keys of hosts are never
ignored, and nobody is asked for a password: a host that is not known or lets nobody in is a line with the reason.
"""

from __future__ import annotations

import hashlib
import io
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from edge_melanoma.bundle.reading import read_whole
from edge_melanoma.errors import ArtifactError, EdgeMelanomaError, MissingExtraError, RecipeError
from edge_melanoma.names import one_line

from .compare import Side
from .end_to_end import given_pictures
from .result import Failure, Measurement, Report, read_report
from .run import BenchRecipe, Check, OnStep
from .wheel import build_wheel

BEGIN = "edge-melanoma-report-begins"
CONNECT_S = 10
SSH_FAILED = 255  # ssh's own code, as opposed to the command's
NO_PYTHON, NO_ENVIRONMENT, NO_PACKAGES = 91, 92, 93  # of our script
DEPENDENCIES = "numpy pillow rich typer ai-edge-litert"
_SETTINGS = ("BatchMode=yes", f"ConnectTimeout={CONNECT_S}", "ServerAliveInterval=15", "ServerAliveCountMax=4")

# What runs there: its standard input is the tar. $1 is an interpreter that has the dependencies, or empty.
_SCRIPT = f"""
set -u
there=$(mktemp -d "${{TMPDIR:-/tmp}}/edge-melanoma-bench.XXXXXX") || exit 1
trap 'rm -rf "$there"' EXIT
trap 'exit 129' HUP INT TERM
tar -xf - -C "$there" || exit 1
case "$1" in
    "") python=python3 ;;
    "~/"*) python="$HOME/${{1#??}}" ;;
    /*) python=$1 ;;
    */*) python="$PWD/$1" ;;
    *) python=$1 ;;
esac
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11) and sys.version.split()[0])' >&2 || exit {NO_PYTHON}
if [ -n "$1" ]; then
    "$python" -m zipfile -e "$there"/*.whl "$there/packages" >&2 || exit 1
    export PYTHONPATH="$there/packages"
else
    "$python" -m venv "$there/venv" >&2 || exit {NO_ENVIRONMENT}
    python="$there/venv/bin/python"
    "$python" -m pip --disable-pip-version-check install --quiet "$there"/*.whl >&2 || exit {NO_PACKAGES}
fi
shift
cd "$there/given" || exit 1
echo {BEGIN}
"$python" -P -m edge_melanoma bench --json "$@" </dev/null
"""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How to reach the hosts, and which Python to use there."""

    ssh_config: Path | None = None  # instead of ~/.ssh/config
    python: str | None = None  # one that has the dependencies; None: a fresh environment


def run_on(
    hosts: Sequence[str],
    paths: Sequence[Path],
    recipe: BenchRecipe,
    connection: Connection,
    *,
    pictures: Sequence[Path] = (),
    check: Check = lambda sides: None,
    on_step: OnStep = lambda what, done, total: None,
) -> Report:
    """Measure on all hosts at a time; a host that fails is a Failure, and the others go on."""
    _check(hosts)
    given_pictures(pictures)
    check([_side(path, host, recipe) for host in hosts for path in paths])
    load = _tar(paths, pictures)
    arguments = _arguments(paths, recipe, pictures)
    with ThreadPoolExecutor(len(hosts)) as pool:
        waiting = {pool.submit(_measure, host, load, arguments, connection): host for host in hosts}
        on_step("measuring", 0, len(hosts))
        for done, future in enumerate(as_completed(waiting), start=1):
            on_step(f"{waiting[future]} is done", done, len(hosts))
    found = {host: future.result() for future, host in waiting.items()}
    return Report(
        measurements=tuple(one for host in hosts for one in found[host][0]),
        failures=tuple(failure for host in hosts if (failure := found[host][1]) is not None),
    )


def _check(hosts: Sequence[str]) -> None:
    if shutil.which("ssh") is None:
        raise RecipeError("--on needs OpenSSH's `ssh`, which is not installed here: apt install openssh-client")
    for host in hosts:
        if not host or host.startswith("-") or any(letter.isspace() for letter in host):
            raise RecipeError(f"--on {host!r}: give it as ssh takes it: HOST, USER@HOST or a name of your ssh config")
    twice = sorted({host for host in hosts if hosts.count(host) > 1})
    if twice:
        raise RecipeError(f"--on {twice[0]}: is given twice; two runs at a time would slow each other down")


def _side(path: Path, host: str, recipe: BenchRecipe) -> Side:
    """What is known of it here."""
    sha256 = hashlib.sha256(read_whole(path)).hexdigest()
    return Side(name=one_line(path.name), sha256=sha256, label=host, threads=recipe.threads)


def _tar(paths: Sequence[Path], pictures: Sequence[Path]) -> bytes:
    """The wheel, and what is measured under `given/`."""
    names = [path.name for path in (*paths, *pictures)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RecipeError(f"two of the files are called {twice[0]}; rename one, they lie in one folder there")
    wheel = build_wheel()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add(tar, wheel.name, wheel.data)
        for path in paths:
            _add(tar, f"given/{path.name}", read_whole(path))
        for path in pictures:
            _add(tar, f"given/{path.name}", path.read_bytes())
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o600
    tar.addfile(entry, io.BytesIO(data))


def _arguments(paths: Sequence[Path], recipe: BenchRecipe, pictures: Sequence[Path]) -> list[str]:
    """The options of the bench there; names beginning with a dash are no options."""
    return [
        *("--seconds", str(recipe.seconds), "--repeats", str(recipe.repeats)),
        *(("--threads", str(recipe.threads)) if recipe.threads else ()),
        *(() if recipe.sweep else ("--no-sweep",)),
        *(part for picture in pictures for part in ("--picture", f"./{picture.name}")),
        *(f"./{path.name}" for path in paths),
    ]


def command(host: str, arguments: Sequence[str], connection: Connection) -> list[str]:
    """The ssh that is run for a host."""
    script = shlex.join(["sh", "-c", _SCRIPT, "bench", connection.python or "", *arguments])
    config = ["-F", str(connection.ssh_config)] if connection.ssh_config else []
    return ["ssh", *config, *(part for one in _SETTINGS for part in ("-o", one)), "--", host, script]


def _measure(
    host: str, load: bytes, arguments: Sequence[str], connection: Connection
) -> tuple[tuple[Measurement, ...], Failure | None]:
    done = subprocess.run(command(host, arguments, connection), input=load, capture_output=True)
    said = done.stderr.decode("utf-8", "replace")
    _, begun, answer = done.stdout.partition(f"{BEGIN}\n".encode())
    if not begun or not answer.strip():
        return (), _failure(host, done.returncode, said, connection)
    try:
        report = read_report(answer, name=host)
    except ArtifactError as error:
        return (), Failure(label=host, reason=f"its report cannot be read: {error}", exit_code=error.exit_code)
    return tuple(replace(one, device=replace(one.device, label=host)) for one in report.measurements), None


def _failure(host: str, code: int, said: str, connection: Connection) -> Failure:
    """Why a host gave no report, in one line, and the documented code."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else f"code {code}, and it said nothing"
    python = connection.python or "python3"
    if code == SSH_FAILED:
        told, code = f"cannot be reached: {_of_ssh(lines, last, host)}", RecipeError.exit_code
    elif code == NO_PYTHON:
        told, code = f"has no Python 3.11 or later as {python} ({last}); name one with --python", RecipeError.exit_code
    elif code == NO_ENVIRONMENT:
        told, code = (
            f"cannot make a virtual environment ({last}): apt install python3-venv",
            MissingExtraError.exit_code,
        )
    elif code == NO_PACKAGES:
        found = next((line for line in lines if "ERROR" in line), last)
        told, code = (
            f"cannot install what bench needs ({found}); install it there: pip install {DEPENDENCIES}, and "
            "name that interpreter with --python",
            MissingExtraError.exit_code,
        )
    elif "No module named" in last:
        told, code = (
            f"{python} lacks a dependency ({last}); there: {python} -m pip install {DEPENDENCIES}",
            MissingExtraError.exit_code,
        )
    else:
        known = {kind.exit_code for kind in EdgeMelanomaError.__subclasses__()}
        told = next((line for line in reversed(lines) if line.startswith("error:")), last).removeprefix("error: ")
        code = code if code in known else ArtifactError.exit_code
    return Failure(label=host, reason=told, exit_code=code)


def _of_ssh(lines: Sequence[str], last: str, host: str) -> str:
    if any("Host key verification failed" in line for line in lines):
        return f"its host key is not known, or not the known one: run `ssh {host}` once and compare the fingerprint"
    if any("Permission denied" in line for line in lines):
        return f"{last} Nobody is asked for a password: let it in with a key, as ssh-copy-id {host} does"
    return last
