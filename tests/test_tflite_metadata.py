"""TFLite Model Metadata: read without trust, written for other tools, and put into a model without changing it."""

import importlib.util
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_melanoma.errors import ArtifactError
from edge_melanoma.tflite.metadata import (
    AssociatedFile,
    InputMetadata,
    ModelMetadata,
    OutputMetadata,
    metadata_of,
    read_metadata,
)
from edge_melanoma.tflite.model import read_model

_spec = importlib.util.spec_from_file_location("flat_files", Path(__file__).with_name("flat_files.py"))
flat = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(flat)
Num = flat.Num

FACTS = ModelMetadata(
    name="edge-melanoma demo",
    description="Synthetic dermoscopy — no clinical meaning.",
    version="v1",
    author="A. Nyone",
    license="CC BY-NC 4.0",
    input=InputMetadata(name="picture", description="raw RGB", width=16, height=16),
    output=OutputMetadata(
        name="logits",
        description="not probabilities",
        files=(AssociatedFile(name="labels.txt", description="a line for each class", type="TENSOR_AXIS_LABELS"),),
    ),
    files=(AssociatedFile(name="manifest.json", type="DESCRIPTIONS", locale="en"),),
)
LABELS = ("benign", "melanoma", "unsure")

# The same facts as tables, by the field numbers of the public schema.
WRITTEN = {
    0: FACTS.name,
    1: FACTS.description,
    2: "v1",
    3: [
        {
            2: [
                {
                    0: "picture",
                    1: "raw RGB",
                    3: {
                        0: Num("B", 2),
                        1: {0: Num("b", 1), 1: {0: Num("I", 16), 1: Num("I", 16)}},
                    },
                    4: [{0: Num("B", 1), 1: {0: np.float32([0]), 1: np.float32([1])}}],
                    5: {0: np.float32([255]), 1: np.float32([0])},
                }
            ],
            3: [
                {
                    0: "logits",
                    1: "not probabilities",
                    3: {0: Num("B", 1), 1: {}},
                    6: [{0: "labels.txt", 1: "a line for each class", 2: Num("b", 2)}],
                }
            ],
        }
    ],
    4: FACTS.author,
    5: FACTS.license,
    6: [{0: "manifest.json", 2: Num("b", 1), 3: "en"}],
    7: "1.0.0",
}


def read(tables):
    return read_metadata(flat.flatbuffer(tables, b"M001"), name="tiny.tflite")


def test_metadata_are_read_as_they_were_written():
    assert read(WRITTEN) == FACTS
    assert FACTS.output.label_file == "labels.txt"


def test_what_is_not_said_is_empty():
    bare = {3: [{2: [{3: {0: Num("B", 2), 1: {}}}], 3: [{}]}]}
    found = read(bare)
    assert (found.name, found.min_parser_version, found.files, found.output.label_file) == ("", "", (), None)
    assert found.input == InputMetadata(name="", colour_space="UNKNOWN", mean=(), std=(), minimum=(), maximum=())


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ((3,), WRITTEN[3] * 2, "its metadata describe 2 subgraphs; one is right"),
        ((3, 0, 2), [], "its metadata describe 0 inputs; one is right"),
        ((3, 0, 3), WRITTEN[3][0][3] * 2, "its metadata describe 2 outputs; one is right"),
        ((3, 0, 5), [{}], "its metadata ask for steps around the whole model"),
        ((3, 0, 2, 0, 3, 0), Num("B", 1), "its metadata do not say that a picture goes in"),
        ((3, 0, 2, 0, 3), None, "its metadata do not say that a picture goes in"),
        ((3, 0, 2, 0, 3, 1, 0), Num("b", 3), "its metadata have colour space 3; 0 to 2 are known"),
        ((3, 0, 2, 0, 4), WRITTEN[3][0][2][0][4] * 2, "its metadata ask for more before the model than a normal"),
        ((3, 0, 2, 0, 4, 0, 0), Num("B", 4), "its metadata ask for more before the model than a normalisation"),
        ((3, 0, 3, 0, 4), [{0: Num("B", 2), 1: {}}], "its metadata ask for a step behind the model"),
        ((3, 0, 3, 0, 6, 0, 2), Num("b", 7), "its metadata have file type 7; 0 to 6 are known"),
    ],
)
def test_metadata_that_are_not_of_an_image_classifier_are_refused(path, value, words):
    with pytest.raises(ArtifactError) as caught:
        read(flat.changed(WRITTEN, path, value))
    assert words in str(caught.value)


def test_metadata_of_another_kind_are_refused():
    with pytest.raises(ArtifactError, match="does not have M001 in its bytes 4 to 7; it is no metadata"):
        read_metadata(flat.flatbuffer(WRITTEN, b"M002"), name="tiny.tflite")


def test_hostile_metadata_give_facts_or_a_refusal():
    data, rng, outcomes = flat.flatbuffer(WRITTEN, b"M001"), np.random.default_rng(8), set()
    for round_number in range(3000):
        hostile = bytearray(data)
        if round_number % 3:
            for place in rng.integers(0, len(data), rng.integers(1, 6)):
                hostile[place] = rng.choice([0, 1, 4, 127, 128, 255, rng.integers(256)])
        else:
            del hostile[rng.integers(len(data)) :]
        try:
            read_metadata(bytes(hostile), name="tiny.tflite")
            outcomes.add("facts")
        except ArtifactError:
            outcomes.add("refused")
    assert outcomes == {"facts", "refused"}


def test_a_model_without_metadata_says_so_and_one_with_them_shows_them():
    model = flat.tiny_model()
    assert metadata_of(read_model(flat.tflite(model), name="tiny.tflite")) is None
    model[flat.BUFFERS].append({0: flat.flatbuffer(WRITTEN, b"M001")})
    model[flat.METADATA].append({0: "TFLITE_METADATA", 1: Num("I", 6)})
    assert metadata_of(read_model(flat.tflite(model), name="tiny.tflite")) == FACTS


@pytest.fixture(scope="module")
def writer():
    pytest.importorskip("tensorflow", reason="needs the train extra")
    from edge_melanoma.convert import metadata

    return metadata


@pytest.fixture(scope="module")
def converted(writer):
    """A small int8 model that takes raw pixels."""
    from edge_melanoma import backend

    tf, keras = backend.tensorflow(), backend.keras()
    backend.set_seeds(4)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    function = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec((1, 16, 16, 3), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    converter.experimental_lower_to_saved_model = False
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    noise = np.random.default_rng(0).integers(0, 256, (4, 1, 16, 16, 3)).astype(np.float32)
    noise[0, 0, 0, 0] = 0, 255, 0
    converter.representative_dataset = lambda: ([picture] for picture in noise)
    return converter.convert()


WRITES = [pytest.mark.tensorflow, pytest.mark.filterwarnings("ignore:Statistics for quantized inputs were expected")]


def writes(test):
    for mark in WRITES:
        test = mark(test)
    return test


@writes
def test_written_metadata_are_read_back_and_always_the_same_bytes(writer):
    written = writer.metadata_bytes(FACTS)
    assert read_metadata(written, name="x.tflite") == FACTS
    assert writer.metadata_bytes(FACTS) == written
    plain = ModelMetadata(name="n", input=InputMetadata(name="i"), output=OutputMetadata(name="o"))
    without = replace(plain, input=replace(plain.input, mean=(), std=(), minimum=(), maximum=()))
    for facts in (plain, without):
        assert read_metadata(writer.metadata_bytes(facts), name="x.tflite") == facts


class Walker:
    """The generic reader of `flatbuffers`, by field numbers: an independent judge."""

    def __init__(self, data, place):
        from flatbuffers.table import Table

        self.table = Table(data, place)

    def _field(self, number):
        return self.table.Offset(4 + 2 * number)

    def text(self, number):
        return self.table.String(self.table.Pos + self._field(number)).decode()

    def number(self, number, flags):
        return self.table.Get(flags, self.table.Pos + self._field(number))

    def child(self, number):
        return Walker(self.table.Bytes, self.table.Indirect(self.table.Pos + self._field(number)))

    def children(self, number):
        offset = self._field(number)
        start = self.table.Vector(offset)
        return [
            Walker(self.table.Bytes, self.table.Indirect(start + 4 * one))
            for one in range(self.table.VectorLen(offset))
        ]

    def floats(self, number):
        from flatbuffers import number_types

        return self.table.GetVectorAsNumpy(number_types.Float32Flags, self._field(number)).tolist()


@writes
def test_a_generic_reader_finds_everything_under_the_numbers_of_the_schema(writer):
    from flatbuffers import encode, number_types, packer

    data = writer.metadata_bytes(FACTS)
    assert data[4:8] == b"M001"
    root = Walker(data, encode.Get(packer.uoffset, data, 0))
    assert [root.text(number) for number in (0, 1, 2, 4, 5, 7)] == [
        FACTS.name, FACTS.description, "v1", FACTS.author, FACTS.license, "1.0.0",
    ]  # fmt: skip
    (graph,) = root.children(3)
    (picture,), (logits,) = graph.children(2), graph.children(3)
    assert (picture.text(0), picture.text(1)) == ("picture", "raw RGB")
    content = picture.child(3)
    assert content.number(0, number_types.Uint8Flags) == 2  # ImageProperties
    assert content.child(1).number(0, number_types.Int8Flags) == 1  # RGB
    assert content.child(1).child(1).number(1, number_types.Uint32Flags) == 16
    (unit,) = picture.children(4)
    assert unit.number(0, number_types.Uint8Flags) == 1  # NormalizationOptions
    assert (unit.child(1).floats(0), unit.child(1).floats(1)) == ([0.0], [1.0])
    assert (picture.child(5).floats(0), picture.child(5).floats(1)) == ([255.0], [0.0])  # max, min
    (labels,) = logits.children(6)
    assert (labels.text(0), labels.number(2, number_types.Int8Flags)) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS
    (manifest,) = root.children(6)
    assert (manifest.text(0), manifest.text(3)) == ("manifest.json", "en")


@writes
def test_metadata_change_nothing_else_in_a_model(writer, converted):
    model = writer.with_metadata(converted, writer.metadata_bytes(FACTS))
    before, after = (read_model(data, name="x.tflite") for data in (converted, model))
    assert metadata_of(after) == FACTS
    assert set(before.metadata) == {"min_runtime_version", "CONVERSION_METADATA"}
    assert {name: after.metadata[name] for name in before.metadata} == before.metadata
    assert list(after.metadata)[-1] == "TFLITE_METADATA"

    def without_places(graph):
        return replace(graph, tensors=tuple(replace(tensor, data_start=0) for tensor in graph.tensors))

    assert [without_places(one) for one in before.subgraphs] == [without_places(one) for one in after.subgraphs]
    assert {tensor.data_start % 16 for tensor in after.tensors if tensor.constant} == {0}
    assert before.description == after.description


@writes
def test_equal_lists_of_numbers_are_written_once(writer, converted):
    tables = writer.generated_schema()
    tree = tables.ModelT.InitFromPackedBuf(converted)
    tensors = tree.subgraphs[0].tensors
    zeros = np.zeros(5000, np.int64)
    sizes = []
    for place in (0, 1):  # the second tensor with such a list costs next to nothing
        tensors[place].quantization.zeroPoint = zeros.copy()
        sizes.append(len(writer.repacked(tree, size=len(converted))))
    assert sizes[1] - sizes[0] < 0.01 * zeros.nbytes
    other = tables.ModelT.InitFromPackedBuf(writer.repacked(tree, size=len(converted)))
    assert all(np.array_equal(other.subgraphs[0].tensors[place].quantization.zeroPoint, zeros) for place in (0, 1))


@writes
def test_the_same_model_and_metadata_give_the_same_bytes_and_later_metadata_take_their_place(writer, converted):
    metadata = writer.metadata_bytes(FACTS)
    model = writer.with_metadata(converted, metadata)
    assert writer.with_metadata(converted, metadata) == model
    assert writer.with_metadata(model, metadata) == model
    other = writer.metadata_bytes(replace(FACTS, name="another"))
    changed = read_model(writer.with_metadata(model, other), name="x.tflite")
    assert list(changed.metadata) == list(read_model(model, name="x.tflite").metadata)
    assert metadata_of(changed).name == "another"


@writes
def test_a_model_with_a_zip_behind_it_or_a_broken_one_gets_no_metadata(writer, converted):
    metadata = writer.metadata_bytes(FACTS)
    with pytest.raises(ArtifactError, match="bytes behind it; metadata go into a model before a zip is appended"):
        writer.with_metadata(bundle(converted), metadata)
    with pytest.raises(ArtifactError, match="the converted model: "):
        writer.with_metadata(converted[:-200], metadata)


def bundle(model, labels=LABELS):
    stream = io.BytesIO(model)
    with zipfile.ZipFile(stream, "a") as archive:  # stored: MediaPipe takes no compressed file
        archive.writestr("labels.txt", "\n".join(labels))
        archive.writestr("manifest.json", "{}")
    return stream.getvalue()


def litert_scores(model, picture):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None])
    interpreter.invoke()
    (output,) = interpreter.get_output_details()
    scale, zero_point = output["quantization"]
    return (interpreter.get_tensor(output["index"])[0].astype(float) - zero_point) * scale


@writes
def test_a_model_computes_the_same_with_metadata_and_with_a_zip_behind_it(writer, converted):
    model = writer.with_metadata(converted, writer.metadata_bytes(FACTS))
    for seed in range(3):
        picture = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        expected = litert_scores(converted, picture)
        assert np.array_equal(litert_scores(model, picture), expected)
        assert np.array_equal(litert_scores(bundle(model), picture), expected)


MEDIAPIPE = """
import json, sys
import numpy as np, mediapipe
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision
options = vision.ImageClassifierOptions(base_options=tasks.BaseOptions(model_asset_path=sys.argv[1]))
with vision.ImageClassifier.create_from_options(options) as classifier:
    image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.load(sys.argv[2]))
    (head,) = classifier.classify(image).classifications
    print(json.dumps([head.head_name, {one.category_name: one.score for one in head.categories}]))
"""


@writes
def test_mediapipe_names_the_classes_and_gives_the_same_scores(writer, converted, tmp_path):
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("mediapipe is not installed")
    model = bundle(writer.with_metadata(converted, writer.metadata_bytes(FACTS)))
    picture = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    (tmp_path / "model.tflite").write_bytes(model)
    np.save(tmp_path / "picture.npy", picture)
    done = subprocess.run(
        [sys.executable, "-c", MEDIAPIPE, tmp_path / "model.tflite", tmp_path / "picture.npy"],
        capture_output=True,
        text=True,
        timeout=120,  # a failed classification can leave mediapipe hanging
    )
    assert done.returncode == 0, done.stderr[-2000:]
    name, scores = json.loads(done.stdout.splitlines()[-1])
    assert name == "logits"
    expected = litert_scores(model, picture)
    assert scores == pytest.approx(dict(zip(LABELS, expected, strict=True)), abs=1e-5)
    assert max(scores, key=scores.get) == LABELS[int(np.argmax(expected))]


@writes
def test_mediapipe_own_schema_reads_the_metadata(writer):
    generated = pytest.importorskip("mediapipe.tasks.metadata.metadata_schema_py_generated")
    tree = generated.ModelMetadataT.InitFromPackedBuf(writer.metadata_bytes(FACTS))
    (graph,) = tree.subgraphMetadata
    (picture,), (logits,) = graph.inputTensorMetadata, graph.outputTensorMetadata
    assert (tree.name.decode(), tree.license.decode()) == (FACTS.name, FACTS.license)
    assert picture.content.contentProperties.colorSpace == generated.ColorSpaceType.RGB
    assert picture.processUnits[0].options.std.tolist() == [1.0]
    assert picture.stats.max.tolist() == [255.0]
    assert logits.associatedFiles[0].type == generated.AssociatedFileType.TENSOR_AXIS_LABELS
