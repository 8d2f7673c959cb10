"""What `pip install edge-melanoma` brings to a Raspberry Pi: the base install at the tested versions, and our wheel.

Wheels are unpacked, not installed: installing is little more, and a pip of this machine would take its own
architecture for the Pi's.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_melanoma.errors import ArtifactError, RecipeError

from .needs import NeedsError, need_pip, run_tool
from .suites import Suite

TIMEOUT_S = 300.0
SOURCE = ("pyproject.toml", "README.md", "LICENSE", "edge_melanoma", "train", "convert", "benchmarks")
NOT_SOURCE = ("__pycache__", "*.egg-info", "results")


def checkout() -> Path:
    """The source tree that this runs from: it holds the tested versions, and what our wheel is built from."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "pyproject.toml").is_file() or not (root / "constraints.txt").is_file():
        raise RecipeError(
            f"{root}: is no source tree of edge-melanoma, whose constraints.txt says what is tried; run this from one"
        )
    return root


def base_requirements(root: Path) -> tuple[str, ...]:
    """What the base install asks for, without any extra."""
    declared = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return tuple(declared["project"]["dependencies"])


def download_base(root: Path, suite: Suite, site: Path) -> dict[str, str]:
    """Unpack the wheels of the base install for a suite into `site`; returns their names and versions.

    pip answers the markers of requirements (`platform_machine`) for this machine: ours name x86_64 and aarch64 alike.
    """
    with tempfile.TemporaryDirectory(prefix="edge-melanoma-wheels-", dir=site.parent) as folder:
        command = [*need_pip(), "download", "--quiet", "--only-binary=:all:", "--implementation=cp", "--retries=1"]
        command += [f"--python-version={suite.python}", f"--constraint={root / 'constraints.txt'}", f"--dest={folder}"]
        command += [f"--platform={platform}" for platform in suite.platforms]
        what = f"fetching the base install for {suite.name} on arm64"
        try:
            run_tool([*command, *base_requirements(root)], what=what, timeout_s=TIMEOUT_S)
        except NeedsError as error:
            raise told_apart(error) from error
        files = sorted(Path(folder).glob("*.whl"))
        for file in files:
            unpack_wheel(file, site)
        return {name: version for name, version, *_ in (file.name.split("-") for file in files)}


def told_apart(error: NeedsError) -> NeedsError | ArtifactError:
    """A version that has no wheel for the Pi is our fault, and no reason to skip a test; a missing network is one."""
    unreached = "Retrying" in error.output
    if unreached or not any(sign in error.output for sign in ("No matching distribution", "ResolutionImpossible")):
        return error
    return ArtifactError(f"{error}; choose another version in constraints.txt")


def unpack_wheel(file: Path, site: Path) -> None:
    """Where pip would put the files of a wheel, as far as they are imported."""
    with zipfile.ZipFile(file) as wheel:
        for entry in wheel.infolist():
            top, _, rest = entry.filename.partition("/")
            if top.endswith(".data"):
                kind, _, inside = rest.partition("/")
                if kind not in ("purelib", "platlib"):
                    continue  # programs and headers
                entry.filename = inside
            wheel.extract(entry, site)


def source_key(root: Path) -> str:
    """Equal as long as the source is."""
    digest = hashlib.sha256()
    for path in _source_files(root):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _source_files(root: Path) -> list[Path]:
    tops = [root / name for name in SOURCE]
    files = [file for top in tops for file in ([top] if top.is_file() else top.rglob("*")) if file.is_file()]
    return sorted(file for file in files if not _is_left_out(file.relative_to(root)))


def _is_left_out(path: Path) -> bool:
    return any(Path(name).match(pattern) for name in path.parts for pattern in NOT_SOURCE)


def build_own_wheel(root: Path, site: Path) -> dict[str, str]:
    """Build our wheel from a copy of the source, so that no earlier build is in it, and unpack it into `site`."""
    with tempfile.TemporaryDirectory(prefix="edge-melanoma-source-", dir=site.parent) as folder:
        copy = Path(folder) / "source"
        for file in _source_files(root):
            place = copy / file.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
        command = [*need_pip(), "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(copy)]
        run_tool(command, what="building the wheel of this source tree", timeout_s=TIMEOUT_S)
        (wheel,) = Path(folder).glob("edge_melanoma-*.whl")
        return unpack_own_wheel(wheel, site)


def unpack_own_wheel(wheel: Path, site: Path) -> dict[str, str]:
    """Unpack a wheel of ours that was built already."""
    if not wheel.is_file() or not wheel.name.startswith("edge_melanoma-"):
        raise RecipeError(f"{wheel}: is no wheel of edge-melanoma; `make wheel` writes one into dist/")
    unpack_wheel(wheel, site)
    return {"edge_melanoma": wheel.name.split("-")[1]}


def installed_bytes(sites: Sequence[Path]) -> Mapping[str, int]:
    """What each package takes, by its own list of files; what Python compiles later comes on top."""
    sizes: dict[str, int] = {}
    for site in sites:
        for record in site.glob("*.dist-info/RECORD"):
            name = record.parent.name.split("-")[0]
            with record.open(encoding="utf-8", newline="") as stream:
                places = [site / row[0] for row in csv.reader(stream) if row]
            sizes[name] = sum(place.stat().st_size for place in places if place.is_file())
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))
