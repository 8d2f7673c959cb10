"""How rounding to 8 bits is played in float while a network trains: of kernels, and of what layers give.

tfmot's wrapper calls these; its own quantisers are not used, for three reasons that cost accuracy. It gives all
channels of a depthwise kernel one scale, where the device has one for each. It starts every range at -6 to 6 and moves
it by a thousandth a step. And it keeps zeros only by a scheme of its own that then cannot have other quantisers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend

RANGE_DECAY = 0.99  # of a range that follows the batches of a training
PIXELS = (0.0, 255.0)
SIGMOID = (0.0, 255 / 256)  # the device's sigmoid has this range, whatever comes
KERNELS = {"Conv2D": "kernel", "DepthwiseConv2D": "depthwise_kernel", "Dense": "kernel"}


@dataclass(frozen=True, kw_only=True)
class KernelRules:
    """What holds for a kernel besides its grid."""

    mask: NDArray[np.float32] | None = None  # 0 where a weight has been pruned and stays so
    ties: NDArray[np.int32] | None = None  # which shared value each weight takes


@cache
def classes() -> SimpleNamespace:
    """The classes that derive from tfmot's: made on first use, because the import takes seconds."""
    tf, quantization = backend.tensorflow(), backend.model_optimization().quantization.keras

    class KernelGrid(quantization.quantizers.Quantizer):  # type: ignore[misc, name-defined]
        """Symmetric, one scale for each output channel, from the kernel as it is now."""

        def __init__(self, rules: KernelRules) -> None:
            self.rules = rules
            self.resting = False  # the kernel lies on its grid already

        def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
            return {}

        def __call__(self, inputs: Any, training: Any, weights: Any, **others: Any) -> Any:
            if self.resting:
                return inputs
            # the channels of a depthwise kernel [height, width, channel, multiplier] are its last two dimensions
            channels = inputs.shape[2] * inputs.shape[3] if others.get("depthwise") else inputs.shape[-1]
            kernel = tf.reshape(self.ruled(inputs), (-1, channels))
            limit = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(kernel), 0), 1e-9))
            played = tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, -limit, limit, narrow_range=True)
            return tf.reshape(played, inputs.shape)

        def ruled(self, kernel: Any) -> Any:
            """Pruned weights stay zero, tied ones equal; a training moves them together, by the mean gradient."""
            if self.rules.ties is not None:
                ties = self.rules.ties
                flat = tf.reshape(kernel, [-1])
                means = tf.math.unsorted_segment_mean(flat, ties.ravel(), int(ties.max()) + 1)
                kernel = tf.reshape(tf.gather(means, ties.ravel()), kernel.shape)
            return kernel if self.rules.mask is None else kernel * self.rules.mask

        def get_config(self) -> dict[str, Any]:
            return {}

    class DepthwiseGrid(KernelGrid):
        def __call__(self, inputs: Any, training: Any, weights: Any, **others: Any) -> Any:
            return super().__call__(inputs, training, weights, depthwise=True)

    class ActivationRange(quantization.quantizers.Quantizer):  # type: ignore[misc, name-defined]
        """A range that is measured first and then follows the batches of a training."""

        def __init__(self) -> None:
            self.observing = False
            self.seen: tuple[float, float] = (0.0, 0.0)
            self.variables: tuple[Any, Any] | None = None

        def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
            self.variables = tuple(
                layer.add_weight(
                    f"{name}_{end}",
                    initializer=backend.keras().initializers.Constant(value),
                    trainable=False,
                    aggregation=tf.VariableAggregation.MEAN,
                )
                for end, value in (("min", -6.0), ("max", 6.0))
            )
            return dict(zip(("min_var", "max_var"), self.variables, strict=True))

        def __call__(self, inputs: Any, training: Any, weights: Any, **others: Any) -> Any:
            lowest, highest = weights["min_var"], weights["max_var"]
            if self.observing:
                self._observe(inputs)
                return inputs
            if training:
                batch = tf.minimum(tf.reduce_min(inputs), 0.0), tf.maximum(tf.reduce_max(inputs), 0.0)
                for variable, value in zip((lowest, highest), batch, strict=True):
                    variable.assign_sub((variable - value) * (1 - RANGE_DECAY))
            return tf.quantization.fake_quant_with_min_max_vars(inputs, lowest, highest)

        def _observe(self, inputs: Any) -> None:
            low, high = self.seen
            self.seen = min(low, float(tf.reduce_min(inputs))), max(high, float(tf.reduce_max(inputs)))

        def get_config(self) -> dict[str, Any]:
            return {}

    class Config(quantization.QuantizeConfig):  # type: ignore[misc, name-defined]
        """Which parts of one layer are rounded: its kernel, its output, both or none."""

        def __init__(self, kernel: str | None, kernel_quantiser: Any, output: Any) -> None:
            self.attribute, self.kernel_quantiser, self.output = kernel, kernel_quantiser, output
            self.kernel: Any = None  # the variable; the layer's own attribute becomes the rounded tensor

        def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
            if self.attribute is None:
                return []
            self.kernel = getattr(layer, self.attribute)
            return [(self.kernel, self.kernel_quantiser)]

        def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
            for weight in quantize_weights:
                setattr(layer, str(self.attribute), weight)

        def get_activations_and_quantizers(self, layer: Any) -> list[Any]:
            return []

        def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
            pass

        def get_output_quantizers(self, layer: Any) -> list[Any]:
            return [] if self.output is None else [self.output]

        def get_config(self) -> dict[str, Any]:
            return {}

    class FrozenBatchNorm(backend.keras().layers.BatchNormalization):  # type: ignore[misc]
        """Normalises by the statistics that it has, in training too: they are part of the device's kernels and biases,
        and those of a batch would be a noise that the device has not. Scale and shift are trained."""

        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return super().call(inputs, training=False, mask=mask)

    return SimpleNamespace(
        KernelGrid=KernelGrid,
        DepthwiseGrid=DepthwiseGrid,
        ActivationRange=ActivationRange,
        Config=Config,
        FrozenBatchNorm=FrozenBatchNorm,
    )


def fixed(ends: tuple[float, float]) -> Any:
    """A range that stays."""
    quantizers = backend.model_optimization().quantization.keras.quantizers
    return quantizers.FixedQuantizer(num_bits=8, init_min=ends[0], init_max=ends[1], narrow_range=False)
