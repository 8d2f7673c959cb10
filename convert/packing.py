"""A converted model as a bundle: what the run and its data say, and what the gate found, in one manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_melanoma.bundle.golden import Golden
from edge_melanoma.bundle.manifest import LABELS, Gate, GateRow, Manifest, ModelFacts
from edge_melanoma.bundle.origins import DataIdentity, Quantisation, RunIdentity, TaskRecord, portable, sources_of
from edge_melanoma.bundle.tensors import ends
from edge_melanoma.bundle.verify import record_golden
from edge_melanoma.capture import CaptureGate
from edge_melanoma.fitting.weights_file import file_sha256
from edge_melanoma.licences import NOT_STATED, Licence, allows_commercial_use, inherited
from edge_melanoma.parity import ParityReport
from edge_melanoma.recipe import to_table
from edge_melanoma.run_folder import weights_licences
from edge_melanoma.tflite.metadata import AssociatedFile, InputMetadata, ModelMetadata, OutputMetadata
from edge_melanoma.tflite.model import read_model

from .attempt import Attempt
from .goldens import golden_pictures
from .material import Material
from .metadata import metadata_bytes, with_metadata
from .recipe import ConvertRecipe

FREE, NON_COMMERCIAL = "Apache-2.0", "CC-BY-NC-4.0"


def with_labels(model: bytes, material: Material) -> bytes:
    """The model with the metadata that other tools read."""
    about, contract = material.run.about, material.contract
    labels = AssociatedFile(
        name=LABELS, description="the classes, in the order of the logits", type="TENSOR_AXIS_LABELS"
    )
    facts = ModelMetadata(
        name=f"{about['model']['backbone']}, {material.task.name}",
        description=_description(material),
        version=about["recipe_sha256"][:12],
        author="edge-melanoma",
        license=licence_of(material).model,
        input=InputMetadata(
            name="image",
            description="the picture as the preprocessing contract in manifest.json makes it",
            width=contract.width,
            height=contract.height,
        ),
        output=OutputMetadata(name="logits", description="not probabilities; see manifest.json", files=(labels,)),
    )
    return with_metadata(model, metadata_bytes(facts))


def _description(material: Material) -> str:
    kind = "synthetic pictures" if material.run.about["synthetic"] else "dermoscopic pictures"
    return f"Logits of the task {material.task.name} for {kind}; see manifest.json inside. Not a medical device."


def licence_of(material: Material) -> Licence:
    """What the model inherits from its pictures, its first weights and its teachers; its own allows no more."""
    weights = weights_licences(material.run.about)
    pictures = material.parts.table["license"].unique().sort().to_list()
    free = all(allows_commercial_use(text or NOT_STATED) for text in (*pictures, *weights))
    return inherited(model=FREE if free else NON_COMMERCIAL, data=pictures, weights=weights)


def manifest_of(
    material: Material,
    recipe: ConvertRecipe,
    chosen: Attempt,
    model: bytes,
    report: ParityReport,
    *,
    capture: CaptureGate | None,
    calibration_ids: Sequence[str],
    evaluations: Sequence[Mapping[str, Any]] = (),
) -> tuple[Manifest, Golden]:
    """Everything that travels with the model."""
    run, about = material.run, material.run.about
    name = f"{about['model']['backbone']}-{material.contract.width}-{recipe.format}"
    given, returned = ends(read_model(model, name=name))
    golden, identity = record_golden(model, golden_pictures(material.contract), chosen.rule, name=name)
    table = material.parts.table
    rows = table.select("source", "modality", "license").rows()
    manifest = Manifest(
        model=ModelFacts(
            name=name,
            backbone=about["model"]["backbone"],
            format=recipe.format,
            parameters=about["model"]["parameters"],
            macs=about["model"]["macs"],
            input=given,
            output=returned,
            float_layers=chosen.float_layers,
        ),
        task=TaskRecord.of(material.task),
        preprocessing=material.contract,
        rule=chosen.rule,
        rule_before=material.rule_before(),
        data=DataIdentity(
            index_sha256=material.index.sha256,
            sources=sources_of(rows),
            pictures={part: len(places) for part, places in material.parts.rows.items()},
            synthetic=bool(about["synthetic"]),
        ),
        run=RunIdentity(
            recipe=portable(_with_teachers(about)),
            recipe_sha256=about["recipe_sha256"],
            weights_sha256=file_sha256(run.weights),
            seed=run.seed,
            versions=about["versions"],
        ),
        quantisation=Quantisation(
            rung=chosen.rung,
            recipe=portable(to_table(recipe)),
            calibration_ids=tuple(calibration_ids),
            seed=recipe.seed,
        ),
        golden=identity,
        metrics={**metrics_of(report), **({"evaluations": list(evaluations)} if evaluations else {})},
        gate=Gate(asked=to_table(recipe.gate), rows=_gate_rows(report)),
        licence=licence_of(material),
        capture_gate=capture,
    )
    return manifest, golden


def _with_teachers(about: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe, with what its teachers are in place of where they lie."""
    recipe = dict(about["recipe"])
    if about.get("teachers"):
        keys = ("run", "backbone", "recipe_sha256", "weights_sha256")
        runs = [{key: teacher[key] for key in keys} for teacher in about["teachers"]]
        recipe["teacher"] = {**recipe["teacher"], "runs": runs}
    return recipe


def metrics_of(report: ParityReport) -> dict[str, Any]:
    """What was measured on the test part, before and after."""
    view = report.views["refitted"]
    names = ("auc", "pauc80", "sensitivity", "specificity", "ece")
    return {
        "split": report.split,
        "pictures": report.facts.rows,
        "positives": report.facts.positives,
        **{name: getattr(view, name).to_json() for name in names},
        "flips": report.views["frozen"].flip_rates["any change"].to_json(),
        "flips_refitted": view.flip_rates["any change"].to_json(),
    }


def _gate_rows(report: ParityReport) -> tuple[GateRow, ...]:
    return tuple(
        GateRow(name=row.name, asked=row.asked, found=row.found, passed=row.passed, verdict=row.verdict)
        for row in report.rows
    )


def report_folder(out: Path) -> Path:
    """Where the report of a bundle lies: model.tflite has model.report beside it."""
    return out.with_name(f"{out.stem}.report")
