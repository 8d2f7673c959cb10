"""Limits from training pictures: what nearly all of them are like, but never stricter than what is plainly usable.

A limit of light, size or skin has a value that no picture needs to be better than, whatever the training pictures are
like: they may come from one lamp and be of one skin tone, and a darker skin is not to be refused for it. The gate
takes the laxer of the two. The others (sharpness, contrast, place, scatter) have no such value, because they depend on
the size of the tensor and on the camera.

A rare diagnosis that looks different is not to pay for the many: no check refuses a much larger share of one of them
than of all. Without this, 9.8 % of HAM10000's basal cell carcinomas, which are pale, were refused and 4.4 % of all
pictures; with it 5.2 % and 3.4 % (benchmarks/results/capture_choices.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.capture.gate import CaptureGate
from edge_melanoma.capture.limits import CHECKS, CODES, CaptureLimits, Check
from edge_melanoma.capture.measures import CaptureMeasures, measure
from edge_melanoma.data.pictures import Picture
from edge_melanoma.errors import DataError
from edge_melanoma.parallel import OnProgress, map_over_cores, silent
from edge_melanoma.picture import decode, open_picture
from edge_melanoma.preprocess import PreprocessContract

MAX_REJECTED_SHARE = 0.05  # of the training pictures, by all checks together
MAX_REJECTED_SHARE_EACH = 0.01  # of new pictures like them, by one check: what others leave is not spent on it
FEWEST = 200  # pictures: below, a limit would rest on one or two of them
FEWEST_OF_GROUP = 200
GROUP_FACTOR = 2  # a check may refuse so many times as large a share of a group as of all
DIGITS = 4  # of a limit, rounded to the side that takes more

USABLE: Mapping[str, float] = {  # a picture on the right side of these is not refused for them
    "max_black_share": 0.5,  # half: the tube of a dermatoscope that is seen all around
    "min_mean_luma": 59.0,  # L* 25
    "max_mean_luma": 226.0,  # L* 90
    "max_clipped_share": 0.05,
    "max_glare_share": 0.05,
    "min_skin_share": 0.5,  # black and blue lesions have another colour and may fill half of the picture
    "min_lesion_share": 0.01,
    "max_lesion_share": 0.85,
}

Refused = Mapping[str, NDArray[np.bool_]]  # code -> which pictures
Values = Mapping[str, NDArray[Any]]  # measure -> of each picture


def fit_capture_gate(
    pictures: Sequence[CaptureMeasures],
    contract: PreprocessContract,
    *,
    groups: Sequence[str] | None = None,
    max_rejected_share: float = MAX_REJECTED_SHARE,
    facts: Mapping[str, Any] | None = None,
) -> CaptureGate:
    """The strictest gate that refuses at most this share of the pictures and treats all checks alike.

    Every check may refuse equally many, of new pictures one in a hundred at most; the number is the largest with which
    all checks together keep to the share.
    `groups` are the diagnoses of the pictures; `facts` go into the gate's `fitted_on`.
    """
    if len(pictures) < FEWEST:
        raise DataError(f"{len(pictures)} pictures; a capture gate is fitted on at least {FEWEST}")
    usable = {**USABLE, "min_width_px": contract.width, "min_height_px": contract.height}
    values, members = _values(pictures), _members(groups)
    allowed = int(max_rejected_share * len(pictures))
    # a limit that refuses k of n refuses a new picture with a chance of (k + 1) / (n + 1)
    low, high = 0, int(min(max_rejected_share, MAX_REJECTED_SHARE_EACH) * (len(pictures) + 1)) - 1
    while low < high:
        each = (low + high + 1) // 2
        refused = _refused(_limits(values, members, each, usable), values)
        low, high = (each, high) if any_of(refused).sum() <= allowed else (low, each - 1)
    limits = _limits(values, members, low, usable)
    fitted_on = {
        **(facts or {}),
        "pictures": len(pictures),
        "max_rejected_share": max_rejected_share,
        "each_check_may_refuse": low,
        "rejected": counts(_refused(limits, values)),
        "set_by_pictures": [name for name in vars(limits) if getattr(limits, name) != usable.get(name)],
    }
    return CaptureGate(limits=limits, fitted_on=fitted_on)


def measure_pictures(
    pictures: Sequence[Picture], contract: PreprocessContract, *, on_progress: OnProgress = silent
) -> list[CaptureMeasures]:
    """The measures of picture files, on all cores."""
    return map_over_cores(partial(_measure_picture, contract=contract), pictures, on_progress=on_progress)


def _measure_picture(picture: Picture, contract: PreprocessContract) -> CaptureMeasures:
    file = open_picture(picture.read(), name=picture.name)
    tensor = contract.image_to_tensor(decode(file, contract.reduction(file.facts)))
    return measure(tensor, contract, file.facts.upright_size)


def refused_by(gate: CaptureGate, pictures: Sequence[CaptureMeasures]) -> Refused:
    """For every code, which pictures it refuses."""
    return _refused(gate.limits, _values(pictures))


def any_of(refused: Refused) -> NDArray[np.bool_]:
    """Which pictures any check refuses."""
    return np.asarray(np.any([*refused.values()], axis=0))


def counts(refused: Refused) -> dict[str, int]:
    """How many pictures any check refuses, and how many each."""
    return {"any": int(any_of(refused).sum()), **{code: int(bad.sum()) for code, bad in refused.items()}}


def _values(pictures: Sequence[CaptureMeasures]) -> Values:
    return {check.measure: np.array([getattr(measures, check.measure) for measures in pictures]) for check in CHECKS}


def _members(groups: Sequence[str] | None) -> list[NDArray[np.bool_]]:
    """Who is of each group that is large enough."""
    names, sizes = np.unique(np.array(groups or [], str), return_counts=True)
    return [np.array(groups) == name for name, size in zip(names, sizes, strict=True) if size >= FEWEST_OF_GROUP]


def _refused(limits: CaptureLimits, values: Values) -> Refused:
    broken = {check: check.is_broken(getattr(limits, check.limit), values[check.measure]) for check in CHECKS}
    return {code: np.any([bad for check, bad in broken.items() if check.code == code], axis=0) for code in CODES}


def _limits(
    values: Values, members: Sequence[NDArray[np.bool_]], each: int, usable: Mapping[str, float]
) -> CaptureLimits:
    """The limits with which every check refuses at most `each` of the pictures, and its share of each group."""
    found: dict[str, Any] = {}
    for check in CHECKS:
        all_values = values[check.measure]
        laxest = [_limit(check, all_values, each)]
        laxest += [_limit(check, all_values[own], GROUP_FACTOR * each * own.sum() // len(own)) for own in members]
        laxest += [usable[check.limit]] if check.limit in usable else []
        limit = min(laxest) if check.is_least else max(laxest)
        found[check.limit] = int(limit) if check.measure.endswith("_px") else _rounded(check, float(limit))
    return CaptureLimits(**found)


def _limit(check: Check, values: NDArray[Any], refused: int) -> Any:
    """The strictest limit that refuses at most so many of these."""
    ordered = np.sort(values)
    return ordered[min(refused, len(ordered) - 1)] if check.is_least else ordered[max(0, len(ordered) - 1 - refused)]


def _rounded(check: Check, value: float) -> float:
    how = ROUND_FLOOR if check.is_least else ROUND_CEILING
    return float(Context(prec=DIGITS, rounding=how).create_decimal(Decimal(repr(value))))
