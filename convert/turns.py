"""A model that answers with the mean of a picture and its three quarter turns: one batch of four inside, one outside.

Dermoscopy has no up, but a network trained for that still answers each turn a little differently. The mean of four is
better than each (train/LOG.md), and the same whichever way the picture is held. It takes four times the work and no
more weights. The model is changed after its conversion, so that everything before sees a network as it was trained:

    picture, its transpose, a mirror image of each along either side -> CONCATENATION -> the model -> MEAN
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_melanoma.errors import RecipeError

from .metadata import generated_schema, repacked

# These treat the pictures of a batch one by one.
_EACH_ALONE = (
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEQUANTIZE", "FULLY_CONNECTED",
    "HARD_SWISH", "LOGISTIC", "MAX_POOL_2D", "MEAN", "MUL", "PAD", "PADV2", "QUANTIZE", "RELU", "RELU6", "RESHAPE",
    "SUB",
)  # fmt: skip


def turned(model: bytes, turns: int) -> bytes:
    """The model of one square picture with the mean answer of so many of its quarter turns, 1 or 4."""
    if turns == 1:
        return model
    schema = generated_schema()
    content = schema.ModelT.InitFromPackedBuf(model, 0)
    (graph,) = content.subgraphs
    work = _Work(schema, content, graph, turns)
    body = list(graph.operators)
    (given,), (answer,) = graph.inputs, graph.outputs
    batch, front = work.quarter_turns(int(given))
    work.widen(body, int(given), batch)
    mean = work.mean(int(answer))
    graph.operators = [*front, *body, mean]
    graph.outputs = np.array([mean.outputs[0]], np.int32)
    return repacked(content, size=len(model))


class _Work:
    """A model's tables, and what is added to them."""

    def __init__(self, schema: Any, content: Any, graph: Any, turns: int) -> None:
        self.schema, self.content, self.graph, self.turns = schema, content, graph, turns
        codes = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
        self.kinds = [codes[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in content.operatorCodes]

    def quarter_turns(self, given: int) -> tuple[int, list[Any]]:
        """The tensor with the picture turned by 0, 90, 180 and 270 degrees, and the operators that make it."""
        picture = self.graph.tensors[given]
        _, height, width, _ = picture.shape
        if height != width:
            raise RecipeError(f"turns {self.turns}: a picture of {width}x{height} is another shape when it is turned")
        operators: list[Any] = []

        def made(kind: str, inputs: list[int], name: str, options: tuple[str, Any] | None = None) -> int:
            output = self.tensor_like(picture, f"turns/{name}")
            operators.append(self.operator(kind, [*inputs], output, options))
            return output

        def reversed_along(axis: int, of: int, name: str) -> int:
            return made("REVERSE_V2", [of, self.constant([axis], f"turns/axis {axis}")], name, ("ReverseV2Options", {}))

        across = self.constant([0, 2, 1, 3], "turns/transposed axes")
        transposed = made("TRANSPOSE", [given, across], "transposed", ("TransposeOptions", {}))
        quarter = reversed_along(1, transposed, "90")
        three = reversed_along(2, transposed, "270")
        half = reversed_along(2, reversed_along(1, given, "upside down"), "180")
        batch = made("CONCATENATION", [given, quarter, half, three], "all", ("ConcatenationOptions", {"axis": 0}))
        self.graph.tensors[batch].shape = np.array([self.turns, *picture.shape[1:]], np.int32)
        return batch, operators

    def widen(self, operators: list[Any], given: int, batch: int) -> None:
        """Let the operators work on the batch in place of the one picture."""
        wide = {given}
        for operator in operators:
            kind = self.kinds[operator.opcodeIndex]
            if wide.isdisjoint(int(place) for place in operator.inputs):
                continue  # it makes weights of weights
            if kind not in _EACH_ALONE:
                raise RecipeError(f"turns {self.turns}: not with a network that has {kind}; it is made for one picture")
            if kind == "CONCATENATION":
                self._repeat_constants(operator, wide)
            if kind == "RESHAPE":
                self._reshape(operator)
            for place in operator.outputs:
                tensor = self.graph.tensors[place]
                if tensor.shape[0] != 1:
                    shape = list(tensor.shape)
                    raise RecipeError(f"turns {self.turns}: {kind} makes {shape}, which is no batch of one")
                tensor.shape = np.array([self.turns, *tensor.shape[1:]], np.int32)
                tensor.shapeSignature = None
                wide.add(int(place))
            operator.inputs = np.array([batch if place == given else place for place in operator.inputs], np.int32)

    def mean(self, answer: int) -> Any:
        """The operator that makes one answer of four."""
        several = self.graph.tensors[answer]
        one = self.tensor_like(several, several.name.decode())
        self.graph.tensors[one].shape = np.array([1, *several.shape[1:]], np.int32)
        several.name = b"turns/answers"
        axis = self.constant([0], "turns/axis 0")
        return self.operator("MEAN", [answer, axis], one, ("ReducerOptions", {"keepDims": True}))

    def _repeat_constants(self, operator: Any, wide: set[int]) -> None:
        """A border that is put to one picture is put to each."""
        places = []
        for place in map(int, operator.inputs):
            tensor = self.graph.tensors[place]
            if place not in wide:
                repeated = self.tensor_like(tensor, f"{tensor.name.decode()} for each")
                self.graph.tensors[repeated].shape = np.array([self.turns, *tensor.shape[1:]], np.int32)
                data = np.tile(self.content.buffers[tensor.buffer].data, self.turns)
                self.graph.tensors[repeated].buffer = self.buffer(data)
                place = repeated
            places.append(place)
        operator.inputs = np.array(places, np.int32)

    def _reshape(self, operator: Any) -> None:
        """To as many rows as there are pictures."""
        shape = [self.turns, *self.graph.tensors[int(operator.outputs[0])].shape[1:]]
        operator.inputs = np.array([operator.inputs[0], self.constant(shape, "turns/shape")], np.int32)
        if operator.builtinOptions is not None:
            operator.builtinOptions.newShape = np.array(shape, np.int32)

    def tensor_like(self, other: Any, name: str) -> int:
        """A new tensor of the same shape, type and scale; its number."""
        tensor = self.schema.TensorT()
        tensor.shape, tensor.type, tensor.quantization = other.shape, other.type, other.quantization
        tensor.name, tensor.hasRank = name.encode(), other.hasRank
        tensor.buffer = self.buffer(None)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, values: list[int], name: str) -> int:
        """A new list of whole numbers; its number among the tensors."""
        tensor = self.schema.TensorT()
        tensor.shape, tensor.type = np.array([len(values)], np.int32), self.schema.TensorType.INT32
        tensor.name = name.encode()
        tensor.buffer = self.buffer(np.frombuffer(np.array(values, "<i4").tobytes(), np.uint8))
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def buffer(self, data: Any) -> int:
        """A new buffer; its number."""
        buffer = self.schema.BufferT()
        buffer.data = data
        self.content.buffers.append(buffer)
        return len(self.content.buffers) - 1

    def operator(self, kind: str, inputs: list[int], output: int, options: tuple[str, Any] | None) -> Any:
        """A new operator."""
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self.code(kind)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options is not None:
            name, values = options
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, name)
            operator.builtinOptions = getattr(self.schema, f"{name}T")()
            for key, value in values.items():
                setattr(operator.builtinOptions, key, value)
        return operator

    def code(self, kind: str) -> int:
        """The number of a kind of operator among those of the model."""
        if kind not in self.kinds:
            code = self.schema.OperatorCodeT()
            code.builtinCode = getattr(self.schema.BuiltinOperator, kind)
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)
            code.version = 1
            self.content.operatorCodes.append(code)
            self.kinds.append(kind)
        return self.kinds.index(kind)
