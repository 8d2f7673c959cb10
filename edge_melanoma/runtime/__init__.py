"""The one door to LiteRT: what runs a model on this machine, and what makes a decision of it.

    predictor = open_predictor("model.tflite")
    predictor.predict(Path("lesion.jpg")).decision

`open_predictor` lets a bundle prove itself where it has not been before, as `edge-melanoma predict` does. `Model` is
the engine alone: tensors in, logits out. Nothing here imports an engine before a model is opened.
"""

from edge_melanoma.runtime.door import Engine, Model, NoEngineError, engine
from edge_melanoma.runtime.first_meeting import introduce, open_predictor
from edge_melanoma.runtime.predictor import Look, Prediction, Predictor

__all__ = [
    "Engine",
    "Look",
    "Model",
    "NoEngineError",
    "Prediction",
    "Predictor",
    "engine",
    "introduce",
    "open_predictor",
]
