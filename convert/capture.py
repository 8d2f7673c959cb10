"""The capture gate of a bundle: fitted on training pictures, then asked what it costs on pictures that it never saw.

A gate that turns the hard cases away makes every other figure look better. So each figure is given for all pictures
too, and for each part how many positives were turned away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from edge_melanoma.capture import CaptureGate, CaptureMeasures
from edge_melanoma.capture.fit import FEWEST, any_of, counts, fit_capture_gate, measure_pictures, refused_by
from edge_melanoma.capture.limits import CHECKS
from edge_melanoma.metrics import wilson
from edge_melanoma.parity import Section
from edge_melanoma.parity.scoring import Scored
from edge_melanoma.report import Cell

from .material import Ints, Material

MOST_PICTURES = 8000  # are measured for the limits; of more, so many are drawn

NO_GATE = (
    f"the bundle carries no capture gate, because fewer than {FEWEST} training pictures set no limits; the model is "
    "asked whatever a picture is like"
)

OnStep = Callable[[str, int, int], None]


def fit_gate(material: Material, judged: Sequence[Scored], *, seed: int, on_step: OnStep) -> CaptureGate | None:
    """The gate of a run's training pictures, with its cost on the parts that were judged; None of too few pictures."""
    train = material.table("train")
    if len(train) < FEWEST:
        return None
    rows = train[_draw(len(train), seed)]
    facts = {"part": "train", "drawn_from": len(train), "seed": seed}
    gate = fit_capture_gate(
        _measured(material, rows, "measuring training pictures", on_step),
        material.contract,
        groups=rows["dx"].fill_null("unknown").to_list(),
        facts=facts,
    )
    cost = {}
    for scored in judged:
        measures = _measured(material, scored.rows.table, f"measuring {scored.rows.split} pictures", on_step)
        cost[scored.rows.split] = _cost(gate, measures, scored)
    return replace(gate, fitted_on={**gate.fitted_on, "cost": cost})


def _draw(pictures: int, seed: int) -> Ints:
    if pictures <= MOST_PICTURES:
        return np.arange(pictures)
    return np.sort(np.random.default_rng([seed, 11]).choice(pictures, MOST_PICTURES, replace=False))


def _measured(material: Material, rows: pl.DataFrame, what: str, on_step: OnStep) -> list[CaptureMeasures]:
    pictures = material.index.pictures(rows)
    return measure_pictures(pictures, material.contract, on_progress=partial(on_step, what))


def _cost(gate: CaptureGate, measures: Sequence[CaptureMeasures], scored: Scored) -> dict[str, Any]:
    """What the gate turns away of one part, and what is found of the positives with and without it."""
    refused = refused_by(gate, measures)
    accepted, positive = ~any_of(refused), scored.rows.positive
    taken = positive & accepted
    return {
        "pictures": len(measures),
        "rejected": counts(refused),
        "positives": int(positive.sum()),
        "positives_rejected": int((positive & ~accepted).sum()),
        "sensitivity": wilson(int((scored.referred & positive).sum()), int(positive.sum())).to_json(),
        "sensitivity_accepted": wilson(int((scored.referred & taken).sum()), int(taken.sum())).to_json(),
    }


def section(gate: CaptureGate | None) -> Section:
    """The gate on the parity page."""
    heading = "Which pictures are not judged"
    if gate is None:
        return Section(heading=heading, paragraphs=[f"All are: {NO_GATE}."])
    fitted, cost = gate.fitted_on, gate.fitted_on["cost"]
    rows: list[list[Cell]] = []
    for check in CHECKS:
        refused = [fitted["rejected"][check.code], *(part["rejected"][check.code] for part in cost.values())]
        rows.append([check.code, check.asked(gate.limits), *refused])
    rows.append(["any", "", fitted["rejected"]["any"], *(part["rejected"]["any"] for part in cost.values())])
    return Section(
        heading=heading,
        paragraphs=[
            "A device measures every picture before it asks the model, and refuses what the model was never shown. "
            f"The limits are of {fitted['pictures']:,} training pictures; all checks together refuse at most "
            f"{fitted['max_rejected_share']:.0%} of them.",
            *(_words(name, part) for name, part in cost.items()),
        ],
        headers=["refused as", "asked", f"train, of {fitted['pictures']:,}", *_headers(cost)],
        rows=rows,
        caption="A picture can be refused for several reasons. None of the figures elsewhere on this page leaves any "
        "picture out.",
    )


def _headers(cost: dict[str, Any]) -> list[str]:
    return [f"{name}, of {part['pictures']:,}" for name, part in cost.items()]


def _words(name: str, part: dict[str, Any]) -> str:
    every, accepted = part["sensitivity"], part["sensitivity_accepted"]
    return (
        f"{name}: {part['rejected']['any']:,} of {part['pictures']:,} pictures refused "
        f"({part['rejected']['any'] / part['pictures']:.1%}), of {part['positives']:,} positives "
        f"{part['positives_rejected']:,}. Sensitivity {_share(every)} on all, {_share(accepted)} on those accepted."
    )


def _share(rate: dict[str, Any]) -> str:
    if rate["value"] is None:
        return "of none"
    return f"{rate['value']:.3f} ({rate['low']:.3f}–{rate['high']:.3f})"
