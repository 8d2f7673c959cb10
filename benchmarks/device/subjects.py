"""What is measured: a bundle, proved on its golden pictures first, or any .tflite, opened in a child process first."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_melanoma.bundle import Bundle, open_bundle
from edge_melanoma.bundle.archive import has_archive
from edge_melanoma.bundle.manifest import LABELS
from edge_melanoma.bundle.reading import MANIFEST, read_whole
from edge_melanoma.bundle.tensors import ends
from edge_melanoma.bundle.verify import Check, verify
from edge_melanoma.errors import EXIT_GATE_NOT_MET, ArtifactError, RecipeError
from edge_melanoma.names import one_line
from edge_melanoma.runtime.first_meeting import meet
from edge_melanoma.tflite.model import TfliteModel, read_model
from edge_melanoma.trial import check_in_child

_ENTRY = b"PK\x03\x04"  # how a zip's entry begins
INTEGERS = ("INT8", "UINT8")


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """The identity of a file, and what it is."""

    name: str  # of the file, escaped where it cannot be printed
    sha256: str
    size_bytes: int
    model_bytes: int  # of it, without what travels along
    is_bundle: bool
    format: str  # as the manifest says; for a plain .tflite as its weights are
    input: str
    output: str
    synthetic: bool
    remarks: tuple[str, ...]  # licence, gate, as far as known


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A file, opened and found fit to be measured."""

    path: Path
    model: bytes = field(repr=False)
    graph: TfliteModel = field(repr=False)
    artefact: Artefact
    bundle: Bundle | None = field(repr=False)
    checks: tuple[Check, ...]  # of the golden outputs on this engine
    predict_threads: int | None  # that `predict` takes; None for what it does not take: no bundle, or a broken promise


def open_subjects(paths: Sequence[Path]) -> list[Subject]:
    """All of them, before anything is measured; no two may be called alike in the report."""
    subjects = [open_subject(path) for path in paths]
    names = [subject.artefact.name for subject in subjects]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RecipeError(f"two of the files are called {twice[0]}; rename one, the report tells them apart by name")
    return subjects


def open_subject(path: Path) -> Subject:
    """One file; ArtifactError where it is broken or this engine cannot run it."""
    data = read_whole(path)
    return _of_bundle(path) if _claims_to_be_a_bundle(data) else _of_tflite(path, data)


def _claims_to_be_a_bundle(data: bytes) -> bool:
    """Other tools append an archive too, without a manifest; what was an archive and is cut off has to be refused."""
    return MANIFEST.encode() in data if has_archive(data) else _ENTRY in data and LABELS.encode() in data


def _of_bundle(path: Path) -> Subject:
    bundle = open_bundle(path)
    proof = verify(path)
    if proof.exit_code not in (0, EXIT_GATE_NOT_MET):
        raise ArtifactError(f"{path}: {proof.verdict}")
    facts = bundle.manifest.model
    artefact = Artefact(
        name=one_line(path.name),
        sha256=bundle.sha256,
        size_bytes=bundle.size_bytes,
        model_bytes=len(bundle.model),
        is_bundle=True,
        format=facts.format,
        input=str(facts.input),
        output=str(facts.output),
        synthetic=bundle.manifest.data.synthetic,
        remarks=proof.remarks,
    )
    return Subject(
        path=path,
        model=bundle.model,
        graph=read_model(bundle.model, name=str(path)),
        artefact=artefact,
        bundle=bundle,
        checks=proof.checks,
        predict_threads=meet(bundle, proof=proof.checks).threads if proof.passed else None,
    )


def _of_tflite(path: Path, data: bytes) -> Subject:
    graph = read_model(data, name=str(path))
    given, returned = ends(graph)
    check_in_child(data, name=str(path))
    artefact = Artefact(
        name=one_line(path.name),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        model_bytes=len(data),
        is_bundle=False,
        format=_format_of(graph),
        input=str(given),
        output=str(returned),
        synthetic=False,
        remarks=("a plain .tflite: no contract, so the model alone is measured and nothing is known of its decisions",),
    )
    return Subject(path=path, model=data, graph=graph, artefact=artefact, bundle=None, checks=(), predict_threads=None)


def _format_of(graph: TfliteModel) -> str:
    """What its weights and its computing look like."""
    kernels = {tensor.type for tensor in graph.tensors if tensor.constant and len(tensor.shape) >= 2}
    computed = {
        graph.tensors[number].type
        for operator in graph.subgraphs[0].operators
        for number in operator.outputs
        if operator.name not in ("QUANTIZE", "DEQUANTIZE")
    }
    if kernels & set(INTEGERS):
        return "int16x8" if "INT16" in computed else "int8" if computed & set(INTEGERS) else "dynamic"
    return "float16" if "FLOAT16" in kernels else "float32"
