"""The ladder: the cheapest conversion first, the next one only if the gate says no, judged on the part that chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from edge_melanoma.errors import ArtifactError
from edge_melanoma.tflite.model import read_model
from edge_melanoma.tflite.rules import Kind, problems

from .attempt import Attempt, attempt
from .export import to_tflite
from .material import Logits
from .rungs import Made, Workshop, maker_of
from .turns import turned

OnAttempt = Callable[[Attempt], None]


@dataclass(frozen=True, kw_only=True)
class Climb:
    """Everything that was tried, in order, and the one that passed."""

    attempts: tuple[Attempt, ...]

    @property
    def chosen(self) -> Attempt | None:
        """The first that passes; None if none does."""
        return next((each for each in self.attempts if each.passed), None)

    @property
    def nearest(self) -> Attempt:
        """The one that passes, or else the one that changes fewest decisions."""
        flips = [each.report.views["frozen"].flip_rates["any change"].value for each in self.attempts]
        return self.chosen or self.attempts[flips.index(min(flips))]


def climb(workshop: Workshop, *, on_attempt: OnAttempt, tflite_float: Mapping[str, Logits] | None = None) -> Climb:
    """Convert by the recipe: one export for the float kinds, the rungs in turn for int8."""
    attempts: list[Attempt] = []
    recipe = workshop.recipe
    for name, single in _all(workshop):
        made = replace(single, model=turned(single.model, workshop.material.run.turns))
        _require_sound(name, made, recipe.format)
        found = attempt(
            name,
            made.model,
            workshop.material,
            recipe.gate,
            tflite_float=tflite_float,
            float_layers=made.float_layers,
            remarks=made.remarks,
        )
        attempts.append(found)
        on_attempt(found)
        if found.passed:
            break
    return Climb(attempts=tuple(attempts))


def _all(workshop: Workshop) -> Iterator[tuple[str, Made]]:
    kind = workshop.recipe.format
    if kind != "int8":
        pictures = workshop.pictures if kind == "int16x8" else None
        yield kind, Made(model=to_tflite(workshop.network, kind, calibration=pictures))
        return
    for rung in workshop.recipe.rungs:
        for made in maker_of(rung)(workshop):
            yield rung, made


def _require_sound(name: str, made: Made, kind: Kind) -> None:
    """An integer model with a float operator, and other things that no gate would see, are named and refused."""
    found = problems(read_model(made.model, name=name), kind, allow_float=made.float_layers)
    if found:
        more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
        raise ArtifactError(f"{name}: is no sound {kind} model: {'; '.join(found[:3])}{more}")
