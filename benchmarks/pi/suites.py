"""The Raspberry Pi OS releases that are emulated, and what each has of Python and of the C library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OLDEST_GLIBC_MINOR = 17  # that a wheel for 64-bit ARM can ask for
KERNEL = "6.12.0-emulated"  # what `uname -r` answers: nobody shall take a result for that of a real Pi


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A release by the name of the Debian that it is made of."""

    name: str
    debian: int
    python: str
    glibc_minor: int

    @property
    def platforms(self) -> tuple[str, ...]:
        """The tags of wheels that run there, the newest C library first."""
        minors = range(self.glibc_minor, OLDEST_GLIBC_MINOR - 1, -1)
        return (*(f"manylinux_2_{minor}_aarch64" for minor in minors), "manylinux2014_aarch64")

    @property
    def packages(self) -> tuple[str, ...]:
        """What an image has beyond its kernel, as far as we need it: Python, and what C++ in wheels needs."""
        return (f"python{self.python}", "libstdc++6")

    @property
    def os_release(self) -> str:
        """Raspberry Pi OS calls itself Debian."""
        return (
            f'PRETTY_NAME="Debian GNU/Linux {self.debian} ({self.name})"\nNAME="Debian GNU/Linux"\n'
            f'VERSION_ID="{self.debian}"\nVERSION_CODENAME={self.name}\nID=debian\n'
        )


SUITES: Mapping[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite(name="bookworm", debian=12, python="3.11", glibc_minor=36),
        Suite(name="trixie", debian=13, python="3.13", glibc_minor=41),
    )
}
