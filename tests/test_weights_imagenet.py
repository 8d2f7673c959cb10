"""ImageNet weights: fetched by Keras' own code from a server on this machine, found in the cache, or absent."""

import importlib.util
import threading
import urllib.request
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.train import published as published_weights
from edge_melanoma.train.backbones import BACKBONES, backbone
from edge_melanoma.train.backbones.imagenet import MOBILENETV2_ALPHAS, ImagenetFile, LitePackage
from edge_melanoma.train.weights import load_weights

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)

# test modules cannot import each other (import mode importlib)
_spec = importlib.util.spec_from_file_location("networks", Path(__file__).with_name("networks.py"))
networks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(networks)
NAME, published = networks.NAME, networks.published
build, values, assert_equal, sha256 = networks.build, networks.values, networks.assert_equal, networks.sha256


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, and no way out of it: a proxy that nobody serves."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(urllib.request, "_opener", None)  # the first download of a process fixes its proxies
    return tmp_path / "home"


@pytest.fixture
def server(published, monkeypatch):
    """The published file on this machine, and Keras' address of it."""
    keras_module = importlib.import_module("tf_keras.src.applications.mobilenet_v2")

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(published[1].parent))

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        monkeypatch.setattr(keras_module, "BASE_WEIGHT_PATH", f"http://127.0.0.1:{serving.server_port}/")
        yield serving
        serving.shutdown()


def test_imagenet_weights_are_fetched_once_and_then_found(published, home, server, capfd):
    theirs, file = published
    model = build()
    loaded = load_weights(model, "imagenet")
    assert_equal(values(theirs), values(model, head=False))
    assert (loaded.source, loaded.file, loaded.sha256) == ("imagenet", file.name, sha256(file))
    assert [path.name for path in (home / ".keras" / "models").iterdir()] == [file.name]
    assert capfd.readouterr().out == ""  # standard output is for results
    server.shutdown()
    again = build(seed=3)
    load_weights(again, "imagenet")
    assert_equal(values(theirs), values(again, head=False))


@pytest.mark.parametrize("name", [NAME, "resnet50"])
def test_offline_the_error_says_which_file_goes_where(home, name):
    with pytest.raises(ArtifactError) as caught:
        load_weights(build(name), "imagenet")
    said = str(caught.value)
    assert backbone(name).imagenet(32).name in said
    assert str(home / ".keras" / "models") in said
    assert "://" not in said
    assert list((home / ".keras" / "models").iterdir()) == []


def test_a_file_put_into_the_cache_is_taken_unless_it_is_broken(published, home):
    cache = home / ".keras" / "models"
    cache.mkdir(parents=True)
    file = cache / published[1].name
    file.write_bytes(published[1].read_bytes())
    assert load_weights(build(), "imagenet").sha256 == sha256(file)
    file.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(ArtifactError, match="delete that file"):
        load_weights(build(), "imagenet")


def test_a_download_with_another_checksum_is_not_kept(published, home, server):
    wanted = ImagenetFile(name=published[1].name, md5="0" * 32, module="mobilenet_v2", constant="BASE_WEIGHT_PATH")
    folder = home / "cache"
    folder.mkdir(parents=True)
    with pytest.raises(ValueError, match="corrupted"):
        published_weights._fetch(wanted, folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["efficientnet-lite4", "resnet18", "seedcnn", "mobilenetv2-0.42"])
def test_a_network_without_published_weights_says_so(name):
    with pytest.raises(RecipeError, match="no published ImageNet weights"):
        load_weights(build(name), "imagenet")


def test_checksums_and_names_are_those_of_the_installed_keras():
    """Independent of our table: every checksum and name must occur in the source of keras.applications."""
    for name, network in BACKBONES.items():
        if network.imagenet is None or isinstance(network.imagenet(network.native_size), LitePackage):
            continue
        file = network.imagenet(network.native_size)
        module = importlib.import_module(f"tf_keras.src.applications.{file.module}")
        source = Path(module.__file__).read_text()
        address = getattr(module, file.constant)
        assert address.startswith("https://")
        assert address.endswith(file.name if address.endswith(".h5") else "/")
        assert file.md5 is None or file.md5 in source, name
    sides = {backbone(NAME).imagenet(size).name.split("_")[-3] for size in (32, 96, 100, 128, 160, 192, 224, 300)}
    assert sides == {"96", "128", "160", "192", "224"}
    assert all(backbone(f"mobilenetv2-{alpha}").imagenet for alpha in MOBILENETV2_ALPHAS)
