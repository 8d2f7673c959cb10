"""What a network goes through before it is integers: the same function in kinder numbers, then weights on a grid."""

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytestmark = pytest.mark.tensorflow

from edge_melanoma import backend  # noqa: E402
from edge_melanoma.convert.equalise import equalise  # noqa: E402
from edge_melanoma.convert.fitted_rounding import round_weights  # noqa: E402
from edge_melanoma.convert.fold import fold_batch_norm  # noqa: E402
from edge_melanoma.convert.graph import copied  # noqa: E402
from edge_melanoma.train.backbones import build_model  # noqa: E402

KERNELS = ("Conv2D", "DepthwiseConv2D", "Dense")


def pictures(size, *, seed, count=64):
    """Uneven light with some grain: neighbouring pixels and colours go together, as they do on skin."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 40, (count, 4, 4, 1)) + rng.normal(0, 15, (count, 4, 4, 3))
    light = np.repeat(np.repeat(coarse, size // 4, axis=1), size // 4, axis=2)
    return np.clip(140 + light + rng.normal(0, 8, light.shape), 0, 255).astype(np.uint8)


def kind(layer):
    return type(layer).__name__


def outputs(model, given):
    return model(given.astype(np.float32), training=False).numpy()


def as_if_trained(model, given):
    """The model with normalisations that fit these pictures, but not too well, and scales and shifts of all sizes."""
    rng = np.random.default_rng(7)
    norms = [layer for layer in model.layers if kind(layer) == "BatchNormalization"]
    for layer in norms:
        layer.momentum = 0.0  # the statistics become those of one batch
        layer.gamma.assign(rng.uniform(0.3, 2.0, layer.gamma.shape) * rng.choice([-1, 1], layer.gamma.shape))
        layer.beta.assign(rng.normal(0, 0.5, layer.beta.shape))
    for layer in model.layers:
        if kind(layer) in KERNELS and layer.use_bias:
            layer.bias.assign(rng.normal(0, 0.3, layer.bias.shape))
    model(given.astype(np.float32), training=True)
    for layer in norms:
        layer.moving_mean.assign_add(0.2 * rng.normal(0, 1, layer.moving_mean.shape) * layer.moving_variance**0.5)
        layer.moving_variance.assign(layer.moving_variance * rng.uniform(0.6, 1.6, layer.moving_variance.shape))
    return model


def network(name, size):
    backend.set_seeds(3)
    return as_if_trained(build_model(name, size=size, classes=3), pictures(size, seed=1))


def small_network(*, size=16, middle=()):
    """One residual block on raw pixels; its first convolution has a dead channel."""
    keras = backend.keras()
    layers = keras.layers
    backend.set_seeds(5)
    image = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling(1 / 64, offset=-2, name="scaling")(image)
    x = layers.BatchNormalization(name="stem_bn")(layers.Conv2D(8, 3, strides=2, use_bias=False, name="stem")(x))
    x = shortcut = layers.BatchNormalization(name="narrow_bn")(layers.Conv2D(8, 1, name="narrow")(layers.ReLU(6.0)(x)))
    x = layers.ReLU(6.0)(layers.BatchNormalization(name="wide_bn")(layers.Conv2D(24, 1, name="wide")(x)))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(name="depthwise_bn")(x))
    x = layers.BatchNormalization(name="project_bn")(layers.Conv2D(8, 1, use_bias=False, name="project")(x))
    x = layers.Add(name="add")([shortcut, x])
    for layer in middle:
        x = layer(x)
    x = layers.Dense(3, name="logits")(layers.GlobalAveragePooling2D(name="pool")(x))
    model = as_if_trained(keras.Model(image, x, name="small"), pictures(size, seed=1))
    kernel = model.get_layer("stem").get_weights()[0]
    kernel[..., 2] = 0
    model.get_layer("stem").set_weights([kernel])
    return model


# --- normalisation in the weights ---


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("mobilenetv2-0.35", 48),
        ("mobilenetv3-small", 64),
        ("mobilenetv3-small-minimalistic", 32),
        ("efficientnet-lite0", 32),
    ],
)
def test_a_network_with_its_normalisations_folded_is_the_same_function(name, size):
    model, given = network(name, size), pictures(size, seed=2)
    before = [weight.numpy() for weight in model.weights]
    folded = fold_batch_norm(model)
    expected, found = outputs(model, given), outputs(folded, given)
    assert expected.std(axis=0).min() > 0.05, "a network that says the same of every picture shows nothing"
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())
    assert not [layer.name for layer in folded.layers if kind(layer) == "BatchNormalization"]
    assert all(layer.use_bias for layer in folded.layers if kind(layer) in KERNELS)
    assert all((weight.numpy() == old).all() for weight, old in zip(model.weights, before, strict=True))


def test_a_normalisation_that_cannot_be_folded_stays_and_works():
    layers = backend.keras().layers
    model = small_network(middle=[layers.BatchNormalization(name="after_add"), layers.ReLU(), layers.Conv2D(8, 1)])
    folded, given = fold_batch_norm(model), pictures(16, seed=2)
    assert [layer.name for layer in folded.layers if kind(layer) == "BatchNormalization"] == ["after_add"]
    np.testing.assert_allclose(outputs(folded, given), outputs(model, given), atol=1e-4)


def test_a_convolution_with_two_readers_keeps_its_normalisation():
    keras = backend.keras()
    backend.set_seeds(5)
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(8, 3, name="shared")(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Add()([x, keras.layers.BatchNormalization(name="norm")(x)])
    x = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x))
    given = pictures(16, seed=2)
    model = as_if_trained(keras.Model(image, x), given)
    folded = fold_batch_norm(model)
    assert "norm" in [layer.name for layer in folded.layers]
    np.testing.assert_allclose(outputs(folded, given), outputs(model, given), atol=1e-5)


# --- channels of like ranges ---


def spread_of_channels(model, layer, given):
    """How unlike the ranges of a layer's channels are: the standard deviation of their logarithms."""
    probe = backend.keras().Model(model.input, model.get_layer(layer).output)
    peaks = np.abs(outputs(probe, given)).max(axis=(0, 1, 2))
    return float(np.log(np.maximum(peaks, 1e-3 * peaks.max())).std())


@pytest.mark.parametrize(("name", "size"), [("mobilenetv2-0.35", 48), ("efficientnet-lite0", 32)])
def test_channels_evened_out_are_the_same_function_with_like_ranges(name, size):
    model, given, other = fold_batch_norm(network(name, size)), pictures(size, seed=1), pictures(size, seed=2)
    expected = outputs(model, other)
    sums = [layer.name for layer in model.layers if kind(layer) == "Add"]
    before = [spread_of_channels(model, name, given) for name in sums]
    assert equalise(model, given) >= len({shape[-1] for shape in (model.get_layer(n).output_shape for n in sums)})
    np.testing.assert_allclose(outputs(model, other), expected, atol=2e-4 * np.abs(expected).max())
    after = [spread_of_channels(model, name, given) for name in sums]
    assert np.mean(after) < 0.7 * np.mean(before)
    assert all(now < 1.05 * then for now, then in zip(after, before, strict=True))


def test_a_loud_channel_is_made_quieter_and_its_readers_make_up_for_it():
    model, given = fold_batch_norm(small_network()), pictures(16, seed=1)
    for name in ("narrow", "project"):
        kernel, bias = model.get_layer(name).get_weights()
        kernel[..., 5] *= 50
        bias[5] *= 50
        model.get_layer(name).set_weights([kernel, bias])
    expected, before = outputs(model, given), spread_of_channels(model, "add", given)
    assert equalise(model, given) == 1
    np.testing.assert_allclose(outputs(model, given), expected, atol=1e-4 * np.abs(expected).max())
    assert spread_of_channels(model, "add", given) < 0.6 * before


def test_a_stream_that_is_silent_is_left_alone():
    model, given = fold_batch_norm(small_network()), pictures(16, seed=1)
    for name in ("narrow", "project"):
        model.get_layer(name).set_weights([np.zeros_like(value) for value in model.get_layer(name).get_weights()])
    equalise(model, given)
    assert all(np.isfinite(weight.numpy()).all() for weight in model.weights)


def test_where_every_channel_meets_a_bend_nothing_is_changed():
    keras = backend.keras()
    backend.set_seeds(5)
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.ReLU(6.0)(keras.layers.Conv2D(8, 3)(image))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    before = model.get_weights()
    assert equalise(model, pictures(16, seed=1)) == 0
    assert all((now == then).all() for now, then in zip(model.get_weights(), before, strict=True))


# --- weights on a grid of 8 bits ---


def channels_last(layer):
    """The kernel of a layer as (weight, output channel)."""
    kernel = layer.get_weights()[0]
    return kernel.reshape(-1, kernel.shape[2 if kind(layer) == "DepthwiseConv2D" else -1])


def rounded_to_nearest(model):
    """An independent judge: every weight to its nearest of 255 levels, one scale for each output channel."""
    model = copied(model)
    for layer in model.layers:
        if kind(layer) in KERNELS:
            kernel, bias = layer.get_weights()
            flat = channels_last(layer).astype(np.float64)
            scale = np.abs(flat).max(axis=0) / 127
            nearest = np.rint(flat / np.where(scale > 0, scale, 1)) * scale
            layer.set_weights([nearest.reshape(kernel.shape), bias])
    return model


def fitted(model, given):
    model = copied(model)
    round_weights(model, given)
    return model


@pytest.fixture(scope="module")
def exact():
    """A folded backbone, half of the weights of its wide layers pruned."""
    model = fold_batch_norm(network("mobilenetv2-0.35", 32))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if kind(layer) == "Conv2D" and layer.kernel_size == (1, 1):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * (rng.random(kernel.shape) < 0.5), bias])
    return model


@pytest.fixture(scope="module")
def fitted_backbone(exact):
    return fitted(exact, pictures(32, seed=1))


def assert_on_grid(model):
    for layer in model.layers:
        if kind(layer) in KERNELS:
            flat = channels_last(layer)
            largest = np.abs(flat).max(axis=0)
            levels = 127 * flat / np.where(largest > 0, largest, 1)
            assert np.abs(levels - np.rint(levels)).max() < 1e-3, layer.name


def test_every_kernel_lies_on_255_levels_for_each_output_channel(fitted_backbone):
    assert_on_grid(fitted_backbone)


def test_pruned_weights_stay_zero(exact, fitted_backbone):
    for before, after in zip(exact.layers, fitted_backbone.layers, strict=True):
        if kind(before) in KERNELS:
            assert (after.get_weights()[0][before.get_weights()[0] == 0] == 0).all(), before.name


@pytest.mark.parametrize("seed", [1, 2], ids=["on the pictures", "on others"])
def test_the_outputs_stay_nearer_than_with_nearest_rounding(exact, fitted_backbone, seed):
    given = pictures(32, seed=seed)
    expected = outputs(exact, given)
    found, nearest = outputs(fitted_backbone, given) - expected, outputs(rounded_to_nearest(exact), given) - expected
    assert np.abs(found).mean() < 0.5 * np.abs(nearest).mean()
    # the bias takes what is left on average
    assert np.abs(found.mean(axis=0)).max() < 0.5 * np.abs(nearest.mean(axis=0)).max()


@pytest.mark.parametrize("of", ["Conv2D", "DepthwiseConv2D", "Dense", "Conv2D of one pixel"])
def test_what_inputs_have_in_common_is_used_against_the_error(of):
    keras = backend.keras()
    layers = keras.layers
    backend.set_seeds(5)
    x = image = keras.Input((16, 16, 3))
    if of == "Dense":
        x = layers.Dense(6)(layers.Flatten()(x))
    elif of == "DepthwiseConv2D":
        x = layers.DepthwiseConv2D(5)(x)
    elif of == "Conv2D":
        x = layers.Conv2D(8, 5, strides=2, padding="same")(x)
    else:
        x = layers.Conv2D(8, 1)(layers.Conv2D(32, 1, activation="relu")(x))
    model, given = keras.Model(image, x), pictures(16, seed=2)
    expected = outputs(model, given)
    every = tuple(range(expected.ndim - 1))
    errors = (
        outputs(each, given) - expected for each in (fitted(model, pictures(16, seed=1)), rounded_to_nearest(model))
    )
    found, nearest = (error.std(axis=every).mean() for error in errors)  # the mean aside, which the bias takes
    assert found < 0.7 * nearest


def test_a_layer_is_nearer_to_what_it_gave_and_a_dead_channel_does_no_harm():
    model, given = fold_batch_norm(small_network()), pictures(16, seed=1)
    rounded, nearest = fitted(model, given), rounded_to_nearest(model)
    assert_on_grid(rounded)
    assert (rounded.get_layer("stem").get_weights()[0][..., 2] == 0).all()
    for name in ("stem", "narrow", "depthwise", "project", "logits"):
        probes = [backend.keras().Model(one.input, one.get_layer(name).output) for one in (model, rounded, nearest)]
        expected, found, judge = (outputs(probe, given) for probe in probes)
        assert ((found - expected) ** 2).mean() < ((judge - expected) ** 2).mean(), name


def test_rounding_is_the_same_every_time():
    model, given = fold_batch_norm(small_network()), pictures(16, seed=1)
    first, second = (fitted(model, given).get_weights() for _ in range(2))
    assert all((one == two).all() for one, two in zip(first, second, strict=True))
