"""First weights: the right values in the right places, or one line that says what does not fit."""

import importlib.util
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from edge_melanoma import backend
from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.preprocess import PreprocessContract
from edge_melanoma.run_folder import WEIGHTS as RUN_FILE
from edge_melanoma.train.weights import load_weights, save_weights

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)

DATA = Path(os.environ.get("EDGE_MELANOMA_DATA") or Path(__file__).parents[2] / "shared" / "data")
REAL = DATA / "weights" / "mobilenet_v2_0.35_224_notop_from_TM.weights.h5"
# test modules cannot import each other (import mode importlib)
_spec = importlib.util.spec_from_file_location("networks", Path(__file__).with_name("networks.py"))
networks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(networks)
NAME, published = networks.NAME, networks.published
build, values, assert_equal, sha256 = networks.build, networks.values, networks.assert_equal, networks.sha256


@pytest.fixture(scope="module")
def keras():
    return backend.keras()


def test_weights_come_back_as_they_were_saved(tmp_path):
    model, again = build(), build(size=64, seed=3)
    save_weights(model, tmp_path / RUN_FILE)
    loaded = load_weights(again, tmp_path)
    assert_equal(values(model), values(again))
    assert loaded.sha256 == sha256(tmp_path / RUN_FILE)
    assert len(loaded.loaded_layers) == 105
    assert loaded.skipped_layers == loaded.unused_layers == ()
    assert loaded.to_json()["source"] == str(tmp_path)


def test_keras_itself_reads_what_was_saved_and_the_same_weights_are_the_same_bytes(tmp_path):
    model, again = build(), build(seed=3)
    for name in ("a.weights.h5", "b.weights.h5"):
        save_weights(model, tmp_path / name)
    again.load_weights(tmp_path / "a.weights.h5")
    assert_equal(values(model), values(again))
    assert sha256(tmp_path / "a.weights.h5") == sha256(tmp_path / "b.weights.h5")


def test_a_run_with_other_classes_gives_all_but_its_head(tmp_path):
    model, again = build(classes=7), build(classes=2)
    save_weights(model, tmp_path / RUN_FILE)
    loaded = load_weights(again, tmp_path)
    assert_equal(values(model, head=False), values(again, head=False))
    assert loaded.skipped_layers == loaded.unused_layers == ("logits",)


@pytest.fixture(scope="module")
def trained():
    """A model with an optimizer that has a state of its own."""
    model = build()
    model.compile("adam", "mse", run_eagerly=True)
    model.train_on_batch(np.zeros((2, 32, 32, 3)), np.zeros((2, 2)))
    return model


@pytest.mark.parametrize("name", ["old.h5", "new.weights.h5", "whole.h5"])
def test_every_layout_that_keras_writes_is_read(trained, tmp_path, name):
    if name == "whole.h5":
        with pytest.warns(UserWarning, match="HDF5 file"):
            trained.save(tmp_path / name)
    else:
        trained.save_weights(tmp_path / name)
    again = build(seed=3)
    load_weights(again, tmp_path / name)
    assert_equal(values(trained, head=False), values(again, head=False))


def test_a_network_inside_another_model_is_found(keras, tmp_path):
    inner = keras.applications.MobileNetV2(alpha=0.35, include_top=False, weights=None, input_shape=(32, 32, 3))
    outer = keras.Sequential([inner, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(9)])
    outer.save_weights(tmp_path / "outer.h5")
    model = build()
    loaded = load_weights(model, tmp_path / "outer.h5")
    assert_equal(values(inner), values(model, head=False))
    assert len(loaded.unused_layers) == 1  # their own head


@pytest.mark.parametrize(
    ("name", "constructor", "options"),
    [
        ("mobilenetv3-small", "MobileNetV3Small", {}),
        ("efficientnet-b0", "EfficientNetB0", {}),
        pytest.param("mobilenetv3-large", "MobileNetV3Large", {}, marks=pytest.mark.slow),
        pytest.param("efficientnetv2-b0", "EfficientNetV2B0", {}, marks=pytest.mark.slow),
        pytest.param("inceptionv3", "InceptionV3", {}, marks=pytest.mark.slow),
        pytest.param("densenet121", "DenseNet121", {}, marks=pytest.mark.slow),
    ],
)
def test_files_of_keras_applications_fit(keras, tmp_path, name, constructor, options):
    backend.set_seeds(4)
    theirs = getattr(keras.applications, constructor)(
        include_top=False, weights=None, input_shape=(75, 75, 3), pooling="avg", **options
    )
    theirs.save_weights(tmp_path / "file.h5")
    model = build(name, size=75)
    load_weights(model, tmp_path / "file.h5")
    picture = np.random.default_rng(0).integers(0, 256, (1, 75, 75, 3)).astype(np.float32)
    theirs_of = {  # how each wants its pixels
        "mobilenetv3-small": lambda x: x,
        "mobilenetv3-large": lambda x: x,
        "efficientnetv2-b0": lambda x: x,
        "efficientnet-b0": lambda x: (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225] * 255,
        "inceptionv3": keras.applications.inception_v3.preprocess_input,
        "densenet121": keras.applications.densenet.preprocess_input,
    }[name]
    expected = theirs(theirs_of(picture.copy()).astype(np.float32), training=False).numpy()
    got = keras.Model(model.input, model.get_layer("pool").output)(picture, training=False).numpy()
    assert got == pytest.approx(expected, abs=1e-5 * float(np.abs(expected).max()))


def test_weights_that_were_trained_on_bgr_see_rgb(keras, tmp_path):
    backend.set_seeds(4)
    theirs = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg")
    theirs.save_weights(tmp_path / "file.h5")
    model = build("resnet50")
    load_weights(model, tmp_path / "file.h5")
    picture = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.float32)
    expected = theirs(keras.applications.resnet.preprocess_input(picture.copy()), training=False).numpy()
    features = keras.Model(model.input, model.get_layer("pool").output)
    assert features(picture, training=False).numpy() == pytest.approx(expected, abs=1e-4 * float(expected.max()))
    # what this toolchain saved is turned already
    save_weights(model, tmp_path / RUN_FILE)
    for source in (tmp_path, tmp_path / RUN_FILE):
        again = build("resnet50", seed=3)
        load_weights(again, source)
        assert_equal(values(model), values(again))


def test_a_layout_without_names_goes_by_the_order_of_each_class(keras, tmp_path):
    """As Keras 3 names MobileNetV3's layers otherwise, and tf_keras' new layout names none."""
    theirs = keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(32, 32, 3))
    theirs.save_weights(tmp_path / "file.weights.h5")
    model = build("mobilenetv3-small")
    load_weights(model, tmp_path / "file.weights.h5")
    assert_equal(values(theirs), values(model, head=False))


def test_the_real_file_loads_whole_and_makes_sense():
    if not REAL.is_file():
        pytest.skip("needs weights/ in ../shared/data (or in EDGE_MELANOMA_DATA)")
    keras = backend.keras()
    model = build(size=96)
    loaded = load_weights(model, REAL)
    assert len(loaded.loaded_layers) == 104
    assert loaded.skipped_layers == ("logits",)
    assert loaded.unused_layers == ()
    assert loaded.sha256 == sha256(REAL)

    folder = DATA / "ham10000_224"
    files = sorted(folder.rglob("*.jpg"))[:24] if folder.is_dir() else []
    if len(files) < 24:
        pytest.skip("needs ham10000_224 in ../shared/data (or in EDGE_MELANOMA_DATA)")
    contract = PreprocessContract(width=96, height=96)
    pictures = np.stack([contract.to_tensor(path) for path in files]).astype(np.float32)
    first = model.get_layer("bn_Conv1")
    seen = keras.Model(model.input, [first.input, model.get_layer("pool").output])
    before, features = seen.predict(pictures, verbose=0)
    # pixels in [-1, 1] are what the first batch norm has seen in training; 0..1 or 0..255 would not be
    mean, variance = first.moving_mean.numpy(), first.moving_variance.numpy()
    assert np.median(np.abs(before.mean((0, 1, 2)) - mean) / np.sqrt(variance)) < 0.5
    assert 0.05 < np.median(before.var((0, 1, 2)) / variance) < 2
    spread = features.std(axis=0)
    assert (spread > 1e-3).mean() > 0.6  # most features differ from picture to picture
    assert np.corrcoef(features)[np.triu_indices(24, 1)].mean() < 0.9


def test_a_file_of_another_network_is_refused_with_the_layers_that_differ(published, tmp_path):
    with pytest.raises(ArtifactError, match=r"mobilenetv2-0\.5: block_1_project kernel is 1x1x48x8") as e:
        load_weights(build("mobilenetv2-0.5"), published[1])
    assert "in the file" in str(e.value)
    assert "in the model" in str(e.value)
    assert "more" in str(e.value)
    save_weights(build("efficientnet-lite1"), tmp_path / "deeper.weights.h5")
    with pytest.raises(ArtifactError, match="block2c_expand_conv 1x1x24x144 is in the file and not in the model"):
        load_weights(build("efficientnet-lite0"), tmp_path / "deeper.weights.h5")
    save_weights(build("efficientnet-lite0"), tmp_path / "flatter.weights.h5")
    with pytest.raises(ArtifactError, match="block2c_expand_conv is not in the file"):
        load_weights(build("efficientnet-lite1"), tmp_path / "flatter.weights.h5")


def test_a_file_that_does_not_fit_leaves_the_model_as_it_was(published):
    model = build("mobilenetv2-0.5")
    before = values(model)
    with pytest.raises(ArtifactError):
        load_weights(model, published[1])
    assert_equal(before, values(model))


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def not_hdf5(path):
    path.write_bytes(b"\x80\x04pickle")


def empty(path):
    path.write_bytes(b"")


def huge(path):
    with path.open("r+b") as stream:
        stream.truncate(10**11)  # a sparse file


def edited(change):
    def spoil(path):
        with h5py.File(path, "r+") as file:
            change(file)

    return spoil


def replace(file, key, **new):
    del file[key]
    return file.create_dataset(key, **new)


KERNEL, GAMMA = "layers/conv2d/vars/0", "layers/batch_normalization/vars/0"
VARIANCE = "layers/batch_normalization/vars/3"
HOSTILE = {
    "truncated": (truncated, "cannot be read as HDF5"),
    "not HDF5": (not_hdf5, "cannot be read as HDF5"),
    "empty": (empty, "cannot be read as HDF5"),
    "huge": (huge, "MB; weights for this model have at most"),
    "no layers": (edited(lambda f: f.pop("layers")), "has no layers"),
    "text": (edited(lambda f: replace(f, GAMMA, data=["text"] * 16)), "bn_Conv1 is object, not floating-point"),
    "integers": (edited(lambda f: replace(f, GAMMA, data=np.ones(16, np.int64))), "bn_Conv1 is int64, not floating"),
    "a group": (edited(lambda f: (f.pop(GAMMA), f.create_group(GAMMA))), "not an array"),
    "a claim of 4 TB": (
        edited(lambda f: replace(f, GAMMA, shape=(10**12,), dtype="f4", chunks=(1000,))),
        "bn_Conv1 gamma is 1000000000000 in the file, 16 in the model",
    ),
    "not a number": (edited(lambda f: f[KERNEL].write_direct(np.full((3, 3, 3, 16), np.nan, "f4"))), "not finite"),
    "negative variance": (edited(lambda f: f[VARIANCE].write_direct(np.full(16, -1, "f4"))), "negative variance"),
    "a link out": (
        edited(lambda f: (f.pop(GAMMA), f.__setitem__(GAMMA, h5py.ExternalLink("other.h5", "/x")))),
        "is a link",
    ),
    "a link in": (edited(lambda f: (f.pop(GAMMA), f.__setitem__(GAMMA, h5py.SoftLink("/" + GAMMA)))), "is a link"),
    "values elsewhere": (
        edited(lambda f: replace(f, GAMMA, shape=(16,), dtype="f4", external=[("elsewhere.bin", 0, 64)])),
        "keeps its values in another file",
    ),
    "a strange name": (edited(lambda f: f.move(GAMMA, "layers/batch_normalization/vars/../x")), "variable called"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused(tmp_path, kind):
    spoil, said = HOSTILE[kind]
    path = tmp_path / "file.weights.h5"
    model = build()
    save_weights(model, path)
    spoil(path)
    before = values(model)
    with pytest.raises(ArtifactError, match=said):
        load_weights(model, path)
    assert_equal(before, values(model))


def test_a_source_that_is_not_there_is_a_wrong_request(tmp_path):
    with pytest.raises(RecipeError, match="known words: imagenet, none"):
        load_weights(build(), "imagnet")
    with pytest.raises(ArtifactError, match=f"without {RUN_FILE}"):
        load_weights(build(), tmp_path)


def test_no_weights_are_recorded_as_none():
    loaded = load_weights(build(), "none")
    assert (loaded.source, loaded.sha256, loaded.loaded_layers) == ("none", None, ())
