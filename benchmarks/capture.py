"""What the capture gate of a bundle refuses: real pictures, spoiled and natural copies of them, and what is no lesion.

The gate's limits were fitted on the training part by `edge-melanoma convert`; everything here is of the other parts,
and the copies are of pictures that the gate takes as they are. HAM10000's masks tell where skin is without a lesion.
Run: python -m edge_melanoma.benchmarks.capture INDEX BUNDLE [--masks FOLDER] [--copies 300]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from edge_melanoma.bundle import Bundle, open_bundle
from edge_melanoma.capture import CaptureGate, measure
from edge_melanoma.capture.limits import CODES
from edge_melanoma.data.eda.image_stats import ita_deg, to_lab, tone_of
from edge_melanoma.data.index import read_index
from edge_melanoma.data.pictures import Picture
from edge_melanoma.parallel import map_over_cores
from edge_melanoma.picture import read_picture
from edge_melanoma.preprocess import PreprocessContract

from .capture_copies import LAMPS, NATURAL, SCENES, SPOILED, scene
from .host import write_result

PARTS = ("val", "calibration", "test")  # not the one that set the limits
SCENES_EACH = 20
FEWEST = 30  # pictures of a row
SKIN_SIDE = 0.35  # of the picture's height: the square of skin that is looked for beside a lesion
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
AGES = ((0, 30), (30, 45), (45, 60), (60, 75), (75, 200))

Codes = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Contract and gate of a bundle; small enough to be sent to another process."""

    contract: PreprocessContract
    gate: CaptureGate

    def codes(self, picture: Image.Image) -> Codes:
        """Why a picture is refused."""
        tensor = self.contract.image_to_tensor(picture)
        return tuple(reason.code for reason in self.gate.reasons(measure(tensor, self.contract, picture.size)))

    def region(self, picture: Image.Image) -> Image.Image:
        """The part that the tensor is made of."""
        x, y, width, height = self.contract.geometry_of(*picture.size).region
        return picture.crop((x, y, x + width, y + height))


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was refused of a set of pictures."""

    kind: str
    name: str
    pictures: int
    refused: int
    codes: dict[str, int]

    @classmethod
    def of(cls, kind: str, name: str, found: Sequence[Codes]) -> Row:
        counts = {code: sum(code in codes for codes in found) for code in CODES}
        most = sorted(counts.items(), key=lambda item: -item[1])
        refused = sum(bool(codes) for codes in found)
        return cls(kind=kind, name=name, pictures=len(found), refused=refused, codes={c: n for c, n in most if n})

    def cells(self) -> tuple[str, ...]:
        named = [f"{code} {count / self.pictures:.1%}" for code, count in list(self.codes.items())[:3]]
        share = f"{self.refused / self.pictures:.1%}"
        return self.kind, self.name, f"{self.pictures:,}", share, ", ".join(named)


def as_it_is(picture: Picture, *, judge: Judge) -> tuple[Codes, float]:
    """Why a picture is refused, and the angle of its skin's tone."""
    image = read_picture(picture.read(), name=picture.name)
    rgb = np.asarray(judge.region(image))
    return judge.codes(image), ita_deg(to_lab(rgb), rgb.astype(np.float32) @ _LUMA)


def copies(item: tuple[int, Picture], *, judge: Judge) -> dict[str, Codes]:
    """Every copy of a picture, by name."""
    number, picture = item
    base = judge.region(read_picture(picture.read(), name=picture.name))
    changes = {**SPOILED, **NATURAL}
    return {name: judge.codes(change(base, np.random.default_rng(number))) for name, change in changes.items()}


def skin_beside(item: tuple[int, Picture], *, judge: Judge, masks: Path) -> Codes | None:
    """Of a square of the picture without a lesion, enlarged to have enough pixels; None where there is no such."""
    number, picture = item
    image = read_picture(picture.read(), name=picture.name)
    with Image.open(masks / f"{picture.image_id}_segmentation.png") as drawn:
        lesion = np.asarray(drawn.convert("L").resize(image.size, Image.Resampling.NEAREST)) > 0
    side, sums = int(SKIN_SIDE * image.height), np.pad(np.cumsum(np.cumsum(lesion, 0), 1), ((1, 0), (1, 0)))
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    rows, columns = np.nonzero(inside == 0)
    if not len(rows):
        return None
    chosen = int(np.random.default_rng(number).integers(len(rows)))
    top, left = int(rows[chosen]), int(columns[chosen])
    square = image.crop((left, top, left + side, top + side))
    if np.asarray(square).max(axis=2).min() < 60:  # a corner of the tube
        return None
    return judge.codes(square.resize((4 * side, 4 * side), Image.Resampling.BICUBIC))


def groups(table: pl.DataFrame, tones: Sequence[str | None]) -> Iterator[tuple[str, str, Any]]:
    """Kind, name and members."""
    for kind, column in (("diagnosis", "dx"), ("centre", "centre"), ("site", "site_group"), ("sex", "sex")):
        for value in sorted(table[column].drop_nulls().unique().to_list()):
            yield kind, value, (table[column] == value).fill_null(False).to_numpy()
    for low, high in AGES:
        name = f"{low} to {high - 1}" if high < 200 else f"{low} and over"
        yield "age", name, table["age"].is_between(low, high, closed="left").fill_null(False).to_numpy()
    for tone in dict.fromkeys(tone for tone in tones if tone):
        yield "image-estimated tone", tone, np.array([each == tone for each in tones])


def real_rows(table: pl.DataFrame, found: Sequence[tuple[Codes, float]]) -> list[Row]:
    """All, by part, and by group."""
    codes, tones = [each for each, _ in found], tone_of(np.array([ita for _, ita in found]))
    rows = [Row.of("real", f"part {part}", _where(codes, (table["split"] == part).to_numpy())) for part in PARTS]
    rows.insert(0, Row.of("real", "all", codes))
    members = [(kind, name, _where(codes, member)) for kind, name, member in groups(table, tones)]
    return rows + [Row.of(kind, name, some) for kind, name, some in members if len(some) >= FEWEST]


def _where(codes: Sequence[Codes], member: Any) -> list[Codes]:
    return [each for each, inside in zip(codes, member, strict=True) if inside]


def scene_rows(judge: Judge) -> list[Row]:
    rows = []
    for name in SCENES:
        for lamp in LAMPS:
            rng = np.random.default_rng(0)
            found = [judge.codes(scene(name, lamp, rng)) for _ in range(SCENES_EACH)]
            rows.append(Row.of("no lesion", f"{name}, {lamp}", found))
    return rows


def measured(index_folder: Path, bundle: Bundle, masks: Path | None, count: int) -> tuple[list[Row], int]:
    """Every row, and how many pictures the copies are of."""
    gate = bundle.manifest.capture_gate
    if gate is None:
        raise SystemExit(f"{bundle.name}: has no capture gate")
    judge = Judge(contract=bundle.contract, gate=gate)
    index = read_index(index_folder)
    table = index.table.filter(pl.col("split").is_in(PARTS))
    pictures = index.pictures(table)
    found = map_over_cores(partial(as_it_is, judge=judge), pictures)
    taken = [item for item, (codes, _) in zip(enumerate(pictures), found, strict=True) if not codes]
    drawn = [taken[place] for place in np.random.default_rng(0).permutation(len(taken))[:count]]
    made = map_over_cores(partial(copies, judge=judge), drawn, chunk=4)
    rows = real_rows(table, found)
    for kind, changes in (("spoiled copy", SPOILED), ("natural copy", NATURAL)):
        rows += [Row.of(kind, name, [codes[name] for codes in made]) for name in changes]
    if masks:
        beside = map_over_cores(partial(skin_beside, judge=judge, masks=masks), taken)
        rows.append(Row.of("no lesion", "skin beside a lesion", [codes for codes in beside if codes is not None]))
    return rows + scene_rows(judge), len(drawn)


def measuring_ms(contract: PreprocessContract) -> float:
    """What measuring one tensor takes at best."""
    tensor = np.random.default_rng(0).integers(0, 256, (contract.height, contract.width, 3), np.uint8)
    taken = []
    for _ in range(200):
        start = time.perf_counter()
        measure(tensor, contract, (contract.width, contract.height))
        taken.append(time.perf_counter() - start)
    return min(taken) * 1e3


def remarks(gate: CaptureGate, contract: PreprocessContract, copied: int) -> list[str]:
    """What the table does not say."""
    said = [
        f"The limits come from {gate.fitted_on['pictures']:,} training pictures, none of which is in the table.",
        f"Copies are of {copied:,} pictures of the other parts that the gate takes as they are: every share of a "
        "spoiled copy is one of pictures that were good. A natural copy that is refused is a fault of the gate.",
        "The copies are made, not taken: blur before noise and JPEG, exposure in linear light, melanin by "
        "Beer-Lambert. HAM10000 has hardly any dark skin, so that nothing here shows how real dark skin fares.",
        "Skin beside a lesion is a small square, enlarged, and blurred by that: look at `no_lesion` there.",
        f"Measuring a tensor of {contract.width}x{contract.height} takes {measuring_ms(contract):.2f} ms at best.",
    ]
    for part, cost in gate.fitted_on.get("cost", {}).items():
        every, accepted = cost["sensitivity"], cost["sensitivity_accepted"]
        said.append(
            f"Sensitivity of the bundle, part {part}: {every['successes']} of {every['trials']} ({every['value']:.3f}) "
            f"on all, {accepted['successes']} of {accepted['trials']} ({accepted['value']:.3f}) on those taken."
        )
    return said


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("index", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--masks", type=Path)
    parser.add_argument("--copies", type=int, default=300)
    given = parser.parse_args()
    bundle = open_bundle(given.bundle)
    rows, copied = measured(given.index, bundle, given.masks, given.copies)
    gate = bundle.manifest.capture_gate
    assert gate is not None
    facts = {"model": bundle.manifest.model.name, "model_sha256": bundle.manifest.parts["model"].sha256}
    path = write_result(
        "capture",
        f"What the capture gate of {bundle.manifest.model.name} refuses",
        {
            **facts,
            "index_sha256": bundle.manifest.data.index_sha256,
            "gate": gate.to_json(),
            "copies": copied,
            "rows": [vars(row) for row in rows],
        },
        ("pictures", "", "number", "refused", "most often as"),
        [row.cells() for row in rows],
        arguments=["INDEX", "BUNDLE", *(["--masks", "MASKS"] if given.masks else []), "--copies", str(given.copies)],
        remarks=remarks(gate, bundle.contract, copied),
        packages=("numpy", "pillow", "polars"),
    )
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
