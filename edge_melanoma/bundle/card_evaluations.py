"""The part of a card that tells how models trained by the same recipe did elsewhere: out of fold, without a centre.

What a bundle carries of it was written by another program at another time, so each figure is shown if it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edge_melanoma.bundle.sections import Row, Section, estimate, plain

OUT_OF_FOLD = "oof"
_NAMES = {
    "roc_auc": "AUC",
    "pauc80": "partial AUC above sensitivity .8",
    "average_precision": "average precision",
    "refer.sensitivity": "sensitivity where it refers",
    "refer.specificity": "specificity where it refers",
    "low.sensitivity": "share of the positive that it does not call low",
    "classes.balanced_accuracy": "balanced accuracy of all classes",
}


def evaluation_sections(metrics: Mapping[str, Any]) -> Iterator[Section]:
    """Two sections for each evaluation: its figures, and the groups of people and pictures."""
    told = metrics.get("evaluations")
    for one in told if isinstance(told, Sequence) and not isinstance(told, str) else ():
        if isinstance(one, Mapping):
            yield Section(title=_title(one), rows=tuple(_figures(one)))
            yield Section(
                title="… by group",
                columns=("", "", "pictures", "positive", "AUC", "sensitivity", "specificity"),
                rows=tuple(_groups(one)),
            )


def _title(one: Mapping[str, Any]) -> str:
    centres = one.get("held_out_centres")
    many = f"{plain(one.get('models'))} models by the same recipe"
    if one.get("split") == OUT_OF_FOLD:
        return f"Out of fold: {many}, each picture judged by one that never saw its lesion"
    if one.get("split") == "test" and isinstance(centres, Sequence) and centres:
        return f"On {', '.join(map(str, centres))}, by a model of the same recipe that was trained without it"
    return f"By a model of the same recipe, part {plain(one.get('split'))}"


def _figures(one: Mapping[str, Any]) -> Iterator[Row]:
    yield "pictures", f"{plain(one.get('pictures'))}, {plain(one.get('positives'))} of them positive"
    chosen = one.get("thresholds_set_on")
    if isinstance(chosen, Mapping):
        yield "thresholds set on", _chosen_on(chosen, out_of_fold=one.get("split") == OUT_OF_FOLD)
    known = list(_NAMES)
    for name, item in sorted(_items(one.get("figures")), key=lambda pair: (*known, pair[0]).index(pair[0])):
        yield _NAMES.get(name, name), estimate(item, "value")
    for _, item in _items(one.get("by_lesion")):
        yield "AUC by lesion", estimate(item, "value")
    confirmed = one.get("histology_confirmed_auc")
    if isinstance(confirmed, Mapping):
        yield "AUC where histology confirmed", estimate(confirmed, "value")
    for name, item in _items(one.get("no_pixel_auc")):
        yield f"AUC without a pixel, from {name}", estimate(item, "value")


def _chosen_on(chosen: Mapping[str, Any], *, out_of_fold: bool) -> str:
    """No interval of sensitivity or specificity holds that a threshold rests on few pictures."""
    counts = f"{plain(chosen.get('rows'))} pictures, {plain(chosen.get('positives'))} of them positive"
    return f"{counts}: of the same, judged by other models" if out_of_fold else f"{counts} (no interval holds that)"


def _groups(one: Mapping[str, Any]) -> Iterator[Row]:
    groups, before = one.get("subgroups"), None
    for group in groups if isinstance(groups, Sequence) and not isinstance(groups, str) else ():
        if isinstance(group, Mapping):
            attribute = plain(group.get("attribute"))
            counts = (plain(group.get("rows")), plain(group.get("positives")))
            figures = (_maybe(group.get(name)) for name in ("auc", "sensitivity", "specificity"))
            yield ("" if attribute == before else attribute, plain(group.get("value")), *counts, *figures)
            before = attribute


def _maybe(item: Any) -> str:
    return estimate(item, "value") if isinstance(item, Mapping) else "–"


def _items(values: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, item in values.items() if isinstance(values, Mapping) else ():
        if isinstance(item, Mapping):
            yield name, item
