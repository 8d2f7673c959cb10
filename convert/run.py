"""A run becomes a bundle, or a report that says why not: prune, convert, judge, pack, and open what was packed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_melanoma import backend
from edge_melanoma.bundle import check_vacant as check_file
from edge_melanoma.bundle import write_bundle
from edge_melanoma.capture import CaptureGate
from edge_melanoma.data.index import Index
from edge_melanoma.errors import RecipeError
from edge_melanoma.evaluation import log_test_opening
from edge_melanoma.output import check_vacant
from edge_melanoma.parity import ParityReport, Section, write_parity
from edge_melanoma.parity.page import KIND as PARITY
from edge_melanoma.runtime import Model as Runner
from edge_melanoma.runtime.cost import relative_times, time_laps

from .advice import next_steps
from .attempt import Attempt, compared
from .calibration import choose_pictures, halves, thin
from .capture import NO_GATE, fit_gate
from .evaluations import evaluations_of
from .export import to_tflite
from .graph import Model
from .ladder import Climb, climb
from .layer_error import LayerError, layer_errors
from .material import CALIBRATION, CHOICE, TEST, Logits, Material, Pixels
from .normalisation import fold_normalisation
from .packing import manifest_of, report_folder, with_labels
from .recipe import ConvertRecipe
from .rungs import Workshop
from .saving import Saving, saving
from .sections import sections_of
from .shrink import shrink
from .stability import Stability, stability
from .turns import turned

UNSHRUNK = "neither pruned nor clustered"  # the same conversion of the network as it was


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who wants to be told how it goes."""

    on_progress: Callable[[str, int, int], None] = lambda what, done, of: None
    on_attempt: Callable[[Attempt], None] = lambda attempt: None
    on_remark: Callable[[str], None] = lambda text: None


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What came of it."""

    recipe: ConvertRecipe
    out: Path | None  # None: the gate was not met, and there is no bundle
    report_folder: Path
    climb: Climb
    final: ParityReport  # on the test part; on the validation part if no rung passed there
    latency: dict[str, float]  # relative to float32
    float_bytes: int
    stability: Stability | None
    capture: CaptureGate | None  # None: too few training pictures for one
    saving: Saving | None  # None: neither pruned nor clustered
    remarks: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Is there a bundle?"""
        return self.out is not None

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What to do with it, or about it."""
        return next_steps(self, self.recipe)

    def to_json(self) -> dict[str, Any]:
        """The conversion in numbers."""
        return {
            "bundle": None if self.out is None else str(self.out),
            "report": str(self.report_folder),
            "passed": self.passed,
            "float32_bytes": self.float_bytes,
            "latency_relative_to_float32": self.latency,
            "attempts": [each.to_json() for each in self.climb.attempts],
            "stability": self.stability and self.stability.to_json(),
            "capture_gate": self.capture and self.capture.to_json(),
            "gate": self.final.to_json(),
            "saving": self.saving and self.saving.to_json(),
            "remarks": list(self.remarks),
            "next": list(self.next_steps),
        }


def run(
    folder: Path,
    recipe: ConvertRecipe,
    out: Path,
    *,
    index: Index | None = None,
    evaluations: Sequence[Path] = (),
    force: bool = False,
    watch: Watch | None = None,
) -> Conversion:
    """Convert the run in `folder` and write the bundle to `out`, its report beside it.

    The bundle carries the figures of the `evaluations`: of models trained by the same recipe.
    """
    watch = watch or Watch()
    if out.suffix != ".tflite":
        raise RecipeError(f"--out {out}: a bundle is a .tflite file; name it so")
    check_file(out, force=force)
    beside = report_folder(out)
    check_vacant(beside, kind=PARITY, force=force)
    with Material(folder, index=index, on_progress=lambda d, n: watch.on_progress("decoding pictures", d, n)) as m:
        backend.be_deterministic()
        backend.set_seeds(recipe.seed)
        if recipe.format == "int16x8" and m.run.turns > 1:
            raise RecipeError(
                f"{folder}: answers for {m.run.turns} turns of a picture, which int16x8 would make in float; "
                "convert it as int8 or float16"
            )
        told = evaluations_of(m.run, evaluations)
        return _Conversion(m, recipe, out, beside, evaluations=told, force=force, watch=watch).run()


class _Conversion:
    """One conversion under way."""

    def __init__(
        self,
        material: Material,
        recipe: ConvertRecipe,
        out: Path,
        beside: Path,
        *,
        evaluations: list[dict[str, Any]],
        force: bool,
        watch: Watch,
    ) -> None:
        self.evaluations = evaluations
        self.material, self.recipe, self.out, self.beside = material, recipe, out, beside
        self.force, self.watch = force, watch

    def run(self) -> Conversion:
        material, recipe = self.material, self.recipe
        table, labels = material.table("train"), material.labels("train")
        rows = choose_pictures(table, labels, recipe.calibration.pictures, seed=recipe.calibration.seed)
        ids = table["image_id"].gather(rows).to_list()
        material.rule_before()  # thresholds that cannot be chosen are told now, not after a training
        pictures = material.training_tensors(rows)
        float_model = turned(to_tflite(material.network, "float32"), material.run.turns)
        tflite_float = self._logits(float_model, (CALIBRATION, CHOICE))
        network, remarks = shrink(material, recipe, on_progress=self.watch.on_progress)
        workshop = Workshop(
            material=material, network=network, pictures=pictures, recipe=recipe, on_progress=self.watch.on_progress
        )
        climbed = climb(workshop, on_attempt=self.watch.on_attempt, tflite_float=tflite_float)
        uses_pictures = recipe.format in ("int8", "int16x8")
        steady = stability(network, pictures, *halves(table, labels, rows), material, recipe) if uses_pictures else None
        final = self._judge(climbed, float_model)
        capture = self._capture_gate(climbed, final)
        errors = self._layer_errors(network, pictures, climbed) if recipe.format == "int8" else []
        latency, saved = self._beside_each_other(workshop, climbed, float_model)
        thinly = thin(labels[rows], material.task.classes, asked=recipe.calibration.pictures) if uses_pictures else ()
        result = Conversion(
            recipe=recipe,
            out=self.out if climbed.chosen is not None and final.passed else None,
            report_folder=self.beside,
            climb=climbed,
            final=final,
            latency=latency,
            float_bytes=len(float_model),
            stability=steady,
            capture=capture,
            saving=saved,
            remarks=(*thinly, *remarks, *([saved.words] if saved else ()), *(() if capture else (NO_GATE,))),
        )
        self._write(result, sections_of(result, errors), ids if uses_pictures else [])
        return result

    def _logits(self, model: bytes, parts: Sequence[str]) -> dict[str, Logits]:
        runner = Runner(model, name="float32")
        return {part: runner.logits(self.material.tensors(part)) for part in parts}

    def _layer_errors(self, network: Model, pictures: Pixels, climbed: Climb) -> list[LayerError]:
        """Of plain post-training quantisation, whatever was chosen: where this network is weak."""
        first = climbed.attempts[0]
        plain = first.model if first.rung == "post-training" and self.material.run.turns == 1 else None
        plain = plain or to_tflite(network, "int8", calibration=pictures)
        return layer_errors(fold_normalisation(network), plain, pictures)

    def _beside_each_other(
        self, workshop: Workshop, climbed: Climb, float_model: bytes
    ) -> tuple[dict[str, float], Saving | None]:
        """The time of every model over float32's, and what pruning or clustering saved of the nearest one."""
        models = {"float32": float_model} | {f"{n}: {a.rung}": a.model for n, a in enumerate(climbed.attempts, 1)}
        network, pictures = self.material.network, workshop.pictures
        if workshop.network is network:
            return relative_times(time_laps(models, pictures[0]), reference="float32"), None
        plain = to_tflite(network, self.recipe.format, calibration=pictures)
        models[UNSHRUNK] = turned(plain, self.material.run.turns)
        laps, nearest = time_laps(models, pictures[0]), climbed.nearest
        beside_it = relative_times(laps, reference=UNSHRUNK)
        time = beside_it[f"{climbed.attempts.index(nearest) + 1}: {nearest.rung}"]
        return relative_times(laps, reference="float32"), saving(nearest.model, models[UNSHRUNK], relative_time=time)

    def _judge(self, climbed: Climb, float_model: bytes) -> ParityReport:
        """The chosen model on the test part, once; where none was chosen the test part stays closed."""
        chosen, material, recipe = climbed.chosen, self.material, self.recipe
        if chosen is None:
            return climbed.nearest.report
        logits = self._logits(chosen.model, [TEST])[TEST]
        report = compared(
            material,
            TEST,
            logits,
            chosen.rule,
            chosen.output,
            recipe.gate,
            rounds=recipe.rounds,
            seed=recipe.seed,
            name=recipe.format if chosen.rung == recipe.format else f"{recipe.format}, {chosen.rung}",
            tflite_float=self._logits(float_model, [TEST]),
        )
        seen = {name: getattr(report.views["refitted"], name).after for name in ("auc", "sensitivity", "specificity")}
        facts = {"index_sha256": material.index.sha256, "task": material.task.name, "rows": report.facts.rows}
        log_test_opening(material.run.folder, {"verb": "convert", **facts, "seen": seen})
        return report

    def _capture_gate(self, climbed: Climb, final: ParityReport) -> CaptureGate | None:
        """From training pictures; what it costs on the validation part, and on the test part where that was opened."""
        reports = [climbed.nearest.report, *([final] if final.split == TEST else [])]
        judged = [report.views["refitted"].after for report in reports]
        return fit_gate(self.material, judged, seed=self.recipe.seed, on_step=self.watch.on_progress)

    def _write(self, result: Conversion, sections: Sequence[Section], ids: Sequence[str]) -> None:
        """The report, and if the gate is met the bundle with it: both or neither."""
        final, chosen, force = result.final, result.climb.nearest, self.force

        def write_report() -> None:
            write_parity(final, self.beside, sections=sections, force=force)

        if not result.passed:
            write_report()
            return
        model = with_labels(chosen.model, self.material)
        manifest, golden = manifest_of(
            self.material,
            self.recipe,
            chosen,
            model,
            final,
            capture=result.capture,
            calibration_ids=ids,
            evaluations=self.evaluations,
        )
        write_bundle(self.out, model=model, manifest=manifest, golden=golden, force=force, together_with=write_report)
