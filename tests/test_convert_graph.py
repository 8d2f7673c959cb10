"""A network can be rearranged: its normalisation goes into the weights, at the borders too."""

import importlib.util

import numpy as np
import pytest

from edge_melanoma import backend
from edge_melanoma.convert.graph import Layout, copied
from edge_melanoma.convert.normalisation import BORDER, border_objects, fold_normalisation, with_pixel_border
from edge_melanoma.errors import RecipeError
from edge_melanoma.fitting.graph import rebuild
from edge_melanoma.train.backbones import BACKBONES, build_model

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)

# one of each family and of each way to scale pixels
QUICK = {"mobilenetv2-0.35", "mobilenetv3-small", "efficientnet-lite0", "resnet18", "seedcnn"}
# with drawn weights these reach logits of 10^5 and more, where two orders of adding up differ by whole per cents
CHAOTIC = {"efficientnet-b1", "efficientnet-b2", "efficientnet-b3", "efficientnet-b4", "efficientnetv2-b0"}
names = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in BACKBONES if name not in CHAOTIC
]


def build(name, size):
    """A network whose statistics fit its pictures, so that nothing dies on the way."""
    backend.set_seeds(3)
    model = build_model(name, size=size, classes=3)
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    for layer in norms:
        layer.momentum = 0.0
    model(framed(size), training=True)
    return model


def framed(size, count=4):
    """Dark pictures with a bright frame, where padding is seen best."""
    rng = np.random.default_rng(size)
    pictures = np.rint(rng.uniform(0, 90, (count, size, size, 3)) + rng.uniform(0, 60, (count, 1, 1, 3)))
    for edge in (np.s_[:, :2], np.s_[:, -2:], np.s_[:, :, :2], np.s_[:, :, -2:]):
        pictures[edge] = 255 - pictures[edge] / 8
    return pictures.astype(np.float32)


def outputs(model, pictures):
    return np.asarray(model(pictures, training=False))


def last_bit(model, pictures):
    """How far the outputs move by the last bit of the pictures: networks of drawn weights amplify it."""
    return np.abs(outputs(model, np.nextafter(pictures, np.float32(256))) - outputs(model, pictures)).max()


def size_for(name):
    return 75 if name == "inceptionv3" else 32


@pytest.mark.parametrize("name", names)
def test_a_rebuilt_network_computes_the_same_and_so_does_one_that_takes_raw_pixels(name):
    model, given = build(name, size_for(name)), framed(size_for(name))
    rebuilt = rebuild(model.to_json(), where="graph")
    rebuilt.set_weights(model.get_weights())
    expected = outputs(model, given)
    assert (outputs(rebuilt, given) == expected).all()
    tolerance = 10 * last_bit(model, given) + 1e-5 * np.abs(expected).max()
    folded = fold_normalisation(rebuilt)
    assert not [layer.name for layer in folded.layers if layer.name == "normalise"]
    np.testing.assert_allclose(outputs(folded, given), expected, atol=tolerance)
    np.testing.assert_allclose(outputs(with_pixel_border(rebuilt), given), expected, atol=tolerance)
    assert (outputs(rebuilt, given) == expected).all(), "the network itself must not be touched"


def one_convolution(*, size, stride, kernel=3, mean=(120.0, 127.5, 100.0), scale=(0.01, 0.02, 0.015), **others):
    keras = backend.keras()
    backend.set_seeds(4)
    image = keras.Input((*size, 3), name="image")
    offset = [-m * s for m, s in zip(mean, scale, strict=True)]
    x = keras.layers.Rescaling(list(scale), offset, name="scaling")(image)
    if "pad" in others:
        x = keras.layers.ZeroPadding2D(others["pad"], name="pad")(x)
    x = keras.layers.Conv2D(
        4, kernel, stride, others.get("padding", "same"), use_bias=others.get("bias", False), name="conv"
    )(x)
    return keras.Model(image, x, name="one")


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("size", [(8, 8), (9, 12)])
def test_a_folded_convolution_is_right_in_every_pixel_of_its_output(stride, kernel, size):
    model = one_convolution(size=size, stride=stride, kernel=kernel)
    given = framed(16)[:, : size[0], : size[1]]
    np.testing.assert_allclose(outputs(fold_normalisation(model), given), outputs(model, given), atol=2e-5)


@pytest.mark.parametrize(
    "others", [{"pad": ((1, 2), (0, 3)), "padding": "valid"}, {"padding": "valid"}, {"bias": True}]
)
def test_paddings_of_their_own_and_biases_are_folded_too(others):
    model = one_convolution(size=(8, 8), stride=1, **others)
    np.testing.assert_allclose(outputs(fold_normalisation(model), framed(8)), outputs(model, framed(8)), atol=2e-5)


def test_black_padding_instead_would_be_seen():
    """That the tests above can fail: the same network with a border in black."""
    model = one_convolution(size=(8, 8), stride=1)
    folded = fold_normalisation(model)
    layout = Layout(folded)
    layout.config(BORDER)["pixel"] = [0.0, 0.0, 0.0]
    wrong = layout.build({}, custom_objects=border_objects())
    assert np.abs(outputs(wrong, framed(8)) - outputs(model, framed(8))).max() > 0.1


def test_a_network_that_takes_black_for_nothing_needs_no_border():
    folded = fold_normalisation(one_convolution(size=(8, 8), stride=1, mean=(0, 0, 0)))
    assert [layer.name for layer in folded.layers] == ["image", "conv"]


def test_a_normalisation_that_is_not_followed_by_one_convolution_is_refused_by_name():
    keras = backend.keras()
    image = keras.Input((8, 8, 3))
    scaled = keras.layers.Rescaling(1 / 255, name="scaling")(image)
    two = keras.layers.Add()([keras.layers.Conv2D(4, 1)(scaled), keras.layers.Conv2D(4, 1)(scaled)])
    with pytest.raises(RecipeError, match="'scaling' cannot be folded"):
        fold_normalisation(keras.Model(image, two))
    pooled = keras.layers.MaxPooling2D(name="early_pool")(scaled)
    with pytest.raises(RecipeError, match="here comes early_pool"):
        fold_normalisation(keras.Model(image, pooled))


def test_a_copy_has_weights_of_its_own():
    model = build("seedcnn", 32)
    before = [weight.numpy() for weight in model.weights]
    copy = copied(model)
    assert all((a == b).all() for a, b in zip(copy.get_weights(), before, strict=True))
    for weight in copy.weights:
        weight.assign(weight + 1)
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))
