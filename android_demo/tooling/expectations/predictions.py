"""Pictures with what Python's predictor says of them by one bundle: tensor, output, probability, decision, reasons."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edge_melanoma.bundle import open_bundle
from edge_melanoma.data.synth import SynthRecipe
from edge_melanoma.data.synth.dataset import picture_of
from edge_melanoma.data.synth.latents import case_of
from edge_melanoma.runtime import Predictor

SEED = 22
DRAWN_LESIONS, TINTED = 60, 180
DRAWN_SIDE = 96


def write_predictions(out: Path, bundle: Path) -> None:
    """`bundle.tflite`, `pictures/*.png` and `predictions.json`.

    PNG, because its decoder is Kotlin's own: so the whole way is compared, from the file to the decision.
    """
    (out / "pictures").mkdir()
    shutil.copyfile(bundle, out / "bundle.tflite")
    predictor = Predictor(open_bundle(bundle), threads=1)
    found = []
    for number, image in enumerate(_pictures()):
        name = f"{number:03}.png"
        (out / "pictures" / name).write_bytes(_png(image))
        found.append({"picture": name, **_prediction(predictor, out / "pictures" / name)})
    engine = str(predictor.model.engine)
    (out / "predictions.json").write_text(json.dumps({"engine": engine, "predictions": found}), encoding="utf-8")


def _prediction(predictor: Predictor, path: Path) -> dict[str, Any]:
    seen = predictor.look(path)
    raw = predictor.model.raw(seen.tensor[None])[0]
    prediction = predictor.decide(predictor.model.output.logits(raw), seen)
    return {
        "tensor": hashlib.sha256(seen.tensor.tobytes()).hexdigest(),
        "output": raw.tobytes().hex(),
        "probability": prediction.probability,
        "decision": prediction.decision,
        "reasons": [reason.code for reason in prediction.reasons],
        "scores": list(prediction.scores.values()),
    }


def _png(image: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def _pictures() -> Iterator[np.ndarray[Any, Any]]:
    """Drawn lesions, and tinted noise from blue to red, on which the tiny bundle answers everything it can."""
    recipe = SynthRecipe(lesions=DRAWN_LESIONS, size=DRAWN_SIDE)
    for index in range(DRAWN_LESIONS):
        yield picture_of(recipe, case_of(recipe, index), 0)
    rng = np.random.default_rng(SEED)
    for redness in np.linspace(-0.7, 0.7, TINTED):
        width, height = rng.integers(20, 90, 2)
        noise = rng.normal(0, 25, (height, width, 3))
        yield np.clip(128 + redness * np.array([60, 0, -60]) + noise, 0, 255).astype(np.uint8)
