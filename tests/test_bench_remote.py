"""`bench --on`: a wheel of what runs here, over real OpenSSH to an sshd of the test's own; what fails is one line."""

import contextlib
import getpass
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

from edge_melanoma.benchmarks.device.remote import Connection, command, run_on
from edge_melanoma.benchmarks.device.run import BenchRecipe
from edge_melanoma.benchmarks.device.wheel import build_wheel
from edge_melanoma.bundle import golden_of, open_bundle, pack_bundle
from edge_melanoma.errors import RecipeError

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "tests" / "golden" / "tiny" / "tiny_bundle.tflite"
QUICK = BenchRecipe(seconds=0, repeats=1, threads=1, sweep=False)
PATIENCE_S = 10


# the wheel


@pytest.fixture(scope="module")
def wheel():
    return build_wheel()


def test_the_wheel_has_every_package_and_the_files_of_it(wheel):
    names = zipfile.ZipFile(io.BytesIO(wheel.data)).namelist()
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package in declared["packages"]:
        assert f"{package.replace('.', '/')}/__init__.py" in names
    for package, patterns in declared["package-data"].items():
        folder = package.replace(".", "/")
        for pattern in patterns:
            assert any(re.fullmatch(rf"{folder}/[^/]+{re.escape(pattern[1:])}", name) for name in names), pattern
    assert not [name for name in names if "/results/" in name or name.endswith(".pyc") or name.startswith("tests/")]
    assert re.fullmatch(r"edge_melanoma-[\w.]+-py3-none-any\.whl", wheel.name)


def test_pip_takes_the_wheel_and_what_it_installs_runs(wheel, tmp_path):
    file = tmp_path / wheel.name
    file.write_bytes(wheel.data)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(tmp_path / "there"), str(file)], check=True, capture_output=True)
    code = "import edge_melanoma, edge_melanoma.benchmarks.device.run as r; print(edge_melanoma.__file__, r.__file__)"
    environment = {"PYTHONPATH": str(tmp_path / "there"), "PATH": ""}
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.count(str(tmp_path / "there")) == 2, done.stdout + done.stderr


def test_equal_files_make_an_equal_wheel(wheel):
    assert build_wheel() == wheel


# the connection


def test_hosts_that_ssh_would_take_for_options_are_refused():
    for host in ("-oProxyCommand=true", "", "pi one"):
        with pytest.raises(RecipeError, match="--on"):
            run_on([host], [BUNDLE], QUICK, Connection())
    with pytest.raises(RecipeError, match="given twice"):
        run_on(["pi", "pi"], [BUNDLE], QUICK, Connection())


def test_keys_of_hosts_are_never_ignored_and_nobody_is_asked():
    argv = command("pi", ["./a b.tflite"], Connection(ssh_config=Path("config")))
    options = [argv[place + 1] for place, word in enumerate(argv) if word == "-o"]
    assert "BatchMode=yes" in options
    assert not any("HostKey" in option or "KnownHosts" in option for option in options)
    assert argv[argv.index("--") + 1] == "pi"
    assert "'./a b.tflite'" in argv[-1], "as one word"


# over a real sshd


def keygen(path):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, stdin=subprocess.DEVNULL
    )
    return path.with_name(f"{path.name}.pub").read_text()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    """An sshd on loopback with keys of its own, and a client's config that knows it."""
    daemon = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if daemon is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("needs OpenSSH's server and client: apt install openssh-server openssh-client")
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            Path("/run/sshd").mkdir(exist_ok=True)  # as its service does; without it, root's sshd does not start
    folder = tmp_path_factory.mktemp("ssh")
    folder.chmod(0o700)
    host_key = keygen(folder / "host_key")
    (folder / "authorized_keys").write_text(keygen(folder / "user_key"))
    port = free_port()
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    )
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(host_key.split()[:2])}\n")
    (folder / "empty").write_text("")
    keygen(folder / "other_key")
    shared = f"  HostName 127.0.0.1\n  User {getpass.getuser()}\n  IdentitiesOnly yes\n  GlobalKnownHostsFile none\n"
    known = f"  Port {port}\n  UserKnownHostsFile {folder}/known_hosts\n"
    user, other = f"  IdentityFile {folder}/user_key\n", f"  IdentityFile {folder}/other_key\n"
    (folder / "config").write_text(
        f"Host kitchen garden\n{shared}{known}{user}"
        f"Host stranger\n{shared}  Port {port}\n  UserKnownHostsFile {folder}/empty\n{user}"
        f"Host locked\n{shared}{known}{other}"
        f"Host absent\n{shared}  Port {free_port()}\n{user}"
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([daemon, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        wait_for(port, server, folder / "log")
        yield folder / "config"
    finally:
        server.terminate()
        server.wait()


def wait_for(port, server, log):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if server.poll() is not None:
            pytest.skip(f"sshd does not start here: {log.read_text().strip()}")
        with socket.socket() as client:
            client.settimeout(1)
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.skip(f"sshd does not listen after {PATIENCE_S} s")


@pytest.fixture
def here(sshd):
    """The connection, with an interpreter that has the dependencies."""
    return Connection(ssh_config=sshd, python=sys.executable)


def left_behind():
    return set(Path("/tmp").glob("edge-melanoma-bench.*"))


def test_two_hosts_at_a_time_and_every_failure_is_a_line(here, picture):
    before = left_behind()
    hosts = ["kitchen", "stranger", "garden", "locked", "absent"]
    report = run_on(hosts, [BUNDLE], QUICK, here, pictures=[picture])
    assert {failure.label for failure in report.failures} == {"stranger", "locked", "absent"}
    assert [one.device.name for one in report.measurements] == ["kitchen", "garden"]
    for one in report.measurements:
        assert one.artefact.sha256 == open_bundle(BUNDLE).sha256
        assert one.end_to_end[0].picture == picture.name
        assert one.parity_passed
    reasons = {failure.label: failure.reason for failure in report.failures}
    assert "host key is not known" in reasons["stranger"]
    assert "Permission denied" in reasons["locked"]
    assert "Connection refused" in reasons["absent"]
    assert all("\n" not in reason for reason in reasons.values())
    assert report.exit_code == 2
    assert left_behind() <= before


@pytest.fixture
def picture(tmp_path):
    from PIL import Image

    path = tmp_path / "a red one.png"
    Image.fromarray(open_bundle(BUNDLE).golden.inputs[0]).save(path)
    return path


def test_a_host_that_lacks_what_is_needed_says_what(here, tmp_path):
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    for python, told, code in (
        (str(bare), "pip install numpy", 5),
        ("/nowhere/python", "has no Python 3.11 or later as /nowhere/python", 2),
    ):
        report = run_on(["kitchen"], [BUNDLE], QUICK, Connection(ssh_config=here.ssh_config, python=python))
        assert told in report.failures[0].reason
        assert (report.exit_code, report.measurements) == (code, ())


def test_what_bench_refuses_there_is_told_here(here, tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(BUNDLE.read_bytes()[:-1])
    report = run_on(["kitchen"], [broken], QUICK, here)
    assert "broken.tflite: is cut off" in report.failures[0].reason
    assert report.exit_code == 4


def test_a_host_that_decides_otherwise_is_seen_here(here, tmp_path, picture):
    bundle = open_bundle(BUNDLE)
    golden = golden_of(
        bundle.golden.inputs, bundle.golden.outputs + 3, bundle.manifest.model.output, bundle.manifest.rule
    )
    wrong = tmp_path / "wrong.tflite"
    wrong.write_bytes(pack_bundle(model=bundle.model, manifest=bundle.manifest, golden=golden))
    report = run_on(["kitchen"], [wrong], QUICK, here, pictures=[picture])
    assert not report.failures
    assert report.exit_code == 6
