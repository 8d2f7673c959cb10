"""The engine gives what the model says, batch by batch; what crashes or hangs in it becomes one sentence."""

import os
import re
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_melanoma import trial
from edge_melanoma.bundle import open_bundle
from edge_melanoma.bundle.tensors import TensorFacts
from edge_melanoma.errors import ArtifactError, DataError, RecipeError
from edge_melanoma.runtime import Model, NoEngineError, door, engine, engines

TINY = Path(__file__).parent / "golden" / "tiny"


@pytest.fixture(scope="module")
def batch(tiny):
    return tiny.pictures(20, seed=5)[0]


def by_the_book(data, batch):
    """LiteRT's own example: set_tensor, invoke, get_tensor, one after the other."""
    interpreter = engine().interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    given, returned = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for picture in batch:
        interpreter.set_tensor(given["index"], picture[None].astype(given["dtype"]))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(returned["index"])[0].copy())
    scale, zero_point = returned["quantization"]
    raw = np.stack(rows)
    return raw, (raw.astype(np.float64) - zero_point) * scale if scale else raw


@pytest.mark.parametrize("kind", ["float32", "int8"])
@pytest.mark.parametrize("threads", [1, 2, None])
def test_it_gives_what_the_engine_gives_when_used_by_the_book(tiny, batch, kind, threads):
    data = tiny.model_bytes(kind)
    raw, logits = by_the_book(data, batch)
    model = Model(data, threads=threads)
    assert np.array_equal(model.raw(batch), raw)
    assert model.logits(batch).dtype == np.float32
    np.testing.assert_allclose(model.logits(batch), logits, rtol=1e-6)


def test_a_picture_gives_the_same_alone_and_in_a_batch_and_again(tiny, batch):
    model = Model(tiny.model_bytes("int8"))
    whole = model.raw(batch)
    assert np.array_equal(np.concatenate([model.raw(batch[i : i + 1]) for i in range(len(batch))]), whole)
    assert np.array_equal(model.raw(batch[::-1]), whole[::-1])
    assert model.raw(batch[:0]).shape == (0, 2)


def test_the_tiny_models_tell_red_from_blue(tiny):
    pictures, redness = tiny.pictures(200, seed=6)
    for kind in tiny.MODELS:
        logits = Model(tiny.model_bytes(kind)).logits(pictures)
        clear = np.abs(redness) > 0.2
        assert ((logits[:, 1] > logits[:, 0]) == (redness > 0))[clear].all()


def test_int8_follows_float32(tiny, batch):
    float32, int8 = (Model(tiny.model_bytes(kind)).logits(batch) for kind in ("float32", "int8"))
    assert np.corrcoef(float32.ravel(), int8.ravel())[0, 1] > 0.999


def test_tensors_of_another_kind_are_refused(tiny, batch):
    model = Model(tiny.model_bytes("int8"), name="m.tflite")
    for wrong in (batch.astype(np.float32), batch[:, :8], batch[0], batch[..., :1]):
        with pytest.raises(DataError, match=r"m.tflite: was given .* uint8 \[n, 16, 16, 3\]"):
            model.raw(wrong)


def test_wishes_that_cannot_be_met_are_refused(tiny):
    for threads in (-1, 0, door.most_threads() + 1, 50_000, 1 << 31):
        with pytest.raises(RecipeError, match=rf"^{threads} threads: 1 to \d+ are taken on this machine$"):
            Model(tiny.model_bytes("int8"), threads=threads)
    for data in (b"", b"hello", tiny.model_bytes("int8")[:2000]):
        with pytest.raises(ArtifactError):
            Model(data)


@pytest.mark.parametrize("error", [TypeError, ValueError, RuntimeError])
def test_what_the_engine_says_of_a_model_is_one_short_line(tiny, monkeypatch, error):
    def refuse(model_content, num_threads):
        raise error(f"incompatible arguments {model_content!r}\nInvoked with: {model_content!r}")

    monkeypatch.setattr(door, "engine", lambda: replace(engine(), interpreter=refuse))
    with pytest.raises(ArtifactError, match=r"m\.tflite: .* does not open it \(incompatible arguments") as caught:
        Model(tiny.model_bytes("int8"), name="m.tflite")
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_pixels_become_the_levels_of_a_quantised_input():
    def facts(dtype, scale, zero_point):
        return TensorFacts(dtype=dtype, shape=(1, 2, 2, 3), scale=scale, zero_point=zero_point)

    assert facts("uint8", 1.0, 0).pixels() is None
    assert facts("uint8", float(np.float32(1 + 1e-7)), 0).pixels() is None
    assert np.array_equal(facts("int8", 1.0, -128).pixels(), np.arange(-128, 128))
    wide = facts("int16", float(np.float32(255 / 32767)), 0).pixels()
    assert (wide.dtype, wide[0], wide[255]) == (np.int16, 0, 32767)


def test_opening_a_model_says_nothing_on_the_terminal():
    code = "import sys; from edge_melanoma.runtime import Model; Model(open(sys.argv[1], 'rb').read())"
    path = TINY / "tiny_float32.tflite"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_the_engine_is_named_with_its_version():
    found = engine()
    assert found.name in ("ai-edge-litert", "tflite-runtime", "tensorflow")
    assert re.match(r"\d+\.", found.version)
    assert (found.slow_engine is not None) == (found.name == "tflite-runtime")


def have(monkeypatch, **versions):
    """Makes this a machine with these distributions and no other."""
    for module in (door, engines):
        monkeypatch.setattr(module, "installed", versions.get)


def test_a_machine_without_engine_gets_the_command_that_mends_it(monkeypatch):
    have(monkeypatch)
    with pytest.raises(NoEngineError, match="pip install") as caught:
        engine.__wrapped__()
    assert caught.value.exit_code == 5


def test_the_slow_engine_is_the_last_resort_and_says_what_it_costs(monkeypatch):
    have(monkeypatch, **{"tflite-runtime": "2.14.0"})
    monkeypatch.setitem(sys.modules, "tflite_runtime", type(sys)("tflite_runtime"))
    stand_in = type(sys)("tflite_runtime.interpreter")
    stand_in.Interpreter = object
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", stand_in)
    monkeypatch.setattr(door.np, "__version__", "1.26.4")
    assert "some fifty times slower" in engine.__wrapped__().slow_engine
    monkeypatch.setattr(door.np, "__version__", "2.1.0")
    with pytest.raises(NoEngineError, match="needs numpy<2"):
        engine.__wrapped__()


@pytest.mark.tensorflow
def test_an_installed_tensorflow_serves_where_nothing_else_does(tiny, batch, monkeypatch):
    pytest.importorskip("tensorflow", reason="needs the train extra")
    expected = Model(tiny.model_bytes("int8")).raw(batch)
    have(monkeypatch, tensorflow="2.21.0")
    monkeypatch.setattr(door, "engine", engine.__wrapped__)
    model = Model(tiny.model_bytes("int8"))
    assert model.engine.name == "tensorflow"
    assert np.abs(model.raw(batch).astype(int) - expected).max() <= 1


# in a process of its own


def test_a_child_gives_the_same(tiny, batch):
    data = tiny.model_bytes("int8")
    found = trial.run_in_child(data, batch, name="m.tflite")
    assert np.array_equal(found.outputs, Model(data).raw(batch))
    assert (found.engine, found.engine_version) == (engine().name, engine().version)
    trial.check_in_child(data, name="m.tflite")


def test_a_broken_model_is_refused_before_there_is_a_child(tiny):
    with pytest.raises(ArtifactError, match=r"m\.tflite"):
        trial.check_in_child(tiny.model_bytes("int8")[:3000], name="m.tflite")


def child_that(monkeypatch, tmp_path, code):
    """A stand-in for the interpreter of the child: no model of ours crashes the engine."""
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable}\nimport os, sys, time, signal\n{code}\n")
    program.chmod(0o755)
    monkeypatch.setattr(trial.sys, "executable", str(program))


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("sys.stdin.buffer.read(); os.kill(os.getpid(), signal.SIGSEGV)", "crashes the engine: SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL, as for want of memory"),
        ("sys.stdin.buffer.read(); os.abort()", "SIGABRT"),
        ("sys.stdin.buffer.read(); sys.exit('no such thing')", r"ended with code 1 \(no such thing\)"),
        ("sys.stdin.buffer.read()", "did not answer"),
        ("sys.stdin.buffer.read(); print('{}')", "did not answer"),
        ("time.sleep(60)", "did not come to an end in 0.5 s"),
    ],
)
def test_what_goes_wrong_in_a_child_is_one_sentence(tiny, monkeypatch, tmp_path, code, says):
    child_that(monkeypatch, tmp_path, code)
    began = time.monotonic()
    with pytest.raises(ArtifactError, match=says) as caught:
        trial.check_in_child(tiny.model_bytes("int8"), name="m.tflite", timeout_s=0.5 if "sleep" in code else 60)
    assert str(caught.value).startswith("m.tflite: ")
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 30


def test_a_child_is_not_led_astray_by_files_in_the_working_directory(tiny, monkeypatch, tmp_path):
    for name in ("numpy", "json", "edge_melanoma"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('led astray')\n")
    monkeypatch.chdir(tmp_path)
    trial.check_in_child(tiny.model_bytes("int8"), name="m.tflite")


def test_a_model_that_asks_for_all_memory_fails_alone(tiny):
    """The child's limit, tried on the child itself."""
    code = (
        "from edge_melanoma.trial import _limit_resources; _limit_resources()\n"
        "try: bytearray(16 << 30)\nexcept MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "refused", done.stderr


# every format, as the converter makes it


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_every_format_runs_and_agrees_with_keras(networks, batch, kind):
    network, models = networks
    logits = Model(models[kind]).logits(batch)
    expected = network(batch.astype(np.float32), training=False).numpy()
    limit = {"float32": 1e-4, "float16": 1e-2, "dynamic": 0.3, "int8": 0.5, "int16x8": 0.05}[kind]
    assert np.abs(logits - expected).max() < limit


@pytest.fixture(scope="module")
def networks(tiny):
    pytest.importorskip("tensorflow", reason="needs the train extra")
    from edge_melanoma import backend

    network = tiny.trained_network()
    kinds = ("float32", "float16", "dynamic", "int8", "int16x8")
    seen = tiny.pictures(tiny.PICTURES, seed=7)[0]
    return network, {kind: tiny.converted(backend.tensorflow(), network, kind, seen) for kind in kinds}


def test_a_bundle_runs(batch):
    bundle = open_bundle(TINY / "tiny_bundle.tflite")
    assert np.array_equal(Model(bundle.model, name=bundle.name).raw(batch).shape, (len(batch), 2))


def test_an_output_that_the_engine_sees_otherwise_is_refused(tiny):
    """The file says three classes, its last layer makes two: the engine goes by the layer."""
    two, three = (struct.pack("<3I", 2, 1, classes) for classes in (2, 3))
    with pytest.raises(ArtifactError, match=r"1x3.*makes"):
        Model(tiny.model_bytes("float32").replace(two, three), name="m.tflite")
