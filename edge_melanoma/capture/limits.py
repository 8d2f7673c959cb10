"""The limits of the capture gate, each named after the measure that it bounds, and what to say when one is broken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from edge_melanoma.capture.measures import CaptureMeasures
from edge_melanoma.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class CaptureLimits:
    """At least, or at most, so much of each measure."""

    min_width_px: int
    min_height_px: int
    max_black_share: float
    min_mean_luma: float
    max_mean_luma: float
    max_clipped_share: float
    max_glare_share: float
    min_sharpness: float
    min_skin_share: float
    min_contrast: float
    min_lesion_share: float
    max_lesion_share: float
    min_centre_share: float
    max_scatter_share: float

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            whole = name.endswith("_px")
            if type(value) is not (int if whole else float) or not 0 <= value < math.inf:
                kind = "a whole number" if whole else "a finite number"
                raise RecipeError(f"{name} is {value!r}; {kind} of 0 or more is needed")
            if name.endswith("_share") and value > 1:
                raise RecipeError(f"{name} is {value!r}; a share is at most 1")
        for measure in ("mean_luma", "lesion_share"):
            low, high = getattr(self, f"min_{measure}"), getattr(self, f"max_{measure}")
            if low > high:
                raise RecipeError(f"min_{measure} is {low} and max_{measure} {high}; nothing would be taken")


class Check(NamedTuple):
    """One limit and what it is about."""

    limit: str  # the field of CaptureLimits
    code: str
    what: str  # that is wrong, for people
    advice: str

    @property
    def measure(self) -> str:
        """The field of CaptureMeasures."""
        return self.limit[len("min_") :]

    @property
    def is_least(self) -> bool:
        """Is the limit the least that is taken, not the most?"""
        return self.limit.startswith("min_")

    def is_broken(self, limit: float, found: Any) -> Any:
        """Is what was found, or each of an array, on the wrong side of the limit?"""
        return found < limit if self.is_least else found > limit

    def breaks(self, limits: CaptureLimits, measures: CaptureMeasures) -> bool:
        """Is the measure on the wrong side of its limit?"""
        return bool(self.is_broken(getattr(limits, self.limit), getattr(measures, self.measure)))

    def asked(self, limits: CaptureLimits) -> str:
        """The limit in words."""
        limit = shown(self.measure, getattr(limits, self.limit))
        return f"{_NAMES[self.measure]} {'at least' if self.is_least else 'at most'} {limit}"

    def words(self, limits: CaptureLimits, measures: CaptureMeasures) -> str:
        """What was found, what would be taken, and what to do."""
        name = _NAMES[self.measure]
        found, limit = shown_apart(self.measure, getattr(measures, self.measure), getattr(limits, self.limit))
        are = "are" if self.measure.endswith("_px") else "is"
        bound = f"at least {limit} {are} needed" if self.is_least else f"at most {limit} {are} taken"
        return f"{self.what}: {name} {found}, {bound}; {self.advice}"


_NAMES: Mapping[str, str] = {
    "width_px": "width of what is used",
    "height_px": "height of what is used",
    "black_share": "share of black",
    "mean_luma": "mean brightness, of 255,",
    "clipped_share": "share with two colours at their end",
    "glare_share": "share of white",
    "sharpness": "sharpness",
    "skin_share": "share with the colour of skin",
    "contrast": "contrast",
    "lesion_share": "share of the picture that is dark",
    "centre_share": "share of the middle that is dark",
    "scatter_share": "share of dark-light borders",
}
_NEARER = "go nearer, or use a camera with more pixels; an enlarged picture does not help"
_LIGHT = "less light, or a shorter exposure"

CHECKS: tuple[Check, ...] = (
    Check("min_width_px", "too_small", "too few pixels to be judged", _NEARER),
    Check("min_height_px", "too_small", "too few pixels to be judged", _NEARER),
    Check("max_black_share", "mostly_black", "mostly black", "uncover the lens, light it, fill the frame"),
    Check("min_mean_luma", "too_dark", "too dark to be judged", "more light, or a longer exposure"),
    Check("max_mean_luma", "too_bright", "too bright to be judged", _LIGHT),
    Check("max_clipped_share", "overexposed", "colours lost to too much light", _LIGHT),
    Check("max_glare_share", "glare", "too many reflections", "tilt the camera, use gel or polarised light"),
    Check("min_sharpness", "blurred", "too blurred to be judged", "hold still and focus again"),
    Check("min_skin_share", "not_skin", "not like skin", "take a picture of skin, in white light"),
    Check("min_contrast", "no_lesion", "no lesion that stands out", "put the lesion in the middle"),
    Check("min_lesion_share", "lesion_too_small", "too small a lesion", "go nearer"),
    Check("max_lesion_share", "lesion_too_large", "no skin around the lesion", "go further away"),
    Check("min_centre_share", "off_centre", "no lesion in the middle", "put the lesion in the middle"),
    Check("max_scatter_share", "scattered", "no single lesion", "one lesion, without hairs, text or patterns"),
)
CODES: tuple[str, ...] = tuple(dict.fromkeys(check.code for check in CHECKS))


def shown(measure: str, value: float, digits: int = 3) -> str:
    """A measure for people."""
    if measure.endswith("_px"):
        return f"{value:,} pixels"
    if measure.endswith("_share"):
        return f"{100 * value:.{digits}g} %"
    return f"{value:.{digits}g}"


def shown_apart(measure: str, value: float, limit: float) -> tuple[str, str]:
    """Both with as many digits as it takes to see that they differ."""
    for digits in range(3, 17):
        texts = shown(measure, value, digits), shown(measure, limit, digits)
        if texts[0] != texts[1]:
            break
    return texts
