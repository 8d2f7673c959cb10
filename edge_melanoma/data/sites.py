"""Where on the body, in one word list for all sources: six groups that every source can be put into.

Hand and foot count as extremities, as ISIC 2019 maps those words of HAM10000; acral is palms, soles and nails.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

_WORDS: Mapping[str, tuple[str, ...]] = {
    "head/neck": ("head/neck", "head", "neck", "face", "scalp", "ear", "nose", "lip"),
    "trunk": ("trunk", "torso", "anterior torso", "posterior torso", "lateral torso", "back", "chest", "abdomen"),
    "upper extremity": ("upper extremity", "arm", "forearm", "hand"),
    "lower extremity": ("lower extremity", "thigh", "leg", "foot"),
    "acral/nail": ("acral", "palms/soles", "nail"),
    "genital": ("genital", "oral/genital"),  # ISIC does not tell the two apart
}

SITE_GROUPS = tuple(_WORDS)
GROUP_OF: Mapping[str, str] = MappingProxyType({word: group for group, words in _WORDS.items() for word in words})


def site_group(site: pl.Expr) -> pl.Expr:
    """The group of a source's own word in lower case; null for a word that no source publishes."""
    return site.replace_strict(dict(GROUP_OF), default=None, return_dtype=pl.String)
