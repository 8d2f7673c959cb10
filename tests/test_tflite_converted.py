"""What our reader says of freshly converted models, judged by TensorFlow's own reader and by LiteRT."""

import inspect
import warnings
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytestmark = pytest.mark.tensorflow

from edge_melanoma import backend  # noqa: E402
from edge_melanoma.tflite import schema  # noqa: E402
from edge_melanoma.tflite.model import read_model  # noqa: E402
from edge_melanoma.tflite.rules import problems, summary  # noqa: E402

KINDS = ("float32", "float16", "dynamic", "int8", "int16x8")
SIDE, CLASSES = 16, 3


@pytest.fixture(scope="module")
def generated():
    backend.tensorflow()
    from tensorflow.lite.python import schema_py_generated

    return schema_py_generated


def network(middle=()):
    """A small net with what ours are made of; one kernel is large enough for the dynamic kind, one channel is dead."""
    keras = backend.keras()
    layers = keras.layers
    backend.set_seeds(5)
    inputs = x = keras.Input((SIDE, SIDE, 3), name="picture")
    x = layers.Conv2D(16, 3, strides=2, padding="same", name="stem")(layers.Rescaling(1 / 127.5, offset=-1)(x))
    x = shortcut = layers.ReLU(6.0, name="stem_relu")(layers.BatchNormalization()(x))
    x = layers.ReLU(6.0)(layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x))
    x = layers.Add()([shortcut, layers.Conv2D(16, 1, name="project")(x)])
    for layer in middle:
        x = layer(x)
    x = layers.Conv2D(80, 1, name="expand")(x)
    outputs = layers.Dense(CLASSES, name="logits")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    kernel, bias = model.get_layer("depthwise").get_weights()
    kernel[:, :, 3] = 0
    model.get_layer("depthwise").set_weights([kernel, bias])
    return model


def pictures():
    rng = np.random.default_rng(2)
    batch = rng.integers(0, 256, (6, 1, SIDE, SIDE, 3)).astype(np.float32)
    batch[0, 0, 0, 0] = 0, 255, 0  # so that the range is all of it, and the scale 1
    return batch


def convert(model, kind, *, batch=1, only_integers=True):
    tf = backend.tensorflow()
    shape = tf.TensorSpec((batch, SIDE, SIDE, 3), tf.float32, name="picture")
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [tf.function(lambda x: model(x)).get_concrete_function(shape)], model
    )
    converter.experimental_lower_to_saved_model = False
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "int16x8"):
        converter.representative_dataset = lambda: ([picture] for picture in pictures())
    if kind == "int8":
        builtins = [] if only_integers else [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, *builtins]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    if kind == "int16x8":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs were expected")
        return converter.convert()


@pytest.fixture(scope="module")
def converted():
    model = network()
    return {kind: convert(model, kind) for kind in KINDS}


@pytest.fixture(params=KINDS)
def pair(request, converted):
    """A kind, the bytes, and what we read."""
    data = converted[request.param]
    return request.param, data, read_model(data, name=f"{request.param}.tflite")


def test_the_tables_have_every_number_of_tensorflow_and_of_litert(generated):
    litert = pytest.importorskip("ai_edge_litert.schema_py_generated")
    for module in (generated, litert):
        operators = {name: n for name, n in vars(module.BuiltinOperator).items() if not name.startswith("_")}
        assert sorted(operators.values()) == list(range(len(operators)))
        assert {name: schema.OPERATORS[number] for name, number in operators.items()} == {n: n for n in operators}
        types = {name: n for name, n in vars(module.TensorType).items() if not name.startswith("_")}
        assert {name: schema.TYPES[number][0] for name, number in types.items()} == {name: name for name in types}
    assert len(schema.OPERATORS) == len(operators)
    assert len(schema.TYPES) == len(types)


def test_the_settings_that_refer_to_more_are_all_known(generated):
    kinds = {name: n for name, n in vars(generated.BuiltinOptions).items() if not name.startswith("_")}
    assert schema.OPTION_KINDS == len(kinds) == max(kinds.values()) + 1
    referring = {}
    for name, function in vars(generated).items():
        kind, _, field = name.partition("Add")
        if inspect.isfunction(function) and kind in kinds and "UOffsetT" in inspect.getsource(function):
            referring.setdefault(kinds[kind], []).append(field)
    assert {kind: len(fields) for kind, fields in referring.items()} == {
        kind: len(fields) for kind, fields in schema.OPTION_VECTORS.items()
    }
    for name, (kind, fields) in schema.CALLS.items():
        (options,) = (one for one, number in kinds.items() if number == kind)
        assert options.removesuffix("Options").lower() == name.replace("_", "").lower()
        assert len([one for one in vars(generated) if one.startswith(f"{options}Add")]) == len(fields)


def test_tensorflow_reads_the_same(pair, generated):
    _, data, model = pair
    tree = generated.ModelT.InitFromPackedBuf(data)
    assert (model.version, model.description.encode()) == (tree.version, tree.description)
    (graph,) = tree.subgraphs
    assert [tensor.name.encode() for tensor in model.tensors] == [tensor.name for tensor in graph.tensors]
    for ours, theirs in zip(model.tensors, graph.tensors, strict=True):
        assert ours.shape == tuple(np.atleast_1d(theirs.shape).tolist() if theirs.shape is not None else ())
        assert schema.TYPES[theirs.type][0] == ours.type
        scale = None if theirs.quantization is None else theirs.quantization.scale
        assert ours.scales == (() if scale is None else tuple(scale.tolist()))
        if ours.scales:
            assert ours.zero_points == tuple(theirs.quantization.zeroPoint.tolist())
            assert ours.quantized_dimension == theirs.quantization.quantizedDimension
        stored = tree.buffers[theirs.buffer].data
        assert bytes(ours.data) == (b"" if stored is None else bytes(stored))
    for ours, theirs in zip(model.operators, graph.operators, strict=True):
        code = tree.operatorCodes[theirs.opcodeIndex]
        assert schema.OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)] == ours.name
        assert (ours.version, ours.inputs) == (code.version, tuple(theirs.inputs.tolist()))
        assert ours.outputs == tuple(theirs.outputs.tolist())
    assert model.metadata == {one.name.decode(): bytes(tree.buffers[one.buffer].data) for one in tree.metadata}


def test_litert_reads_the_same(pair):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    _, data, model = pair
    plain = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = litert.Interpreter(model_content=data, experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    details = {one["index"]: one for one in interpreter.get_tensor_details()}
    for ours in model.tensors:
        theirs = details[ours.index]
        assert (ours.name, ours.shape) == (theirs["name"], tuple(theirs["shape"].tolist()))
        assert ours.shape_signature == tuple(theirs["shape_signature"].tolist())
        assert np.dtype(theirs["dtype"]).name.upper() == ours.type
        quantization = theirs["quantization_parameters"]
        assert ours.scales == tuple(quantization["scales"].tolist())
        assert ours.zero_points == tuple(quantization["zero_points"].tolist())
        if len(ours.scales) > 1:
            assert ours.quantized_dimension == quantization["quantized_dimension"]
        if ours.constant:
            values = np.frombuffer(ours.data, theirs["dtype"]).reshape(ours.shape)
            assert np.array_equal(values, interpreter.get_tensor(ours.index))
    operators = interpreter._get_ops_details()
    assert [one.name for one in model.operators] == [one["op_name"] for one in operators]
    assert [one.inputs for one in model.operators] == [tuple(one["inputs"].tolist()) for one in operators]
    assert [one.outputs for one in model.operators] == [tuple(one["outputs"].tolist()) for one in operators]
    for ours, theirs in ((model.inputs, "get_input_details"), (model.outputs, "get_output_details")):
        assert [one.index for one in ours] == [one["index"] for one in getattr(interpreter, theirs)()]


def test_the_last_byte_is_looked_at(pair):
    _, data, model = pair
    assert len(data) - 16 < model.end <= len(data)


@pytest.mark.parametrize("claimed", KINDS)
def test_a_model_is_of_its_own_kind_and_no_other(pair, claimed):
    kind, _, model = pair
    assert bool(problems(model, claimed)) == (kind != claimed)


def test_a_dynamic_model_whose_kernels_are_too_small_is_told_to_be_float(converted):
    keras = backend.keras()
    inputs = keras.Input((SIDE, SIDE, 3))
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs)))
    model = read_model(convert(keras.Model(inputs, outputs), "dynamic"), name="small.tflite")
    (problem,) = problems(model, "dynamic")
    assert problem.startswith("no kernel is INT8: it is a float model")


def test_an_open_batch_is_a_problem():
    model = read_model(convert(network(), "float32", batch=None), name="open.tflite")
    assert model.inputs[0].shape_signature == (-1, SIDE, SIDE, 3)
    (problem,) = problems(model, "float32")
    assert "tensors have an open dimension, the first is tensor 0 ('picture'), [-1, 16, 16, 3]" in problem


def test_an_operator_that_the_converter_leaves_float_is_found_by_its_layer():
    tf = backend.tensorflow()
    wave = backend.keras().layers.Activation(tf.sin, name="wave")
    model = read_model(convert(network([wave]), "int8", only_integers=False), name="island.tflite")
    reported = problems(model, "int8")
    assert [sentence.split("(")[1].split(")")[0] for sentence in reported] == ["DEQUANTIZE", "SIN", "QUANTIZE"]
    assert "wave" in reported[1]
    assert summary(model)["float_operators"] == 3
    assert problems(model, "int8", allow_float=["wave"]) == []


def test_an_operator_of_tensorflow_itself_is_found(generated):
    tf = backend.tensorflow()
    function = tf.function(tf.linalg.inv).get_concrete_function(tf.TensorSpec((1, 4, 4), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    model = read_model(converter.convert(), name="flex.tflite")
    assert "operator 0 ('FlexMatrixInverse') is not built in: it needs TensorFlow itself on the device" in problems(
        model, "float32"
    )


def test_loops_and_branches_are_read_and_are_a_problem():
    tf = backend.tensorflow()

    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32)])
    def nested(x):
        for _ in tf.range(3):
            for step in tf.range(2):
                x = x * 2.0 if tf.reduce_sum(x) > tf.cast(step, tf.float32) else x + 1.0
        return x

    converter = tf.lite.TFLiteConverter.from_concrete_functions([nested.get_concrete_function()], tf.Module())
    model = read_model(converter.convert(), name="loops.tflite")
    assert {one.name for one in model.operators} >= {"WHILE", "IF"}
    assert f"it has {len(model.subgraphs)} subgraphs; without loops and branches it has one" in problems(
        model, "float32"
    )


def test_an_int8_kernel_with_one_scale_for_all_channels_is_a_problem(converted):
    model = read_model(converted["int8"], name="int8.tflite")
    (graph,) = model.subgraphs
    depthwise = next(one for one in graph.operators if one.name == "DEPTHWISE_CONV_2D")
    kernel = graph.tensors[depthwise.inputs[1]]
    assert len(kernel.scales) == 16
    tensors = list(graph.tensors)
    tensors[kernel.index] = replace(kernel, scales=kernel.scales[:1], zero_points=(0,))
    worse = replace(model, subgraphs=(replace(graph, tensors=tuple(tensors)),))
    (problem,) = problems(worse, "int8")
    assert "has one scale for its 16 channels; one for each is right" in problem
