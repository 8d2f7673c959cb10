"""What to do next, after a conversion that passed and after one that did not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .recipe import RUNGS, ConvertRecipe

if TYPE_CHECKING:
    from .run import Conversion


def next_steps(result: Conversion, recipe: ConvertRecipe) -> tuple[str, ...]:
    """Commands and settings to try, the likeliest first."""
    if result.out is not None:
        return (f"edge-melanoma verify {result.out}",)
    return tuple(_remedies(result, recipe))


def _remedies(result: Conversion, recipe: ConvertRecipe) -> Iterator[str]:
    """One sentence each, for a gate that was not met."""
    if result.climb.chosen is not None:
        yield (
            "what was chosen passed on the validation part and not on the test part; do not choose by the test part: "
            "give the index a larger validation part, or go on with the rungs behind it"
        )
    if any(row.name == "positives" for row in result.final.failed_rows):
        yield "a part with so few positives can prove nothing: split the index with larger parts, or take more data"
    left = [rung for rung in RUNGS if rung not in recipe.rungs] if recipe.format == "int8" else []
    if left:
        yield f"leave --ptq, --qat and rungs away, and the ladder has more to try: {', '.join(left)}"
    if recipe.prune is not None:
        softer = (
            "leave more weights (--prune with a smaller share)" if recipe.prune.pattern == "any" else "do not prune"
        )
        yield f"{softer}, or repair for longer (--set repair.epochs={2 * recipe.repair.epochs})"
    if recipe.cluster is not None:
        yield f"more different weights (--cluster {min(256, 2 * recipe.cluster.clusters)}), or a longer repair"
    if result.stability is not None and not result.stability.steady:
        yield f"more pictures to calibrate on (--set calibration.pictures={2 * recipe.calibration.pictures})"
    if recipe.format == "int8" and not left:
        yield f"longer quantisation-aware training (--set tune.epochs={2 * recipe.tune.epochs}), or --float16"
    yield "the report names every picture whose decision changed; a limit that does not fit the use is set by --gate"
