"""The state that a device is in while it is measured: no latency is printed without it.

A clock that changes, a chip that is hot or has too little voltage, and other programs make a latency one of that
moment. Read from /sys, /proc and, on a Raspberry Pi, `vcgencmd`; what a machine does not tell is None.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# what the firmware of a Raspberry Pi says: now, and 16 bits higher whether it was so since it started
THROTTLED = {
    0: "the voltage is too low",
    1: "the clock is held down",
    2: "it is throttled",
    3: "it is near its temperature limit, and slowed",
}
HISTORY = 16
HOT_C = 80.0  # where a Raspberry Pi 4 or 5 begins to slow down
BUSY_SHARE = 0.05  # of all cores that other programs may take
FULL_CLOCK = 0.98  # of the highest frequency


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """One look at the device."""

    governor: str | None  # several, if the cores differ
    frequency_mhz: float | None  # the fastest core's, now
    min_frequency_mhz: float | None
    max_frequency_mhz: float | None
    temperature_c: float | None  # the hottest sensor's
    throttled: int | None  # the firmware's bits
    load_1min: float | None


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """Jiffies since the machine started: of all cores, of those at work, and of this process and its children."""

    total: int
    busy: int
    own: float

    def others_since(self, earlier: Clocks) -> float | None:
        """The share of all cores that other programs took since then."""
        total = self.total - earlier.total
        if total <= 0:
            return None
        return max(0.0, (self.busy - earlier.busy) - (self.own - earlier.own)) / total


def look(root: Path = Path("/")) -> Conditions:
    """The conditions now."""
    cpus = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq"))
    governors = sorted({text for cpu in cpus if (text := _text(cpu / "scaling_governor"))})
    return Conditions(
        governor=", ".join(governors) or None,
        frequency_mhz=_mhz(cpus, "scaling_cur_freq"),
        min_frequency_mhz=_mhz(cpus, "cpuinfo_min_freq"),
        max_frequency_mhz=_mhz(cpus, "cpuinfo_max_freq"),
        temperature_c=_temperature(root),
        throttled=_throttled(root),
        load_1min=_load(root),
    )


def worst(looks: Sequence[Conditions]) -> Conditions:
    """Of several looks under load the hottest, the slowest, and everything that the firmware complained of."""
    bits = [one.throttled for one in looks if one.throttled is not None]
    last = looks[-1]
    return Conditions(
        governor=", ".join(sorted({name for one in looks for name in (one.governor or "").split(", ") if name}))
        or None,
        frequency_mhz=min(_known(one.frequency_mhz for one in looks), default=None),
        min_frequency_mhz=last.min_frequency_mhz,
        max_frequency_mhz=last.max_frequency_mhz,
        temperature_c=max(_known(one.temperature_c for one in looks), default=None),
        throttled=_or(bits) if bits else None,
        load_1min=max(_known(one.load_1min for one in looks), default=None),
    )


def marks(before: Conditions, during: Conditions, after: Conditions, *, others: float | None, cores: int) -> list[str]:
    """Every reason not to take the latencies for this device's own, in words."""
    found = [f"{told} ({when})" for told, when in _complaints(before, during, after)]
    governors = sorted({name for one in (before, during, after) for name in (one.governor or "").split(", ") if name})
    if any(name != "performance" for name in governors):
        found.append(f"the governor is {', '.join(governors)}, so that the clock changes; performance holds it")
    if during.frequency_mhz and during.max_frequency_mhz:
        share = during.frequency_mhz / during.max_frequency_mhz
        if share < FULL_CLOCK:
            found.append(f"under load the clock was at {share:.0%} of its highest frequency")
    hottest = max(_known((before.temperature_c, during.temperature_c, after.temperature_c)), default=0.0)
    if hottest >= HOT_C:
        found.append(f"it was hot: {hottest:.0f} °C")
    if others is not None and others > BUSY_SHARE:
        found.append(f"other programs took {others:.0%} of all cores meanwhile")
    elif others is None and (before.load_1min or 0) > cores / 2:
        found.append(f"other programs were at work: the load was {before.load_1min:.1f} before it began")
    return found


def _complaints(before: Conditions, during: Conditions, after: Conditions) -> list[tuple[str, str]]:
    """What the firmware said, and when: now, or in between, as its memory shows."""
    now = _or(one.throttled or 0 for one in (before, during, after))
    new = (after.throttled or 0) & ~(before.throttled or 0)
    found = []
    for bit, told in THROTTLED.items():
        if now >> bit & 1:
            found.append((told, "while it was measured"))
        elif new >> (bit + HISTORY) & 1:
            found.append((told, "for a moment, while it was measured"))
    return found


def throttling_in_words(bits: int | None) -> str:
    """Every bit that is set."""
    if bits is None:
        return "unknown (no vcgencmd)"
    said = [f"{told} now" for bit, told in THROTTLED.items() if bits >> bit & 1]
    said += [f"{told}, at some time since it started" for bit, told in THROTTLED.items() if bits >> (bit + HISTORY) & 1]
    return "; ".join(said) or "none"


def clocks(root: Path = Path("/")) -> Clocks | None:
    """What the cores have done so far; None where the system does not tell."""
    found = re.match(r"cpu +(\d+(?: \d+){7})", _text(root / "proc/stat") or "")
    if found is None:
        return None
    user, nice, system, idle, waiting, *interrupts = map(int, found[1].split())
    busy = user + nice + system + sum(interrupts)
    times = os.times()
    own = (times.user + times.system + times.children_user + times.children_system) * os.sysconf("SC_CLK_TCK")
    return Clocks(total=busy + idle + waiting, busy=busy, own=own)


def emulator(root: Path = Path("/")) -> str | None:
    """The emulator that this program runs in, if it does: then it is the emulator that takes the time."""
    # qemu answers for /proc/self in the name of the program, and forgets this way to ask
    try:
        name = (root / "proc/thread-self/exe").readlink().name
    except OSError:
        return None
    return name if name.startswith("qemu-") else None


def _temperature(root: Path) -> float | None:
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone[0-9]*/temp"))
    return max(_known(_number(zone, per=1000) for zone in zones), default=None)


def _throttled(root: Path) -> int | None:
    """By the firmware's tool, or as the kernel shows it where the tool is not installed."""
    tool = shutil.which("vcgencmd")
    said = _text(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    if tool is not None:
        try:
            done = subprocess.run([tool, "get_throttled"], capture_output=True, text=True, timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            done = None
        said = done.stdout if done is not None and not done.returncode else said
    found = re.fullmatch(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]+)", (said or "").strip())
    return int(found[1], 16) if found else None


def _load(root: Path) -> float | None:
    try:
        return float((_text(root / "proc/loadavg") or "").split()[0])
    except (IndexError, ValueError):
        return None


def _mhz(cpus: Sequence[Path], name: str) -> float | None:
    return max(_known(_number(cpu / name, per=1000) for cpu in cpus), default=None)


def _number(path: Path, *, per: float) -> float | None:
    try:
        return float(_text(path) or "") / per
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _or(values: Iterable[int]) -> int:
    bits = 0
    for value in values:
        bits |= value
    return bits
