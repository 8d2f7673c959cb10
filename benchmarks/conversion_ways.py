"""One float network made small in every way that is compared: by our command line, and by what a user would do instead.

Ours run as a user runs them, each in a process of its own, with a gate so lax that every model is written. The others
get the same float network and, as their guides show it, the first hundred training pictures.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma import backend
from edge_melanoma.bundle import open_bundle
from edge_melanoma.errors import ArtifactError, EdgeMelanomaError
from edge_melanoma.fitting.weights_file import file_sha256
from edge_melanoma.machine import installed
from edge_melanoma.run_folder import Run
from edge_melanoma.runtime.cost import compressed_bytes

FIRST = 100  # pictures that a user would calibrate on
FLOAT32, SHIPPED = "float32", "shipped"
LAX: Mapping[str, float] = {
    **dict.fromkeys(("min_positives", "min_levels", "hard_levels"), 1),
    **{f"{edge}_float_logit_difference": 1 for edge in ("max", "hard")},
    **{f"{edge}_auc_drop": 1 for edge in ("max", "hard")},
    **{f"{edge}_sensitivity_drop": 1 for edge in ("max", "hard")},
    **{f"{edge}_flips": 1 for edge in ("max", "hard")},
    **{f"max_{name}": 1 for name in ("pauc80_drop", "subgroup_drop", "flips_near", "step", "probability_change")},
    "max_ece_rise": 1,
    "min_abstain_agreement": 0,
    "min_temperature_ratio": 0.01,
    "max_temperature_ratio": 10,
}


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way of conversion by our command line."""

    title: str
    arguments: tuple[str, ...]
    quick: tuple[str, ...] = ()  # what makes its training short, for a trial of the benchmark


def _rung(name: str) -> tuple[str, ...]:
    return ("--set", f'rungs=["{name}"]')


OURS: Mapping[str, Way] = {
    FLOAT32: Way(title="float32", arguments=("--float32",)),
    "float16": Way(title="float16", arguments=("--float16",)),
    "dynamic": Way(title="dynamic", arguments=("--dynamic",)),
    "post-training": Way(title="int8, post-training", arguments=("--ptq",)),
    "calibrated-rounding": Way(title="int8, calibrated rounding", arguments=_rung("calibrated rounding")),
    "mixed-precision": Way(title="int8, the worst layer in float", arguments=_rung("mixed precision")),
    "quantisation-aware": Way(
        title="int8, quantisation-aware",
        arguments=("--qat",),
        quick=("--set", "tune.steps_per_epoch=3"),
    ),
    "pruned": Way(
        title="int8, half pruned, calibrated rounding",
        arguments=("--prune", "0.5", *_rung("calibrated rounding")),
        quick=("--set", "repair.steps_per_epoch=3"),
    ),
}
THEIRS: Mapping[str, str] = {
    "tflite-converter": f"int8, tf.lite.TFLiteConverter, first {FIRST} pictures",
    "ai-edge-quantizer": f"int8, ai-edge-quantizer static_wi8_ai8, first {FIRST} pictures",
}
KINDS = (*OURS, *THEIRS)


class LeftOutError(EdgeMelanomaError):
    """This way gave no model here."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A converted network; sizes are those of the bare model, without what a bundle adds."""

    kind: str
    title: str
    model: bytes = field(repr=False)
    bytes: int
    compressed_bytes: int
    seconds: float  # of the whole command, judging and report included; of the conversion alone for the others
    float_layers: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def by_command(kind: str, run: Path, index: Path | None, folder: Path, *, quick: bool) -> Made:
    """Through `edge-melanoma convert`."""
    way, out = OURS[kind], folder / f"{kind}.tflite"
    limits = [part for name, value in LAX.items() for part in ("--gate", f"{name}={value}")]
    command = [sys.executable, "-m", "edge_melanoma", "convert", str(run), "--out", str(out), "--json"]
    command += [*way.arguments, *limits, *(() if index is None else ("--data", str(index)))]
    command += ["--set", "rounds=100"]  # the benchmark judges again, with more
    command += [*way.quick, "--set", "calibration.pictures=20"] if quick else []
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise LeftOutError(f"exit code {done.returncode}: {done.stderr.strip()[-2000:] or 'no message'}")
    said = json.loads(done.stdout)
    chosen = next(attempt for attempt in said["attempts"] if attempt["passed"])
    return Made(
        kind=kind,
        title=way.title,
        model=open_bundle(out).model,
        bytes=chosen["bytes"],
        compressed_bytes=chosen["compressed_bytes"],
        seconds=seconds,
        float_layers=tuple(chosen["float_layers"]),
        remarks=(*said["remarks"], *chosen["remarks"]),
    )


def by_bundle(path: Path, run: Run) -> Made:
    """A bundle that the run was converted to before."""
    bundle = open_bundle(path)
    manifest = bundle.manifest
    if manifest.run.weights_sha256 != file_sha256(run.weights):
        raise ArtifactError(f"{path}: was not made of {run.folder}: its manifest names other float weights")
    return Made(
        kind=SHIPPED,
        title=f"{manifest.model.format}, as it ships",
        model=bundle.model,
        bytes=len(bundle.model),
        compressed_bytes=compressed_bytes(bundle.model),
        seconds=0.0,
        float_layers=tuple(manifest.model.float_layers),
        remarks=(f"{manifest.quantisation.rung}, from {path.name}",),
    )


def by_hand(kind: str, network: Any, pictures: NDArray[np.uint8], *, turns: int = 1) -> Made:
    """Without us: the same float network, converted as the guides of these tools show it."""
    started = time.perf_counter()
    model = _MAKERS[kind](network if turns == 1 else _answering(network, turns), pictures[:FIRST])
    return Made(
        kind=kind,
        title=THEIRS[kind],
        model=model,
        bytes=len(model),
        compressed_bytes=compressed_bytes(model),
        seconds=time.perf_counter() - started,
    )


def _answering(network: Any, turns: int) -> Any:
    """The network that answers with the mean over quarter turns of a picture, as one would write it in Keras."""
    tf, keras = backend.tensorflow(), backend.keras()
    picture = keras.Input(network.input_shape[1:], batch_size=1)
    several = tf.concat([tf.image.rot90(picture, k) for k in range(turns)], 0)
    return keras.Model(picture, tf.reduce_mean(network(several), 0, keepdims=True))


def _tflite_converter(network: Any, pictures: NDArray[np.uint8]) -> bytes:
    tf = backend.tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([picture[None].astype(np.float32)] for picture in pictures)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return _converted(converter)


def _ai_edge_quantizer(network: Any, pictures: NDArray[np.uint8]) -> bytes:
    if installed("ai-edge-quantizer") is None:
        raise LeftOutError("needs: pip install ai-edge-quantizer")
    quantizer = importlib.import_module("ai_edge_quantizer.quantizer")
    recipe = importlib.import_module("ai_edge_quantizer.recipe")
    tf = backend.tensorflow()
    model = _converted(tf.lite.TFLiteConverter.from_keras_model(network))
    with warnings.catch_warnings(action="ignore"), backend.quiet_native_log():
        (signature,) = (signatures := tf.lite.Interpreter(model_content=model).get_signature_list())
        (name,) = signatures[signature]["inputs"]
        tool = quantizer.Quantizer(model, recipe.static_wi8_ai8())
        seen = tool.calibrate({signature: [{name: picture[None].astype(np.float32)} for picture in pictures]})
        quantised = tool.quantize(seen, enable_progress_bar=False, enable_progress_report=False).quantized_model
    return _with_constants_inside(bytes(quantised))


def _with_constants_inside(model: bytes) -> bytes:
    """The same model written as the converter writes it: this tool puts constants behind the tables, for giants."""
    files = importlib.import_module("tensorflow.lite.tools.flatbuffer_utils")
    return bytes(files.convert_object_to_bytearray(files.read_model_from_bytearray(bytearray(model))))


def _converted(converter: Any) -> bytes:
    with warnings.catch_warnings(action="ignore"), backend.quiet_native_log():
        return bytes(converter.convert())


_MAKERS = {"tflite-converter": _tflite_converter, "ai-edge-quantizer": _ai_edge_quantizer}
