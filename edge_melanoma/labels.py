"""What every source calls its diagnoses, in one canonical scheme, and the tasks that are learned from it.

The scheme is versioned and hashed; the hash travels in every index, run and bundle, so that two figures are compared
only when "melanoma" meant the same. A raw label that no vocabulary knows is never guessed: it stays without a
canonical diagnosis until somebody says what it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from edge_melanoma.errors import ArtifactError, RecipeError

LABELS_VERSION = 1

DIAGNOSES: Mapping[str, str] = MappingProxyType(
    {
        "MEL": "melanoma, in situ and lentigo maligna included",
        "NV": "melanocytic nevus, common or atypical",
        "BCC": "basal cell carcinoma",
        "AK": "actinic keratosis",
        "SCC": "squamous cell carcinoma, Bowen's disease and keratoacanthoma included",
        "AKIEC": "actinic keratosis or intraepithelial carcinoma, not told apart by the source",
        "BKL": "benign keratosis: seborrheic or pigmented, solar lentigo, lichen planus-like",
        "DF": "dermatofibroma",
        "VASC": "vascular lesion",
        "OTHER_BEN": "benign, something else or not said what",
        "OTHER_MAL": "malignant, something else or not said what",
        "INF": "inflammatory or infectious",
        "IND": "indeterminate: neither benign nor malignant by the source",
        "UNK": "none of the source's classes",
    }
)

_SHORT = {"mel": "MEL", "nv": "NV", "bcc": "BCC", "bkl": "BKL", "df": "DF", "vasc": "VASC"}
_ISIC_WORDS = {
    "melanoma": "MEL",
    "melanoma in situ": "MEL",
    "lentigo maligna": "MEL",
    "nevus": "NV",
    "basal cell carcinoma": "BCC",
    "actinic keratosis": "AK",
    "squamous cell carcinoma": "SCC",
    "squamous cell carcinoma in situ": "SCC",
    "keratoacanthoma": "SCC",
    "seborrheic keratosis": "BKL",
    "pigmented benign keratosis": "BKL",
    "lichenoid keratosis": "BKL",
    "lichen planus like keratosis": "BKL",
    "solar lentigo": "BKL",
    "dermatofibroma": "DF",
    "vascular lesion": "VASC",
    "angioma": "VASC",
    "hemangioma": "VASC",
}

VOCABULARIES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "canonical": {dx: dx for dx in DIAGNOSES},
        "ham10000": {**_SHORT, "akiec": "AKIEC"},
        "isic2018": {dx: dx for dx in ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")},
        "isic2019": {dx: dx for dx in ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")},
        # `unknown` of 2020 is "benign, no diagnosis recorded": non-melanoma, never a nevus
        "isic2020": {
            "melanoma": "MEL",
            "nevus": "NV",
            "seborrheic keratosis": "BKL",
            "lichenoid keratosis": "BKL",
            "solar lentigo": "BKL",
            "lentigo NOS": "OTHER_BEN",
            "cafe-au-lait macule": "OTHER_BEN",
            "atypical melanocytic proliferation": "IND",
            "unknown": "OTHER_BEN",
        },
        # a label is all of iddx_full; the longest of these that it begins with (up to a "::") decides
        "isic2024": {
            "Benign": "OTHER_BEN",
            "Benign::Benign melanocytic proliferations::Nevus": "NV",
            "Benign::Benign epidermal proliferations::Seborrheic keratosis": "BKL",
            "Benign::Benign epidermal proliferations::Pigmented benign keratosis": "BKL",
            "Benign::Benign epidermal proliferations::Lichen planus like keratosis": "BKL",
            "Benign::Benign epidermal proliferations::Solar lentigo": "BKL",
            "Benign::Benign soft tissue proliferations - Fibro-histiocytic::Dermatofibroma": "DF",
            "Benign::Benign soft tissue proliferations - Vascular": "VASC",
            "Benign::Inflammatory or infectious diseases": "INF",
            "Indeterminate": "IND",
            "Indeterminate::Indeterminate epidermal proliferations::Solar or actinic keratosis": "AK",
            "Malignant": "OTHER_MAL",
            "Malignant::Malignant melanocytic proliferations (Melanoma)": "MEL",
            "Malignant::Malignant adnexal epithelial proliferations - Follicular::Basal cell carcinoma": "BCC",
            "Malignant::Malignant epidermal proliferations::Squamous cell carcinoma in situ": "SCC",
            "Malignant::Malignant epidermal proliferations::Squamous cell carcinoma, Invasive": "SCC",
            "Malignant::Malignant epidermal proliferations::Squamous cell carcinoma, NOS": "SCC",
        },
        "isic9": {
            word: _ISIC_WORDS[word]
            for word in (
                "actinic keratosis",
                "basal cell carcinoma",
                "dermatofibroma",
                "melanoma",
                "nevus",
                "pigmented benign keratosis",
                "seborrheic keratosis",
                "squamous cell carcinoma",
                "vascular lesion",
            )
        },
        "pad-ufes-20": {"MEL": "MEL", "NEV": "NV", "BCC": "BCC", "ACK": "AK", "SCC": "SCC", "SEK": "BKL"},
        "ph2": {"0": "NV", "1": "NV", "2": "MEL"},
        "dermamnist": {"0": "AKIEC", "1": "BCC", "2": "BKL", "3": "DF", "4": "MEL", "5": "NV", "6": "VASC"},
        "words": _ISIC_WORDS,
    }
)


def canonical(vocabulary: str, raw: str) -> str | None:
    """The canonical diagnosis of a source's own label, or None where its vocabulary does not have it."""
    return known_labels(vocabulary).get(raw)


def known_labels(vocabulary: str) -> Mapping[str, str]:
    """Every raw label of a vocabulary with its canonical diagnosis."""
    if vocabulary not in VOCABULARIES:
        raise RecipeError(f"vocabulary {vocabulary!r} is unknown; known: {', '.join(VOCABULARIES)}")
    return VOCABULARIES[vocabulary]


MELANOMA = frozenset({"MEL"})
MALIGNANT = frozenset({"MEL", "BCC", "SCC", "OTHER_MAL"})
_WITHOUT_AN_ANSWER = frozenset({"IND", "UNK"})

AkPolicy = Literal["mixed", "benign", "malignant", "drop"]
"""Where actinic keratosis goes in `mal`.

`mixed`, the default: AK alone is benign, and AKIEC, which does not tell AK from carcinoma, is malignant, because 197 of
HAM10000's 327 akiec pictures are called SCC in ISIC 2019. The other three treat AK and AKIEC alike.
"""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A question put to a picture: its answers in order, and which diagnosis has which answer."""

    name: str
    classes: tuple[str, ...]
    class_of: Mapping[str, int]  # diagnosis -> index into classes; a diagnosis that is absent is left out
    ak_policy: AkPolicy

    def answer(self, dx: str | None) -> int | None:
        """The class of a diagnosis, or None where this task leaves it out."""
        return None if dx is None else self.class_of.get(dx)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The diagnoses that this task cannot use."""
        return tuple(dx for dx in DIAGNOSES if dx not in self.class_of)

    def to_json(self) -> dict[str, object]:
        """What a run or a bundle records of its task."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "class_of": dict(self.class_of),
            "ak_policy": self.ak_policy,
            "labels_version": LABELS_VERSION,
            "labels_sha256": labels_sha256(),
        }


def task_from_json(value: Any, *, where: str) -> Task:
    """The task that a run or a bundle recorded; refuses one whose labels no longer mean the same here."""
    try:
        found = task(value["name"], ak_policy=value["ak_policy"])
    except (KeyError, TypeError, RecipeError) as error:
        raise ArtifactError(f"{where}: its task cannot be read ({error})") from error
    now = found.to_json()
    differing = sorted(key for key in now.keys() | value.keys() if now.get(key) != value.get(key))
    if differing:
        raise ArtifactError(
            f"{where}: was made with another label scheme (its {', '.join(differing)}); use the version of this "
            "program that made it, or make it again"
        )
    return found


TASKS: Mapping[str, str] = MappingProxyType(
    {
        "mel": "melanoma against everything else (default)",
        "mal": "any skin cancer (melanoma, BCC, SCC) against everything else",
        "refer": "any skin cancer or actinic keratosis against everything else",
        "melnv": "melanoma against nevus only",
        "dx7": "the seven classes of HAM10000",
        "dx8": "the eight classes of ISIC 2019",
    }
)


def task(name: str = "mel", *, ak_policy: AkPolicy = "mixed") -> Task:
    """The task of that name, with an explicit place for actinic keratosis."""
    if name not in TASKS:
        raise RecipeError(f"task {name!r} is unknown; known: {', '.join(TASKS)}")
    if ak_policy not in get_args(AkPolicy):
        raise RecipeError(f"AK policy {ak_policy!r} is unknown; known: {', '.join(get_args(AkPolicy))}")
    classes, class_of = _answers(name, ak_policy)
    return Task(name=name, classes=classes, class_of=MappingProxyType(class_of), ak_policy=ak_policy)


def _answers(name: str, ak_policy: AkPolicy) -> tuple[tuple[str, ...], dict[str, int]]:
    answered = [dx for dx in DIAGNOSES if dx not in _WITHOUT_AN_ANSWER]
    if name == "mel":
        return ("other", "melanoma"), {dx: int(dx in MELANOMA) for dx in answered}
    if name == "mal":
        malignant, dropped = _place_of_ak(ak_policy)
        return ("benign", "malignant"), {dx: int(dx in malignant) for dx in answered if dx not in dropped}
    if name == "refer":
        refer = MALIGNANT | {"AK", "AKIEC"}
        return ("leave", "refer"), {dx: int(dx in refer) for dx in answered}
    if name == "melnv":
        return ("nevus", "melanoma"), {"NV": 0, "MEL": 1}
    if name == "dx7":
        order = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
        return order, {"AK": 0, "SCC": 0, "AKIEC": 0, "BCC": 1, "BKL": 2, "DF": 3, "MEL": 4, "NV": 5, "VASC": 6}
    # dx8 leaves AKIEC out: the source does not say which of the two it is
    eight = ("AK", "BCC", "BKL", "DF", "MEL", "NV", "SCC", "VASC")
    return tuple(dx.lower() for dx in eight), {dx: index for index, dx in enumerate(eight)}


def _place_of_ak(ak_policy: AkPolicy) -> tuple[frozenset[str], frozenset[str]]:
    """The malignant and the dropped diagnoses of `mal`."""
    ak = frozenset({"AK", "AKIEC"})
    malignant = {"mixed": MALIGNANT | {"AKIEC"}, "malignant": MALIGNANT | ak}.get(ak_policy, MALIGNANT)
    return malignant, ak if ak_policy == "drop" else frozenset()


def labels_sha256() -> str:
    """The identity of this scheme: changes whenever a diagnosis, a vocabulary or a task does."""
    scheme = {
        "version": LABELS_VERSION,
        "diagnoses": dict(DIAGNOSES),
        "vocabularies": {name: dict(words) for name, words in VOCABULARIES.items()},
        "tasks": {f"{name}/{ak}": _answers(name, ak) for name in TASKS for ak in get_args(AkPolicy)},
    }
    return hashlib.sha256(json.dumps(scheme, sort_keys=True).encode()).hexdigest()
