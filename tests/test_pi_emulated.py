"""The base install on emulated Raspberry Pis: what this machine says of pictures and bundles, they say too.

Built where it is not in the cache yet; where it cannot be built (no apt, no network, no compiler) the tests are skipped
and say what is missing. `python -m edge_melanoma.benchmarks.pi build` builds it beforehand.
"""

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edge_melanoma.benchmarks.host import RESULTS
from edge_melanoma.benchmarks.pi.build import Workshop, build
from edge_melanoma.benchmarks.pi.cache import default_cache
from edge_melanoma.benchmarks.pi.counting import changes, compile_plugin, count_inference
from edge_melanoma.benchmarks.pi.needs import NeedsError
from edge_melanoma.benchmarks.pi.run import TIMEOUT_S, jobs_of, run
from edge_melanoma.benchmarks.pi.tasks import BRIEFLY, TASK, TOOL

pytestmark = [pytest.mark.pi, pytest.mark.timeout(900)]
GOLDEN = Path(__file__).parent / "golden"
TINY = GOLDEN / "tiny" / "tiny_bundle.tflite"
BOARDS, SUITES = ("pi4", "pi5"), ("bookworm", "trixie")
DEVICES = [f"{core}, {suite}" for suite in SUITES for core in ("cortex-a72", "cortex-a76")]


@pytest.fixture(scope="module")
def devices():
    """All of them, by name; nothing is built that the cache has."""
    try:
        built = build(Workshop(cache=default_cache()), board_names=BOARDS, suite_names=SUITES)
    except NeedsError as error:
        pytest.skip(str(error))
    return {device.name: device for device in built}


@pytest.fixture(scope="module")
def report(devices):
    """Every task on every device with the tiny bundle, at the same time on all cores."""
    return run(list(devices.values()), jobs_of([TINY], golden=GOLDEN / "golden.json"), say=print)


@pytest.mark.parametrize("task", list(TASK))
@pytest.mark.parametrize("device", DEVICES)
def test_a_device_does_what_this_machine_does(report, device, task):
    (row,) = [row for row in report.rows if (row.device, row.task) == (device, task)]
    assert row.passed, row.detail


def test_a_device_is_another_machine_with_another_python_and_so_are_its_children(devices):
    code = (
        "import json, platform, subprocess, sys\n"
        "child = [sys.executable, '-c', 'import platform; print(platform.machine())']\n"
        "found = subprocess.check_output(child, text=True).strip()\n"
        "print(json.dumps([platform.machine(), found, platform.python_version()]))\n"
    )
    for device in devices.values():
        done = device.run_code(code, timeout_s=TIMEOUT_S)
        machine, of_child, python = json.loads(done.stdout)
        assert (machine, of_child) == ("aarch64", "aarch64")
        assert python.startswith(f"{device.suite.python}.")


def test_the_base_install_is_what_it_says_and_fits_a_small_card(report):
    for sizes in report.base_install_bytes.values():
        assert {"numpy", "pillow", "typer", "rich", "ai_edge_litert", "edge_melanoma"} <= set(sizes)
        assert not {"tensorflow", "polars", "matplotlib", "scikit_learn"} & set(sizes)
        assert 50e6 < sum(sizes.values()) < 200e6


def test_a_throttled_raspberry_pi_is_marked_in_what_it_measures(devices):
    picture = GOLDEN / "pictures" / "sampling_420.jpg"
    command = ("bench", str(TINY), *BRIEFLY, "--picture", str(picture), "--json")
    done = devices[DEVICES[0]].run_module(TOOL, *command, timeout_s=TIMEOUT_S, env={"PI_THROTTLED": "0x50005"})
    (found,) = json.loads(done.stdout)["measurements"]
    assert any("throttl" in mark for mark in found["device"]["marks"]), found["device"]["marks"]


@pytest.fixture(scope="module")
def plugin(devices):
    try:
        return compile_plugin(default_cache(), say=print)
    except NeedsError as error:
        pytest.skip(str(error))


def counted(devices, plugin, path):
    """What an inference takes on each core, counted at the same time."""
    both = [devices[name] for name in DEVICES[:2]]
    with ThreadPoolExecutor(2) as pool:
        counts = pool.map(lambda device: count_inference(device, path, plugin), both)
    return {device.board.core: count for device, count in zip(both, counts, strict=True)}


def assert_as_committed(name, counts):
    committed = json.loads((RESULTS / "pi-instructions.json").read_text())["models"]
    found = changes({name: {"instructions": {core: count.to_json() for core, count in counts.items()}}}, committed)
    assert len(found) == 2
    assert all(change.passed for change in found), [str(change) for change in found]


@pytest.mark.parametrize("name", ["tiny_int8", "tiny_float32"])
def test_a_tiny_inference_takes_the_instructions_that_are_committed(devices, plugin, name):
    counts = counted(devices, plugin, GOLDEN / "tiny" / f"{name}.tflite")
    assert_as_committed(name, counts)
    has_dot_product = {core: count.dot > 0 for core, count in counts.items()}
    assert has_dot_product == {"cortex-a72": False, "cortex-a76": name == "tiny_int8"}


@pytest.mark.tensorflow
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs the train extra")
@pytest.mark.parametrize("kind", ["int8", "float32"])
def test_what_is_exported_takes_the_instructions_of_the_trained_network(devices, plugin, kind, tmp_path):
    """Weights are drawn and the committed figures are of trained ones: an instruction does not depend on them."""
    from edge_melanoma import backend
    from edge_melanoma.convert.export import to_tflite
    from edge_melanoma.train.backbones import build_model

    backend.set_seeds(0)
    network = build_model("mobilenetv2-0.35", size=128, classes=7)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 128, 128, 3), np.uint8)
    path = tmp_path / f"{kind}.tflite"
    path.write_bytes(to_tflite(network, kind, calibration=pictures if kind == "int8" else None))
    assert_as_committed(f"mobilenetv2-0.35-128-{kind}", counted(devices, plugin, path))


def test_counts_are_equal_from_run_to_run(devices, plugin):
    model = GOLDEN / "tiny" / "tiny_int8.tflite"
    first, second = (count_inference(devices[DEVICES[1]], model, plugin).all for _ in range(2))
    assert second == pytest.approx(first, rel=1e-4)
