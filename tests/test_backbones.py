"""Every network builds flat, learns, and is on the device what it is in Keras; ours equal those of Keras."""

import importlib.util

import numpy as np
import pytest

from edge_melanoma import backend
from edge_melanoma.errors import RecipeError
from edge_melanoma.train.backbones import BACKBONES, HEAD, INPUT, backbone, build_model
from edge_melanoma.train.backbones.scaling import SCALINGS

pytestmark = pytest.mark.tensorflow
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs the train extra", allow_module_level=True)

LARGE = {"efficientnet-lite3", "efficientnet-lite4", "inceptionv3", "densenet121", "resnet34", "resnet50"} | {
    f"efficientnet-b{n}" for n in range(1, 5)
}
LARGE |= {"efficientnet-lite1", "efficientnet-lite2", "efficientnetv2-b0"}  # as another of the family, only deeper


def names(large=LARGE):
    return [pytest.param(name, marks=pytest.mark.slow if name in large else ()) for name in BACKBONES]


@pytest.fixture(scope="module")
def tf():
    return backend.tensorflow()


@pytest.fixture(scope="module")
def keras():
    return backend.keras()


@pytest.fixture(autouse=True)
def seeded():
    backend.set_seeds(5)


def pictures(size, batch=2):
    """Noise around another colour in each, so that they differ after pooling as well."""
    rng = np.random.default_rng(size)
    colours = rng.uniform(60, 190, (batch, 1, 1, 3))
    return np.rint(colours + rng.uniform(-60, 60, (batch, size, size, 3))).astype(np.float32)


def train_one_step(tf, keras, model, size):
    optimizer = keras.optimizers.SGD(0.01)
    with tf.GradientTape() as tape:
        logits = model(pictures(size, batch=3), training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant([0, 1, 0]), logits))
    gradients = tape.gradient(loss, model.trainable_weights)
    optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
    return float(loss), gradients


def on_the_device(tf, model, size, batch):
    """What LiteRT makes of the model, one picture at a time."""
    from ai_edge_litert.interpreter import Interpreter

    function = tf.function(lambda image: model(image, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, size, size, 3), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    converter.experimental_lower_to_saved_model = False  # the same operations, in a tenth of the time
    with backend.quiet_native_log():
        content = converter.convert()
        interpreter = Interpreter(model_content=content, num_threads=2)
        interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    answers = []
    for picture in batch:
        interpreter.set_tensor(into, picture[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(out)[0])
    return np.stack(answers)


@pytest.mark.parametrize("name", names())
def test_a_network_is_flat_learns_and_runs_on_the_device_as_in_keras(tf, keras, name):
    size = max(64, backbone(name).smallest_size)
    model = build_model(name, size=size, classes=3)
    assert model.name == name
    assert model.input_names == [INPUT]
    assert model.output_shape == (None, 3)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert not kinds & {"Lambda", "TFOpLambda", "SlicingOpLambda", "Normalization"}
    assert all(type(layer).__module__.startswith("tf_keras.") for layer in model.layers)

    before = model.get_weights()
    loss, gradients = train_one_step(tf, keras, model, size)
    assert np.isfinite(loss)
    assert all(gradient is not None for gradient in gradients)
    assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))

    rng = np.random.default_rng(3)
    model.set_weights([random_weight(weight, rng) for weight in model.weights])  # so that no layer fades the next out
    batch = pictures(size)
    expected = model(batch, training=False).numpy()
    # the picture must decide, by more than ten times what the two may differ
    assert np.ptp(expected, axis=0).max() > 1e-3 * np.abs(expected).max()
    assert on_the_device(tf, model, size, batch) == pytest.approx(expected, abs=1e-4 * float(np.abs(expected).max()))


# the constructor of keras.applications, and its options, that a network of ours must equal
TWINS = {
    "mobilenetv2-0.35": ("MobileNetV2", {"alpha": 0.35}),
    "mobilenetv2-1.3": ("MobileNetV2", {"alpha": 1.3}),
    "mobilenetv3-small": ("MobileNetV3Small", {"include_preprocessing": False}),
    "mobilenetv3-small-minimalistic": ("MobileNetV3Small", {"include_preprocessing": False, "minimalistic": True}),
    "mobilenetv3-large": ("MobileNetV3Large", {"include_preprocessing": False}),
    "mobilenetv3-large-minimalistic": ("MobileNetV3Large", {"include_preprocessing": False, "minimalistic": True}),
    "efficientnet-b0": ("EfficientNetB0", {}),
    "efficientnetv2-b0": ("EfficientNetV2B0", {"include_preprocessing": False}),
}


@pytest.mark.parametrize("name", TWINS)
def test_our_own_builders_give_the_values_of_keras_applications(keras, name):
    constructor, options = TWINS[name]
    size = 75  # 38, 19, 10, 5, 3: the strides meet even and odd sides
    theirs = getattr(keras.applications, constructor)(
        include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg", **options
    )
    ours = build_model(name, size=size, classes=2)
    weighted = [layer for layer in theirs.layers if layer.weights and type(layer).__name__ != "Normalization"]
    assert [layer.name for layer in weighted] == [layer.name for layer in ours.layers if layer.weights][:-1]
    rng = np.random.default_rng(4)
    for layer in weighted:
        values = [random_weight(weight, rng) for weight in layer.weights]
        layer.set_weights(values)
        ours.get_layer(layer.name).set_weights(values)
    scale, offset = (np.float32(value) for value in SCALINGS[backbone(name).scaling])
    normalised = (pictures(size) * scale + offset) * (255 if name == "efficientnet-b0" else 1)  # it divides by 255
    expected = theirs(normalised, training=False).numpy()
    got = keras.Model(ours.input, ours.get_layer("pool").output)(pictures(size), training=False).numpy()
    # the picture must decide, by more than ten times what the two may differ
    assert np.ptp(expected, axis=0).max() > 1e-3 * np.abs(expected).max()
    assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max()


def random_weight(weight, rng):
    values = rng.normal(size=weight.shape).astype(np.float32)
    if len(weight.shape) > 1:  # a kernel that keeps the scale of what passes
        inputs = weight.shape[:2] if "depthwise_kernel" in weight.name else weight.shape[:-1]
        return values * np.float32(np.sqrt(2 / np.prod(inputs)))
    centre = {"moving_variance": 1.0, "gamma": 1.0}.get(weight.name.split("/")[-1][:-2], 0.0)
    return np.float32(centre) + np.float32(0.1 if centre else 0.01) * values


@pytest.mark.parametrize("name", ["mobilenetv2-0.35", "mobilenetv3-small", "efficientnet-lite0", "seedcnn", "resnet18"])
@pytest.mark.parametrize("size", [32, 45])
def test_small_and_odd_sizes_are_taken(name, size):
    model = build_model(name, size=size, classes=2)
    assert np.isfinite(model(pictures(size), training=False).numpy()).all()


def test_the_published_normalisations_are_exact():
    raw = np.array([0.0, 127.5, 255.0])[:, None].repeat(3, axis=1)
    assert raw * SCALINGS["symmetric"][0] + SCALINGS["symmetric"][1] == pytest.approx(raw / 127.5 - 1)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    assert raw * SCALINGS["imagenet"][0] + SCALINGS["imagenet"][1] == pytest.approx((raw / 255 - mean) / deviation)
    assert raw * SCALINGS["lite"][0] + SCALINGS["lite"][1] == pytest.approx((raw - 127) / 128)


def test_the_normalisation_of_resnet50_is_that_of_keras(keras):
    bgr = keras.applications.resnet.preprocess_input(pictures(8).copy())
    scale, offset = (np.float32(value) for value in SCALINGS["caffe"])
    assert (pictures(8) * scale + offset)[..., ::-1] == pytest.approx(bgr)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mobilnetv2", "did you mean mobilenetv2-"),
        ("MobileNetV3-Small", "did you mean mobilenetv3-small"),
        ("efficientnet-lite9", "did you mean efficientnet-lite"),
        ("mobilenetv2-0", "any width above 0"),
        ("mobilenetv2--1", "any width above 0"),
        ("vit", "known: mobilenetv2-0.35"),
    ],
)
def test_an_unknown_network_is_refused_with_its_neighbours(name, said):
    with pytest.raises(RecipeError, match=said):
        backbone(name)


def test_mobilenetv2_comes_in_any_width():
    assert backbone("mobilenetv2-1") is BACKBONES["mobilenetv2-1.0"]
    assert backbone("mobilenetv2-0.50").name == "mobilenetv2-0.5"
    assert backbone("mobilenetv2-0.5").imagenet
    assert backbone("mobilenetv2-0.42").imagenet is None
    assert build_model("mobilenetv2-0.42", size=32, classes=2).name == "mobilenetv2-0.42"


@pytest.mark.parametrize(
    "wrong",
    [
        *({"size": size} for size in (31, 64.0, True, 5000)),
        *({"classes": classes} for classes in (1, "2", 1001)),
        *({"dropout": dropout} for dropout in (1.0, -0.1, "0.2", float("nan"))),
        {"name": "inceptionv3", "size": 74},
    ],
)
def test_an_impossible_request_is_refused(wrong):
    with pytest.raises(RecipeError):
        build_model(**{"name": "seedcnn", "size": 64, "classes": 2, "dropout": 0.2, **wrong})


@pytest.mark.slow
def test_names_do_not_depend_on_what_was_built_before():
    first, second = (build_model("inceptionv3", size=75, classes=2) for _ in range(2))
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
    assert [weight.name for weight in first.weights] == [weight.name for weight in second.weights]


def test_a_network_is_rebuilt_from_its_configuration_alone(keras):
    model = build_model("mobilenetv3-small", size=32, classes=2)
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    assert (again(pictures(32)).numpy() == model(pictures(32)).numpy()).all()


def test_logits_stay_in_full_precision_where_the_rest_is_mixed(keras):
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = build_model("mobilenetv3-small", size=32, classes=2)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.get_layer("Conv").compute_dtype == "float16"
    assert model.get_layer(HEAD).compute_dtype == "float32"


def test_the_same_seed_gives_the_same_weights():
    def build():
        backend.set_seeds(11)
        return build_model("efficientnet-lite0", size=32, classes=2).get_weights()

    first, second = build(), build()
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    kernels = [values for values in first if values.shape == (1, 1, 192, 1152)]
    assert len(kernels) > 1
    assert not (kernels[0] == kernels[1]).any()  # each layer draws its own
