"""Where a network rounds on the device: behind every operator, and an operator is several layers, fused.

convolution, batch norm, ReLU      one operator: rounded once, behind the ReLU
x * relu6(x + 3) / 6               one operator, HARD_SWISH
padding, max pooling, reshaping    no arithmetic: the numbers keep the scale that they have
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_melanoma.errors import RecipeError

from .fake_quant import KERNELS, PIXELS, SIGMOID
from .graph import Layout
from .normalisation import BORDER_CLASS

_KEEP_SCALE = ("ZeroPadding2D", "MaxPooling2D", "AveragePooling2D", "Flatten", "Reshape", "Dropout")
_ROUND = ("Add", "Multiply", "GlobalAveragePooling2D", *KERNELS)
_FUSED_WITH_RELU = ("Add", "BatchNormalization", "Rescaling", *KERNELS)
_ACTIVATIONS = ("linear", "relu", "relu6")


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is rounded at one layer."""

    kernel: bool = False
    output: Literal["measured"] | tuple[float, float] | None = None  # its range, where it is known

    @property
    def plain(self) -> bool:
        """Nothing at all."""
        return not self.kernel and self.output is None


def places(layout: Layout) -> dict[str, Place]:
    """For every layer what the device rounds there; RecipeError names the layers that no rule is known for."""
    hard_swish = {inner for name in layout.layers for inner in _inside_hard_swish(layout, name)}
    found: dict[str, Place] = {}
    unknown: list[str] = []
    for name in layout.layers:
        place = Place() if name in hard_swish else _place(layout, name)
        if place is None:
            unknown.append(f"{name} ({_described(layout, name)})")
        else:
            found[name] = place
    if unknown:
        shown = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        raise RecipeError(
            f"no quantisation-aware training for these layers: {shown}; quantise after the training (int8), or train "
            "a network for devices"
        )
    return found


def _place(layout: Layout, name: str) -> Place | None:
    kind, config = layout.kind(name), layout.config(name)
    if kind in KERNELS:
        if config["activation"] not in _ACTIVATIONS or (kind == "DepthwiseConv2D" and config["depth_multiplier"] != 1):
            return None
        return Place(kernel=True, output=None if _goes_on(layout, name) else "measured")
    if kind == "BatchNormalization" and not _folds(layout, name):
        return None
    if kind == "Rescaling" and layout.kind(layout.sources(name)[0]) in ("InputLayer", BORDER_CLASS):
        return Place()  # the normalisation: it is folded into the convolution
    if kind == "ReLU" and not _is_device_relu(layout, name):
        return None
    if kind == "Activation":
        return _activation_place(config["activation"])
    if kind in (*_ROUND, "BatchNormalization", "Rescaling", "ReLU"):
        return Place(output=None if _goes_on(layout, name) else "measured")
    if kind == BORDER_CLASS:
        return Place(output=PIXELS)
    return Place() if kind in (*_KEEP_SCALE, "InputLayer") else None


def _activation_place(function: str) -> Place | None:
    if function == "sigmoid":
        return Place(output=SIGMOID)
    return Place(output="measured") if function in ("relu", "relu6", "swish", "silu") else None


def _goes_on(layout: Layout, name: str) -> bool:
    """Is the next layer a part of the same operator?"""
    kind, following = layout.kind(name), layout.only_consumer(name)
    if following is None or layout.config(name).get("activation", "linear") != "linear":
        return False
    if layout.kind(following) == "BatchNormalization":
        return kind in ("Conv2D", "DepthwiseConv2D")
    return kind in _FUSED_WITH_RELU and _is_device_relu(layout, following)


def _folds(layout: Layout, batch_norm: str) -> bool:
    """Only behind a convolution that feeds nothing else does a batch norm become part of it."""
    (source,) = layout.sources(batch_norm)
    return layout.kind(source) in ("Conv2D", "DepthwiseConv2D") and _goes_on(layout, source)


def _is_device_relu(layout: Layout, name: str) -> bool:
    kind, config = layout.kind(name), layout.config(name)
    if kind == "Activation":
        return config["activation"] in ("relu", "relu6")
    usual = not config.get("negative_slope") and not config.get("threshold")
    return kind == "ReLU" and usual and config["max_value"] in (None, 6.0)


def _inside_hard_swish(layout: Layout, name: str) -> tuple[str, ...]:
    """The layers of relu6(x + 3) / 6 where this layer multiplies them with x; no others need them."""
    if layout.kind(name) != "Multiply" or len(layout.sources(name)) != 2:
        return ()
    for factor, gate in (layout.sources(name), layout.sources(name)[::-1]):
        chain = [gate]
        while len(chain) < 3 and layout.only_consumer(chain[-1]) and len(layout.sources(chain[-1])) == 1:
            chain += layout.sources(chain[-1])
        if tuple(map(layout.kind, chain)) != ("Rescaling", "ReLU", "Rescaling"):
            continue
        sixth, relu, plus_3 = (layout.config(inner) for inner in chain)
        if (
            layout.sources(chain[2]) == [factor]
            and (plus_3["scale"], plus_3["offset"], relu["max_value"], sixth["offset"]) == (1.0, 3.0, 6.0, 0.0)
            and abs(sixth["scale"] - 1 / 6) < 1e-9
        ):
            return tuple(chain)
    return ()


def _described(layout: Layout, name: str) -> str:
    function = layout.config(name).get("activation")
    return layout.kind(name) + (f" {function}" if function not in (None, "linear") else "")
