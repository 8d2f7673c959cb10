"""The verdict as a value: rows, views and flips; pages and command lines come later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_melanoma.decision import DecisionRule
from edge_melanoma.evaluation.remarks import Remark
from edge_melanoma.metrics.estimate import number
from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER
from edge_melanoma.parity.gate import Facts, GateRow, counted
from edge_melanoma.parity.grid import Output
from edge_melanoma.parity.recipe import GateRecipe
from edge_melanoma.parity.scoring import Scored
from edge_melanoma.parity.view import ViewResult
from edge_melanoma.recipe import recipe_sha256, to_table
from edge_melanoma.report import Cell, markdown_table

VIEWS: Mapping[str, str] = {
    "frozen": "the rule of the model before, kept as it is, on the logits after: what the conversion alone did",
    "refitted": "the rule that belongs to the model after: what ships",
}


@dataclass(frozen=True, kw_only=True)
class LogitChange:
    """How far the logits themselves moved, over all classes."""

    mean: float  # of the absolute change
    p99: float
    largest: float
    same_class: float  # share of pictures with the same highest logit

    def to_json(self) -> dict[str, Any]:
        """The change in numbers."""
        return {name: number(value) for name, value in vars(self).items()}


@dataclass(frozen=True, kw_only=True)
class ParityReport:
    """Whether a converted model, or a device, decides as the model that it comes from."""

    reference: str  # what it is compared with, and what is judged, in a word or two
    candidate: str
    task: str
    split: str
    groups: int
    seed: int
    rounds: int  # 0: a quick look, without drawn intervals
    level: float
    recipe: GateRecipe
    output: Output
    facts: Facts
    synthetic: bool
    logits: LogitChange
    rows: tuple[GateRow, ...]
    views: Mapping[str, ViewResult]  # frozen, refitted
    remarks: tuple[Remark, ...]
    about: Mapping[str, Any]  # hashes of index and models, host, engine, as far as the caller knows them
    before: Scored = field(repr=False)

    @property
    def passed(self) -> bool:
        """Does every row pass?"""
        return all(row.passed for row in self.rows)

    @property
    def failed_rows(self) -> tuple[GateRow, ...]:
        """The rows that do not pass, hard ones first."""
        return tuple(sorted((row for row in self.rows if not row.passed), key=lambda row: not row.hard))

    @property
    def quick(self) -> bool:
        """Judged without drawn intervals: good for choosing among models, not for shipping one."""
        return self.rounds == 0

    @property
    def rules(self) -> tuple[DecisionRule, DecisionRule]:
        """Of the reference and of the candidate."""
        return self.before.rule, self.views["refitted"].after.rule

    @property
    def title(self) -> str:
        """What was compared with what."""
        return f"Parity: {self.candidate} against {self.reference}"

    @property
    def verdict(self) -> str:
        """In one sentence."""
        judged = sum(row.judged for row in self.rows)
        if self.passed:
            return f"{self.candidate} decides as {self.reference} does: all {judged} checks passed"
        hard = sum(row.hard for row in self.failed_rows)
        loud = f" ({hard} of them hard)" if hard else ""
        return (
            f"{self.candidate} does not decide as {self.reference} does: "
            f"{len(self.failed_rows)} of {judged} checks failed{loud}"
        )

    def to_json(self) -> dict[str, Any]:
        """The report in numbers."""
        reference, candidate = self.rules
        return {
            "passed": self.passed,
            "verdict": self.verdict,
            "failed": [row.name for row in self.failed_rows],
            "failed_hard": [row.name for row in self.failed_rows if row.hard],
            "quick": self.quick,
            "reference": self.reference,
            "candidate": self.candidate,
            "task": self.task,
            "split": self.split,
            "pictures": self.facts.rows,
            "positives": self.facts.positives,
            "groups": self.groups,
            "seed": self.seed,
            "rounds": self.rounds,
            "level": self.level,
            "synthetic": self.synthetic,
            "notice": NOTICE,
            "banner": SYNTHETIC_BANNER if self.synthetic else None,
            "about": dict(self.about),
            "recipe": to_table(self.recipe),
            "recipe_sha256": recipe_sha256(self.recipe),
            "output": self.output.to_json(),
            "levels": self.facts.levels.to_json(),
            "logit_change": self.logits.to_json(),
            "rules": {"reference": reference.to_json(), "candidate": candidate.to_json()},
            "remarks": [remark.to_json() for remark in self.remarks],
            "rows": [row.to_json() for row in self.rows],
            "views": {name: view.to_json() for name, view in self.views.items()},
        }

    def gate_table(self) -> tuple[list[str], list[list[Cell]]]:
        """Headers and rows: asked and found under both views; `*` marks the view that decides."""
        rows: list[list[Cell]] = []
        for row in self.rows:
            found = [f"{finding.text}{' *' if name in row.deciding else ''}" for name, finding in row.findings.items()]
            rows.append([row.title, row.asked, *found, row.verdict])
        return ["check", "asked", *self.views, "verdict"], rows

    def to_markdown(self) -> str:
        """The gate, for a README, a model card or a pull request."""
        parts = [f"# {self.title}", f"**{self.verdict}.** {self._where()}"]
        if self.synthetic:
            parts.insert(1, f"**{SYNTHETIC_BANNER}**")
        parts.append(markdown_table(*self.gate_table()))
        parts.append("\n".join(f"- `{name}`: {words}" for name, words in VIEWS.items()))
        if self.failed_rows:
            parts.append("\n".join(f"- {row.title}: {row.words}" for row in self.failed_rows))
        parts += [f"{remark.tone}: {remark.text}" for remark in self.remarks]
        return "\n\n".join(part.rstrip("\n") for part in (*parts, NOTICE)) + "\n"

    def summary(self) -> tuple[str, ...]:
        """The result in a few lines."""
        lines = [SYNTHETIC_BANNER] if self.synthetic else []
        lines += [f"{'PASSED' if self.passed else 'FAILED'}: {self.verdict}", self._where()]
        for row in self.rows:
            word = "HARD" if row.hard else "FAIL" if not row.passed else "ok  " if row.judged else "    "
            lines.append(f"{word} {row.title}: {row.found} (asked {row.asked})")
            lines += [] if row.passed else [f"     {row.words}"]
        return (*lines, *(f"{remark.tone}: {remark.text}" for remark in self.remarks))

    def _where(self) -> str:
        facts = self.facts
        return (
            f"Task {self.task}, part {self.split}: {counted(facts.rows, 'picture')} of {self.groups:,} groups, "
            f"{counted(facts.positives, facts.positive_name)}."
        )
