"""What a .tflite file says of itself: operators, tensors, quantisation, metadata; nothing is run.

An interpreter trusts what it maps: a tensor's number, a shape, the size of a constant. Here all of that is checked
while it is read, so that a file that reads without ArtifactError may be shown, judged by `rules` and given to an
interpreter.

    model = read_model(path.read_bytes(), name=str(path))
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_melanoma.tflite import schema
from edge_melanoma.tflite.flatbuffer import FlatBuffer, Table
from edge_melanoma.tflite.parts import Operator, Subgraph, Tensor, TfliteModel, quoted
from edge_melanoma.tflite.soundness import check_calls, check_graph, check_tensor

__all__ = ["Operator", "Subgraph", "Tensor", "TfliteModel", "read_model"]

Constants = Sequence[tuple[int, memoryview]]  # where in the file, and the bytes
Codes = Sequence[tuple[str, str | None, int]]  # name, custom code, version

_OUTSIDE = "the tool reads only models whose constants lie inside the tables; convert it again"


def read_model(data: bytes | memoryview, *, name: str) -> TfliteModel:
    """The model in these bytes, of the file `name`; ArtifactError says what is wrong with it.

    Something else may follow the model in the file: `end` tells whether a part of the model reaches into it.
    """
    file = FlatBuffer(data, name=name, kind=".tflite model", identifier=schema.IDENTIFIER)
    root = file.root("model")
    version = root.integer(0, "I", "schema version")
    if version != schema.VERSION:
        file.refuse(f"has schema version {version}; {schema.VERSION} is read", remedy="convert it again")
    if root.tables(8, "external buffer group") or root.tables(9, "external buffer"):
        file.refuse("keeps constants in other files", remedy=_OUTSIDE)
    constants = _constants(root)
    codes = [_code(table) for table in root.tables(1, "operator code")]
    tables = root.tables(2, "subgraph")
    if not tables:
        file.refuse("has no subgraph, so nothing to run")
    graphs = tuple(_subgraph(table, index, codes, constants) for index, table in enumerate(tables))
    check_calls(file, graphs)
    for number in root.integers(5, "metadata buffers"):
        _in_range(root, number, len(constants), "metadata buffer")
    metadata = _metadata(root, constants)
    _check_signatures(root, graphs)
    return TfliteModel(
        name=name,
        version=version,
        description=root.text(3, "description") or "",
        subgraphs=graphs,
        metadata=metadata,
        end=file.end,
    )


def _constants(root: Table) -> Constants:
    constants = []
    for number, table in enumerate(root.tables(4, "buffer")):
        if table.integer(1, "Q", "offset") or table.integer(2, "Q", "size"):
            root.file.refuse(f"buffer {number} lies behind the tables", remedy=_OUTSIDE)
        constants.append(table.raw(0, "data"))
    if constants and len(constants[0][1]):
        root.file.refuse("buffer 0 has data; it stands for no data and has to be empty")
    return constants


def _code(table: Table) -> tuple[str, str | None, int]:
    # old files have the number in the first field, which holds no more than 127; readers take the larger
    number = max(table.integer(0, "b", "old code"), table.integer(3, "i", "code"))
    if not 0 <= number < len(schema.OPERATORS):
        known = f"0 to {len(schema.OPERATORS) - 1} are known"
        table.file.refuse(f"{table.where} is {number}; {known}", remedy="convert it with TensorFlow 2.21 or older")
    name, custom = schema.OPERATORS[number], table.text(1, "custom code")
    if name == "CUSTOM" and not custom:
        table.file.refuse(f"{table.where} is CUSTOM and has no name")
    version = table.integer(2, "i", "version", default=1)
    if version < 1:
        table.file.refuse(f"{table.where} ({name}) has version {version}; versions begin at 1")
    return name, custom if name == "CUSTOM" else None, version


def _subgraph(table: Table, index: int, codes: Codes, constants: Constants) -> Subgraph:
    tensors = tuple(_tensor(one, number, constants) for number, one in enumerate(table.tables(0, "tensor")))
    graph = Subgraph(
        index=index,
        name=table.text(4, "name") or "",
        tensors=tensors,
        operators=tuple(_operator(one, number, codes) for number, one in enumerate(table.tables(3, "operator"))),
        inputs=table.integers(1, "inputs"),
        outputs=table.integers(2, "outputs"),
    )
    check_graph(table.file, graph)
    return graph


def _tensor(table: Table, index: int, constants: Constants) -> Tensor:
    file, name = table.file, table.text(3, "name") or ""
    table.where = f"tensor {index} ({quoted(name)})"
    number = table.integer(1, "b", "type")
    if not 0 <= number < len(schema.TYPES):
        file.refuse(f"{table.where} has type {number}; 0 to {len(schema.TYPES) - 1} are known")
    if table.has(6):
        file.refuse(f"{table.where} is sparse", remedy="convert the model without EXPERIMENTAL_SPARSITY")
    if table.has(9) or table.integer(10, "I", "external buffer"):
        file.refuse(f"{table.where} is a list or lies in another file", remedy="such models are not read")
    buffer = table.integer(2, "I", "buffer")
    _in_range(table, buffer, len(constants), "buffer")
    shape = table.integers(0, "shape")
    scales, zero_points, dimension = _quantization(table)
    tensor = Tensor(
        index=index,
        name=name,
        type=schema.TYPES[number][0],
        shape=shape,
        shape_signature=table.integers(7, "shape signature") or shape,
        scales=scales,
        zero_points=zero_points,
        quantized_dimension=dimension,
        variable=bool(table.integer(5, "B", "is variable")),
        buffer=buffer,
        data_start=constants[buffer][0],
        data=constants[buffer][1],
    )
    check_tensor(file, tensor)
    return tensor


def _quantization(table: Table) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    found = table.table(4, f"{table.where}, quantisation")
    if found is None:
        return (), (), 0
    if found.integer(4, "B", "kind"):
        found.file.refuse(f"{found.where}: is of a kind of its own (custom or blockwise)", remedy="it is not read")
    for number, what in ((0, "lowest"), (1, "highest")):  # what calibration saw; nothing is computed with it
        found.numbers(number, "<f4", what)
    scales = tuple(found.numbers(2, "<f4", "scales").tolist())
    zero_points = tuple(found.numbers(3, "<i8", "zero points").tolist())
    return scales, zero_points, found.integer(6, "i", "dimension")


def _operator(table: Table, index: int, codes: Codes) -> Operator:
    file, number = table.file, table.integer(0, "I", "operator code")
    _in_range(table, number, len(codes), "operator code")
    name, custom, version = codes[number]
    table.where = f"operator {index} ({quoted(custom) if custom else name})"
    if table.integer(9, "Q", "settings") or table.integer(10, "Q", "settings"):
        file.refuse(f"{table.where} has its settings behind the tables", remedy=_OUTSIDE)
    if table.integer(11, "B", "settings of the second kind"):
        file.refuse(f"{table.where} has settings of a kind that is not read (StableHLO)")
    table.raw(5, "custom settings")
    table.raw(7, "variable inputs")
    return Operator(
        index=index,
        name=name,
        custom_code=custom,
        version=version,
        inputs=table.integers(1, "inputs"),
        outputs=table.integers(2, "outputs"),
        intermediates=table.integers(8, "intermediates"),
        subgraphs=_options(table, name),
    )


def _options(table: Table, name: str) -> tuple[int, ...]:
    """Look at every byte of an operator's settings; the subgraphs that they name."""
    kind, options = table.integer(3, "B", "kind of settings"), table.table(4, f"{table.where}, settings")
    if kind >= schema.OPTION_KINDS:
        table.file.refuse(f"{table.where} has settings of kind {kind}; 0 to {schema.OPTION_KINDS - 1} are known")
    if name in schema.CALLS and (options is None or kind != schema.CALLS[name][0]):
        table.file.refuse(f"{table.where} does not say which subgraph it calls")
    if options is None:
        return ()
    for number, item in schema.OPTION_VECTORS.get(kind, {}).items():
        if item == "text":
            options.text(number, "name")
        else:
            options.numbers(number, item, "numbers")
    if name not in schema.CALLS:
        return ()
    return tuple(options.integer(number, "i", "subgraph") for number in schema.CALLS[name][1])


def _metadata(root: Table, constants: Constants) -> dict[str, bytes]:
    entries: dict[str, bytes] = {}
    for table in root.tables(6, "metadata entry"):
        name, buffer = table.text(0, "name") or "", table.integer(1, "I", "buffer")
        _in_range(table, buffer, len(constants), "buffer")
        if name in entries:
            root.file.refuse(f"has two metadata entries {quoted(name)}; readers would differ in which they take")
        root.file.spend(len(constants[buffer][1]))
        entries[name] = bytes(constants[buffer][1])
    return entries


def _check_signatures(root: Table, graphs: Sequence[Subgraph]) -> None:
    for signature in root.tables(7, "signature"):
        signature.text(2, "name")
        graph = signature.integer(4, "I", "subgraph")
        _in_range(signature, graph, len(graphs), "subgraph")
        for entry in signature.tables(0, "signature input") + signature.tables(1, "signature output"):
            entry.text(0, "name")
            _in_range(entry, entry.integer(1, "I", "tensor"), len(graphs[graph].tensors), "tensor")


def _in_range(table: Table, number: int, count: int, what: str) -> None:
    if not 0 <= number < count:
        table.file.refuse(f"{table.where} refers to {what} {number}; there are {count}")
