"""What speaks against a latency is seen in the files of a device and said in words."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_melanoma.benchmarks.device.conditions import (
    THROTTLED,
    Clocks,
    Conditions,
    clocks,
    emulator,
    look,
    marks,
    throttling_in_words,
    worst,
)

QUIET = Conditions(
    governor="performance",
    frequency_mhz=1800.0,
    min_frequency_mhz=600.0,
    max_frequency_mhz=1800.0,
    temperature_c=48.3,
    throttled=0,
    load_1min=0.1,
)


@pytest.fixture
def device(tmp_path, monkeypatch):
    """The files that a Raspberry Pi shows, below a folder; no vcgencmd."""

    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    for core in range(4):
        folder = f"sys/devices/system/cpu/cpu{core}/cpufreq"
        write(f"{folder}/scaling_governor", "ondemand\n")
        write(f"{folder}/cpuinfo_max_freq", "1800000\n")
        write(f"{folder}/cpuinfo_min_freq", "600000\n")
        write(f"{folder}/scaling_cur_freq", f"{600000 + core * 100000}\n")
    write("sys/class/thermal/thermal_zone0/temp", "48312\n")
    write("sys/class/thermal/thermal_zone1/temp", "51000\n")
    write("proc/loadavg", "0.52 0.58 0.59 1/467 12345\n")
    write("proc/stat", "cpu  100 1 20 900 9 2 3 5 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n")
    write("empty/bin/nothing", "")
    monkeypatch.setenv("PATH", str(tmp_path / "empty" / "bin"))
    return tmp_path


@pytest.fixture
def with_vcgencmd(device, monkeypatch):
    def answers(text, code=0):
        tool = device / "empty" / "bin" / "vcgencmd"
        tool.write_text(f"#!/bin/sh\necho '{text}'\nexit {code}\n")
        tool.chmod(0o755)

    return answers


def test_a_look_reads_what_the_device_shows(device):
    found = look(device)
    assert (found.governor, found.load_1min) == ("ondemand", 0.52)
    assert (found.frequency_mhz, found.min_frequency_mhz, found.max_frequency_mhz) == (900.0, 600.0, 1800.0)
    assert found.temperature_c == 51.0, "the hottest"
    assert found.throttled is None


def test_what_a_machine_does_not_show_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert set(vars(look(tmp_path)).values()) == {None}
    assert clocks(tmp_path) is None


@pytest.mark.parametrize(
    ("said", "code", "bits"),
    [("throttled=0x50005", 0, 0x50005), ("throttled=0x0", 0, 0), ("error=1 error_msg=...", 0, None), ("", 1, None)],
)
def test_the_firmware_is_asked(device, with_vcgencmd, said, code, bits):
    with_vcgencmd(said, code)
    assert look(device).throttled == bits


def test_where_there_is_no_tool_the_kernel_says_it(device):
    file = device / "sys/devices/platform/soc/soc:firmware/get_throttled"
    file.parent.mkdir(parents=True)
    file.write_text("50000\n")
    assert look(device).throttled == 0x50000


def test_every_bit_is_told_in_words():
    assert throttling_in_words(0) == "none"
    assert "unknown" in throttling_in_words(None)
    for bit, told in THROTTLED.items():
        assert throttling_in_words(1 << bit) == f"{told} now"
        assert throttling_in_words(1 << (bit + 16)) == f"{told}, at some time since it started"
    assert len(throttling_in_words(0xF000F).split("; ")) == 8


def test_a_quiet_device_has_no_marks():
    assert marks(QUIET, QUIET, QUIET, others=0.01, cores=4) == []
    unknown = Conditions(**dict.fromkeys(vars(QUIET)))
    assert marks(unknown, unknown, unknown, others=None, cores=4) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"throttled": 0x4}, "it is throttled (while it was measured)"),
        ({"governor": "ondemand, performance"}, "the governor is ondemand"),
        ({"frequency_mhz": 1200.0}, "67% of its highest frequency"),
        ({"temperature_c": 84.0}, "it was hot: 84 °C"),
    ],
)
def test_each_trouble_under_load_is_marked(change, told):
    found = marks(QUIET, replace(QUIET, **change), QUIET, others=0.0, cores=4)
    assert any(told in one for one in found), found


def test_throttling_long_ago_is_no_mark_but_throttling_in_between_is():
    old = replace(QUIET, throttled=0x50000)
    assert marks(old, old, old, others=0.0, cores=4) == []
    assert marks(QUIET, QUIET, old, others=0.0, cores=4) == [
        f"{THROTTLED[0]} (for a moment, while it was measured)",
        f"{THROTTLED[2]} (for a moment, while it was measured)",
    ]


def test_other_programs_are_marked_by_their_share_or_else_by_the_load():
    busy = replace(QUIET, load_1min=3.0)
    assert "took 40% of all cores" in marks(busy, QUIET, QUIET, others=0.4, cores=4)[0]
    assert marks(busy, QUIET, QUIET, others=0.0, cores=4) == [], "the load is of a run before"
    assert "load was 3.0" in marks(busy, QUIET, QUIET, others=None, cores=4)[0]


def test_the_share_of_others_leaves_out_this_process(device):
    first = clocks(device)
    assert (first.total, first.busy) == (1040, 131)
    later = Clocks(total=first.total + 400, busy=first.busy + 300, own=first.own + 100)
    assert later.others_since(first) == pytest.approx(0.5)
    assert replace(later, own=first.own + 500).others_since(first) == 0.0
    assert first.others_since(first) is None


def test_an_emulator_is_noticed(tmp_path):
    program = tmp_path / "proc" / "thread-self" / "exe"
    assert emulator(tmp_path) is None
    program.parent.mkdir(parents=True)
    program.symlink_to("/usr/bin/qemu-aarch64-static")
    assert emulator(tmp_path) == "qemu-aarch64-static"
    program.unlink()
    program.symlink_to("/usr/bin/python3.11")
    assert emulator(tmp_path) is None


def test_the_worst_look_counts():
    looks = [QUIET, replace(QUIET, temperature_c=70.0, throttled=0x2), replace(QUIET, frequency_mhz=1500.0)]
    found = worst(looks)
    assert (found.temperature_c, found.frequency_mhz, found.throttled) == (70.0, 1500.0, 0x2)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux")
def test_the_clocks_of_this_machine_go_on():
    first = clocks()
    sum(range(3_000_000))
    assert clocks().own >= first.own
