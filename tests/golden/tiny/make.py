"""Two tiny models and a bundle, so that what reads bundles can be tested without TensorFlow, on a Pi and on a phone.

    python tests/golden/tiny/make.py            # packs tiny_bundle.tflite anew, golden outputs of this machine
    python tests/golden/tiny/make.py --models   # trains and converts the models first; needs the train extra

The models tell reddish 16x16 pictures from bluish ones; every picture is drawn from a seed. They are of no other use.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np

from edge_melanoma.bundle import Manifest, pack_bundle
from edge_melanoma.bundle.archive import append_archive, read_archive
from edge_melanoma.bundle.manifest import GOLDEN, LABELS, MODEL, Gate, GateRow, GoldenIdentity, ModelFacts
from edge_melanoma.bundle.origins import DataIdentity, Quantisation, RunIdentity, TaskRecord, portable, sources_of
from edge_melanoma.bundle.reading import LIMITS, MANIFEST
from edge_melanoma.bundle.strict import canonical
from edge_melanoma.bundle.tensors import ends
from edge_melanoma.bundle.verify import record_golden
from edge_melanoma.capture import CaptureGate, CaptureLimits
from edge_melanoma.decision import DecisionRule, Interval, Threshold
from edge_melanoma.labels import task
from edge_melanoma.licences import inherited
from edge_melanoma.preprocess import PreprocessContract
from edge_melanoma.tflite.model import read_model

HERE = Path(__file__).parent
SIDE, FILTERS, PICTURES = 16, 8, 512
MODELS = ("float32", "int8")
BUNDLE = HERE / "tiny_bundle.tflite"
LICENCE = "CC0-1.0 (synthetic)"
NONE = "0" * 64


def model_bytes(kind: str) -> bytes:
    """A committed model, without any archive."""
    return (HERE / f"tiny_{kind}.tflite").read_bytes()


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 [n,16,16,3], and how much more red than blue each is meant to be, −1 to 1."""
    rng = np.random.default_rng(seed)
    redness = rng.uniform(-1, 1, count)
    noise = rng.normal(0, 25, (count, SIDE, SIDE, 3))
    tint = redness[:, None] * np.array([60, 0, -60])
    return np.clip(128 + tint[:, None, None, :] + noise, 0, 255).astype(np.uint8), redness


def rule(low: float = 0.3, refer: float = 0.6) -> DecisionRule:
    """A decision rule as calibration leaves it; its figures are made up."""

    def threshold(value: float, wanted: float) -> Threshold:
        return Threshold(
            value=value,
            low=value - 0.05,
            high=value + 0.05,
            chosen_for=f"sensitivity of at least {wanted}",
            sensitivity=Interval(value=wanted, low=wanted - 0.1, high=1.0),
            specificity=Interval(value=0.8, low=0.7, high=0.9),
        )

    return DecisionRule(
        task="mel",
        classes=task("mel").classes,
        positive=(1,),
        temperature=Interval(value=1.25, low=1.0, high=1.5),
        shares_train=(0.5, 0.5),
        shares_deploy=(0.6, 0.4),
        threshold_low=threshold(low, 0.99),
        threshold_refer=threshold(refer, 0.95),
        fitted_on={"split": "calibration", "rows": 200, "positives": 80},
    )


def capture_gate() -> CaptureGate:
    """Takes the pictures above, though they are no skin; its limits are made up."""
    limits = CaptureLimits(
        min_width_px=SIDE,
        min_height_px=SIDE,
        max_black_share=0.5,
        min_mean_luma=59.0,
        max_mean_luma=226.0,
        max_clipped_share=0.25,
        max_glare_share=0.05,
        min_sharpness=0.25,
        min_skin_share=0.0,
        min_contrast=0.125,
        min_lesion_share=0.01,
        max_lesion_share=0.85,
        min_centre_share=0.05,
        max_scatter_share=0.9,
    )
    return CaptureGate(limits=limits, fitted_on={"part": "train", "pictures": PICTURES})


def manifest(kind: str = "int8", **changed: object) -> Manifest:
    """The manifest of a tiny bundle; its measures are made up."""
    estimate = {"value": 0.981, "low": 0.962, "high": 0.994, "level": 0.95}
    facts = {
        "model": model_facts(kind, model_bytes(kind)),
        "task": TaskRecord.of(task("mel")),
        "preprocessing": PreprocessContract(width=SIDE, height=SIDE),
        "rule": rule(),
        "rule_before": rule(),
        "data": DataIdentity(
            index_sha256=NONE,
            sources=sources_of([("tiny", "synthetic", LICENCE)] * PICTURES),
            pictures={"train": PICTURES},
            synthetic=True,
        ),
        "run": RunIdentity(
            recipe=portable({"seed": 7, "filters": FILTERS, "weights": str(HERE / "none.h5")}),
            recipe_sha256=NONE,
            weights_sha256=NONE,
            seed=7,
            versions={"edge_melanoma": "0", "tensorflow": None},
        ),
        "quantisation": Quantisation(rung="ptq", recipe={}, calibration_ids=("tiny-0", "tiny-1"), seed=7),
        "golden": GoldenIdentity(pictures=6, engine="none", engine_version="0", architecture="none", features=()),
        "metrics": {
            "split": "test",
            "pictures": 200,
            "float": {"roc_auc": estimate},
            "converted": {"roc_auc": estimate},
        },
        "gate": Gate(
            asked={"flips": 0.03}, rows=(GateRow(name="decision flips", asked="≤ 3 %", found="0.5 %", passed=True),)
        ),
        "licence": inherited(model="Apache-2.0", data=[LICENCE]),
        "capture_gate": capture_gate(),
    }
    return Manifest(**{**facts, **changed})


def model_facts(kind: str, model: bytes) -> ModelFacts:
    """What a manifest says of one of the models."""
    given, returned = ends(read_model(model, name=kind))
    counted = {"parameters": 134, "macs": 6_544}
    return ModelFacts(name="tiny", backbone="tiny", format=kind, input=given, output=returned, **counted)


@cache
def golden(kind: str = "int8"):
    """Golden vectors as this machine computes them, and where that was."""
    return record_golden(model_bytes(kind), pictures(6, seed=99)[0], rule(), name=f"tiny {kind}")


def forged(data: bytes, change=lambda content: None, **contents: bytes) -> bytes:
    """A bundle in which something was changed and every sum was repaired, as somebody would who knows how."""
    archive = read_archive(data, limits=LIMITS, name="bundle")
    parts = {MODEL: data[: archive.start], LABELS: archive.entries[LABELS], GOLDEN: archive.entries[GOLDEN]}
    parts.update({{"labels": LABELS, "golden": GOLDEN}.get(name, name): part for name, part in contents.items()})
    content = json.loads(archive.entries[MANIFEST])
    del content["content_sha256"]
    for name, part in parts.items():
        content["parts"][name] = {"size_bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()}
    change(content)
    content["content_sha256"] = hashlib.sha256(canonical(content)).hexdigest()
    return append_archive(parts.pop(MODEL), {**parts, MANIFEST: canonical(content)})


def convert_models() -> None:
    """Train the network and write both models with their metadata."""
    from edge_melanoma import backend

    network, seen = trained_network(), pictures(PICTURES, seed=7)[0]
    for kind in MODELS:
        (HERE / f"tiny_{kind}.tflite").write_bytes(with_names(converted(backend.tensorflow(), network, kind, seen)))


def trained_network():
    """The Keras model, trained in seconds."""
    from edge_melanoma import backend

    keras = backend.keras()
    backend.set_seeds(7)
    layers = keras.layers
    given = keras.Input((SIDE, SIDE, 3), batch_size=None)
    x = layers.Rescaling(1 / 127.5, -1)(given)
    x = layers.ReLU(6.0)(layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)(x))
    x = layers.ReLU(6.0)(layers.Conv2D(FILTERS, 1)(x))
    network = keras.Model(given, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    seen, redness = pictures(PICTURES, seed=7)
    network.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(seen.astype(np.float32), (redness > 0).astype(int), epochs=12, batch_size=32, verbose=0)
    return network


def converted(tf, network, kind: str, seen: np.ndarray) -> bytes:
    """The network as a .tflite with raw pixels in and logits out."""
    call = tf.function(lambda batch: network(batch, training=False))
    concrete = call.get_concrete_function(tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32, name="image"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], network)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "int16x8"):
        ends_of_range = [np.zeros((1, SIDE, SIDE, 3)), np.full((1, SIDE, SIDE, 3), 255)]  # so that a pixel is a level
        samples = [*(seen[i : i + 1] for i in range(100)), *ends_of_range]
        converter.representative_dataset = lambda: ([sample.astype(np.float32)] for sample in samples)
    if kind == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    if kind == "int16x8":
        only = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [only]
    return bytes(converter.convert())


def with_names(model: bytes) -> bytes:
    """The model with the metadata that other tools read."""
    from edge_melanoma.convert.metadata import metadata_bytes, with_metadata
    from edge_melanoma.tflite.metadata import AssociatedFile, InputMetadata, ModelMetadata, OutputMetadata

    labels = AssociatedFile(name="labels.txt", type="TENSOR_AXIS_LABELS")
    facts = ModelMetadata(
        name="tiny",
        description="Tells reddish pictures from bluish ones. SYNTHETIC — no clinical meaning",
        license=LICENCE,
        input=InputMetadata(name="image", width=SIDE, height=SIDE),
        output=OutputMetadata(name="logits", files=(labels,)),
    )
    return with_metadata(model, metadata_bytes(facts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", action="store_true", help="train and convert the models first")
    if parser.parse_args().models:
        convert_models()
    vectors, identity = golden()
    data = pack_bundle(model=model_bytes("int8"), manifest=manifest(golden=identity), golden=vectors)
    BUNDLE.write_bytes(data)
    print(f"{BUNDLE.name}: {len(data):,} bytes, golden outputs of {identity.engine} on {identity.architecture}")


if __name__ == "__main__":
    main()
