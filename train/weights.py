"""Where a network's first weights come from: ImageNet, a file, another run, or nowhere.

    loaded = load_weights(build_model("mobilenetv2-0.35", size=224, classes=2), "imagenet")

Weights load only into graphs that build_model made, after every shape has been compared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.fitting.weights_file import (
    Array,
    StoredLayer,
    WeightsFile,
    model_bytes,
    open_weights,
    read_array,
    save_weights,
)
from edge_melanoma.run_folder import WEIGHTS

from .backbones import HEAD, Backbone, backbone
from .published import published
from .weights_match import SHOWN, fits, match

__all__ = ["NONE", "WEIGHTS", "LoadedWeights", "load_weights", "save_weights"]

NONE, IMAGENET = "none", "imagenet"


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """What a run records of the weights it began with."""

    source: str  # "none", "imagenet", or a path as it was given
    file: str | None = None
    sha256: str | None = None
    loaded_layers: tuple[str, ...] = ()
    skipped_layers: tuple[str, ...] = ()  # of the model: they keep their fresh weights
    unused_layers: tuple[str, ...] = ()  # of the file
    licences: tuple[str, ...] = ()  # what the run inherited that they come from

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "loaded_layers": len(self.loaded_layers), "licences": list(self.licences)}


def load_weights(model: Any, source: str | Path) -> LoadedWeights:
    """Load "imagenet", a file, or another run's folder into a model of build_model; "none" leaves it as it is."""
    if source == NONE:
        return LoadedWeights(source=NONE, skipped_layers=tuple(layer.name for layer in model.layers if layer.weights))
    network = backbone(model.name)
    if source == IMAGENET:
        path = published(network, size=int(model.input_shape[1]))
        try:
            return _load(model, network, path, source=IMAGENET, from_run=False)
        except ArtifactError as error:
            raise ArtifactError(f"{error}; delete that file, and it is fetched again") from error
    path = Path(source)
    if path.is_dir():
        path /= WEIGHTS
        if not path.is_file():
            raise ArtifactError(f"{source}: is a folder without {WEIGHTS}; name the folder of a finished run")
        return _load(model, network, path, source=str(source), from_run=True)
    if not path.exists():
        raise RecipeError(f"weights {str(source)!r}: no such file or folder; known words: {IMAGENET}, {NONE}")
    return _load(model, network, path, source=str(source), from_run=False)


def _load(model: Any, network: Backbone, path: Path, *, source: str, from_run: bool) -> LoadedWeights:
    with open_weights(path, expected_bytes=model_bytes(model)) as file:
        pairs = _pairs(model, file, path, from_run=from_run)
        arrays = [_arrays(layer, stored, path) for layer, stored in pairs]
        labels = {id(stored) for _, stored in pairs}
        unused = tuple(stored.label for stored in file.layers if id(stored) not in labels)
    if network.scaling == "caffe" and not (from_run or file.ours):
        _turn_first_kernel(pairs, arrays)
    for (layer, _), values in zip(pairs, arrays, strict=True):
        layer.set_weights(values)
    loaded = tuple(layer.name for layer, _ in pairs)
    return LoadedWeights(
        source=source,
        file=path.name,
        sha256=file.sha256,
        loaded_layers=loaded,
        skipped_layers=tuple(layer.name for layer in model.layers if layer.weights and layer.name not in loaded),
        unused_layers=unused,
    )


def _pairs(model: Any, file: WeightsFile, path: Path, *, from_run: bool) -> list[tuple[Any, StoredLayer]]:
    """Every layer of the network with its stored one; the head too, where the file is ours and has as many classes."""
    found = match(model, file.layers, head=HEAD)
    if found.differences:
        shown = "; ".join(found.differences[:SHOWN])
        more = f"; and {len(found.differences) - SHOWN} more" if len(found.differences) > SHOWN else ""
        raise ArtifactError(f"{path}: does not fit {model.name}: {shown}{more}")
    used = {id(stored) for _, stored in found.pairs}
    heads = [
        stored
        for stored in file.layers
        if id(stored) not in used
        and (stored.name == HEAD or (from_run and stored.name is None and stored.kind == "dense"))
    ]
    head = model.get_layer(HEAD)
    return [*found.pairs, *((head, stored) for stored in heads[-1:] if fits(head, stored))]


def _arrays(layer: Any, stored: StoredLayer, path: Path) -> list[Array]:
    arrays = []
    for weight, dataset in zip(layer.weights, stored.datasets, strict=True):
        try:
            values = read_array(dataset)
        except TypeError as error:
            raise ArtifactError(f"{path}: {layer.name} {error}; the file is of no use") from error
        except (OSError, ValueError, RuntimeError) as error:
            raise ArtifactError(f"{path}: {layer.name} cannot be read; the file is damaged, get it again") from error
        if not np.isfinite(values).all():
            raise ArtifactError(f"{path}: {layer.name} holds values that are not finite; the file is of no use")
        if weight.name.endswith("moving_variance:0") and (values < 0).any():
            raise ArtifactError(f"{path}: {layer.name} has a negative variance; the file is of no use")
        arrays.append(values)
    return arrays


def _turn_first_kernel(pairs: list[tuple[Any, StoredLayer]], arrays: list[list[Array]]) -> None:
    """Weights that were trained on BGR see RGB: the input channels of the first convolution change places."""
    first = next(number for number, (layer, _) in enumerate(pairs) if tuple(layer.weights[0].shape[2:3]) == (3,))
    arrays[first][0] = arrays[first][0][:, :, ::-1, :]
