"""The data sets that can be read, one file each; every one answers with the same Listing.

A source knows the published layout and vocabulary of its data set and nothing else: whether pictures exist twice, are
broken or leak is the audit's business. It refuses a folder that is not laid out as published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from edge_melanoma.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked to be read."""

    root: Path
    unpack: Path  # where a source may write pictures that its container holds as bare arrays
    table: Path | None = None  # `csv`: the table
    columns: Mapping[str, str] = field(default_factory=dict)  # `csv`: our column -> theirs
    vocabulary: str | None = None  # `csv`, `folder`: what their labels mean
    source_name: str | None = None  # `csv`, `folder`: what the data set is called
    modality: str | None = None  # `csv`, `folder`
    license: str | None = None  # `csv`, `folder`
    with_pictures: bool = True  # False: tables only


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a source found: rows with the columns of an index, before the pictures were opened."""

    table: pl.DataFrame  # image_path is null where a row's picture was not found
    tables: tuple[Path, ...]  # the files that the rows came from
    orphans: tuple[str, ...] = ()  # picture files below the root that no row names
    looked_in: tuple[str, ...] = ()  # where pictures were looked for, for messages
    published_counts: Mapping[str, int] = field(default_factory=dict)  # pictures per dx_raw, as published
    remarks: tuple[str, ...] = ()  # what was left out or read in a way worth saying
    unpacked: bool = False  # image_path is relative to Request.unpack, not to the root
    features: pl.DataFrame | None = None  # image_id and measured columns beside the index; no label, no leak


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set that can be read."""

    name: str
    title: str
    license: str
    layout: str  # the published layout, one entry a line, for help and messages
    vocabulary: str  # a name in labels.VOCABULARIES
    read: Callable[[Request], Listing]


def sources() -> Mapping[str, Source]:
    """All sources by name, in the order in which they are listed."""
    from edge_melanoma.data.sources import (
        csv,
        dermamnist,
        folder,
        ham10000,
        isic9,
        isic2018,
        isic2019,
        isic2020,
        isic2024,
        pad_ufes_20,
        ph2,
        synth,
    )

    modules = (
        *(ham10000, isic2018, isic2019, isic2020, isic2024, isic9, ph2, pad_ufes_20, dermamnist),
        *(folder, csv, synth),
    )
    return {module.SOURCE.name: module.SOURCE for module in modules}


def source(name: str) -> Source:
    """The source of that name."""
    known = sources()
    if name not in known:
        raise RecipeError(f"source {name!r} is unknown; known: {', '.join(known)}")
    return known[name]
