"""Pruning and clustering: by the schedule, only where they are meant, and still there after a training."""

import gzip
import importlib.util
import itertools

import numpy as np
import pytest

from edge_melanoma import backend
from edge_melanoma.convert.cluster import Clustering, ClusterRecipe, clusters_of
from edge_melanoma.convert.export import to_tflite
from edge_melanoma.convert.graph import copied
from edge_melanoma.convert.kernels import shrinkable_layers
from edge_melanoma.convert.prune import PruneRecipe, Pruning, largest, two_of_four
from edge_melanoma.convert.saving import saving, zeros
from edge_melanoma.errors import RecipeError
from edge_melanoma.train.backbones import build_model

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)

STEPS = 30


@pytest.fixture(scope="module")
def original():
    """First convolution, a wide block, a large last one, a head: named as in MobileNetV2, quicker to trace."""
    layers = backend.keras().layers
    backend.set_seeds(3)
    image = layers.Input((32, 32, 3), name="image")
    x = layers.Conv2D(8, 3, 2, name="Conv1")(layers.Rescaling(1 / 127.5, -1.0, name="normalise")(image))
    x = layers.ReLU(6.0)(layers.Conv2D(48, 1, name="block_3_expand")(x))
    x = layers.DepthwiseConv2D(3, name="expanded_conv_depthwise")(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(layers.Conv2D(64, 1, name="Conv_1")(x)))
    return backend.keras().Model(image, layers.Dense(3, name="logits")(x), name="small")


@pytest.fixture
def model(original):
    return copied(original)


def train(model, *hooks, first=0, last=STEPS):
    """Steps of an optimizer as our own loop makes them, with what is to happen after each."""
    tf = backend.tensorflow()
    rng = np.random.default_rng(1)
    given, wanted = rng.uniform(0, 255, (4, 32, 32, 3)).astype(np.float32), rng.normal(0, 1, (4, 3))
    optimizer = backend.keras().optimizers.Adam(1e-3)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(given, training=True) - wanted))
        gradients = tape.gradient(loss, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))

    for number in range(first, last):
        step()
        for hook in hooks:
            hook.after_step(number)


def kernels(model):
    """Every kernel by the name of its layer: what has more than one side."""
    weighted = ((layer.name, layer.get_weights()) for layer in model.layers)
    return {name: weights[0] for name, weights in weighted if weights and weights[0].ndim > 1}


def sparsity(*arrays):
    return np.mean(np.concatenate([array.ravel() for array in arrays]) == 0)


# --- pruning ---


def test_the_schedule_is_that_of_tfmot():
    recipe = PruneRecipe(sparsity=0.6, begin_share=0.2, end_share=0.8)
    pruning = Pruning(build_model("seedcnn", size=32, classes=2), recipe, steps=101)
    judge = backend.model_optimization().sparsity.keras.PolynomialDecay(0.0, 0.6, begin_step=20, end_step=80)
    for step in range(101):
        expected = float(judge(backend.tensorflow().constant(step))[1]) if step >= 20 else 0.0
        assert pruning.sparsity_at(step) == pytest.approx(expected, abs=1e-6)


def test_the_smallest_go():
    kernel = np.random.default_rng(2).normal(0, 1, (3, 3, 8, 5)).astype(np.float32)
    mask = largest(kernel, 0.7)
    assert mask.sum() == kernel.size - round(0.7 * kernel.size)
    assert np.abs(kernel[mask == 0]).max() <= np.abs(kernel[mask == 1]).min()


@pytest.mark.parametrize("shape", [(1, 1, 8, 5), (3, 3, 8, 4), (3, 3, 3, 6), (12, 7), (10, 3)])
def test_two_of_every_four_neighbours_go_and_the_smaller_ones(shape):
    kernel = np.random.default_rng(3).normal(0, 1, shape).astype(np.float32)
    mask = two_of_four(kernel)
    for output in range(shape[-1]):
        weights, kept = np.abs(kernel[..., output]).ravel(), mask[..., output].ravel()
        for start in range(0, len(weights) - 3, 4):
            group = slice(start, start + 4)
            best = max((weights[group][list(pair)].sum(), pair) for pair in itertools.combinations(range(4), 2))
            assert tuple(np.flatnonzero(kept[group])) == best[1]


def test_a_training_ends_with_the_sparsity_that_was_asked_for_and_the_original_is_as_it_was(model, original):
    before = original.get_weights()
    pruning = Pruning(model, PruneRecipe(sparsity=0.7, every_steps=4), steps=STEPS)
    train(model, pruning)
    found = kernels(model)
    for name in pruning.layers:
        assert sparsity(found[name]) == pytest.approx(0.7, abs=0.51 / found[name].size)
    others = {name: kernel for name, kernel in found.items() if name not in pruning.layers}
    assert {"Conv1", "expanded_conv_depthwise", "logits"} <= set(others)
    assert sparsity(*others.values()) == 0
    assert 0.55 < sparsity(*found.values()) < 0.7
    assert all((a == b).all() for a, b in zip(original.get_weights(), before, strict=True))


def test_two_of_four_is_there_from_the_beginning_to_the_end(model):
    pruning = Pruning(model, PruneRecipe(sparsity=0.5, pattern="2:4", end_share=0.5), steps=STEPS)
    train(model, pruning, last=1)
    assert sparsity(kernels(model)["Conv_1"]) == 0.5
    train(model, pruning, first=1)
    kernel = model.get_layer("Conv_1").kernel.numpy()  # [1, 1, in, out]
    assert (np.count_nonzero(kernel.reshape(-1, 4, kernel.shape[-1]), axis=1) == 2).all()


def test_what_is_pruned_stays_pruned_when_a_training_goes_on_in_another_process(model):
    recipe = PruneRecipe(sparsity=0.6, every_steps=3, end_share=0.9)
    train(model, Pruning(model, recipe, steps=STEPS), last=12)
    zeros = {name: model.get_layer(name).kernel.numpy() == 0 for name in ("Conv_1", "block_3_expand")}
    again = copied(model)
    train(again, Pruning(again, recipe, steps=STEPS), first=12)
    for name, earlier in zeros.items():
        assert earlier.any()
        assert not again.get_layer(name).kernel.numpy()[earlier].any()
        assert sparsity(kernels(again)[name]) == pytest.approx(0.6, abs=2e-3)


def test_averaged_weights_are_pruned_when_they_are_put_in(model):
    pruning = Pruning(model, PruneRecipe(sparsity=0.5), steps=4)
    train(model, pruning, last=4)
    for layer in (model.get_layer(name) for name in pruning.layers):
        layer.kernel.assign_add(np.full(layer.kernel.shape, 1e-3, np.float32))
    pruning.apply()
    assert all(sparsity(kernels(model)[name]) == pytest.approx(0.5, abs=0.01) for name in pruning.layers)


def test_layers_can_be_left_out_by_name(model):
    assert "Conv_1" not in {layer.name for layer in shrinkable_layers(model, keep=["Conv_1"])}
    with pytest.raises(RecipeError, match="no layer is called 'Conv_7'"):
        shrinkable_layers(model, keep=["Conv_7"])
    plain = build_model("seedcnn", size=32, classes=2)
    assert [layer.name for layer in shrinkable_layers(plain)] == ["conv2", "conv3", "dense"]
    with pytest.raises(RecipeError, match="no kernel to prune"):
        shrinkable_layers(plain, keep=["conv2", "conv3", "dense"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sparsity": 1.0}, "prune.sparsity is 1.0"),
        ({"sparsity": float("nan")}, "prune.sparsity is nan"),
        ({"sparsity": 0.7, "pattern": "2:4"}, "with prune.pattern 2:4 it is 0.5"),
        ({"pattern": "1:2"}, "prune.pattern is '1:2'"),
        ({"begin_share": 0.8}, "begin_share 0.8 and prune.end_share 0.7"),
        ({"every_steps": 0}, "prune.every_steps is 0"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(RecipeError, match=message):
        PruneRecipe(**values)


@pytest.mark.parametrize("clusters", [1, 257])
def test_so_many_clusters_are_refused(clusters):
    with pytest.raises(RecipeError, match="it must be 2 to 256"):
        ClusterRecipe(clusters=clusters)


# --- clustering ---


def test_clusters_are_as_good_as_those_of_scikit_learn():
    from sklearn.cluster import KMeans

    values = np.concatenate([np.random.default_rng(4).normal(place, 0.3, 400) for place in (-2, 0.5, 1, 3)])
    ours = clusters_of(values.reshape(40, 40).astype(np.float32), 6).ravel()
    means = np.bincount(ours, weights=values) / np.bincount(ours)
    judge = KMeans(6, n_init=10, random_state=0).fit(values[:, None])
    assert np.square(values - means[ours]).sum() < 1.05 * judge.inertia_


def test_clusters_train_and_stay_few_and_zeros_stay_zero(model):
    train(model, Pruning(model, PruneRecipe(sparsity=0.5, end_share=0.5), steps=10), last=10)
    zeros = {layer.name: layer.kernel.numpy() == 0 for layer in shrinkable_layers(model)}
    clustering = Clustering(model, ClusterRecipe(clusters=12))
    begun = model.get_layer("Conv_1").kernel.numpy()
    train(model, clustering, last=5)
    again = Clustering(copied(model), ClusterRecipe(clusters=12))
    assert again.layers == clustering.layers
    found = kernels(model)
    for name in clustering.layers:
        assert len(np.unique(found[name])) <= 12
        assert (zeros[name] == (model.get_layer(name).kernel.numpy() == 0)).all()
    assert len(np.unique(found["logits"])) > 100
    assert not np.array_equal(begun, model.get_layer("Conv_1").kernel.numpy())


def test_a_cluster_moves_by_the_mean_of_its_gradients():
    keras, tf = backend.keras(), backend.tensorflow()
    image = keras.Input((1, 1, 4))
    x = keras.layers.Conv2D(4, 1, use_bias=False, name="first")(image)
    x = keras.layers.Conv2D(4, 1, use_bias=False, name="middle")(x)
    model = keras.Model(image, keras.layers.Dense(2, name="last")(keras.layers.Flatten()(x)))
    clustering = Clustering(model, ClusterRecipe(clusters=3))
    kernel = model.get_layer("middle").kernel
    before, gradient = kernel.numpy(), np.random.default_rng(5).normal(0, 1, kernel.shape)
    kernel.assign_sub(tf.constant(0.1 * gradient, tf.float32))
    clustering.after_step(0)
    for value in np.unique(before):
        moved = kernel.numpy()[before == value]
        np.testing.assert_allclose(moved, value - 0.1 * gradient[before == value].mean(), rtol=1e-5)


def test_pruned_and_clustered_models_are_smaller_when_compressed_and_not_before():
    original = build_model("mobilenetv2-0.35", size=32, classes=3)
    pictures = np.random.default_rng(6).integers(0, 256, (8, 32, 32, 3), np.uint8)
    pruned, clustered = copied(original), copied(original)
    pruning = Pruning(pruned, PruneRecipe(sparsity=0.7, end_share=1.0), steps=1)
    pruning.after_step(0)
    Clustering(clustered, ClusterRecipe(clusters=8))
    plain, *smaller = (to_tflite(network, "int8", calibration=pictures) for network in (original, pruned, clustered))
    for model in smaller:
        assert abs(len(model) - len(plain)) < 0.01 * len(plain)
        assert len(gzip.compress(model)) < 0.8 * len(gzip.compress(plain))
    assert zeros(plain) < 0.2 < 0.6 < zeros(smaller[0]) < 0.75
    told = saving(smaller[0], plain, relative_time=1.02)
    assert (told.zeros, told.zeros_before) == (zeros(smaller[0]), zeros(plain))
    assert told.compressed_bytes < 0.8 * told.compressed_bytes_before
    assert "a prediction not faster: 1.02 times the time, for no engine here skips zeros" in told.words
    assert "no engine here makes use of shared weights" in saving(smaller[1], plain, relative_time=1.0).words
    assert "do not count on it" in saving(smaller[0], plain, relative_time=0.5).words
