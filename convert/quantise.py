"""Quantisation-aware training: the network learns with the rounding that the device will do.

    qat = quantise_aware(model)              # rounding is played in float; weights are copies
    calibrate_ranges(qat, batches)           # before the first step, or the first thousand steps repair the ranges
    ...                                      # train it like any model
    tflite = to_tflite_qat(qat)

Layers keep their names; those that round are wrapped (tfmot's QuantizeWrapperV2), the layer itself is in `.layer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend

from .export import convert, converter_of
from .fake_quant import KERNELS, KernelRules, classes, fixed
from .graph import Layer, Layout, Model
from .normalisation import BORDER, BORDER_CLASS, border_objects, with_pixel_border
from .places import Place, places
from .rounding import rounded


def quantise_aware(
    model: Model,
    *,
    pictures: NDArray[np.uint8] | None = None,
    keep_sparsity: bool = False,
    keep_clusters: bool = False,
) -> Model:
    """A copy of the network that rounds as the device does; RecipeError names layers that it cannot have.

    With pictures, it begins at the kernels that `rounded` finds for them, that is, where int8 without training ends.
    Zeros of pruned kernels stay zero with `keep_sparsity`, equal values stay equal with `keep_clusters`, whatever the
    training does.
    """
    base = _prepared(model)
    plan = places(Layout(base))
    rules = {layer.name: _rules(layer, keep_sparsity, keep_clusters) for layer in base.layers}
    if pictures is not None:
        tied = [name for name, rule in rules.items() if rule.ties is not None]
        base = rounded(base, pictures, exact=tied, custom_objects=border_objects())

    def wrapped(layer: Layer) -> Layer:
        kind = classes().FrozenBatchNorm if type(layer).__name__ == "BatchNormalization" else type(layer)
        fresh = kind.from_config(layer.get_config())
        place = plan[layer.name]
        if place.plain:
            return fresh
        wrapper = backend.model_optimization().quantization.keras.QuantizeWrapperV2
        # the names of the layers stay, so that a head is still found by its name
        return wrapper(fresh, _config(fresh, place, rules[layer.name]), name_prefix="")

    quantised = backend.keras().models.clone_model(base, clone_function=wrapped)
    for layer in base.layers:
        _take_weights(quantised.get_layer(layer.name), layer)
    return quantised


def calibrate_ranges(quantised: Model, batches: Iterable[NDArray[Any]]) -> int:
    """Set the range of every output to what these pictures need, in a float pass without rounding; how many pictures.

    Nothing else is changed: not the batch norms' statistics, and no weights.
    """
    tf = backend.tensorflow()
    ranges = [config.output for config in _configs(quantised) if hasattr(config.output, "observing")]
    count = 0
    try:
        for quantiser in ranges:
            quantiser.observing, quantiser.seen = True, (0.0, 0.0)
        for batch in batches:
            quantised(tf.constant(batch, tf.float32), training=False)
            count += len(batch)
    finally:
        for quantiser in ranges:
            quantiser.observing = False
    for quantiser in ranges if count else ():
        for variable, value in zip(quantiser.variables, quantiser.seen, strict=True):
            variable.assign(value)
    return count


def to_tflite_qat(quantised: Model) -> bytes:
    """The trained network as int8: uint8 pixels in (scale 1, zero point 0), uint8 logits out."""
    tf = backend.tensorflow()
    with _on_grid(quantised), _scaling_folded(quantised):
        converter = converter_of(quantised)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
        return convert(converter)


def _prepared(model: Model) -> Model:
    """The network with a border in front, if only of no width, because there the range of pixels is said; and without
    dropout, whose noise is larger than what is to be learnt."""
    layout = Layout(with_pixel_border(model))
    for name in [name for name in layout.layers if layout.kind(name) == "Dropout"]:
        layout.remove(name)
    if BORDER not in layout.layers:
        config = {"amounts": [[0, 0], [0, 0]], "pixel": [0.0, 0.0, 0.0]}
        layout.insert_after(layout.input, BORDER, BORDER_CLASS, config)
    return layout.build({}, custom_objects=border_objects())


def _config(layer: Layer, place: Place, rules: KernelRules) -> Any:
    known, kind = classes(), type(layer).__name__
    output = None
    if place.output is not None:
        output = known.ActivationRange() if place.output == "measured" else fixed(place.output)
    grid = known.DepthwiseGrid if kind == "DepthwiseConv2D" else known.KernelGrid
    return known.Config(KERNELS.get(kind), grid(rules), output)


def _rules(layer: Layer, keep_sparsity: bool, keep_clusters: bool) -> KernelRules:
    kernel = layer.get_weights()[0] if type(layer).__name__ in KERNELS else np.ones(1, np.float32)
    mask = (kernel != 0).astype(np.float32) if keep_sparsity and not np.all(kernel) else None
    values, ties = np.unique(kernel, return_inverse=True)
    few = keep_clusters and len(values) <= min(256, kernel.size // 2)
    return KernelRules(mask=mask, ties=ties.reshape(kernel.shape).astype(np.int32) if few else None)


def _take_weights(layer: Layer, source: Layer) -> None:
    """Give a layer, wrapped or not, the weights of another, by their names; ranges are left alone."""
    own = {_short_name(weight): weight for weight in layer.weights}
    for weight in source.weights:
        own[_short_name(weight)].assign(weight)


def _short_name(weight: Any) -> str:
    return str(weight.name).rpartition("/")[2].partition(":")[0]


def _configs(quantised: Model) -> Iterator[Any]:
    return (layer.quantize_config for layer in quantised.layers if hasattr(layer, "quantize_config"))


@contextmanager
def _on_grid(quantised: Model) -> Iterator[None]:
    """For a while the kernels are what they are rounded to, for the converter to find the same steps by itself.

    It cannot read a depthwise kernel that is rounded by channel in the graph.
    """
    configs = [config for config in _configs(quantised) if config.kernel is not None]
    before = [config.kernel.numpy() for config in configs]
    try:
        for config in configs:
            config.kernel.assign(config.kernel_quantiser(config.kernel, False, {}))
            config.kernel_quantiser.resting = True
        yield
    finally:
        for config, kernel in zip(configs, before, strict=True):
            config.kernel.assign(kernel)
            config.kernel_quantiser.resting = False


@contextmanager
def _scaling_folded(quantised: Model) -> Iterator[None]:
    """For a while the first convolution takes pixels as they are, by the very steps that the training has rounded to.

    A scaling by one factor leaves a grid a grid, and the bias is computed from the rounded kernel: nothing is lost.
    """
    rescaling = quantised.get_layer(BORDER).outbound_nodes[0].outbound_layer
    if type(rescaling).__name__ != "Rescaling":
        yield
        return
    stem = rescaling.outbound_nodes[0].outbound_layer
    config, bias = stem.quantize_config, stem.layer.bias
    before = config.kernel.numpy(), bias.numpy(), rescaling.scale, rescaling.offset
    kernel = np.asarray(before[0], np.float64)
    offset = np.broadcast_to(np.asarray(rescaling.offset, np.float64), kernel.shape[2])
    try:
        config.kernel.assign(kernel * rescaling.scale)
        bias.assign_add(np.einsum("hwio,i->o", kernel, offset).astype(np.float32))
        rescaling.scale, rescaling.offset = 1.0, 0.0
        yield
    finally:
        config.kernel.assign(before[0])
        bias.assign(before[1])
        rescaling.scale, rescaling.offset = before[2:]
