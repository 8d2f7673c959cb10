"""The normalisation of pixels, moved into the first convolution, so that an integer model takes raw bytes as they are.

    conv(scale * (pixel - mean))  =  conv'(pixel) + bias        conv' = scale * conv, bias = -mean * sum(conv')

That holds inside the picture. At its border the network pads zeros *after* normalising, that is, with the mean as a
pixel; a convolution of raw pixels would pad black. So the border is drawn by a layer of its own, in pixels of the mean,
and the convolution pads no more. Then both are equal; quantised, the mean becomes a byte, which is at most half a grey
level off. Measured on MobileNetV2: no slower than padding inside the convolution, where a separate scaling is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend
from edge_melanoma.errors import RecipeError

from .graph import Layout, Model

BORDER, BORDER_CLASS = "border", "PixelBorder"


@dataclass(frozen=True, kw_only=True)
class Stem:
    """The first layers of a network: scaling, perhaps a padding of its own, convolution."""

    rescaling: str
    convolution: str
    padding: str | None  # a ZeroPadding2D
    scale: NDArray[np.float64]  # of each channel of the picture
    mean: NDArray[np.float64]  # the pixel that becomes zero

    @property
    def border_pixel(self) -> NDArray[np.float64]:
        """The pixel that is zero to the network: the mean, as far as a byte can be it."""
        return np.clip(self.mean, 0, 255)


def fold_normalisation(model: Model) -> Model:
    """The same network, with weights of its own, that convolves raw pixels 0..255; a model that does not scale is
    copied as it is."""
    layout = Layout(model)
    stem = _stem(layout)
    if stem is None:
        return layout.build({}, custom_objects=border_objects())
    kernel, bias = _weights(model, stem)
    folded = kernel * stem.scale[:, None]
    _give_bias(layout, stem)
    _draw_border(layout, stem)
    layout.remove(stem.rescaling)
    offset = np.einsum("hwio,i->o", folded, stem.mean)
    return layout.build({stem.convolution: [folded, bias - offset]}, custom_objects=border_objects())


def with_pixel_border(model: Model) -> Model:
    """The same network, with weights of its own, made ready for `fold_scaling` after a training.

    The scaling stays, by one factor for all channels (its place is in the kernel where they differ), so that kernels
    and inputs have the size that a training is tuned for.
    """
    layout = Layout(model)
    stem = _stem(layout)
    if stem is None:
        return layout.build({}, custom_objects=border_objects())
    kernel, bias = _weights(model, stem)
    factor = float(np.mean(stem.scale))
    _give_bias(layout, stem)
    _draw_border(layout, stem)
    layout.config(stem.rescaling).update(scale=factor, offset=[float(-mean * factor) for mean in stem.mean])
    kernel = kernel * (stem.scale / factor)[:, None]
    return layout.build({stem.convolution: [kernel, bias]}, custom_objects=border_objects())


def _stem(layout: Layout) -> Stem | None:
    rescaling = layout.only_consumer(layout.input)
    if rescaling is None or layout.kind(rescaling) != "Rescaling":
        return None
    path = [rescaling]
    while (following := layout.only_consumer(path[-1])) and layout.kind(following) == "ZeroPadding2D":
        path.append(following)
    if following is None or layout.kind(following) != "Conv2D":
        raise RecipeError(
            f"the normalisation {rescaling!r} cannot be folded: after it must come one Conv2D, perhaps behind one "
            f"ZeroPadding2D, and nothing else; here comes {following or layout.consumers(path[-1])}"
        )
    convolution = layout.config(following)
    padded = path[1] if len(path) == 2 else None
    plain = tuple(convolution["dilation_rate"]) == (1, 1) and convolution["groups"] == 1
    if len(path) > 2 or not plain or (padded and convolution["padding"] == "same"):
        raise RecipeError(
            f"the normalisation {rescaling!r} cannot be folded: layer {following!r} must be a plain convolution that "
            "is padded once (no dilation, one group)"
        )
    config = layout.config(rescaling)
    scale = np.broadcast_to(np.asarray(config["scale"], np.float64), 3)
    if not np.all(scale > 0):
        raise RecipeError(f"the normalisation {rescaling!r} cannot be folded: its scale must be above zero")
    mean = -np.asarray(config["offset"], np.float64) / scale
    return Stem(rescaling=rescaling, convolution=following, padding=padded, scale=scale, mean=mean)


def _weights(model: Model, stem: Stem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    kernel, *bias = (np.asarray(values, np.float64) for values in model.get_layer(stem.convolution).get_weights())
    return kernel, bias[0] if bias else np.zeros(kernel.shape[-1])


def _give_bias(layout: Layout, stem: Stem) -> None:
    layout.config(stem.convolution)["use_bias"] = True


def _draw_border(layout: Layout, stem: Stem) -> None:
    """Pad in front of the scaling, in pixels; where the mean is black the convolution may pad as before."""
    convolution = layout.config(stem.convolution)
    if not stem.border_pixel.any():
        return
    if stem.padding:
        (above, below), (left, right) = layout.config(stem.padding)["padding"]
        layout.remove(stem.padding)
    elif convolution["padding"] == "same":
        height, width = layout.config(layout.input)["batch_input_shape"][1:3]
        size, stride = convolution["kernel_size"], convolution["strides"]
        above, below = _same_padding(height, size[0], stride[0])
        left, right = _same_padding(width, size[1], stride[1])
    else:
        return
    convolution["padding"] = "valid"
    if above or below or left or right:
        pixel = [float(value) for value in stem.border_pixel]
        config = {"amounts": [[above, below], [left, right]], "pixel": pixel}
        layout.insert_after(layout.input, BORDER, BORDER_CLASS, config)


def _same_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """How TensorFlow pads for "same": the odd pixel goes to the far side."""
    total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2


def border_objects() -> dict[str, Any]:
    """The layer that draws the border, by its name, for Keras to build a graph with."""
    return {BORDER_CLASS: _border_class()}


@cache
def _border_class() -> Any:
    tf, keras = backend.tensorflow(), backend.keras()

    class PixelBorder(keras.layers.Layer):  # type: ignore[misc, name-defined]
        """A frame of one colour around the picture, by two concatenations: what every integer engine has and copies
        bytes for, and what takes a colour, unlike a padding."""

        def __init__(self, amounts: Any, pixel: Any, **others: Any) -> None:
            super().__init__(**others)
            self.amounts, self.pixel = amounts, pixel

        def call(self, pictures: Any) -> Any:
            for axis, (before, after) in zip((1, 2), self.amounts, strict=True):
                parts = (self._strip(pictures, axis, before), pictures, self._strip(pictures, axis, after))
                pictures = tf.concat([part for part in parts if part is not None], axis)
            return pictures

        def _strip(self, pictures: Any, axis: int, thickness: int) -> Any:
            if not thickness:
                return None
            shape = [pictures.shape[0] or tf.shape(pictures)[0], *pictures.shape[1:]]
            shape[axis] = thickness
            colour = tf.constant(self.pixel, pictures.dtype)
            # with a known batch the converter has to see a constant
            return tf.broadcast_to(colour, shape) if pictures.shape[0] is None else _constant(tf, shape, self.pixel)

        def compute_output_shape(self, shape: Any) -> Any:
            batch, height, width, channels = shape
            (above, below), (left, right) = self.amounts
            return (batch, height + above + below, width + left + right, channels)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "amounts": self.amounts, "pixel": self.pixel}

    return PixelBorder


def _constant(tf: Any, shape: list[int], pixel: list[float]) -> Any:
    return tf.constant(np.broadcast_to(np.asarray(pixel, np.float32), shape).copy())
