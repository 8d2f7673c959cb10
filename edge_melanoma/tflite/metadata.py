"""TFLite Model Metadata: what other tools read of a model (names, normalisation, labels), as a value.

It is a FlatBuffer of its own (identifier M001) in a buffer of the model, the metadata entry TFLITE_METADATA. Files that
it names, such as labels.txt, lie in a zip behind the model. The stage `convert` writes it; here it is read, as an image
classifier with one input and one output has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from edge_melanoma.tflite.flatbuffer import FlatBuffer, Table
from edge_melanoma.tflite.parts import TfliteModel

ENTRY = "TFLITE_METADATA"
IDENTIFIER = b"M001"

# In the order of their numbers, from 0.
FileType = Literal[
    "UNKNOWN",
    "DESCRIPTIONS",
    "TENSOR_AXIS_LABELS",
    "TENSOR_VALUE_LABELS",
    "TENSOR_AXIS_SCORE_CALIBRATION",
    "VOCABULARY",
    "SCANN_INDEX_FILE",
]
ColourSpace = Literal["UNKNOWN", "RGB", "GRAYSCALE"]
FILE_TYPES: tuple[FileType, ...] = get_args(FileType)
COLOUR_SPACES: tuple[ColourSpace, ...] = get_args(ColourSpace)
IMAGE_PROPERTIES, FEATURE_PROPERTIES = 2, 1  # what a tensor holds
NORMALIZATION = 1  # the one step before the model that is known here

_Name = TypeVar("_Name", bound=str)


@dataclass(frozen=True, kw_only=True)
class AssociatedFile:
    """A file in the zip behind the model."""

    name: str
    description: str = ""
    type: FileType = "UNKNOWN"
    locale: str = ""


@dataclass(frozen=True, kw_only=True)
class InputMetadata:
    """The picture that goes in; normalised, a pixel is (pixel - mean) / std before it is quantised."""

    name: str
    description: str = ""
    colour_space: ColourSpace = "RGB"
    width: int = 0  # 0 = not said: the tensor's shape says it
    height: int = 0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    minimum: tuple[float, ...] = (0.0,)  # of the normalised values
    maximum: tuple[float, ...] = (255.0,)


@dataclass(frozen=True, kw_only=True)
class OutputMetadata:
    """The tensor of scores that comes out, one for each label."""

    name: str
    description: str = ""
    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()
    files: tuple[AssociatedFile, ...] = ()

    @property
    def label_file(self) -> str | None:
        """The file whose lines are the labels; of several, tools take the first."""
        return next((file.name for file in self.files if file.type == "TENSOR_AXIS_LABELS"), None)


@dataclass(frozen=True, kw_only=True)
class ModelMetadata:
    """What the metadata say of an image classifier."""

    name: str
    description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""
    min_parser_version: str = "1.0.0"  # the first that knows all that is used here
    input: InputMetadata
    output: OutputMetadata
    files: tuple[AssociatedFile, ...] = ()  # of the model as a whole


def metadata_of(model: TfliteModel) -> ModelMetadata | None:
    """The metadata that a model carries, or None."""
    data = model.metadata.get(ENTRY)
    return None if data is None else read_metadata(data, name=model.name)


def read_metadata(data: bytes | memoryview, *, name: str) -> ModelMetadata:
    """The metadata in these bytes, of the file `name`; ArtifactError says what is wrong."""
    file = FlatBuffer(data, name=name, kind="metadata of an image classifier", identifier=IDENTIFIER)
    root = file.root("metadata")
    graph = _only(root.tables(3, "metadata of subgraph"), root, "subgraph")
    if graph.tables(5, "step before the model") or graph.tables(6, "step behind the model"):
        file.refuse("its metadata ask for steps around the whole model", remedy="such steps are not known here")
    return ModelMetadata(
        **_texts(root, name=0, description=1, version=2, author=4, license=5, min_parser_version=7),
        input=_input(_only(graph.tables(2, "input's metadata"), root, "input")),
        output=_output(_only(graph.tables(3, "output's metadata"), root, "output")),
        files=_files(root, 6),
    )


def _only(tables: list[Table], root: Table, what: str) -> Table:
    if len(tables) != 1:
        root.file.refuse(f"its metadata describe {len(tables)} {what}s; one is right", remedy="")
    return tables[0]


def _texts(table: Table, **fields: int) -> dict[str, Any]:
    return {name: table.text(number, name) or "" for name, number in fields.items()}


def _floats(table: Table | None, field: int, what: str) -> tuple[float, ...]:
    return () if table is None else tuple(table.numbers(field, "<f4", what).tolist())


def _input(table: Table) -> InputMetadata:
    content = table.table(3, "input's content")
    if content is None or content.integer(0, "B", "kind") != IMAGE_PROPERTIES:
        table.file.refuse("its metadata do not say that a picture goes in", remedy="")
    image = content.table(1, "input's picture")
    size = image.table(1, "input's size") if image else None
    mean, std = _normalization(table)
    stats = table.table(5, "input's range")
    return InputMetadata(
        **_texts(table, name=0, description=1),
        colour_space=_named(COLOUR_SPACES, image, 0, "colour space") if image else "UNKNOWN",
        width=size.integer(0, "I", "width") if size else 0,
        height=size.integer(1, "I", "height") if size else 0,
        mean=mean,
        std=std,
        maximum=_floats(stats, 0, "highest values"),
        minimum=_floats(stats, 1, "lowest values"),
    )


def _normalization(table: Table) -> tuple[tuple[float, ...], tuple[float, ...]]:
    units = table.tables(4, "step before the model")
    if not units:
        return (), ()
    options = units[0].table(1, "normalisation")
    if len(units) > 1 or units[0].integer(0, "B", "kind") != NORMALIZATION or options is None:
        table.file.refuse("its metadata ask for more before the model than a normalisation", remedy="")
    return _floats(options, 0, "mean"), _floats(options, 1, "std")


def _output(table: Table) -> OutputMetadata:
    if table.tables(4, "step behind the model"):
        table.file.refuse("its metadata ask for a step behind the model", remedy="such steps are not known here")
    stats = table.table(5, "output's range")
    return OutputMetadata(
        **_texts(table, name=0, description=1),
        maximum=_floats(stats, 0, "highest values"),
        minimum=_floats(stats, 1, "lowest values"),
        files=_files(table, 6),
    )


def _files(table: Table, field: int) -> tuple[AssociatedFile, ...]:
    return tuple(
        AssociatedFile(
            **_texts(one, name=0, description=1, locale=3),
            type=_named(FILE_TYPES, one, 2, "file type"),
        )
        for one in table.tables(field, "associated file")
    )


def _named(names: tuple[_Name, ...], table: Table, field: int, what: str) -> _Name:
    number = table.integer(field, "b", what)
    if not 0 <= number < len(names):
        table.file.refuse(f"its metadata have {what} {number}; 0 to {len(names) - 1} are known")
    return names[number]
