"""A Keras model as the bytes of a .tflite, in five kinds; batch 1, raw RGB in, logits out.

    float32, float16    float32 pixels 0..255 in, float32 logits out
    dynamic             as float32, with weights in 8 bits
    int8                uint8 pixels in (scale 1, zero point 0), uint8 logits out; `float_layers` stay float
    int16x8             float32 pixels in, float32 logits out, activations in 16 bits and weights in 8

Equal input gives equal bytes on one machine.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend
from edge_melanoma.errors import RecipeError

from .graph import Model
from .nodes import layers_with, tensors_of
from .normalisation import border_objects, fold_normalisation
from .rounding import rounded

Kind = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CALIBRATED: tuple[Kind, ...] = ("int8", "int16x8")
Pictures = NDArray[np.uint8]  # [picture, height, width, channel]


def to_tflite(
    model: Model,
    kind: Kind,
    *,
    calibration: Pictures | None = None,
    float_layers: Sequence[str] = (),
    fit_weights: bool = False,
) -> bytes:
    """The model converted; the kinds that compute in integers need pictures to see the range of every tensor on.

    The converter rounds each weight to its nearest step; with `fit_weights` they are rounded before, on the same
    pictures, so that the errors cancel (rounding.py).
    """
    if kind not in KINDS:
        raise RecipeError(f"kind {kind!r} is unknown; known: {', '.join(KINDS)}")
    if float_layers and kind != "int8":
        raise RecipeError(f"float_layers are for int8, not for {kind}, which quantises no activation or all")
    if kind in CALIBRATED:
        pictures = _checked(model, kind, calibration)
        network = deployable(model, pictures, float_layers=float_layers) if fit_weights else fold_normalisation(model)
        return _quantised(network, kind, pictures, float_layers)
    tf = backend.tensorflow()
    converter = converter_of(model)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return convert(converter)


def deployable(model: Model, calibration: Pictures, *, float_layers: Sequence[str] = ()) -> Model:
    """The network as integers will compute it, still in float: pixels as they are, weights on their grid."""
    folded = fold_normalisation(model)
    exact = layers_with(folded, convert(converter_of(folded)), float_layers) if float_layers else ()
    return rounded(folded, calibration, exact=exact, custom_objects=border_objects())


def converter_of(model: Model) -> Any:
    """A converter of the model at batch 1 with an input called image."""
    tf = backend.tensorflow()
    shape = (1, *model.input_shape[1:])
    function = tf.function(lambda image: model(image, training=False), autograph=False)
    concrete = function.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="image"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    converter.experimental_lower_to_saved_model = False  # the same operations, in a tenth of the time
    return converter


def convert(converter: Any) -> bytes:
    """Run the converter, without what it says on every conversion."""
    with _quiet():
        try:
            return bytes(converter.convert())
        except Exception as error:  # its own errors are of several unrelated classes
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise RecipeError(f"the network cannot be converted: {reason}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), backend.quiet_native_log():
        # said whenever ranges are measured instead of given
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected", UserWarning)
        yield


def _checked(model: Model, kind: str, calibration: Pictures | None) -> Pictures:
    shape = tuple(model.input_shape[1:])
    if calibration is None or not len(calibration):
        raise RecipeError(f"{kind} needs pictures to calibrate on: uint8, [n, {', '.join(map(str, shape))}]")
    if calibration.dtype != np.uint8 or calibration.shape[1:] != shape:
        raise RecipeError(
            f"the pictures to calibrate on are {calibration.dtype} {list(calibration.shape)}; "
            f"they must be uint8, [n, {', '.join(map(str, shape))}]"
        )
    return calibration


def _quantised(network: Model, kind: str, pictures: Pictures, float_layers: Sequence[str]) -> bytes:
    tf = backend.tensorflow()
    converter = converter_of(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([picture[None].astype(np.float32)] for picture in _spanning(pictures))
    if kind == "int16x8":
        operations = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [operations]
        return convert(converter)
    if float_layers:
        return _with_float_layers(network, converter, float_layers)
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]  # or it would leave some in float
    return convert(converter)


def _spanning(pictures: Pictures) -> Iterator[NDArray[np.uint8]]:
    """The pictures, with black and white among their pixels: the input's range is 0 to 255, so that its scale is 1."""
    first = pictures[0].copy()
    if pictures.min() > 0:
        first[0, 0] = 0
    if pictures.max() < 255:
        first[-1, -1] = 255
    yield first
    yield from pictures[1:]


def _with_float_layers(network: Model, converter: Any, float_layers: Sequence[str]) -> bytes:
    """The converter's own two steps, because the second alone takes a list of operators to leave in float."""
    tf = backend.tensorflow()
    converter._experimental_calibrate_only = True
    calibrated = convert(converter)
    kept = tensors_of(network, calibrated, float_layers)
    with _quiet():
        quantise = backend.lite_quantiser()
        return bytes(quantise(calibrated, input_data_type=tf.uint8, output_data_type=tf.uint8, denylisted_nodes=kept))
