"""Doctor says what is there, and for what is not the command that brings it."""

import importlib.metadata
import sys

import numpy as np
import pytest

from edge_melanoma import doctor, machine, runtime
from edge_melanoma.runtime import door, engines
from edge_melanoma.runtime.engines import EngineKind


def test_the_facts_are_those_of_this_machine():
    facts = doctor.examine()
    assert facts["machine"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["machine"]["cores"] >= 1
    assert {"data", "train", "runtime", "all"} >= set(facts["extras"]) >= {"data", "train"}
    assert facts["extras"]["data"]["polars"]


@pytest.fixture
def only(monkeypatch):
    """Makes a machine of the given architecture that has these distributions alone, whatever this one has."""

    def has(architecture, **versions):
        versions = {name.replace("_", "-"): version for name, version in versions.items()}
        for module in (doctor, engines, door):
            monkeypatch.setattr(module, "installed", versions.get)
        monkeypatch.setattr(engines, "engine_works", lambda module: None)
        monkeypatch.setattr(engines.platform, "machine", lambda: architecture)
        monkeypatch.setattr(doctor, "extras", dict)
        return doctor.examine()["mends"]

    return has


@pytest.mark.parametrize(
    ("architecture", "mend"),
    [
        ("x86_64", "pip install ai-edge-litert"),
        ("aarch64", "pip install ai-edge-litert"),
        ("armv7l", "pip install 'edge-melanoma[runtime]'"),
    ],
)
def test_a_missing_engine_is_named_with_its_mend(only, architecture, mend):
    assert only(architecture) == [{"lacks": "an engine that runs models", "mend": mend}]


def test_tensorflow_alone_is_an_engine(only):
    assert only("x86_64", tensorflow="2.21.0") == []


def test_the_slow_engine_is_called_so_where_there_is_a_faster_one(only, monkeypatch):
    monkeypatch.setattr(np, "__version__", "1.26.4")
    (mend,) = only("aarch64", tflite_runtime="2.14.0")
    assert mend["lacks"].startswith("the fast engine (tflite-runtime runs int8 models some fifty times slower")
    assert mend["mend"] == "pip install ai-edge-litert"
    assert only("armv7l", tflite_runtime="2.14.0") == [], "none is made for 32 bits"


def test_an_engine_that_this_numpy_breaks_does_not_count_as_working(only, monkeypatch):
    monkeypatch.setattr(np, "__version__", "2.4.0")
    broken, missing = only("armv7l", tflite_runtime="2.14.0")
    assert broken["lacks"] == "a working tflite-runtime: needs numpy<2, and this is 2.4.0"
    assert missing["lacks"] == "an engine that runs models"
    assert {broken["mend"], missing["mend"]} == {"pip install 'edge-melanoma[runtime]'"}


def test_doctor_and_the_door_to_the_engines_say_the_same_of_them(only, monkeypatch):
    monkeypatch.setattr(np, "__version__", "2.4.0")
    only("x86_64", tflite_runtime="2.14.0")
    runtime.engine.cache_clear()
    with pytest.raises(
        runtime.NoEngineError, match=r"tflite-runtime 2.14.0: needs numpy<2.*pip install ai-edge-litert"
    ):
        runtime.engine()
    runtime.engine.cache_clear()


def test_an_engine_whose_import_kills_the_process_is_named_and_kills_nobody(tmp_path, monkeypatch):
    (tmp_path / "deadly.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    deadly = EngineKind(name="numpy", module="deadly")  # as a distribution that is there
    monkeypatch.setattr(doctor, "ENGINES", (deadly, *engines.ENGINES))
    facts = doctor.examine()
    assert facts["engines"]["numpy"]["version"] == importlib.metadata.version("numpy")
    assert "a working numpy: importing it ends with signal 4" in [mend["lacks"] for mend in facts["mends"]]


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
