"""Debian packages of any suite and architecture, through the apt of this machine and without touching its own state.

The mirror is the one that this machine uses; apt checks signatures and hashes as it always does. Nothing is installed:
packages are unpacked into a folder, their scripts do not run, and no one has to be root.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .needs import PURPOSE, NeedsError, need_program, run_tool

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TIMEOUT_S = 300.0
UNREAD = ("./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*", "./usr/share/lintian/*")
MERGED = ("bin", "sbin", "lib")  # links into /usr, which no package of those here brings

# Read after the machine's own settings (proxy, certificates), of which only places and hooks are replaced.
_SETTINGS = """
Dir::State "{root}";
Dir::State::lists "{root}/lists";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "{architecture}";
#clear APT::Architectures;
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
Debug::NoLocking "true";
"""


def unpack_packages(
    names: Sequence[str],
    root: Path,
    *,
    suite: str,
    architecture: str,
    only: Sequence[str] = (),
    on_size: Callable[[int, float], None] = lambda packages, megabytes: None,
) -> dict[str, str]:
    """Unpack packages and everything they depend on below `root`; returns the version of each.

    `only` names what is taken, as patterns; without it all but documentation is. `on_size` is told before the download
    how many packages and megabytes it will be.
    """
    apt, tar, dpkg = need_program("apt-get", "apt"), need_program("tar", "tar"), need_program("dpkg-deb", "dpkg")
    if not KEYRING.is_file():
        raise NeedsError(f"{PURPOSE} needs the keys of Debian's archive: apt-get install debian-archive-keyring")
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    with tempfile.TemporaryDirectory(prefix="edge-melanoma-apt-", dir=root.parent) as folder:
        command = [apt, f"--config-file={_settings(Path(folder), suite=suite, architecture=architecture)}", "-qq"]
        what = f"fetching Debian's {suite} packages for {architecture}"
        run_tool([*command, "update"], what=what, timeout_s=TIMEOUT_S)
        wanted = [*command, "--yes", "--no-install-recommends", "install", *names]
        listed = [line.split() for line in run_tool([*wanted, "--print-uris"], what=what, timeout_s=60).splitlines()]
        on_size(len(listed), sum(int(line[2]) for line in listed) / 1e6)
        run_tool([*wanted, "--download-only"], what=what, timeout_s=TIMEOUT_S)
        files = sorted((Path(folder) / "cache" / "archives").glob("*.deb"))
        if len(files) != len(listed):
            raise NeedsError(f"{what}: {len(files)} of {len(listed)} packages came")
        for file in files:
            _unpack(file, root, dpkg=dpkg, tar=tar, only=only)
        return dict(_name_and_version(file, dpkg) for file in files)


def _settings(folder: Path, *, suite: str, architecture: str) -> Path:
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    settings = folder / "apt.conf"
    settings.write_text(_SETTINGS.format(root=folder, architecture=architecture))
    return settings


def mirror() -> str:
    """The address from which this machine's apt takes Debian itself."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages"]
    uri = chosen_mirror(run_tool(command, what="asking apt for its mirror", timeout_s=60))
    if uri is None:
        raise NeedsError(f"{PURPOSE} needs a Debian mirror, and this machine's apt takes its packages from none")
    return uri


def chosen_mirror(listed: str) -> str | None:
    """Of lines `address label`: the one labelled Debian; where nothing was fetched yet, one that is named so."""
    lines = [line.split(maxsplit=1) for line in listed.splitlines() if line.strip()]
    labelled = [line[0] for line in lines if line[1:] == ["Debian"]]
    named = [line[0] for line in lines if line[0].rstrip("/").endswith("/debian")]
    return next(iter([*labelled, *named]), None)


def _unpack(file: Path, root: Path, *, dpkg: str, tar: str, only: Sequence[str]) -> None:
    """As dpkg does it, but through links of folders, which dpkg-deb --extract would replace."""
    patterns = ["--wildcards", *only] if only else [f"--exclude={pattern}" for pattern in UNREAD]
    unpacking = [tar, "--extract", "--keep-directory-symlink", "--no-same-owner", "--directory", str(root), *patterns]
    with subprocess.Popen([dpkg, "--fsys-tarfile", str(file)], stdout=subprocess.PIPE) as reading:
        done = subprocess.run(unpacking, stdin=reading.stdout, capture_output=True, text=True, timeout=TIMEOUT_S)
    nothing_of_it = only and "Not found in archive" in done.stderr
    if reading.returncode or (done.returncode and not nothing_of_it):
        raise NeedsError(f"unpacking {file.name}: {done.stderr.strip()[-200:] or 'it is damaged'} (is the disk full?)")


def _name_and_version(file: Path, dpkg: str) -> tuple[str, str]:
    fields = run_tool([dpkg, "--field", str(file), "Package", "Version"], what=f"reading {file.name}", timeout_s=60)
    found = dict(line.split(": ", 1) for line in fields.splitlines())
    return found["Package"], found["Version"]
