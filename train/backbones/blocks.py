"""What several architectures share. Stock Keras layers only: tfmot sees every operation, and no custom object is
needed to rebuild a graph from its configuration."""

from __future__ import annotations

from typing import Any

from edge_melanoma import backend

Tensor = Any  # a symbolic tensor of tf_keras, which has no types
Model = Any


def channels(tensor: Tensor) -> int:
    """How many channels a symbolic picture has."""
    return int(tensor.shape[-1])


def divisible(value: float, divisor: int = 8) -> int:
    """The number of channels nearest to `value` that the divisor divides, never more than 10 % below it."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def hard_sigmoid(x: Tensor, name: str) -> Tensor:
    """relu6(x + 3) / 6. The converter drops the multiplication by one."""
    layers = backend.keras().layers
    x = layers.Rescaling(1.0, offset=3.0, name=f"{name}_plus_3")(x)
    x = layers.ReLU(6.0, name=f"{name}_relu6")(x)
    return layers.Rescaling(1 / 6, name=f"{name}_sixth")(x)


def hard_swish(x: Tensor, name: str) -> Tensor:
    """x * hard_sigmoid(x), which the converter turns into one HARD_SWISH."""
    return backend.keras().layers.Multiply(name=name)([x, hard_sigmoid(x, name)])
