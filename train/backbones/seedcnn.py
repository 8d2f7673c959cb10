"""The plain network of two of the student projects this toolchain grew from: convolution, pooling, dense, dropout."""

from __future__ import annotations

from edge_melanoma import backend

from .blocks import Tensor


def seedcnn(x: Tensor) -> Tensor:
    """128 features of a picture that is scaled to [0, 1]; nearly all parameters are in the dense layer."""
    layers = backend.keras().layers
    for number, filters in enumerate((32, 64, 128), start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    return layers.Dense(128, activation="relu", name="dense")(x)
