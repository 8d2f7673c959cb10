"""The card of a bundle: what it is, what it does, how well, made of what, and what it is not for.

A value: sections of rows. The command line prints it, and any other page can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge_melanoma.attribution import MADE_BY
from edge_melanoma.bundle.card_evaluations import evaluation_sections
from edge_melanoma.bundle.manifest import GOLDEN, LABELS, MODEL
from edge_melanoma.bundle.reading import Bundle
from edge_melanoma.bundle.sections import Row, Section, estimate, plain
from edge_melanoma.capture import CaptureGate
from edge_melanoma.capture.limits import CHECKS
from edge_melanoma.decision import DecisionRule, Interval, Threshold
from edge_melanoma.labels import TASKS
from edge_melanoma.metrics.estimate import shown, span

DIGITS = 4  # of a threshold: they lie near 0.01

FLOAT, CONVERTED, DIFFERENCE = COLUMNS = ("float", "converted", "difference")  # what measures are of


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a person reads of a bundle."""

    title: str
    banner: str | None
    licence: str
    sections: tuple[Section, ...]
    notice: str


def card(bundle: Bundle) -> Card:
    """The card of an opened bundle."""
    manifest = bundle.manifest
    title = f"{manifest.model.name} · {manifest.model.format} · {bundle.size_bytes / 1000:,.0f} kB"
    sections = (
        _what(bundle),
        _metrics(manifest.metrics),
        *evaluation_sections(manifest.metrics),
        _decision(manifest.rule, manifest.rule_before),
        _capture(manifest.capture_gate),
        Section(
            title="Gate that it passed" if not manifest.gate.not_met else "Gate, NOT MET",
            columns=("check", "asked", "found", ""),
            rows=tuple(
                (row.name, plain(row.asked), plain(row.found), row.verdict or ("pass" if row.passed else "NOT MET"))
                for row in manifest.gate.rows
            ),
        ),
        _origin(bundle),
        _licence(bundle),
        Section(title="Use", rows=(("intended", manifest.intended_use), ("out of scope", manifest.out_of_scope))),
    )
    shown = tuple(section for section in sections if section.rows)
    return Card(
        title=title,
        banner=manifest.synthetic_banner,
        licence=manifest.licence.model,
        sections=shown,
        notice=manifest.notice,
    )


def _what(bundle: Bundle) -> Section:
    manifest, contract = bundle.manifest, bundle.contract
    model, task = manifest.model, manifest.task
    rows = [
        ("file", f"{bundle.name}, {bundle.size_bytes:,} bytes"),
        ("SHA-256", bundle.sha256),
        ("of the model", manifest.parts[MODEL].sha256),
        ("task", f"{task.name}: {TASKS.get(task.name, 'not a task of this version').removesuffix(' (default)')}"),
        ("classes", ", ".join(task.classes)),
        ("network", f"{model.backbone}, {model.parameters:,} parameters, {model.macs:,} multiply-adds a picture"),
        ("format", f"{model.format}: {model.input} → {model.output}"),
        ("pictures", f"{contract.geometry} to {contract.width}x{contract.height}, contract {contract.version}"),
        ("carries", f"{LABELS}, {GOLDEN} ({manifest.golden.pictures} pictures), manifest.json"),
    ]
    trained = manifest.run.recipe.get("model")
    turns = trained.get("turns", 1) if isinstance(trained, Mapping) else 1
    if turns != 1:
        rows.append(("answers for", f"the picture and its quarter turns, {plain(turns)} in all, by their mean"))
    for recipe in (manifest.run.recipe, manifest.quantisation.recipe):
        if recipe.get("description"):
            rows.append(("its makers say", plain(recipe["description"])))
    if model.float_layers:
        rows.append(("in float", ", ".join(model.float_layers)))
    return Section(title="Model", rows=tuple(rows))


# of what a conversion measures, the float model and the converted one each under a rule that was fitted to it
_NAMES = {
    "auc": "AUC",
    "pauc80": "partial AUC above sensitivity .8",
    "sensitivity": "sensitivity where it refers, own thresholds",
    "specificity": "specificity where it refers, own thresholds",
    "ece": "calibration error, own temperature",
    "flips": "share of decisions changed, the float model's thresholds",
    "flips_refitted": "share of decisions changed, own thresholds",
}


def _metrics(metrics: Mapping[str, Any]) -> Section:
    """One row a measure: of the float model, of this one, and the difference, as far as each is there."""
    rows: dict[str, dict[str, str]] = {}
    for column, name, text in _measures(metrics):
        rows.setdefault(_NAMES.get(name, name), {})[column] = text
    facts = [f"{name} {plain(value)}" for name, value in metrics.items() if not isinstance(value, Mapping | list)]
    columns = tuple(column for column in COLUMNS if any(column in row for row in rows.values()))
    return Section(
        title=f"Measured ({', '.join(facts)})" if facts else "Measured",
        columns=("", *columns),
        rows=tuple((name, *(row.get(column, "") for column in columns)) for name, row in rows.items()),
    )


def _measures(metrics: Mapping[str, Any], prefix: str = "", column: str = CONVERTED) -> Iterator[tuple[str, str, str]]:
    """Column, name and text of every value with an interval, and of every value before and after."""
    for name, item in metrics.items():
        where = f"{prefix}{name}"
        if not isinstance(item, Mapping):
            if prefix:
                yield column, where, plain(item)
        elif "value" in item:
            yield column, where, estimate(item, "value")
        elif {"before", "after", "difference"} <= item.keys():
            yield from ((FLOAT, where, plain(item["before"])), (CONVERTED, where, plain(item["after"])))
            yield DIFFERENCE, where, estimate(item, "difference")
        elif name in (FLOAT, CONVERTED):
            yield from _measures(item, prefix, name)
        else:
            yield from _measures(item, f"{where}.", column)


def _decision(rule: DecisionRule, before: DecisionRule) -> Section:
    fitted = rule.fitted_on
    where = ", ".join(f"{name} {plain(fitted[name])}" for name in ("split", "rows", "positives") if name in fitted)
    rows = [
        ("refer", f"p ≥ {_threshold(rule.threshold_refer)}"),
        ("", _chosen(rule.threshold_refer)),
        ("low", f"p < {_threshold(rule.threshold_low)}"),
        ("", _chosen(rule.threshold_low)),
        ("temperature", f"{_interval(rule.temperature)}; the float model's {shown(before.temperature.value)}"),
        ("prevalence", _prevalence(rule)),
        ("fitted on", where or "not said"),
        *(("remark", plain(remark)) for remark in fitted.get("remarks", ())),
    ]
    return Section(title=f"Decision: p is the probability of {_positive(rule)}", rows=tuple(rows))


def _prevalence(rule: DecisionRule) -> str:
    """What probabilities and thresholds are for, and whether somebody said so."""
    asked = rule.fitted_on.get("recipe")
    stated = isinstance(asked, Mapping) and asked.get("prior_deploy") is not None
    told = "as was stated" if stated else "that of the pictures it was fitted on: nobody stated another"
    return f"{rule.prior_deploy:.2%} is assumed, {told}; {rule.prior_train:.2%} as training drew them"


def _positive(rule: DecisionRule) -> str:
    return " or ".join(rule.classes[place] for place in rule.positive)


def _threshold(threshold: Threshold) -> str:
    return f"{shown(threshold.value, DIGITS)} ({shown(threshold.low, DIGITS)}–{shown(threshold.high, DIGITS)})"


def _chosen(threshold: Threshold) -> str:
    return (
        f"chosen for {threshold.chosen_for}; there sensitivity {_interval(threshold.sensitivity)}, "
        f"specificity {_interval(threshold.specificity)}"
    )


def _interval(interval: Interval) -> str:
    return f"{shown(interval.value)} ({span(interval.low, interval.high)})"


def _capture(gate: CaptureGate | None) -> Section:
    """What a picture has to be like before the model is asked, and what that costs."""
    if gate is None:
        return Section(title="Capture gate", rows=(("none", "the model is asked whatever a picture is like"),))
    fitted, cost = gate.fitted_on, gate.fitted_on.get("cost")
    rows = [(check.code, check.asked(gate.limits)) for check in CHECKS]
    rows.append(("fitted on", f"{plain(fitted.get('pictures'))} pictures of {plain(fitted.get('part'))}"))
    for part, found in cost.items() if isinstance(cost, Mapping) else ():
        rows.append((f"cost, {part}", _cost(found) if isinstance(found, Mapping) else "–"))
    return Section(title="Capture gate: a picture is refused as", columns=("", "unless"), rows=tuple(rows))


def _cost(part: Mapping[str, Any]) -> str:
    refused, every, accepted = (part.get(name) for name in ("rejected", "sensitivity", "sensitivity_accepted"))
    if not (isinstance(refused, Mapping) and isinstance(every, Mapping) and isinstance(accepted, Mapping)):
        return "–"
    return (
        f"{plain(refused.get('any'))} of {plain(part.get('pictures'))} refused, "
        f"{plain(part.get('positives_rejected'))} of {plain(part.get('positives'))} positives; sensitivity "
        f"{estimate(every, 'value')} on all, {estimate(accepted, 'value')} on those taken"
    )


def _origin(bundle: Bundle) -> Section:
    manifest = bundle.manifest
    data, run, made = manifest.data, manifest.run, manifest.quantisation
    calibrated = f", ranges from {len(made.calibration_ids):,} pictures" if made.calibration_ids else ""
    rows = [
        *(("data", f"{source.name}, {source.pictures:,} pictures") for source in data.sources),
        ("parts", ", ".join(f"{part} {count:,}" for part, count in data.pictures.items())),
        ("index", data.index_sha256),
        ("weights", run.weights_sha256),
        ("recipe", f"{run.recipe_sha256}, seed {run.seed}"),
        *_began_with(run.recipe),
        *_teachers(run.recipe),
        *_shrunk(made.recipe),
        ("quantised", f"{made.rung}{calibrated}, seed {made.seed}"),
        ("made with", ", ".join(f"{name} {version}" for name, version in run.versions.items() if version)),
        ("golden on", f"{manifest.golden.engine} {manifest.golden.engine_version}, {manifest.golden.architecture}"),
    ]
    return Section(title="Origin", rows=tuple(rows))


def _began_with(recipe: Mapping[str, Any]) -> Iterator[Row]:
    """The first weights; a recipe is free to say anything."""
    model = recipe.get("model")
    if isinstance(model, Mapping) and model.get("weights"):
        yield "began with", plain(model["weights"])


def _teachers(recipe: Mapping[str, Any]) -> Iterator[Row]:
    """Who taught it; a recipe is free to say anything, and older bundles name the runs only."""
    teacher = recipe.get("teacher")
    runs = teacher.get("runs") if isinstance(teacher, Mapping) else None
    for run in runs if isinstance(runs, list | tuple) else ():
        if isinstance(run, Mapping):
            yield "taught by", f"{plain(run.get('backbone'))}, weights {plain(run.get('weights_sha256'))}"
        else:
            yield "taught by", plain(run)


def _shrunk(recipe: Mapping[str, Any]) -> Iterator[Row]:
    """What was asked for before the conversion; a recipe is free to say anything."""
    prune, cluster = recipe.get("prune"), recipe.get("cluster")
    if isinstance(prune, Mapping):
        pattern = f", pattern {plain(prune['pattern'])}" if prune.get("pattern", "any") != "any" else ""
        share = f"{plain(prune.get('sparsity'))} of the large layers' weights{pattern}"
        yield "pruned", f"{share}: a smaller download, not a faster prediction"
    if isinstance(cluster, Mapping):
        yield "clustered", f"{plain(cluster.get('clusters'))} different weights in each large layer"


def _licence(bundle: Bundle) -> Section:
    licence, sources = bundle.manifest.licence, bundle.manifest.data.sources
    rows = [
        ("model", licence.model),
        ("pictures", "; ".join(licence.data)),
        *(("pictures by", MADE_BY[source.name]) for source in sources if source.name in MADE_BY),
        ("first weights", "; ".join(licence.weights) or "none: trained from scratch"),
        ("commercial use", "allowed by all of these" if licence.commercial else "NOT ALLOWED"),
        *(("because", reason) for reason in licence.reasons),
    ]
    return Section(title="Licence", rows=tuple(rows))
