"""Doctor says what is there, and for what is not the command that brings it."""

import sys

from edge_melanoma import doctor, machine


def test_the_facts_are_those_of_this_machine():
    facts = doctor.examine()
    assert facts["machine"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["machine"]["cores"] >= 1
    assert {"data", "train", "runtime", "all"} >= set(facts["extras"]) >= {"data", "train"}
    assert facts["extras"]["data"]["polars"]


def test_a_missing_engine_is_named_with_its_mend(monkeypatch):
    engines = (*doctor.ENGINES, "tensorflow")
    monkeypatch.setattr(doctor, "installed", lambda name: None if name in engines else "1.0")
    mends = doctor.examine()["mends"]
    assert {"lacks": "an engine that runs models", "mend": "pip install ai-edge-litert"} in mends


def test_a_python_that_is_too_old_is_named(monkeypatch):
    monkeypatch.setattr(doctor, "SUPPORTED", ((4, 0), (4, 1)))
    assert any("Python 3.11 to 3.13" in mend["lacks"] for mend in doctor.examine()["mends"])


def test_an_engine_that_crashes_is_told_apart_from_one_that_is_absent():
    assert machine.engine_works("os_path_that_is_not_there") is not None
    assert "No module named" in str(machine.engine_works("os_path_that_is_not_there"))


def test_a_raspberry_pi_5_is_read_as_one(monkeypatch):
    files = {
        "/proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd aes asimdhp asimddp\nModel\t\t: Raspberry Pi 5\n",
        "/proc/meminfo": "MemTotal:        8245504 kB\nMemAvailable:    7000000 kB\n",
        "/proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    }
    monkeypatch.setattr(machine, "_read", lambda path: files.get(path, ""))
    found = machine.this_machine()
    assert found.board == "Raspberry Pi 5 Model B Rev 1.0"
    assert found.features == ("asimd", "asimdhp", "asimddp")
    assert (found.memory_mb, found.memory_available_mb) == (8052, 6835)


def test_nothing_of_proc_is_needed(monkeypatch):
    monkeypatch.setattr(machine, "_read", lambda path: "")
    found = machine.this_machine()
    assert (found.board, found.memory_mb, found.features) == (None, None, ())
