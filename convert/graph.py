"""A network as data: copied without sharing weights, rearranged, and run layer by layer."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge_melanoma import backend

Model = Any  # of tf_keras, which has no types
Layer = Any
Config = dict[str, Any]


class Layout:
    """The layers of a flat functional model and who feeds whom, to be rearranged and built again.

    A layer that keeps its name and shapes keeps its weights; one that does not gets those that are handed to `build`.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._config: Config = copy.deepcopy(model.get_config())
        self.layers: dict[str, Config] = {layer["name"]: layer for layer in self._config["layers"]}

    @property
    def input(self) -> str:
        """The name of the only input layer."""
        return str(self._config["input_layers"][0][0])

    def kind(self, name: str) -> str:
        """The class of a layer."""
        return str(self.layers[name]["class_name"])

    def config(self, name: str) -> Config:
        """The configuration of a layer; a change counts when the model is built."""
        config: Config = self.layers[name]["config"]
        return config

    def sources(self, name: str) -> list[str]:
        """The layers that feed this one."""
        return [source[0] for source in self._sources(name)]

    def consumers(self, name: str) -> list[str]:
        """The layers that this one feeds."""
        return [other for other in self.layers if name in self.sources(other)]

    def only_consumer(self, name: str) -> str | None:
        """The one layer that takes this one's output, or None where it goes elsewhere as well."""
        found = self.consumers(name)
        return found[0] if len(found) == 1 and name != self._config["output_layers"][0][0] else None

    def remove(self, name: str) -> None:
        """Take a layer with one input out; who took its output takes its input."""
        (source,) = self.sources(name)
        for other in self.consumers(name):
            self._replace_source(other, name, source)
        del self.layers[name]

    def insert_after(self, name: str, new: str, kind: str, config: Config) -> None:
        """Put a layer between another and all that take its output."""
        for other in self.consumers(name):
            self._replace_source(other, name, new)
        self.layers[new] = {
            "name": new,
            "class_name": kind,
            "config": {"name": new, **config},
            "inbound_nodes": [[[name, 0, 0, {}]]],
        }

    def build(self, weights: Mapping[str, list[Any]], *, custom_objects: Mapping[str, Any] | None = None) -> Model:
        """The rearranged model, with weights of its own."""
        layout = {**self._config, "layers": list(self.layers.values())}
        model = backend.keras().Model.from_config(layout, custom_objects=custom_objects)
        for layer in model.layers:
            if layer.weights:
                known = weights.get(layer.name)
                layer.set_weights(self._model.get_layer(layer.name).get_weights() if known is None else known)
        return model

    def _sources(self, name: str) -> Iterator[list[Any]]:
        for node in self.layers[name]["inbound_nodes"]:
            yield from node

    def _replace_source(self, name: str, old: str, new: str) -> None:
        for source in self._sources(name):
            if source[0] == old:
                source[0] = new


def copied(model: Model, *, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """The same model with weights of its own: what is done to one does not reach the other."""
    return Layout(model).build({}, custom_objects=custom_objects)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One layer of a flat model when it is run by hand."""

    layer: Layer
    inputs: tuple[str, ...]  # names of tensors
    output: str
    used_up: tuple[str, ...]  # tensors that nobody needs after it, so that a large network fits into memory

    def inputs_in(self, known: Mapping[str, Any]) -> Any:
        """Its input, or the list of them, among the tensors that are known."""
        found = [known[name] for name in self.inputs]
        return found[0] if len(found) == 1 else found


def in_order(model: Model) -> Iterator[Step]:
    """The layers of a flat model in an order in which each finds its inputs made."""
    layers = model.layers[1:]
    inputs = [tuple(tensor.name for tensor in _listed(layer.inbound_nodes[0].keras_inputs)) for layer in layers]
    last = {name: place for place, names in enumerate(inputs) for name in names}
    for place, (layer, names) in enumerate(zip(layers, inputs, strict=True)):
        used_up = tuple(name for name in dict.fromkeys(names) if last[name] == place)
        yield Step(layer=layer, inputs=names, output=layer.output.name, used_up=used_up)


def _listed(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, list | tuple) else [tensors]
