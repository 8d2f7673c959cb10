"""One way to convert a network, with all that is measured of it before anybody looks at the test part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_melanoma.decision import DecisionRule
from edge_melanoma.parity import GateRecipe, Output, ParityReport, judge
from edge_melanoma.runtime import Model as Runner
from edge_melanoma.runtime.cost import compressed_bytes

from .material import CALIBRATION, CHOICE, Logits, Material


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A converted network, its own decision rule, and how it stands on the part that chooses."""

    rung: str
    model: bytes = field(repr=False)
    rule: DecisionRule
    report: ParityReport
    output: Output
    float_layers: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Does it pass the gate on the part that chooses?"""
        return self.report.passed

    @property
    def compressed_bytes(self) -> int:
        """What the model takes in an archive or on the wire."""
        return compressed_bytes(self.model)

    def to_json(self) -> dict[str, Any]:
        """The attempt in numbers."""
        return {
            "rung": self.rung,
            "passed": self.passed,
            "failed": [row.name for row in self.report.failed_rows],
            "bytes": len(self.model),
            "compressed_bytes": self.compressed_bytes,
            "float_layers": list(self.float_layers),
            "remarks": list(self.remarks),
            "gate": self.report.to_json(),
        }


def attempt(
    rung: str,
    model: bytes,
    material: Material,
    gate: GateRecipe,
    *,
    tflite_float: Mapping[str, Logits] | None = None,
    float_layers: tuple[str, ...] = (),
    remarks: tuple[str, ...] = (),
) -> Attempt:
    """Run the model on the calibration and the validation part, fit its rule on the one and judge it on the other."""
    runner = Runner(model, name=rung)
    logits = {part: runner.logits(material.tensors(part)) for part in (CALIBRATION, CHOICE)}
    rule = material.rule_after(logits[CALIBRATION])
    output = output_of(runner)
    report = compared(
        material, CHOICE, logits[CHOICE], rule, output, gate, rounds=0, tflite_float=tflite_float, name=rung
    )
    return Attempt(
        rung=rung,
        model=model,
        rule=rule,
        report=report,
        output=output,
        float_layers=float_layers,
        remarks=remarks,
    )


def output_of(runner: Runner) -> Output:
    """How the logits are stored."""
    facts = runner.output
    return Output(dtype=facts.dtype, scale=facts.scale, zero_point=facts.zero_point)


def compared(
    material: Material,
    part: str,
    logits: Logits,
    rule: DecisionRule,
    output: Output,
    gate: GateRecipe,
    *,
    rounds: int,
    name: str,
    seed: int = 0,
    tflite_float: Mapping[str, Logits] | None = None,
) -> ParityReport:
    """The converted model against the float one on a part."""
    return judge(
        material.predictions(part, material.reference(part)),
        material.predictions(part, logits),
        material.parts.table,
        material.task,
        split=part,
        reference_rule=material.rule_before(),
        candidate_rule=rule,
        output=output,
        tflite_float=None if tflite_float is None else material.predictions(part, tflite_float[part]),
        recipe=gate,
        rounds=rounds,
        seed=seed,
        names=("the float model", name),
    )
