"""Where an integer model loses the signal: every operator's output beside what the float network has there.

    for error in layer_errors(network, tflite, pictures)[:10]: ...      # worst first

The engine is asked to keep every tensor, without the delegate that would hide them; operators are matched with layers
by their names (nodes.py). Channels are compared up to their scale, because evening them out changes scales that the
next layer changes back.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend, plots
from edge_melanoma.report import Cell
from edge_melanoma.runtime import engine

from .graph import Layout, Model
from .nodes import Node, nodes

PICTURES = 16
CLEAN_DB = 100.0  # an operator without an error


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """One operator of the integer model."""

    layer: str  # the last of the layers that it computes; the name to give to `float_layers`
    operator: str  # CONV_2D …
    place: int  # in the order in which they run
    snr_db: float  # signal to noise of its output: its own error and what it was given
    input_snr_db: float  # of the worst of its inputs

    @property
    def added(self) -> float:
        """The noise that it adds, as a share of its signal's power."""
        return max(0.0, _share(self.snr_db) - _share(self.input_snr_db))

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "added": self.added}


def layer_errors(network: Model, tflite: bytes, pictures: NDArray[np.uint8]) -> list[LayerError]:
    """The operators that compute a layer of the network, the worst signal first."""
    found = [(node, layer) for node in nodes(network, tflite) if (layer := _reference(network, node)) is not None]
    last = {layer: node.tensor for node, layer in found}  # a layer of several operators is whole behind the last
    chosen = pictures[np.unique(np.linspace(0, len(pictures) - 1, PICTURES).astype(int))]
    snr = _signal_to_noise(network, tflite, last, chosen)
    errors: list[LayerError] = []
    sources = {node.tensor: node.inputs for node in nodes(network, tflite)}
    for place, (node, layer) in enumerate(found):
        if last[layer] != node.tensor:
            continue
        error = LayerError(
            layer=node.layers[-1],
            operator=node.operator,
            place=place,
            snr_db=snr[node.tensor],
            input_snr_db=min((_known(name, snr, sources) for name in node.inputs), default=CLEAN_DB),
        )
        errors.append(error)
    return sorted(errors, key=lambda error: (error.snr_db, error.place))


def table(errors: Sequence[LayerError]) -> tuple[list[str], list[list[Cell]]]:
    """The report as a table: headers and rows."""
    headers = ["layer", "operator", "signal to noise, dB", "of its input, dB", "noise added"]
    rows: list[list[Cell]] = [
        [error.layer, error.operator, f"{error.snr_db:.1f}", f"{error.input_snr_db:.1f}", f"{error.added:.2%}"]
        for error in errors
    ]
    return headers, rows


def plot(errors: Sequence[LayerError], *, synthetic: bool) -> bytes:
    """Signal to noise along the network, as PNG."""
    along = sorted(errors, key=lambda error: error.place)
    return plots.lines(
        [float(error.place) for error in along],
        {"signal to noise, dB": [error.snr_db for error in along]},
        label="operator, in the order in which they run",
        synthetic=synthetic,
    )


def _reference(network: Model, node: Node) -> str | None:
    """The layer of the network whose output this operator's is: a batch norm, where one was folded before."""
    if not node.layers:
        return None
    layout, layer = Layout(network), node.layers[-1]
    following = layout.only_consumer(layer)
    folded = following is not None and layout.kind(following) == "BatchNormalization"
    return following if folded and layout.kind(layer) in ("Conv2D", "DepthwiseConv2D", "Dense") else layer


def _known(name: str, snr: dict[str, float], sources: dict[str, tuple[str, ...]]) -> float:
    """The signal to noise of a tensor; of one that is no layer's, that of what it was made from."""
    if name in snr:
        return snr[name]
    return min((_known(source, snr, sources) for source in sources.get(name, ())), default=CLEAN_DB)


def _signal_to_noise(
    network: Model, tflite: bytes, tensors: dict[str, str], pictures: NDArray[np.uint8]
) -> dict[str, float]:
    """In dB, for each tensor of the integer model that stands for a layer, over all pictures."""
    layers = list(tensors)
    probe = backend.keras().Model(network.input, [network.get_layer(layer).output for layer in layers])
    interpreter = _interpreter(tflite)
    details = {detail["name"]: detail for detail in interpreter.get_tensor_details()}
    sums = [_Sums() for _ in layers]
    for picture in pictures:
        wanted = probe(picture[None].astype(np.float32), training=False)
        given = interpreter.get_input_details()[0]
        interpreter.set_tensor(given["index"], picture[None].astype(given["dtype"]))
        interpreter.invoke()
        for total, layer, value in zip(sums, layers, wanted if len(layers) > 1 else [wanted], strict=True):
            total.add(np.asarray(value, np.float64), _values(interpreter, details[tensors[layer]]))
    output = network.output_names[0]
    return {tensors[layer]: total.snr_db(free_scale=layer != output) for layer, total in zip(layers, sums, strict=True)}


class _Sums:
    """Products of the wanted and the found values of each channel, summed over pictures."""

    def __init__(self) -> None:
        self.wanted: Any = 0.0
        self.found: Any = 0.0
        self.both: Any = 0.0

    def add(self, wanted: NDArray[np.float64], found: NDArray[np.float64]) -> None:
        wanted, found = (values.reshape(-1, wanted.shape[-1]) for values in (wanted, found))
        self.wanted = self.wanted + (wanted**2).sum(0)
        self.found = self.found + (found**2).sum(0)
        self.both = self.both + (wanted * found).sum(0)

    def snr_db(self, *, free_scale: bool) -> float:
        scale = np.where(self.found > 0, self.both / np.where(self.found > 0, self.found, 1), 1) if free_scale else 1.0
        noise = float(np.sum(self.wanted - 2 * scale * self.both + scale**2 * self.found))
        signal = float(np.sum(self.wanted))
        if signal <= 0 or noise <= signal * _share(CLEAN_DB):
            return CLEAN_DB
        return float(10 * np.log10(signal / noise))


def _share(snr_db: float) -> float:
    return float(10 ** (-snr_db / 10))


def _interpreter(tflite: bytes) -> Any:
    """The engine's interpreter, with every tensor kept: a delegate would keep its own to itself."""
    made = engine().interpreter
    kinds = importlib.import_module(made.__module__).OpResolverType
    interpreter = made(
        model_content=tflite,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    return interpreter


def _values(interpreter: Any, detail: Any) -> NDArray[np.float64]:
    """A tensor in numbers."""
    values = np.asarray(interpreter.get_tensor(detail["index"]), np.float64)
    scale, zero_point = detail["quantization"]
    return (values - zero_point) * scale if scale else values
