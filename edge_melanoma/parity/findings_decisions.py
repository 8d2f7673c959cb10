"""Checks on decisions: who is found, who is lost, how many change their answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_melanoma.evaluation.subgroups import FEWEST, TITLES
from edge_melanoma.metrics import Rate
from edge_melanoma.parity.gate import Finding, Judged, allowed, counted, on_cases, per_cent, points, sentence, share
from edge_melanoma.parity.recipe import Flipped, GateRecipe
from edge_melanoma.parity.view import Flip, Found, SubgroupChange

_MOST_NAMED = 5


def positives(judged: Judged) -> Finding:
    """Are there enough to judge anything by?"""
    facts = judged.facts
    return Finding(
        value=facts.positives,
        text=f"{facts.positives:,}",
        passed=facts.positives >= judged.recipe.min_positives,
        words=f"{counted(facts.rows, 'picture')}, {facts.positives:,} of them {facts.positive_name}; one is "
        f"{share(1 / facts.positives)} of the sensitivity",
    )


def sensitivity(judged: Judged) -> Finding:
    """Of `refer`, by the net loss."""
    recipe, view, noun = judged.recipe, judged.view, judged.facts.positive_name
    found = view.found
    limit, hard = recipe.max_sensitivity_drop, recipe.hard_sensitivity_drop
    lost = [flip for flip in view.flips if flip.positive and flip.before == "refer"]
    return Finding(
        value=found.change,
        text=f"{points(found.change)} ({found.before:,} → {found.after:,} of {found.positives:,})",
        low=view.sensitivity.low,
        high=view.sensitivity.high,
        passed=found.net_lost <= allowed(limit, found.positives),
        hard=found.net_lost > allowed(hard, found.positives),
        words=sentence(
            f"`refer` finds {found.before:,} of {counted(found.positives, noun)} before and {found.after:,} after: "
            f"{found.lost:,} lost{_named(lost)}, {found.gained:,} gained",
            on_cases(limit, found.positives, noun),
            _interval_of_points(view.sensitivity.low, view.sensitivity.high),
        ),
    )  # fmt: skip


def flips(judged: Judged) -> Finding:
    """Of all pictures."""
    recipe, view = judged.recipe, judged.view
    rate = _asked(recipe, view.flip_rates)
    return Finding(
        value=rate.value,
        text=_counts(rate),
        low=rate.low,
        high=rate.high,
        passed=rate.successes <= allowed(recipe.max_flips, rate.trials),
        hard=rate.successes > allowed(recipe.hard_flips, rate.trials),
        aim_met=rate.value <= recipe.aim_flips,
        words=sentence(
            f"{_counts(view.flip_rates['any change'])} change among low, uncertain and refer: "
            f"{_counts(view.flip_rates['refer or not'])} into or out of refer, "
            f"{_counts(view.flip_rates['low or not'])} into or out of low",
            on_cases(recipe.max_flips, rate.trials, "picture"),
            _bound(rate),
        ),
    )


def flips_near(judged: Judged) -> Finding:
    """Of the pictures nearest to a threshold, where a small error shows first."""
    recipe = judged.recipe
    rate = _asked(recipe, judged.view.near_rates)
    return Finding(
        value=rate.value,
        text=_counts(rate),
        low=rate.low,
        high=rate.high,
        passed=rate.successes <= allowed(recipe.max_flips_near, rate.trials),
        words=sentence(
            f"of the {per_cent(recipe.near)} of the pictures whose score lay nearest to {_which(recipe)} before",
            on_cases(recipe.max_flips_near, rate.trials, "picture"),
        ),
    )


def positives_to_low(judged: Judged) -> Finding:
    """The flip that harms most."""
    view, limit, noun = judged.view, judged.recipe.max_positives_to_low, judged.facts.positive_name
    low, uncertain = view.positives_moved("low"), view.positives_moved("uncertain")
    named = _named([flip for flip in view.flips if flip.positive and flip.after == "low"])
    return Finding(
        value=low,
        text=f"{low:,}",
        passed=limit is None or low <= limit,
        judged=limit is not None,
        words=sentence(
            f"{counted(low, noun)} became low{named}, {uncertain:,} went from refer to uncertain",
            "counted and listed; no limit was asked for" if limit is None else "",
        ),
    )


def subgroup(judged: Judged) -> Finding:
    """The subgroup that loses most."""
    limit, noun = judged.recipe.max_subgroup_drop, judged.facts.positive_name
    groups = [group for group in judged.view.subgroups if group.judged]
    if not groups:
        return Finding(
            value=None,
            text="no subgroup",
            passed=True,
            words=f"no subgroup has {FEWEST} {noun}s, so none could be judged",
        )
    failed = [group for group in groups if not _keeps(group.found, limit)]
    worst = max(groups, key=lambda group: (not _keeps(group.found, limit), -group.found.change))
    others = "" if len(failed) < 2 else f"also failed: {', '.join(_title(g) for g in failed if g is not worst)}"
    if worst.found.net_lost > 0:
        told = f"{_title(worst)}: {worst.found.lost:,} lost, {worst.found.gained:,} gained of {worst.found.positives:,}"
        cases = on_cases(limit, worst.found.positives, noun)
    else:
        told, cases = "no subgroup loses any", ""
    return Finding(
        value=worst.found.change,
        text=points(worst.found.change) + (f", {_title(worst)}" if worst.found.net_lost > 0 else ""),
        passed=not failed,
        words=sentence(told, cases, others, f"the worst of {len(groups)} subgroups with {FEWEST} {noun}s or more"),
    )


def abstain(judged: Judged) -> Finding:
    """Do both say `uncertain` of the same pictures?"""
    rate, limit = judged.view.abstain_agreement, judged.recipe.min_abstain_agreement
    differ = rate.trials - rate.successes
    return Finding(
        value=rate.value,
        text=share(rate.value, 2),
        low=rate.low,
        high=rate.high,
        passed=differ <= allowed(1 - limit, rate.trials),
        words=sentence(
            f"{counted(differ, 'picture')} of {rate.trials:,} became uncertain or ceased to be",
            on_cases(1 - limit, rate.trials, "picture"),
        ),
    )


def _asked(recipe: GateRecipe, rates: Mapping[Flipped, Rate]) -> Rate:
    """The flips that the recipe counts; at either threshold: at the one that is crossed by more."""
    if recipe.flips_are == "either threshold":
        return max(rates["refer or not"], rates["low or not"], key=lambda rate: rate.value)
    return rates[recipe.flips_are]


def _which(recipe: GateRecipe) -> str:
    return {"either threshold": "that threshold", "any change": "a threshold", "refer or not": "refer"}[
        recipe.flips_are
    ]


def _keeps(found: Found, limit: float) -> bool:
    return found.net_lost <= allowed(limit, found.positives)


def _named(flips: Sequence[Flip]) -> str:
    """A few of the pictures; the report lists them all."""
    ids = [flip.image_id for flip in flips]
    return f" ({', '.join(ids[:_MOST_NAMED])}{' …' if len(ids) > _MOST_NAMED else ''})" if ids else ""


def _title(group: SubgroupChange) -> str:
    return f"{TITLES[group.attribute]} {group.value}"


def _counts(rate: Rate) -> str:
    return f"{share(rate.value, 2)} ({rate.successes:,} of {rate.trials:,})"


def _bound(rate: Rate) -> str:
    """What the count proves of the rate: none in N is not a rate of zero."""
    if rate.successes:
        return f"the rate itself lies between {share(rate.low, 2)} and {share(rate.high, 2)}"
    n = rate.trials
    return (
        f"none in {n:,} only shows a rate below {share(min(1.0, 3 / n), 2)} (3 in {n:,}), or {share(rate.high, 2)} "
        "because pictures of a lesion resemble each other"
    )


def _interval_of_points(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"interval {points(low)} to {points(high)}"
