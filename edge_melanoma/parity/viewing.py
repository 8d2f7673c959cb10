"""How a view comes about: the same rows before and after, counted picture by picture.

A flip is any change of the three-way decision. Changes into or out of `refer`, and of `low`, are counted apart: each is
what a single threshold would show. Pictures near a threshold are the share whose score lay nearest to one before the
conversion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from edge_melanoma import metrics
from edge_melanoma.decision import DECISIONS, probability_of
from edge_melanoma.evaluation.rows import by_lesion
from edge_melanoma.evaluation.subgroups import FEWEST, NOT_TOLD, members
from edge_melanoma.metrics import Bootstrap, Measures, Ranking
from edge_melanoma.metrics.estimate import Bools, Floats, one_round
from edge_melanoma.parity.grid import Output, grid_of
from edge_melanoma.parity.recipe import Flipped
from edge_melanoma.parity.scoring import Scored, scored
from edge_melanoma.parity.view import Change, Crossing, Flip, Found, LesionView, SubgroupChange, ViewResult

RANKING = ("auc", "pauc80")  # their change is judged under draws; that of rates is counted
_THRESHOLDS: Mapping[Flipped, tuple[str, ...]] = {
    "any change": ("refer", "low"),
    "refer or not": ("refer",),
    "low or not": ("low",),
}


def side_measures(side: Scored) -> Measures:
    """The figures of one side whose change gets an interval by draws."""
    ranking = Ranking(side.rows.positive, side.rank)

    def measures(weights: Floats) -> dict[str, Floats]:
        roc = ranking.roc(weights)
        return {"auc": roc.auc(), "pauc80": roc.pauc80()}

    return measures


def view_of(
    name: str, before: Scored, after: Scored, *, output: Output, near: float, level: float, drawn: Bootstrap | None
) -> ViewResult:
    """Everything under the rule of `after`; without draws the AUC has DeLong's interval, the partial AUC none."""
    rows, moved = before.rows, np.abs(after.p - before.p)
    y = rows.positive
    changed = _changed(before, after)
    delong = metrics.delong_difference(y, after.rank, before.rank, rows.groups, level=level)
    changes = _changes(name, before, after, drawn)
    if drawn is None and not math.isnan(delong.low):
        auc = changes["auc"]
        changes["auc"] = Change(
            before=auc.before, after=auc.after, low=delong.low, high=delong.high, interval_by="DeLong"
        )
    return ViewResult(
        name=name,
        **changes,
        sensitivity=_rate_change(before, after, y, level),
        specificity=_rate_change(before, after, ~y, level),
        ece=Change(before=_ece(before), after=_ece(after)),
        delong=delong,
        mcnemar=metrics.mcnemar(before.referred == y, after.referred == y, rows.groups),
        found=_found(before, after, y),
        crossings=_crossings(before, after),
        flip_rates={k: metrics.grouped_wilson(mask, rows.groups, level=level) for k, mask in changed.items()},
        near_rates={k: _near_rate(before, mask, k, near, level) for k, mask in changed.items()},
        abstain_agreement=metrics.grouped_wilson(
            (before.decision == "uncertain") == (after.decision == "uncertain"), rows.groups, level=level
        ),
        flips=_flips(before, after),
        mean_probability_change=float(moved.mean()),
        p99_probability_change=float(np.quantile(moved, 0.99)),
        max_probability_change=float(moved.max()),
        grid=grid_of(after, before, output),
        subgroups=_subgroups(before, after),
        lesion=_lesion_view(before, after, level),
        after=after,
    )


def _changed(before: Scored, after: Scored) -> dict[Flipped, Bools]:
    return {
        "any change": np.asarray(before.decision != after.decision),
        "refer or not": before.referred != after.referred,
        "low or not": np.asarray((before.decision == "low") != (after.decision == "low")),
    }


def _changes(name: str, before: Scored, after: Scored, drawn: Bootstrap | None) -> dict[str, Change]:
    if drawn is None:
        alone = one_round(len(before.rows))
        first, second = side_measures(before)(alone), side_measures(after)(alone)
        return {key: Change(before=float(first[key][0]), after=float(second[key][0])) for key in RANKING}
    found = {}
    for key in RANKING:
        apart = drawn.difference(f"{name}/{key}", f"before/{key}")
        found[key] = Change(
            before=float(drawn.point[f"before/{key}"]),
            after=float(drawn.point[f"{name}/{key}"]),
            low=None if math.isnan(apart.low) else apart.low,
            high=None if math.isnan(apart.high) else apart.high,
            interval_by="paired bootstrap",
        )
    return found


def _rate_change(before: Scored, after: Scored, who: Bools, level: float) -> Change:
    """Of the decision to refer: right for these, who are all positive or all not."""
    y, groups = before.rows.positive[who], before.rows.groups[who]
    first, second = before.referred[who] == y, after.referred[who] == y
    change = metrics.grouped_change(first, second, groups, level=level)
    return Change(
        before=float(first.mean()), after=float(second.mean()), low=change.low, high=change.high, interval_by="counts"
    )


def _ece(side: Scored) -> float:
    return metrics.calibration_error(side.rows.positive, probability_of(side.calibrated))


def _found(before: Scored, after: Scored, who: Bools) -> Found:
    first, second = before.referred[who], after.referred[who]
    return Found(
        positives=len(first),
        before=int(first.sum()),
        after=int(second.sum()),
        lost=int((first & ~second).sum()),
        gained=int((~first & second).sum()),
    )


def _crossings(before: Scored, after: Scored) -> dict[Crossing, tuple[int, int]]:
    y, counts = before.rows.positive, {}
    for first in DECISIONS:
        for second in DECISIONS:
            both = (before.decision == first) & (after.decision == second)
            counts[first, second] = (int((both & y).sum()), int((both & ~y).sum()))
    return counts


def _near_rate(before: Scored, changed: Bools, kind: Flipped, near: float, level: float) -> metrics.Rate:
    count = math.ceil(near * len(changed) - 1e-9)
    nearest = np.argsort(before.distance(*_THRESHOLDS[kind]), kind="stable")[:count]
    return metrics.grouped_wilson(changed[nearest], before.rows.groups[nearest], level=level)


def _flips(before: Scored, after: Scored) -> tuple[Flip, ...]:
    """Every picture whose decision changed: positives first, then the greatest changes of the score."""
    rows, y = before.rows, before.rows.positive
    places = np.flatnonzero(before.decision != after.decision)
    order = np.lexsort((-np.abs(after.score - before.score)[places], ~y[places]))
    ids, lesions, dx = (rows.table[column].to_list() for column in ("image_id", "lesion_id", "dx"))
    distance = before.distance("refer", "low")
    return tuple(
        Flip(
            image_id=ids[i],
            lesion_id=lesions[i],
            dx=dx[i],
            answer=rows.task.classes[rows.answers[i]],
            positive=bool(y[i]),
            p_before=float(before.p[i]),
            p_after=float(after.p[i]),
            before=before.decision[i].item(),
            after=after.decision[i].item(),
            distance=float(distance[i]),
        )
        for i in places[order]
    )


def _subgroups(before: Scored, after: Scored) -> tuple[SubgroupChange, ...]:
    y, changed = before.rows.positive, before.decision != after.decision
    return tuple(
        SubgroupChange(
            attribute=attribute,
            value=value,
            rows=int(who.sum()),
            flips=int((changed & who).sum()),
            found=_found(before, after, who & y),
            judged=value != NOT_TOLD and bool((who & y).sum() >= FEWEST),
        )
        for (attribute, value), who in members(before.rows).items()
    )


def _lesion_view(before: Scored, after: Scored, level: float) -> LesionView | None:
    lesions = by_lesion(before.rows), by_lesion(after.rows)
    if lesions[0] is None or lesions[1] is None:
        return None
    first, second = scored(lesions[0], before.rule), scored(lesions[1], after.rule)
    y, groups, changed = first.rows.positive, first.rows.groups, _changed(first, second)
    delong = metrics.delong_difference(y, second.rank, first.rank, groups, level=level)
    auc = metrics.roc_auc(y, first.rank)
    known = not math.isnan(delong.low)
    return LesionView(
        lesions=len(y),
        auc=Change(
            before=auc,
            after=metrics.roc_auc(y, second.rank),
            low=delong.low if known else None,
            high=delong.high if known else None,
            interval_by="DeLong" if known else "",
        ),
        found=_found(first, second, y),
        flips=metrics.grouped_wilson(changed["any change"], groups, level=level),
        refer_flips=metrics.grouped_wilson(changed["refer or not"], groups, level=level),
    )
