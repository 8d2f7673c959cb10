"""The table of a synthetic set: the columns of HAM10000_metadata.csv, then what only a generator can know."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from edge_melanoma.data.synth.latents import Case, values
from edge_melanoma.data.synth.morphology import morphology_of
from edge_melanoma.data.synth.recipe import ARTEFACTS, SynthRecipe
from edge_melanoma.data.synth.templates import diameter_mm_of
from edge_melanoma.data.synth.view import look_at

Row = dict[str, str]

TABLE_FILE = "SYN_metadata.csv"
PICTURES = "SYN_images"
COLUMNS = (
    *("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset"),
    *("patient_id", "view", "A", "B", "C", "D", "S", "z", "tds", "findings", "ita", "fov_mm", "diam_mm"),
    *(*ARTEFACTS, "confounded", "label_flipped", "jpeg_quality", "seed", "lesion_index"),
)


def image_id(number: int) -> str:
    """The name of picture 1, 2, 3 …"""
    return f"SYN_{number:07d}"


def lesion_id(index: int) -> str:
    """The name of lesion 0, 1, 2 …"""
    return f"SYNL_{index + 1:07d}"


def patient_id(first_lesion: int) -> str:
    """The name of a patient, after the first of their lesions."""
    return f"SYNP_{first_lesion + 1:07d}"


def row_of(recipe: SynthRecipe, case: Case, *, view: int, number: int, artefacts: Iterable[str], quality: int) -> Row:
    """One picture's row."""
    lesion, person, shown = case.lesion, case.lesion.person, set(artefacts)
    melanocytic = lesion.kind == "melanocytic"
    signs = morphology_of(lesion)
    diameter = signs.diameter_mm if melanocytic else diameter_mm_of(lesion)
    return {
        "lesion_id": lesion_id(lesion.index),
        "image_id": image_id(number),
        "dx": case.dx,
        "dx_type": "synthetic",
        "age": "" if case.age is None else str(case.age),
        "sex": case.sex,
        "localization": case.site,
        "dataset": person.centre,
        "patient_id": patient_id(person.patient),
        "view": str(view),
        **{name: f"{value:.4f}" for name, value in zip("ABCDS", values(lesion.attributes), strict=True)},
        "z": "" if case.severity is None else f"{case.severity:.4f}",
        "tds": f"{signs.total_dermoscopy_score:.2f}" if melanocytic else "",
        "findings": " ".join(signs.findings) if melanocytic else "",
        "ita": f"{person.ita:.1f}",
        "fov_mm": f"{look_at(lesion, view, recipe.size).field_of_view_mm:.3f}",
        "diam_mm": f"{diameter:.3f}",
        **{name: str(int(name in shown)) for name in ARTEFACTS},
        "confounded": str(int(case.confounded)),
        "label_flipped": str(int(case.dx != case.true_dx)),
        "jpeg_quality": str(quality),
        "seed": str(recipe.seed),
        "lesion_index": str(lesion.index),
    }


def as_csv(rows: Iterable[Mapping[str, str]], columns: Iterable[str]) -> str:
    """Rows as text, the same on every platform."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def counts(rows: Iterable[Row], key: str = "dx") -> dict[str, int]:
    """How many rows have each value, in the order of the values."""
    found: dict[str, int] = {}
    for row in rows:
        found[row[key]] = found.get(row[key], 0) + 1
    return dict(sorted(found.items()))
