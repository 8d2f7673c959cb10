"""Checks on scores and probabilities: ranking, calibration, and whether so few levels can carry a decision."""

from __future__ import annotations

from dataclasses import replace

from edge_melanoma.decision import probability_of
from edge_melanoma.parity.gate import Finding, Judged, sentence, share, signed
from edge_melanoma.parity.grid import TELLING
from edge_melanoma.parity.view import Change


def float_logits(judged: Judged) -> Finding:
    """Keras against TFLite, both float."""
    recipe, found = judged.recipe, judged.facts.float_logit_difference
    if found is None:
        raise ValueError("no float TFLite logits")
    return Finding(
        value=found,
        text=f"{found:.1e}",
        passed=found <= recipe.max_float_logit_difference,
        hard=found > recipe.hard_float_logit_difference,
        words="the largest difference of any logit between Keras and float TFLite: beyond rounding it is another graph",
    )


def auc(judged: Judged) -> Finding:
    """By the lower bound of the paired interval; broken by its value."""
    recipe, change = judged.recipe, judged.view.auc
    return replace(
        _ranking(change, recipe.max_auc_drop),
        hard=change.difference < -recipe.hard_auc_drop,
        aim_met=change.difference >= -recipe.aim_auc_drop,
    )


def pauc80(judged: Judged) -> Finding:
    """By the lower bound of the paired interval."""
    return _ranking(judged.view.pauc80, judged.recipe.max_pauc80_drop)


def threshold_inside(judged: Judged) -> Finding:
    """A threshold beyond what the output can say, or beyond what it does say, decides nothing."""
    grid = judged.view.grid
    bad = sorted({*grid.outside, *grid.one_sided}, reverse=True)
    rule = judged.view.after.rule
    thresholds = f"refer {_probability(rule.threshold_refer.value)}, low {_probability(rule.threshold_low.value)}"
    reach = "a float output has no limits" if grid.step is None else f"the output can say {_range(grid.reachable)}"
    return Finding(
        value=None,
        text=f"{' and '.join(bad)} outside" if bad else "inside",
        passed=not bad,
        # `low` out of reach makes the model more careful; `refer` out of reach makes it useless
        hard="refer" in bad,
        words=sentence(
            f"{reach} and says {_range(grid.seen)} here; thresholds: {thresholds}",
            f"no longer on both sides of {' and '.join(grid.one_sided)}" if grid.one_sided else "",
        ),
    )


def levels(judged: Judged) -> Finding:
    """Distinct values of the output; where too few were looked at, those between the lowest and the highest."""
    recipe, found = judged.recipe, judged.facts.levels
    of = "a float output" if found.available is None else f"{found.available:,} that there are"
    enough = found.values >= TELLING * recipe.min_levels
    if enough:
        judged_by, words = found.seen, f"{found.seen:,} distinct values seen, of {of}"
    elif found.spanned is not None:
        judged_by = found.spanned
        words = (
            f"only {found.values:,} values were looked at, so the {found.spanned:,} levels between the lowest and the "
            f"highest are judged; {found.seen:,} of them were seen, of {of}"
        )
    else:
        judged_by, words = None, f"{found.seen:,} distinct among {found.values:,} values: too few to judge {of}"
    return Finding(
        value=judged_by if judged_by is not None else found.seen,
        text=f"{judged_by:,}" if judged_by is not None else "too few to tell",
        passed=judged_by is None or judged_by >= recipe.min_levels,
        hard=judged_by is not None and judged_by < recipe.hard_levels,
        words=words,
    )


def step(judged: Judged) -> Finding:
    """What one level of the output changes at a threshold."""
    grid = judged.view.grid
    if grid.step is None or grid.probability_step is None:
        return Finding(value=None, text="no steps", passed=True, words="a float output has no steps that matter")
    return Finding(
        value=grid.probability_step,
        text=f"{grid.probability_step:.4f}",
        passed=grid.probability_step <= judged.recipe.max_step,
        words=f"one level of the deciding logit moves the log-odds by {grid.step:.3f}, and the probability at a "
        f"threshold by up to {share(grid.probability_step, 2)}",
    )


def probability(judged: Judged) -> Finding:
    """How far the shown probability moves for one picture in a hundred."""
    view = judged.view
    return Finding(
        value=view.p99_probability_change,
        text=f"{view.p99_probability_change:.4f}",
        passed=view.p99_probability_change <= judged.recipe.max_probability_change,
        words=f"the probability moves by {view.mean_probability_change:.4f} on average, by more than "
        f"{view.p99_probability_change:.4f} for one picture in a hundred, by {view.max_probability_change:.4f} at most",
    )


def calibration(judged: Judged) -> Finding:
    """Does a probability still mean what it says?"""
    change = judged.view.ece
    return Finding(
        value=change.difference,
        text=signed(change.difference),
        passed=change.difference <= judged.recipe.max_ece_rise + 1e-12,
        words=f"calibration error {change.before:.4f} before, {change.after:.4f} after, at the calibration part's "
        "prevalence",
    )


def temperature(judged: Judged) -> Finding:
    """A cheap alarm: a conversion that keeps the logits keeps the temperature that they need."""
    recipe, ratio = judged.recipe, judged.facts.temperature_ratio
    return Finding(
        value=ratio,
        text=f"{ratio:.3f}",
        passed=recipe.min_temperature_ratio <= ratio <= recipe.max_temperature_ratio,
        words="the temperature fitted on the converted logits over that fitted on the float ones",
    )


def _ranking(change: Change, limit: float) -> Finding:
    value, low, high = change.difference, change.low, change.high
    if low is None or high is None:
        text, passed, doubt = signed(value), value >= -limit, "there is no interval: judged by the value"
    else:
        text, passed = f"{signed(value)} ({signed(low)} to {signed(high)})", low >= -limit
        doubt = "" if passed or value < -limit else "the value would do, but so few pictures cannot show it"
        doubt = sentence(doubt, f"interval by {change.interval_by}")
    words = sentence(f"{change.before:.4f} before, {change.after:.4f} after", doubt)
    return Finding(value=value, low=low, high=high, text=text, passed=passed, words=words)


def _range(log_odds: tuple[float, float]) -> str:
    low, high = (float(p) for p in probability_of(log_odds))
    return f"{_probability(low)} to {_probability(high)}"


def _probability(p: float) -> str:
    """A probability in per cent, with digits where they are needed: next to none, and next to all."""
    if 0 < p < 1e-6:
        return "<0.0001 %"
    if 1 - 1e-6 < p < 1:
        return ">99.9999 %"
    return f"{100 * p:.2g} %" if p < 0.1 else f"{100 * p:.4g} %"
