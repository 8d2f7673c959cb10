"""What the parity page says beyond the verdict: every rung, what it costs, and where the error comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge_melanoma.parity import Section
from edge_melanoma.parity.gate import counted
from edge_melanoma.report import Cell
from edge_melanoma.runtime import engine
from edge_melanoma.runtime.cost import LAPS

from .capture import section as capture_section
from .layer_error import LayerError, plot, table

if TYPE_CHECKING:
    from .run import Conversion

MOST_LAYERS = 25


def sections_of(result: Conversion, errors: Sequence[LayerError]) -> list[Section]:
    """The ladder, the draw of the calibration pictures, the capture gate, the layers."""
    found = [_ladder(result)]
    if result.stability is not None:
        found.append(
            Section(
                heading="Does the draw of the calibration pictures matter?",
                paragraphs=[f"{_begun(result.stability.words)}."],
            )
        )
    found.append(capture_section(result.capture))
    if errors:
        found.append(_layers(errors, synthetic=result.final.synthetic))
    return found


def ladder_rows(result: Conversion) -> tuple[list[str], list[list[Cell]]]:
    """Every rung with what it costs and keeps, as a table."""
    headers = ["rung", "gate", "MB", "compressed", "time / float32", "AUC", "change of AUC", "flips", "sensitivity"]
    rows: list[list[Cell]] = []
    for number, each in enumerate(result.climb.attempts, start=1):
        frozen, refitted = each.report.views["frozen"], each.report.views["refitted"]
        name = each.rung + (f", {counted(len(each.float_layers), 'layer')} in float" if each.float_layers else "")
        failed = ", ".join(row.title for row in each.report.failed_rows)
        rows.append(
            [
                name,
                "passes" if each.passed else f"fails: {failed}",
                f"{len(each.model) / 1e6:.2f}",
                f"{each.compressed_bytes / 1e6:.2f}",
                f"{result.latency[f'{number}: {each.rung}']:.2f}",
                f"{refitted.auc.after:.4f}",
                f"{refitted.auc.difference:+.4f}",
                f"{frozen.flip_rates['any change'].value:.2%}",
                f"{frozen.sensitivity.before:.3f} → {frozen.sensitivity.after:.3f}",
            ]
        )
    return headers, rows


def _ladder(result: Conversion) -> Section:
    headers, rows = ladder_rows(result)
    notes = [f"{_begun(each.rung)}: {remark}" for each in result.climb.attempts for remark in each.remarks]
    return Section(
        heading="What was tried",
        paragraphs=[
            f"From the cheapest on, until the gate is passed on the validation part; float32 has "
            f"{result.float_bytes / 1e6:.2f} MB. Flips and sensitivity at the float model's thresholds. Times are "
            f"ratios to float32 in the same lap, medians of {LAPS} ({engine()}, one thread); absolute ones need "
            "`edge-melanoma bench` on the device.",
            *(f"{_begun(remark)}." for remark in result.remarks),
            *(f"{note}." for note in notes),
            *([] if result.passed else [f"Next: {step}." for step in result.next_steps]),
        ],
        headers=headers,
        rows=rows,
    )


def _begun(text: str) -> str:
    """As a sentence begins."""
    return text[:1].upper() + text[1:]


def _layers(errors: Sequence[LayerError], *, synthetic: bool) -> Section:
    headers, rows = table(errors[:MOST_LAYERS])
    more = len(errors) - MOST_LAYERS
    return Section(
        heading="Where the error comes from",
        paragraphs=[
            "Of plain post-training quantisation: the power of each operator's output over that of its error, on "
            "calibration pictures, worst first. The last column is what the operator adds to what it was given."
        ],
        headers=headers,
        rows=rows,
        caption=f"{more} more operators are better than these." if more > 0 else "",
        plot=plot(errors, synthetic=synthetic),
    )
