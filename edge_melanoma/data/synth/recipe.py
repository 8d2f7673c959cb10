"""What is asked of the generator. Every value is checked here, before the first picture is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from edge_melanoma.data.synth.streams import LARGEST_SEED
from edge_melanoma.errors import RecipeError

DIFFICULTIES = {"easy": 2.8, "standard": 2.0, "hard": 1.2}  # Δ: how far the classes' mean severities lie apart
ARTEFACTS = ("hair", "ruler", "ink", "bubble", "patch", "vignette")
TONES = (
    "very light",
    "light",
    "intermediate",
    "tan",
    "brown",
    "dark",
)  # centres at ITA 62, 48, 35, 19, -5, -40 degrees

# Lesions (not pictures) of each diagnosis in HAM10000, the order of the classes here.
_HAM_LESIONS = {"mel": 614, "nv": 5403, "bkl": 727, "bcc": 327, "akiec": 228, "vasc": 98, "df": 73}


@dataclass(frozen=True, kw_only=True)
class SynthRecipe:
    """A synthetic data set. The defaults are the embedded default set of the project."""

    lesions: int = 600
    size: int = 160  # pixels, square
    seed: int = 0
    views: int = 2  # pictures of one lesion at most; each further one has a chance of 40 %
    classes: int = 2  # 2: mel, nv; 7: all of HAM10000
    p_mel: float | None = None  # share of melanomas; None: 0.5 of 2 classes, else what `others` says
    others: str = "even"  # shares of seven classes: "even", or as in HAM10000 ("ham")
    difficulty: str = "standard"
    delta: float | None = None  # Δ itself, instead of a named difficulty
    rho: float = 0.8  # correlation of the five visible attributes with the severity
    label_noise: float = 0.0  # share of melanomas called nevi, and of nevi called melanomas
    age_auc: float = 0.66  # how well age alone tells melanoma (HAM10000: 0.661)
    nuisance: float = 1.0  # scales artefacts, light, blur and sensor noise; 0: none
    mimics: float = 0.18  # share of lesions with a look-alike structure that says nothing about the class
    tone_weights: tuple[float, ...] = (0.20, 0.25, 0.25, 0.15, 0.10, 0.05)  # of TONES
    jpeg_quality: tuple[int, int] = (70, 95)
    confound: str | None = None  # an artefact whose presence tells the class: a deliberate shortcut
    confound_p_benign: float = 0.5
    confound_p_mel: float = 0.03
    counterfactuals: tuple[str, ...] = ()  # artefacts for which every picture gets a pixel-paired twin
    plant_defects: bool = False  # the test set of `data audit`

    def __post_init__(self) -> None:
        # a recipe file and a command line give lists
        for name in ("tone_weights", "jpeg_quality", "counterfactuals"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, (lowest, highest) in _RANGES.items():
            _within(name, getattr(self, name), lowest, highest)
        for name, choices in _CHOICES.items():
            _one_of(name, getattr(self, name), choices)
        self._check_lists()
        self._check_combinations()

    def _check_lists(self) -> None:
        _check(
            len(self.tone_weights) == len(TONES), "tone_weights", self.tone_weights, f"{len(TONES)} weights: {TONES}"
        )
        usable = all(_is_number(w) and 0 <= w < math.inf for w in self.tone_weights) and sum(self.tone_weights) > 0
        _check(usable, "tone_weights", self.tone_weights, "weights of 0 or more, not all 0")
        usable = len(self.jpeg_quality) == 2 and all(isinstance(q, int) for q in self.jpeg_quality)
        usable = usable and 1 <= self.jpeg_quality[0] <= self.jpeg_quality[1] <= 100
        _check(usable, "jpeg_quality", self.jpeg_quality, "lowest and highest, between 1 and 100")
        for name in self.counterfactuals:
            _one_of("counterfactuals", name, ARTEFACTS)
        unique = len(set(self.counterfactuals)) == len(self.counterfactuals)
        _check(unique, "counterfactuals", self.counterfactuals, "each artefact once")

    def _check_combinations(self) -> None:
        if not self.plant_defects:
            return
        wanted = "with plant_defects the set is plain: "
        _check(self.classes == 2, "classes", self.classes, wanted + "2")
        _check(self.confound is None, "confound", self.confound, wanted + "none")
        _check(not self.counterfactuals, "counterfactuals", self.counterfactuals, wanted + "none")
        _check(self.views >= 2, "views", self.views, wanted + "2 or more (views are torn apart by a split)")
        _check(self.label_noise == 0, "label_noise", self.label_noise, wanted + "0")
        _check(0.4 <= self.melanoma_share <= 0.6, "p_mel", self.p_mel, wanted + "0.4 to 0.6")
        _check(
            self.lesions >= 400, "lesions", self.lesions, wanted + "400 or more, so that one split is short, not all"
        )

    @property
    def separation(self) -> float:
        """Δ."""
        return DIFFICULTIES[self.difficulty] if self.delta is None else float(self.delta)

    @property
    def melanoma_share(self) -> float:
        """The share of melanomas among the lesions."""
        return self.shares["mel"]

    @property
    def shares(self) -> dict[str, float]:
        """What part of the lesions each diagnosis has."""
        if self.classes == 2:
            p_mel = 0.5 if self.p_mel is None else self.p_mel
            return {"mel": p_mel, "nv": 1 - p_mel}
        weights = _HAM_LESIONS if self.others == "ham" else dict.fromkeys(_HAM_LESIONS, 1)
        p_mel = weights["mel"] / sum(weights.values()) if self.p_mel is None else self.p_mel
        benign = sum(weights.values()) - weights["mel"]
        rest = {dx: (1 - p_mel) * weight / benign for dx, weight in weights.items() if dx != "mel"}
        return {"mel": p_mel, **rest}


_RANGES: dict[str, tuple[float, float]] = {
    "lesions": (1, 1_000_000),
    "size": (32, 1024),
    "seed": (0, LARGEST_SEED),
    "views": (1, 6),
    "p_mel": (0.001, 0.999),
    "delta": (0, 10),
    "rho": (0, 1),
    "label_noise": (0, 0.5),
    "age_auc": (0.5, 0.9),
    "nuisance": (0, 3),
    "mimics": (0, 1),
    "confound_p_benign": (0, 1),
    "confound_p_mel": (0, 1),
}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "classes": (2, 7),
    "difficulty": tuple(DIFFICULTIES),
    "others": ("even", "ham"),
    "confound": (None, *ARTEFACTS),
}
_WHOLE = ("lesions", "size", "seed", "views")
_OPTIONAL = ("p_mel", "delta")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _within(name: str, value: Any, lowest: float, highest: float) -> None:
    if value is None and name in _OPTIONAL:
        return
    whole = name in _WHOLE
    right_kind = isinstance(value, int) and not isinstance(value, bool) if whole else _is_number(value)
    wanted = f"{'a whole number' if whole else 'a number'} from {lowest:,} to {highest:,}"
    _check(right_kind and lowest <= value <= highest, name, value, wanted)


def _one_of(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    words = ", ".join("none" if choice is None else str(choice) for choice in choices)
    _check(value in choices, name, value, f"one of: {words}")


def _check(right: bool, name: str, value: Any, wanted: str) -> None:
    if not right:
        raise RecipeError(f"{name} = {value!r}: must be {wanted}")
