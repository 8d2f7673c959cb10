"""Spoils a set on purpose, once for every check of `data audit`, and lists exactly what the audit has to find.

Every defect gets victims of its own: lesions with one picture, of patients with one lesion. So a finding can be told by
its picture, and two defects never meet in one. Where one defect is by nature also another (a copy in another split is
also a copy), both are listed. What concerns the table as a whole has no picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_melanoma.data.synth import spoil
from edge_melanoma.data.synth.recipe import SynthRecipe
from edge_melanoma.data.synth.streams import Stream, stream
from edge_melanoma.data.synth.table import PICTURES, Row, counts, image_id, lesion_id, patient_id

DEFECT_COLUMNS = ("split", "parent_id", "license")
_LICENSE, _NON_COMMERCIAL = "CC0-1.0 (synthetic)", "CC-BY-NC-4.0"
_FEW, _ENOUGH = 14, 0.26  # melanoma pictures in val (the audit wants 30); their share in calibration and in test
_INVENTED = 7  # melanomas that the published counts have and the table has not


@dataclass(frozen=True, kw_only=True)
class Planted:
    """One finding that the audit has to make."""

    check: str
    image_ids: tuple[str, ...]
    detail: str

    def to_json(self) -> dict[str, object]:
        """As it stands in synth.json."""
        return {"check": self.check, "image_ids": list(self.image_ids), "detail": self.detail}


@dataclass
class _Set:
    """The set while it is being spoiled."""

    recipe: SynthRecipe
    folder: Path
    rows: list[Row]
    draw: np.random.Generator
    planted: list[Planted] = field(default_factory=list)
    lesions: int = 0
    pictures: int = 0

    def path(self, row: Row) -> Path:
        return self.folder / PICTURES / f"{row['image_id']}.jpg"

    def found_by(self, check: str, *rows: Row, detail: str) -> None:
        ids = dict.fromkeys(row["image_id"] for row in rows)
        self.planted.append(Planted(check=check, image_ids=tuple(ids), detail=detail))

    def add(self, like: Row, content: bytes, changes: Row, *, same_lesion: bool = False) -> Row:
        """A further picture whose row is like another's, of a lesion and patient of its own unless said otherwise."""
        self.pictures += 1
        row = {**like, **changes, "image_id": image_id(self.pictures)}
        if not same_lesion:
            row.update(lesion_id=lesion_id(self.lesions), patient_id=patient_id(self.lesions))
            self.lesions += 1
        self.path(row).write_bytes(content)
        self.rows.append(row)
        return row


def plant_defects(
    recipe: SynthRecipe, folder: Path, rows: list[Row]
) -> tuple[list[Row], dict[str, int], tuple[Planted, ...]]:
    """The spoiled rows, the counts that the set claims to have, and what the audit has to find."""
    draw = stream(recipe.seed, 0, Stream.DEFECTS)
    spoiled = _Set(
        recipe=recipe,
        folder=folder,
        rows=[{**row, "parent_id": "", "license": _LICENSE} for row in rows],
        draw=draw,
        lesions=recipe.lesions,
        pictures=len(rows),
    )
    _assign_splits(spoiled)
    _bias_the_table(spoiled)
    victims = _victims(spoiled)
    _plant_damage(spoiled, victims)
    _plant_copies(spoiled, victims)
    _plant_leaks(spoiled, victims)
    _plant_formats(spoiled, victims)
    _plant_a_shared_lesion(spoiled, victims)
    return spoiled.rows, _claim_wrong_counts(spoiled), tuple(spoiled.planted)


def _assign_splits(spoiled: _Set) -> None:
    """By patient, cleanly; too few melanomas in val."""
    patients = list(dict.fromkeys(row["patient_id"] for row in spoiled.rows))
    melanomas = counts((row for row in spoiled.rows if row["dx"] == "mel"), "patient_id")
    total, quota = sum(melanomas.values()), {"val": float(_FEW)}
    quota["calibration"] = quota["test"] = _ENOUGH * total
    split_of = {}
    for place in spoiled.draw.permutation(len(patients)):
        patient = patients[place]
        split = next((name for name, left in quota.items() if left > 0), "train")
        split_of[patient] = split
        if split in quota:
            quota[split] -= melanomas.get(patient, 0)
    for row in spoiled.rows:
        row["split"] = split_of[row["patient_id"]]
    few = sum(row["split"] == "val" and row["dx"] == "mel" for row in spoiled.rows)
    spoiled.found_by("few-positives", detail=f"val has {few} pictures of melanoma")


def _bias_the_table(spoiled: _Set) -> None:
    """A centre that sends nevi, a confirmation that tells the label, a licence that is not like the others."""
    nevi = list(dict.fromkeys(row["lesion_id"] for row in spoiled.rows if row["dx"] == "nv"))
    melanomas = list(dict.fromkeys(row["lesion_id"] for row in spoiled.rows if row["dx"] == "mel"))
    sent = {*_some(spoiled, nevi, 0.42), *_some(spoiled, melanomas, 0.03)}
    followed = set(_some(spoiled, nevi, 0.70))
    patients = list(dict.fromkeys(row["patient_id"] for row in spoiled.rows))
    restricted = set(_some(spoiled, patients, 0.10))
    for row in spoiled.rows:
        row["dataset"] = "syn_followup" if row["lesion_id"] in sent else row["dataset"]
        row["dx_type"] = "follow_up" if row["lesion_id"] in followed else "histo"
        row["license"] = _NON_COMMERCIAL if row["patient_id"] in restricted else row["license"]
    spoiled.found_by("source-label", detail="dataset syn_followup has 42 % of the nevi and 3 % of the melanomas")
    spoiled.found_by("metadata-leak", detail="dx_type: every melanoma is histo, 70 % of the nevi are follow_up")
    spoiled.found_by("licence-mix", detail=f"{_NON_COMMERCIAL} for 10 % of the patients")


def _some(spoiled: _Set, names: list[str], share: float) -> list[str]:
    return [str(name) for name in spoiled.draw.permutation(names)[: round(share * len(names))]]


def _victims(spoiled: _Set) -> Iterator[Row]:
    """Rows of lesions with one picture, of patients with one lesion, in random order; not of val, which is small."""
    rows = spoiled.rows
    of_patient = counts(rows, "patient_id")
    lonely = [row for row in rows if of_patient[row["patient_id"]] == 1]
    order = [lonely[place] for place in spoiled.draw.permutation(len(lonely))]
    return iter([row for row in order if row["split"] != "val"])


def _plant_damage(spoiled: _Set, victims: Iterator[Row]) -> None:
    cut, text, gone, twice, odd = (next(victims) for _ in range(5))
    whole = spoiled.path(cut).read_bytes()
    spoiled.path(cut).write_bytes(whole[: len(whole) * 6 // 10])
    spoiled.found_by("unreadable", cut, detail="a JPEG of which the last 40 % are missing")
    spoiled.path(text).write_text("404: Not Found\n", encoding="utf-8")
    spoiled.found_by("unreadable", text, detail="a text file with the name of a JPEG")
    spoiled.path(gone).unlink()
    spoiled.found_by("missing", gone, detail="a row without a file")
    spoiled.rows.insert(spoiled.rows.index(twice) + 1, dict(twice))
    spoiled.found_by("duplicate-id", twice, detail="the same row twice")
    odd["dx"] = "melanoma?"
    spoiled.found_by("unknown-label", odd, detail="a label outside the vocabulary: 'melanoma?'")

    spare = next(victims)  # the file of an orphan shows what no other file shows
    orphan = spoiled.folder / PICTURES / f"{image_id(9_000_001)}.jpg"
    orphan.write_bytes(spoil.mirrored(spoiled.path(spare)))
    name = orphan.relative_to(spoiled.folder).as_posix()
    spoiled.planted.append(Planted(check="orphan", image_ids=(name,), detail="a file without a row"))


def _plant_copies(spoiled: _Set, victims: Iterator[Row]) -> None:
    original = next(victims)
    copy = spoiled.add(original, spoiled.path(original).read_bytes(), _other_label(original))
    spoiled.found_by("conflicting-label", original, copy, detail="one file, a melanoma and a nevus")

    original = next(victims)
    copy = spoiled.add(original, spoiled.path(original).read_bytes(), {})
    spoiled.found_by("exact-duplicate", original, copy, detail="one file, two lesions, in one split")

    original = next(victims)
    copy = spoiled.add(original, spoiled.path(original).read_bytes(), _other_split(original))
    for check in ("exact-duplicate", "leak-hash"):
        spoiled.found_by(check, original, copy, detail="one file, two lesions, in two splits")

    original = next(victims)
    copy = spoiled.add(original, spoil.brightened(spoiled.path(original)), {})
    spoiled.found_by("near-duplicate", original, copy, detail="brightened and compressed anew, two lesions, one split")

    original = next(victims)
    copy = spoiled.add(original, spoil.brightened(spoiled.path(original)), _other_split(original))
    for check in ("near-duplicate", "near-duplicate-across-splits"):
        spoiled.found_by(check, original, copy, detail="brightened and compressed anew, two lesions, two splits")


def _plant_leaks(spoiled: _Set, victims: Iterator[Row]) -> None:
    of_patient, of_lesion = counts(spoiled.rows, "patient_id"), counts(spoiled.rows, "lesion_id")
    pairs = [
        row
        for row in spoiled.rows
        if of_patient[row["patient_id"]] == of_lesion[row["lesion_id"]] == 2
        and row["split"] == "train"
        # a row that is there twice is one picture, not two views
        and len({other["image_id"] for other in spoiled.rows if other["lesion_id"] == row["lesion_id"]}) == 2
    ]
    first = pairs[int(spoiled.draw.integers(len(pairs)))]
    views = [row for row in spoiled.rows if row["lesion_id"] == first["lesion_id"]]
    views[1]["split"] = "test"
    spoiled.found_by("leak-group", *views, detail="two views of one lesion, in train and in test")

    parents = {row["split"]: row for row in _one_of_each(victims)}
    for split in ("train", "test"):  # the child in train is as it should be
        parent = parents[split]
        child = spoiled.add(
            parent, spoil.mirrored(spoiled.path(parent)), {"parent_id": parent["image_id"]}, same_lesion=True
        )
        if split == "test":
            spoiled.found_by("augmented-outside-train", child, detail="an augmented copy, in test like its parent")


def _one_of_each(victims: Iterator[Row]) -> list[Row]:
    """The next victims up to one in train and one in test."""
    taken: list[Row] = []
    while not {"train", "test"} <= {row["split"] for row in taken}:
        taken.append(next(victims))
    return taken


def _plant_formats(spoiled: _Set, victims: Iterator[Row]) -> None:
    for check, change, detail in (
        ("alpha-channel", spoil.with_alpha, "a PNG with transparent corners"),
        ("sixteen-bit", spoil.with_sixteen_bits, "a PNG with 16 bits a sample"),
        ("cmyk", spoil.as_cmyk, "a JPEG in CMYK"),
        ("exif-rotation", spoil.with_orientation, "lies on its side, EXIF orientation 6"),
        ("exif-gps", spoil.with_gps, "EXIF with a place on earth"),
        ("exif-present", spoil.with_software, "EXIF with the name of a program"),
    ):
        victim = next(victims)
        change(spoiled.path(victim))
        spoiled.found_by(check, victim, detail=detail)
        if check in ("exif-rotation", "exif-gps"):
            spoiled.found_by("exif-present", victim, detail=detail)
    victim = next(victims)
    spoil.enlarged(spoiled.path(victim), times=3)
    spoiled.found_by("size-outlier", victim, detail="three times as wide and high as all others")


def _plant_a_shared_lesion(spoiled: _Set, victims: Iterator[Row]) -> None:
    one = next(victims)
    other = next(row for row in victims if row["split"] == one["split"])  # else it would be torn, too
    other["lesion_id"] = one["lesion_id"]
    spoiled.found_by("lesion-of-several-patients", one, other, detail="two patients with one lesion id")


def _claim_wrong_counts(spoiled: _Set) -> dict[str, int]:
    published = counts(spoiled.rows)
    published["mel"] += _INVENTED
    spoiled.found_by("fingerprint", detail=f"synth.json says {_INVENTED} melanomas more than the table has")
    return published


def _other_label(row: Row) -> Row:
    return {"dx": "nv" if row["dx"] == "mel" else "mel", "dx_type": "histo"}


def _other_split(row: Row) -> Row:
    return {"split": "test" if row["split"] == "train" else "train"}
