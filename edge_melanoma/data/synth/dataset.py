"""Writes a synthetic set as a folder laid out like HAM10000, so that every loader and every audit runs on it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from edge_melanoma.data.synth.camera import Pixels
from edge_melanoma.data.synth.ceiling import Ceiling, ceiling
from edge_melanoma.data.synth.defects import DEFECT_COLUMNS, Planted, plant_defects
from edge_melanoma.data.synth.latents import Case, artefacts_of, case_of, views_of
from edge_melanoma.data.synth.recipe import SynthRecipe
from edge_melanoma.data.synth.render import render
from edge_melanoma.data.synth.streams import GENERATOR_VERSION, Stream, stream
from edge_melanoma.data.synth.table import COLUMNS, PICTURES, TABLE_FILE, Row, as_csv, counts, image_id, row_of
from edge_melanoma.notice import SYNTHETIC_BANNER
from edge_melanoma.output import new_folder, write_file, write_json
from edge_melanoma.parallel import OnProgress, map_over_cores, silent

KIND = "pictures"
FACTS_FILE = "synth.json"
TWINS_FILE = "SYN_counterfactuals.csv"
NOTICE = f"{SYNTHETIC_BANNER}. Drawn by a program; shows no person. Not for diagnosis of any kind."

_README = f"""{NOTICE}

{TABLE_FILE}: one row a picture, the columns of HAM10000 first. dx_type and the columns from `view` on are known to a
generator only: z (severity, the one thing by which melanoma and nevus differ), A B C D S (asymmetry, border, colour,
diameter, structures: 0 to 1, how the severity shows), tds (total dermoscopy score, ABCD rule), findings, and flags
of artefacts. They are answers, not inputs.
{PICTURES}/: the pictures. Each says SYNTHETIC in its JPEG comment.
{FACTS_FILE}: the recipe, and the ceiling that no model of the pictures can beat.
SYN_cf_*/ and {TWINS_FILE}, where asked for: the same pictures with one artefact added or removed. They are no rows of
the table, because they are near-duplicates of its pictures. Before JPEG, twins are equal outside the artefact.
"""


@dataclass(frozen=True, kw_only=True)
class SynthResult:
    """What was written."""

    out: Path
    pictures: int  # rows of the table
    lesions: int
    patients: int
    counts: dict[str, int]  # pictures of each dx
    twins: int
    ceiling: Ceiling
    planted: tuple[Planted, ...]

    def to_json(self) -> dict[str, Any]:
        """The result in numbers."""
        return {
            "out": str(self.out),
            "pictures": self.pictures,
            "lesions": self.lesions,
            "patients": self.patients,
            "counts": self.counts,
            "twins": self.twins,
            "ceiling": self.ceiling.to_json(),
            "planted": [planted.to_json() for planted in self.planted],
            "synthetic": True,
            "notice": NOTICE,
        }


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One picture to be drawn, small enough to be sent to another process."""

    recipe: SynthRecipe
    folder: Path
    index: int
    view: int
    number: int


def run(
    recipe: SynthRecipe,
    out: Path,
    *,
    force: bool = False,
    workers: int | None = None,
    on_progress: OnProgress = silent,
) -> SynthResult:
    """Draw the set of a recipe and write it to `out`."""
    with new_folder(out, kind=KIND, force=force) as (draft, about):
        for name in (PICTURES, *(twin_folder(artefact) for artefact in recipe.counterfactuals)):
            (draft / name).mkdir()
        rows = map_over_cores(_draw, _jobs(recipe, draft), workers=workers, on_progress=on_progress)
        published, planted = counts(rows), tuple[Planted, ...]()
        if recipe.plant_defects:
            rows, published, planted = plant_defects(recipe, draft, rows)
        write_file(draft / TABLE_FILE, as_csv(rows, [*COLUMNS, *(DEFECT_COLUMNS if planted else ())]))
        twins = _write_twin_table(recipe, draft, rows)
        write_file(draft / "SYNTHETIC.txt", _README)
        result = SynthResult(
            out=out,
            pictures=len(rows),
            lesions=len({row["lesion_id"] for row in rows}),
            patients=len({row["patient_id"] for row in rows}),
            counts=counts(rows),
            twins=twins,
            ceiling=ceiling(recipe),
            planted=planted,
        )
        write_json(draft / FACTS_FILE, _facts(recipe, result, published))
        about.update(source="synth", generator_version=GENERATOR_VERSION, synthetic=True, notice=NOTICE)
    return result


def picture_of(recipe: SynthRecipe, case: Case, view: int, *, size: int | None = None, toggle: str = "") -> Pixels:
    """The pixels of one picture before JPEG; `toggle` adds or removes one artefact."""
    artefacts = artefacts_of(recipe, case, view) ^ ({toggle} if toggle else set())
    return render(case.lesion, view=view, size=size or recipe.size, artefacts=artefacts, nuisance=recipe.nuisance)


def twin_folder(artefact: str) -> str:
    """Where the twins of the pictures lie that differ by this artefact."""
    return f"SYN_cf_{artefact}"


def _jobs(recipe: SynthRecipe, folder: Path) -> list[_Job]:
    places = [(index, view) for index in range(recipe.lesions) for view in range(views_of(recipe, index))]
    return [
        _Job(recipe=recipe, folder=folder, index=index, view=view, number=number)
        for number, (index, view) in enumerate(places, start=1)
    ]


def _draw(job: _Job) -> Row:
    """Draw one picture and its twins, write them, return the row."""
    recipe, case = job.recipe, case_of(job.recipe, job.index)
    lowest, highest = recipe.jpeg_quality
    quality = int(stream(recipe.seed, job.index, Stream.JPEG, job.view).integers(lowest, highest + 1))
    for artefact in ("", *recipe.counterfactuals):
        folder = job.folder / (twin_folder(artefact) if artefact else PICTURES)
        pixels = picture_of(recipe, case, job.view, toggle=artefact)
        save_jpeg(pixels, folder / f"{image_id(job.number)}.jpg", quality)
    artefacts = artefacts_of(recipe, case, job.view)
    return row_of(recipe, case, view=job.view, number=job.number, artefacts=artefacts, quality=quality)


def save_jpeg(pixels: Pixels, path: Path, quality: int) -> None:
    """Write a JPEG that says what it is; in a comment, not in EXIF, which an audit rightly warns of."""
    comment = f"SYNTHETIC - no clinical meaning; edge-melanoma data synth, version {GENERATOR_VERSION}"
    Image.fromarray(pixels).save(path, quality=quality, comment=comment.encode())


def _write_twin_table(recipe: SynthRecipe, draft: Path, rows: list[Row]) -> int:
    twins = [
        {
            "image_id": row["image_id"],
            "path": f"{twin_folder(artefact)}/{row['image_id']}.jpg",
            "artefact": artefact,
            "change": "removed" if row[artefact] == "1" else "added",
        }
        for artefact in recipe.counterfactuals
        for row in rows
    ]
    if twins:
        write_file(draft / TWINS_FILE, as_csv(twins, twins[0]))
    return len(twins)


def _facts(recipe: SynthRecipe, result: SynthResult, published: dict[str, int]) -> dict[str, Any]:
    """Everything that is true of the set, and nothing that changes from run to run."""
    confound = {
        "artefact": recipe.confound,
        "p_benign": recipe.confound_p_benign,
        "p_mel": recipe.confound_p_mel,
        "meaning": "a deliberate shortcut: its presence tells the class, beyond what the ceiling allows",
    }
    return {
        "synthetic": True,
        "notice": NOTICE,
        "generator_version": GENERATOR_VERSION,
        "seed": recipe.seed,
        "recipe": asdict(recipe),
        "delta": recipe.separation,
        "shares": {dx: round(share, 6) for dx, share in recipe.shares.items()},
        "ceiling": result.ceiling.to_json(),
        "confound": confound if recipe.confound else None,
        "lesions": result.lesions,
        "patients": result.patients,
        "counts": result.counts,
        "published_counts": published,
        "planted": [planted.to_json() for planted in result.planted],
    }
