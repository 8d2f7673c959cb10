"""The parts of an emulated Raspberry Pi, fetched or built where they are not there yet, and put together.

emulator   qemu with the libraries it needs: it runs whatever the C library of this machine is
userland   Debian's arm64 packages, as Raspberry Pi OS has them
base       the wheels of the base install
own        the wheel of this source tree
device     a board: its files, and links to the others
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edge_melanoma.errors import RecipeError

from . import boards, suites
from .boards import BOARDS, Board
from .cache import Say, key_of, note_of, part, say_on_stderr
from .debian import unpack_packages
from .device import Device, write_device
from .needs import need_linux_on_x86
from .suites import SUITES, Suite
from .wheels import base_requirements, build_own_wheel, checkout, download_base, source_key, unpack_own_wheel

RECIPE = 1  # raise it when what is made of equal wishes changes
DEFAULT_BOARDS = ("pi4", "pi5")  # one of each core that a Pi for pictures has
EMULATOR_SUITE = "bookworm"  # qemu 7.2: counts are compared between machines, so its version is ours to choose
_QEMU = "usr/bin/qemu-aarch64"
_LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where devices are built, and of what."""

    cache: Path
    say: Say = say_on_stderr
    wheel: Path | None = None  # of ours; None: built from the source tree

    def device(self, board: Board, suite: Suite) -> Device:
        """A device of which every part is there."""
        need_linux_on_x86()
        emulator, userland = self.emulator(), self.userland(suite)
        sites = (self.own, self.base(suite))
        arguments: dict[str, Any] = {
            "board": board,
            "suite": suite,
            "emulator": emulator_command(emulator),
            "userland": userland,
            "sites": sites,
        }
        code = [Path(str(module.__file__)).read_text(encoding="utf-8") for module in (boards, suites)]
        key = key_of(RECIPE, code, *map(str, (emulator, userland, *sites)))
        name = f"device-{board.name}-{suite.name}"
        folder = self.cache / f"{name}-{key}"

        def make(draft: Path) -> Mapping[str, Any]:
            write_device(draft, folder=folder, **arguments)
            return {"board": board.model, "suite": suite.name}

        part(self.cache, name, key, make, say=self.say)
        return Device(board=board, suite=suite, folder=folder, sites=sites)

    def emulator(self) -> Path:
        """The emulator with its libraries."""
        only = (f"./{_QEMU}", "./lib*", "./usr/lib/x86_64-linux-gnu/*.so*", "./usr/lib/x86_64-linux-gnu/*/")

        def make(draft: Path) -> Mapping[str, Any]:
            versions = unpack_packages(
                ("qemu-user",), draft, suite=EMULATOR_SUITE, architecture="amd64", only=only, on_size=self._size("qemu")
            )
            return {"packages": versions}

        return part(self.cache, "emulator", key_of(RECIPE, EMULATOR_SUITE, only), make, say=self.say)

    def userland(self, suite: Suite) -> Path:
        """The system of a suite."""
        name = f"userland-{suite.name}"

        def make(draft: Path) -> Mapping[str, Any]:
            on_size = self._size(name)
            versions = unpack_packages(suite.packages, draft, suite=suite.name, architecture="arm64", on_size=on_size)
            (draft / "etc").mkdir(exist_ok=True)
            (draft / "etc" / "os-release").unlink(missing_ok=True)
            (draft / "etc" / "os-release").write_text(suite.os_release, encoding="ascii")
            return {"packages": versions}

        return part(self.cache, name, key_of(RECIPE, suite.packages, suite.os_release), make, say=self.say)

    def base(self, suite: Suite) -> Path:
        """The packages of the base install."""
        root, name = checkout(), f"base-{suite.name}"
        wishes = (base_requirements(root), (root / "constraints.txt").read_text(), suite.python, suite.platforms)

        def make(draft: Path) -> Mapping[str, Any]:
            self.say(f"{name}: fetching wheels for 64-bit ARM, about 40 MB")
            return {"packages": download_base(root, suite, draft)}

        return part(self.cache, name, key_of(RECIPE, wishes), make, say=self.say)

    @cached_property
    def own(self) -> Path:
        """This package, as it will be published; one and the same for all devices of a call."""
        if self.wheel is not None:
            return self._unpacked(self.wheel)
        root = checkout()

        def make(draft: Path) -> Mapping[str, Any]:
            self.say("own: building the wheel of this source tree")
            return {"packages": build_own_wheel(root, draft)}

        return part(self.cache, "own", key_of(RECIPE, source_key(root)), make, say=self.say)

    def _unpacked(self, wheel: Path) -> Path:
        content = hashlib.sha256(wheel.read_bytes()).hexdigest() if wheel.is_file() else None

        def make(draft: Path) -> Mapping[str, Any]:
            return {"packages": unpack_own_wheel(wheel, draft)}

        return part(self.cache, "own", key_of(RECIPE, wheel.name, content), make, say=self.say)

    def _size(self, name: str) -> Any:
        return lambda packages, megabytes: self.say(f"{name}: fetching {packages} Debian packages, {megabytes:.0f} MB")


def emulator_command(emulator: Path) -> tuple[str, ...]:
    """How the emulator is started: by the loader and with the libraries that came with it."""
    libraries = ":".join(str(emulator / place) for place in _LIBRARIES)
    loader = emulator / "lib" / "x86_64-linux-gnu" / "ld-linux-x86-64.so.2"
    return (str(loader), "--library-path", libraries, str(emulator / _QEMU))


def emulator_version(emulator: Path) -> str:
    """The version of qemu, as Debian counts it."""
    return str(note_of(emulator)["packages"]["qemu-user"])


def chosen(table: Mapping[str, Any], names: Iterable[str], what: str) -> list[Any]:
    """The entries of these names, each once."""
    asked = list(dict.fromkeys(names))
    unknown = [name for name in asked if name not in table]
    if unknown:
        raise RecipeError(f"{what} {unknown[0]!r} is unknown; known: {', '.join(table)}")
    return [table[name] for name in asked]


def build(workshop: Workshop, *, board_names: Iterable[str], suite_names: Iterable[str]) -> list[Device]:
    """A device for each board and suite."""
    boards_asked, suites_asked = chosen(BOARDS, board_names, "board"), chosen(SUITES, suite_names, "suite")
    return [workshop.device(board, suite) for suite in suites_asked for board in boards_asked]
