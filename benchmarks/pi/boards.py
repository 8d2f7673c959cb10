"""Which Raspberry Pis are emulated, and the files by which a program tells one from another machine.

The emulator answers for the processor only. What programs read of the rest (/proc/cpuinfo, /sys) would be the host's:
`doctor` would then name a wrong board, and LiteRT, which looks for x86 caches on an arm64 processor, dies of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CORES = 4
_ASIMD = "fp asimd evtstrm crc32 cpuid"
_DOT_PRODUCT = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"  # Armv8.2
)


@dataclass(frozen=True, kw_only=True)
class Board:
    """What a Raspberry Pi says about itself."""

    name: str
    model: str  # as the device tree names it
    core: str  # as the emulator names it; never "max": the SME of qemu 7.2 gives wrong int8 results and no error
    revision: str
    part: str  # of the processor, with variant and revision: which core it is
    variant: str
    stepping: int
    features: str
    memory_kb: int
    min_khz: int
    max_khz: int
    data_cache_kb: int
    instruction_cache_kb: int
    shared_cache_kb: int


def _with_cortex_a53(*, name: str, model: str, revision: str, memory_kb: int, max_khz: int) -> Board:
    return Board(
        name=name,
        model=model,
        core="cortex-a53",
        revision=revision,
        part="0xd03",
        variant="0x0",
        stepping=4,
        features=_ASIMD,
        memory_kb=memory_kb,
        min_khz=600_000,
        max_khz=max_khz,
        data_cache_kb=32,
        instruction_cache_kb=32,
        shared_cache_kb=512,
    )


BOARDS: Mapping[str, Board] = {
    board.name: board
    for board in (
        _with_cortex_a53(
            name="pi3",
            model="Raspberry Pi 3 Model B Plus Rev 1.3",
            revision="a020d3",
            memory_kb=948_304,
            max_khz=1_400_000,
        ),
        _with_cortex_a53(
            name="pizero2",
            model="Raspberry Pi Zero 2 W Rev 1.0",
            revision="902120",
            memory_kb=437_096,
            max_khz=1_000_000,
        ),
        Board(
            name="pi4",
            model="Raspberry Pi 4 Model B Rev 1.4",
            core="cortex-a72",
            revision="c03114",
            part="0xd08",
            variant="0x0",
            stepping=3,
            features=_ASIMD,
            memory_kb=3_885_428,
            min_khz=600_000,
            max_khz=1_800_000,
            data_cache_kb=32,
            instruction_cache_kb=48,
            shared_cache_kb=1024,
        ),
        Board(
            name="pi5",
            model="Raspberry Pi 5 Model B Rev 1.0",
            core="cortex-a76",
            revision="d04170",
            part="0xd0b",
            variant="0x4",
            stepping=1,
            features=_DOT_PRODUCT,
            memory_kb=8_256_448,
            min_khz=1_500_000,
            max_khz=2_400_000,
            data_cache_kb=64,
            instruction_cache_kb=64,
            shared_cache_kb=512,
        ),
    )
}


def facts(board: Board) -> dict[str, str]:
    """The files of a Pi, by path below the root."""
    files = {
        "proc/cpuinfo": _cpuinfo(board),
        "proc/meminfo": _meminfo(board.memory_kb),
        "proc/device-tree/model": f"{board.model}\0",
        "sys/firmware/devicetree/base/model": f"{board.model}\0",
        "sys/class/thermal/thermal_zone0/temp": "48312\n",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/devices/system/cpu/kernel_max": f"{CORES - 1}\n",
    }
    everyone = f"0-{CORES - 1}"
    files |= {f"sys/devices/system/cpu/{name}": f"{everyone}\n" for name in ("possible", "present", "online")}
    for number in range(CORES):
        files |= {
            f"sys/devices/system/cpu/cpu{number}/{name}": f"{value}\n"
            for name, value in (_topology(number, everyone) | _frequencies(board) | _caches(board, number)).items()
        }
    return files


def _cpuinfo(board: Board) -> str:
    cores = (
        f"processor\t: {number}\nBogoMIPS\t: 108.00\nFeatures\t: {board.features}\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: {board.variant}\nCPU part\t: {board.part}\n"
        f"CPU revision\t: {board.stepping}\n\n"
        for number in range(CORES)
    )
    return f"{''.join(cores)}Revision\t: {board.revision}\nSerial\t\t: 0000000000000000\nModel\t\t: {board.model}\n"


def _meminfo(memory_kb: int) -> str:
    sizes = {"MemTotal": memory_kb, "MemFree": memory_kb * 6 // 10, "MemAvailable": memory_kb * 8 // 10}
    return "".join(f"{name + ':':<15} {size:>8} kB\n" for name, size in (*sizes.items(), ("SwapTotal", 0)))


def _topology(number: int, everyone: str) -> dict[str, object]:
    mask, all_masks = f"{1 << number:x}", f"{(1 << CORES) - 1:x}"
    return {
        "topology/core_id": number,
        "topology/physical_package_id": 0,
        "topology/core_siblings_list": everyone,
        "topology/core_siblings": all_masks,
        "topology/thread_siblings_list": number,
        "topology/thread_siblings": mask,
        "topology/cluster_cpus_list": everyone,
        "topology/package_cpus_list": everyone,
        "topology/core_cpus_list": number,
        "cpu_capacity": 1024,
    }


def _frequencies(board: Board) -> dict[str, object]:
    files = {"scaling_governor": "ondemand", "scaling_available_governors": "ondemand performance powersave"}
    highest = ("cpuinfo_max_freq", "scaling_max_freq", "scaling_cur_freq", "cpuinfo_cur_freq")
    files |= {name: str(board.max_khz) for name in highest}
    files |= {name: str(board.min_khz) for name in ("cpuinfo_min_freq", "scaling_min_freq")}
    return {f"cpufreq/{name}": value for name, value in files.items()}


def _caches(board: Board, number: int) -> dict[str, object]:
    kinds = (
        (1, "Data", board.data_cache_kb, f"{number}"),
        (1, "Instruction", board.instruction_cache_kb, f"{number}"),
        (2, "Unified", board.shared_cache_kb, f"0-{CORES - 1}"),
    )
    files: dict[str, object] = {}
    for index, (level, kind, size_kb, shared) in enumerate(kinds):
        about = {"level": level, "type": kind, "size": f"{size_kb}K", "shared_cpu_list": shared}
        files |= {f"cache/index{index}/{name}": value for name, value in about.items()}
        files[f"cache/index{index}/coherency_line_size"] = 64
    return files


# The throttle state is asked of the firmware through this program. A program that is started is the host's business,
# not the emulator's, so it stands on the PATH and not below the root.
VCGENCMD = """#!/bin/sh
case "$1 $2" in
    "get_throttled "*) echo "throttled=${PI_THROTTLED:-0x0}" ;;
    "measure_temp "*) echo "temp=${PI_TEMPERATURE:-48.3}'C" ;;
    "measure_clock arm") echo "frequency(48)=${PI_CLOCK_HZ:-MAX_HZ}" ;;
    "measure_volts "*) echo "volt=0.8500V" ;;
    *) echo 'error=1 error_msg="Command not registered"' ;;
esac
"""


def vcgencmd(board: Board) -> str:
    """A stand-in for the firmware's program; PI_THROTTLED=0x50005 lets it say that the Pi is throttled."""
    return VCGENCMD.replace("MAX_HZ", str(board.max_khz * 1000))
