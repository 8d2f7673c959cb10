"""Metadata for other tools: built as a FlatBuffer and put into a converted model.

MediaPipe Tasks' ImageClassifier (1.2.2, tried) takes a model when
- the input is said to be RGB; a float input also needs a normalisation, which a uint8 input does not use;
- the file of type TENSOR_AXIS_LABELS that the output names lies in the zip behind the model, a line for each class;
  with another number of lines it fails at the first picture, and later calls may hang;
- nothing in that zip is compressed, not even a file that it never opens.
A uint8 model runs without any metadata as well, its classes unnamed. Score calibration, value range, parser version and
output name are not asked for, and files in the zip that the metadata do not mention do no harm. Scores are the logits.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import numpy as np

from edge_melanoma import backend
from edge_melanoma.errors import ArtifactError
from edge_melanoma.tflite import metadata as known
from edge_melanoma.tflite import schema
from edge_melanoma.tflite.metadata import AssociatedFile, InputMetadata, ModelMetadata, OutputMetadata
from edge_melanoma.tflite.model import read_model

_ALIGNMENT = 16  # of constants: the schema asks for it, and neither the converter nor the generated code keeps it

# A table by the numbers of its fields: a string, floats, a table, a list of tables, or a _Number.
_Fields = dict[int, Any]


class _Number(NamedTuple):
    type: str  # as the builder's method spells it
    value: int


def metadata_bytes(facts: ModelMetadata) -> bytes:
    """The metadata as a FlatBuffer; the same facts give the same bytes."""
    graph = {2: [_input(facts.input)], 3: [_output(facts.output)]}
    root = {
        0: facts.name,
        1: facts.description,
        2: facts.version,
        3: [graph],
        4: facts.author,
        5: facts.license,
        6: [_file(file) for file in facts.files],
        7: facts.min_parser_version,
    }
    builder = _flatbuffers().Builder(1024)
    builder.Finish(_table(builder, root), file_identifier=known.IDENTIFIER)
    return bytes(builder.Output())


def _input(facts: InputMetadata) -> _Fields:
    image: _Fields = {0: _Number("Uint8", known.COLOUR_SPACES.index(facts.colour_space))}
    if facts.width and facts.height:
        image[1] = {0: _Number("Uint32", facts.width), 1: _Number("Uint32", facts.height)}
    normalization = {0: _Number("Uint8", known.NORMALIZATION), 1: {0: facts.mean, 1: facts.std}}
    return {
        0: facts.name,
        1: facts.description,
        3: {0: _Number("Uint8", known.IMAGE_PROPERTIES), 1: image},
        4: [normalization] if facts.mean else [],
        5: {0: facts.maximum, 1: facts.minimum},
    }


def _output(facts: OutputMetadata) -> _Fields:
    return {
        0: facts.name,
        1: facts.description,
        3: {0: _Number("Uint8", known.FEATURE_PROPERTIES), 1: {}},
        5: {0: facts.maximum, 1: facts.minimum},
        6: [_file(file) for file in facts.files],
    }


def _file(facts: AssociatedFile) -> _Fields:
    kind = _Number("Uint8", known.FILE_TYPES.index(facts.type))
    return {0: facts.name, 1: facts.description, 2: kind, 3: facts.locale}


def _table(builder: Any, fields: _Fields) -> int:
    """Write a table, what it refers to first; empty strings, vectors and lists are left out."""
    placed = {number: _place(builder, value) for number, value in fields.items() if value not in ("", (), [])}
    builder.StartObject(max(fields, default=-1) + 1)
    for number, value in placed.items():
        if isinstance(value, _Number):
            getattr(builder, f"Prepend{value.type}Slot")(number, value.value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(number, value, 0)
    return int(builder.EndObject())


def _place(builder: Any, value: Any) -> int | _Number:
    if isinstance(value, _Number):
        return value
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, dict):
        return _table(builder, value)
    if isinstance(value, tuple):
        return int(builder.CreateNumpyVector(np.asarray(value, dtype="<f4")))
    tables = [_table(builder, fields) for fields in value]
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def with_metadata(model: bytes, metadata: bytes) -> bytes:
    """The model with these metadata in its entry TFLITE_METADATA, in place of such that it has; all else stays.

    The same arguments give the same bytes, and constants begin at multiples of 16.
    """
    behind = len(model) - read_model(model, name="the converted model").end
    if behind > _ALIGNMENT:  # more than the builder fills up with
        raise ArtifactError(
            f"the model has {behind:,} bytes behind it; metadata go into a model before a zip is appended"
        )
    generated = generated_schema()
    tree = generated.ModelT.InitFromPackedBuf(model)
    buffer = generated.BufferT()
    buffer.data = np.frombuffer(metadata, np.uint8)
    entries = [entry for entry in tree.metadata or [] if entry.name == known.ENTRY.encode()]
    if entries:
        tree.buffers[entries[0].buffer] = buffer
    else:
        entry = generated.MetadataT()
        entry.name, entry.buffer = known.ENTRY, len(tree.buffers)
        tree.buffers.append(buffer)
        tree.metadata = [*(tree.metadata or []), entry]
    return repacked(tree, size=len(model) + len(metadata))


def generated_schema() -> Any:
    """TensorFlow's own classes for the tables of a model."""
    backend.tensorflow()
    return importlib.import_module("tensorflow.lite.python.schema_py_generated")


def repacked(tree: Any, *, size: int) -> bytes:
    """A model of those classes as bytes, of about so many; equal lists of numbers are written once.

    Every channel of every layer has a zero point of 8 bytes for its weights and one for its bias, all of them nought:
    shared, they no longer are a twelfth of a small network.
    """
    builder = _sparing_builder(size + 4096)
    builder.Finish(tree.Pack(builder), file_identifier=schema.IDENTIFIER)
    return bytes(builder.Output())


def _sparing_builder(size: int) -> Any:
    class SparingBuilder(_flatbuffers().Builder):  # type: ignore[misc]
        """Puts bytes where the schema wants them, which the generated Python code does not ask for; and no list twice.

        Two tables may refer to one vector: a flatbuffer is a graph without rings.
        """

        def __init__(self, size: int) -> None:
            super().__init__(size)
            self._written: dict[tuple[str, bytes], Any] = {}

        def CreateNumpyVector(self, x: Any) -> Any:
            if x.dtype == np.uint8:  # constants: each belongs to one layer
                self.Prep(_ALIGNMENT, x.size)
                return super().CreateNumpyVector(x)
            key = (x.dtype.str, x.tobytes())
            if key not in self._written:
                self._written[key] = super().CreateNumpyVector(x)
            return self._written[key]

    return SparingBuilder(size)


def _flatbuffers() -> Any:
    backend.tensorflow()  # which brings it, and says so where it is missing
    return importlib.import_module("flatbuffers")
