"""The manifest: everything that a bundle says of its model, read strictly and written in one form.

It holds no time and no path of a machine, so that the same conversion gives the same bytes. What a model is made of
cannot be dropped on the way: a manifest with a synthetic source that is not called synthetic, or with a non-commercial
licence that is called commercial, cannot be constructed.

`content_sha256` is the SHA-256 of the rest of the manifest. It notices accidents and casual edits and is no signature:
who changes a threshold and computes the sum anew is not found out by it. Who must know compares the SHA-256 of the
whole bundle with one that came another way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from edge_melanoma.bundle.origins import (
    DataIdentity,
    Quantisation,
    RunIdentity,
    TaskRecord,
    is_host_path,
    require_sha256,
)
from edge_melanoma.bundle.strict import Free, canonical, fields_from_json, fields_to_json, parse, texts
from edge_melanoma.bundle.tensors import TensorFacts
from edge_melanoma.capture import CaptureGate
from edge_melanoma.decision import DecisionRule
from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.licences import Licence
from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER
from edge_melanoma.preprocess import PreprocessContract

SCHEMA_VERSION = 1
MODEL, LABELS, GOLDEN = "model", "labels.txt", "golden.npz"
PARTS = (MODEL, LABELS, GOLDEN)  # what the manifest vouches for

Format = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
FORMATS: tuple[Format, ...] = get_args(Format)

INTENDED_USE = (
    "Research and education: how dermoscopy models are trained, compressed and measured, on dermoscopic pictures like "
    "those it was trained with."
)
OUT_OF_SCOPE = (
    "Diagnosis, screening, triage or treatment of any person. Pictures that are not dermoscopic. Nails, palms, soles, "
    "mucosa, children, and skin tones that its evaluation does not show."
)


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """The network and its ends."""

    name: str
    backbone: str
    format: Format
    parameters: int
    macs: int  # multiply-adds for one picture
    input: TensorFacts
    output: TensorFacts
    float_layers: tuple[str, ...] = ()  # that are meant to stay float in an integer model

    def __post_init__(self) -> None:
        if self.input.dtype == "uint8" and self.input.pixels() is not None:
            raise RecipeError(f"{self.name}: takes {self.input}; raw pixels, scale 1 and zero point 0, are needed")
        if min(self.parameters, self.macs) < 0:
            raise RecipeError(f"{self.name}: parameters and multiply-adds cannot be negative")


@dataclass(frozen=True, kw_only=True)
class GoldenIdentity:
    """Where the golden outputs were computed: they hold to the byte there, and nearly elsewhere."""

    pictures: int
    engine: str
    engine_version: str
    architecture: str
    features: tuple[str, ...]  # instruction sets for int8 that the machine has


@dataclass(frozen=True, kw_only=True)
class GateRow:
    """One limit of the gate."""

    name: str
    asked: str | float | int | bool | None
    found: str | float | int | bool | None
    passed: bool
    verdict: str = ""  # in words, where there is more to say: "pass, short of the aim"


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What was asked of the conversion before it was allowed to write a bundle, and what came out."""

    asked: Free
    rows: tuple[GateRow, ...]

    @property
    def not_met(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows if not row.passed)


@dataclass(frozen=True, kw_only=True)
class Part:
    """The identity of the model part or of an entry."""

    size_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        require_sha256("sha256", self.sha256)

    @classmethod
    def of(cls, content: bytes) -> Part:
        return cls(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle says of itself; `parts` is filled in when it is packed."""

    schema_version: int = SCHEMA_VERSION
    model: ModelFacts
    task: TaskRecord
    preprocessing: PreprocessContract
    rule: DecisionRule  # what the device applies
    rule_before: DecisionRule  # of the float model
    data: DataIdentity
    run: RunIdentity
    quantisation: Quantisation
    golden: GoldenIdentity
    metrics: Free  # split, float and converted, with intervals
    gate: Gate
    licence: Licence
    intended_use: str = INTENDED_USE
    out_of_scope: str = OUT_OF_SCOPE
    notice: str = NOTICE
    capture_gate: CaptureGate | None = None  # None: whatever the picture is like, the model is asked
    parts: Mapping[str, Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise RecipeError(f"schema version {self.schema_version} is unknown; this package has {SCHEMA_VERSION}")
        self._check_shapes()
        self._check_words()
        unnamed = [text for text in self.data.licences if text not in self.licence.data]
        if unnamed:
            raise RecipeError(f"licence: does not name {', '.join(unnamed)}, under which some of its pictures are")
        if self.parts and tuple(sorted(self.parts)) != tuple(sorted(PARTS)):
            raise RecipeError(f"parts are {', '.join(self.parts)}; they must be {', '.join(PARTS)}")

    def _check_shapes(self) -> None:
        contract, model = self.preprocessing, self.model
        if model.input.shape != (1, contract.height, contract.width, 3):
            raise RecipeError(f"model: takes {model.input}; preprocessing gives 1x{contract.height}x{contract.width}x3")
        if model.output.shape != (1, len(self.task.classes)):
            raise RecipeError(f"model: returns {model.output} for the {len(self.task.classes)} classes of its task")
        for name, rule in (("rule", self.rule), ("rule_before", self.rule_before)):
            if (rule.task, rule.classes) != (self.task.name, self.task.classes):
                raise RecipeError(f"{name}: is for task {rule.task} ({', '.join(rule.classes)}), not {self.task.name}")

    def _check_words(self) -> None:
        for name in ("intended_use", "out_of_scope", "notice"):
            if not getattr(self, name).strip():
                raise RecipeError(f"{name}: is empty; a bundle says what it is for and what it is not")
        if "Not a medical device" not in self.notice:
            raise RecipeError("notice: does not say that this is not a medical device")
        for text in texts(fields_to_json(self)):
            if is_host_path(text):
                raise RecipeError(f"{text!r} is a path of one machine; the manifest needs origins.portable() of it")

    @property
    def synthetic_banner(self) -> str | None:
        """What every output of a model says that learned from drawn pictures."""
        return SYNTHETIC_BANNER if self.data.synthetic else None

    def with_parts(self, contents: Mapping[str, bytes]) -> Manifest:
        """The manifest of a bundle that holds these parts."""
        return replace(self, parts={name: Part.of(content) for name, content in contents.items()})

    def to_json(self) -> dict[str, Any]:
        """The manifest as it stands in the bundle."""
        content = {**fields_to_json(self), "synthetic_banner": self.synthetic_banner}
        return {**content, "content_sha256": _sha256(content)}

    def to_bytes(self) -> bytes:
        """The content of manifest.json."""
        return canonical(self.to_json())

    @classmethod
    def from_json(cls, value: Any, where: str = "manifest") -> Manifest:
        """Read a manifest; a key too many, one missing or a value of another kind is an error that names it."""
        content = dict(value) if isinstance(value, Mapping) else {}
        version = content.get("schema_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:  # whose keys are not known here
            raise ArtifactError(
                f"{where}: has schema version {version}, and this edge-melanoma reads {SCHEMA_VERSION}; install a "
                "newer one"
            )
        for key in ("content_sha256", "synthetic_banner"):
            if key not in content:
                raise ArtifactError(f"{where}: lacks {key}")
        stated = content.pop("content_sha256")
        if stated != _sha256(content):
            raise ArtifactError(f"{where}: was edited: content_sha256 is not that of its content")
        banner = content.pop("synthetic_banner")
        manifest = fields_from_json(cls, content, where)
        if banner != manifest.synthetic_banner:
            raise ArtifactError(f"{where}: synthetic_banner is {banner!r}; {manifest.synthetic_banner!r} is right")
        return manifest


def read_manifest(data: bytes, *, name: str) -> Manifest:
    """The manifest in the bytes of manifest.json, which must be in the form that this tool writes."""
    where = f"{name}, manifest"
    try:
        manifest = Manifest.from_json(parse(data, where), where)
        same = manifest.to_bytes() == data
    except (RecursionError, UnicodeEncodeError) as error:  # nested a thousand deep; half a character
        raise ArtifactError(f"{where}: is not JSON as this tool writes it ({type(error).__name__})") from error
    if not manifest.parts:
        raise ArtifactError(f"{where}: names no parts")
    if not same:
        raise ArtifactError(f"{where}: is not in the form that this tool writes; it was edited")
    return manifest


def _sha256(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(content)).hexdigest()
