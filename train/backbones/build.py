"""From a name to a Keras model: picture, normalisation, network, pooling, dropout, logits."""

from __future__ import annotations

from edge_melanoma import backend
from edge_melanoma.errors import RecipeError
from edge_melanoma.fitting.fit import HEAD

from .applications import with_stable_names
from .blocks import Model
from .scaling import normalise
from .table import backbone

INPUT = "image"


def build_model(name: str, *, size: int, classes: int, dropout: float = 0.2) -> Model:
    """A network with fresh weights: float32 raw RGB [batch, size, size, 3] -> float32 logits [batch, classes]."""
    network = backbone(name)
    network.check_size(size)
    if type(classes) is not int or not 2 <= classes <= 1000:
        raise RecipeError(f"{name}: classes is {classes!r}; it must be an integer, 2 to 1000")
    if not isinstance(dropout, int | float) or isinstance(dropout, bool) or not 0 <= dropout < 1:
        raise RecipeError(f"{name}: dropout is {dropout!r}; it must be a number, 0 or more and below 1")
    keras = backend.keras()
    image = keras.Input((size, size, 3), name=INPUT)
    x = network.features(normalise(image, network.scaling))
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    # float32 also where the policy is mixed: float16 logits would lose what calibration needs
    logits = keras.layers.Dense(classes, dtype="float32", name=HEAD)(x)
    return with_stable_names(keras.Model(image, logits, name=network.name))
