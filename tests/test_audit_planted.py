"""A synthetic set spoiled on purpose, ingested, audited: the audit finds what was planted, no less and no more."""

import csv
import json
from collections import defaultdict
from pathlib import Path

import pytest

from edge_melanoma.data import audit, ingest
from edge_melanoma.data.sources import Request
from edge_melanoma.data.synth import SynthRecipe
from edge_melanoma.data.synth import run as draw


def audited(
    folder: Path, seed: int, *, plant: bool, lesions: int = 400
) -> tuple[list[dict[str, object]], list[dict[str, str]]]:
    draw(SynthRecipe(lesions=lesions, size=48, seed=seed, plant_defects=plant), folder / "pictures")
    request = Request(root=folder / "pictures", unpack=folder / "pictures")
    found = ingest.run("synth", request, folder / "index", keep_defects=True)
    report = audit.run(found.index, folder / "audit")
    assert report.failed == plant
    with (folder / "audit" / "findings.csv").open(newline="") as stream:
        findings = list(csv.DictReader(stream))
    return json.loads((folder / "pictures" / "synth.json").read_text())["planted"], findings


def by_check(findings, planted):
    """check -> the sets of pictures, each set one finding."""
    listed, made = defaultdict(set), defaultdict(lambda: defaultdict(set))
    for one in planted:
        listed[one["check"]].add(frozenset(one["image_ids"]))
    for row in findings:
        made[row["check"]][row["finding"]] |= {row["image_id"]} - {""}
    return dict(listed), {check: {frozenset(ids) for ids in sets.values()} for check, sets in made.items()}


@pytest.mark.parametrize("seed", [3])
def test_the_audit_finds_every_planted_defect_and_nothing_else(tmp_path, seed):
    planted, findings = audited(tmp_path, seed, plant=True)
    listed, made = by_check(findings, planted)
    assert made == listed
    assert set(listed) == set(audit.KINDS)


def test_a_set_without_defects_has_no_finding(tmp_path):
    assert audited(tmp_path, 0, plant=False, lesions=150) == ([], [])
    assert not (tmp_path / "audit" / "findings.png").exists()
