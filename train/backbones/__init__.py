"""The networks: a plain table from a name to how it is built, and one function that builds.

Every graph is flat (tfmot cannot see into a nested model), takes float32 raw RGB 0..255 named "image", normalises it
inside, and gives logits. Importing this imports no TensorFlow.

    model = build_model("mobilenetv2-0.35", size=224, classes=2)
"""

from edge_melanoma.fitting.fit import HEAD

from .build import INPUT, build_model
from .table import BACKBONES, Backbone, backbone

__all__ = ["BACKBONES", "HEAD", "INPUT", "Backbone", "backbone", "build_model"]
