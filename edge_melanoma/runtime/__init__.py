"""The one door to LiteRT: what runs a model on this machine, and what makes a decision of it.

    predictor = Predictor(open_bundle(Path("model.tflite")))
    predictor.predict(Path("lesion.jpg")).decision

`Model` is the engine alone: tensors in, logits out. Nothing here imports an engine before a model is opened.
"""

from edge_melanoma.runtime.door import Engine, Model, NoEngineError, engine
from edge_melanoma.runtime.predictor import Look, Prediction, Predictor

__all__ = ["Engine", "Look", "Model", "NoEngineError", "Prediction", "Predictor", "engine"]
