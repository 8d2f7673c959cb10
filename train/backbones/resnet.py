"""ResNet18 and ResNet34 (He et al. 2015) with the padding of torchvision, so that weights converted from there fit."""

from __future__ import annotations

from edge_melanoma import backend

from .blocks import Tensor, channels


def resnet(x: Tensor, *, repeats: tuple[int, ...]) -> Tensor:
    """The feature maps of a normalised picture; two 3x3 convolutions a block."""
    layers = backend.keras().layers
    x = _conv(x, 64, 7, 2, "conv1")
    x = layers.ReLU(name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="pool1")(x)
    for stage, blocks in enumerate(repeats, start=1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _block(x, 32 * 2**stage, stride, f"layer{stage}_{block}")
    return x


def _block(x: Tensor, filters: int, stride: int, name: str) -> Tensor:
    layers = backend.keras().layers
    shortcut = x
    x = _conv(x, filters, 3, stride, f"{name}_conv1")
    x = layers.ReLU(name=f"{name}_relu1")(x)
    x = _conv(x, filters, 3, 1, f"{name}_conv2")
    if stride != 1 or channels(shortcut) != filters:
        shortcut = _conv(shortcut, filters, 1, stride, f"{name}_downsample")
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu2")(x)


def _conv(x: Tensor, filters: int, kernel: int, stride: int, name: str) -> Tensor:
    layers = backend.keras().layers
    padding = "same" if stride == 1 else "valid"
    if stride > 1 and kernel > 1:  # torch pads both sides; "same" would pad the far side more
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(
        filters, kernel, stride, padding, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    return layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=f"{name}_bn")(x)
