"""Checks of the picture files, on the table that facts.py makes."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from edge_melanoma.data.audit.checks import none_found, one_each

# reasons for which the contract refuses a picture that is not broken: each has a check of its own
OF_ANOTHER_KIND = ("cmyk", "16-bit", "transparent")

FAR = 2.0  # times the median of the source, in size or in the ratio of the sides
RARE = 0.01  # at most this share of a source's pictures is so far off (or one picture, where there are few)
SPREADS = 6.0  # and so many robust standard deviations of the logarithm: a broad natural spread has no outliers


def unreadable(rows: pl.DataFrame) -> pl.DataFrame:
    """Broken, or other bytes than at ingest."""
    broken = pl.col("reason").is_not_null() & ~pl.col("reason").is_in(OF_ANOTHER_KIND) & ~pl.col("gone")
    changed = pl.col("seen_sha256").is_not_null() & pl.col("seen_sha256").ne_missing(pl.col("sha256"))
    told = pl.when(broken).then("problem").otherwise(pl.lit("has other bytes than when it was ingested"))
    return one_each(rows.filter(broken | changed), told)


def missing(rows: pl.DataFrame) -> pl.DataFrame:
    """No picture at ingest, or none any more."""
    told = pl.when(pl.col("gone")).then(pl.lit("was there at ingest, and is gone")).otherwise(pl.lit("no picture"))
    return one_each(rows.filter(pl.col("image_path").is_null() | pl.col("gone")), told)


def orphan(paths: Sequence[str]) -> pl.DataFrame:
    """Files that no row names."""
    if not paths:
        return none_found()
    return one_each(pl.DataFrame({"image_id": list(paths)}), "no row names this file")


def alpha_channel(rows: pl.DataFrame) -> pl.DataFrame:
    """Pictures with an alpha channel, transparent or not."""
    transparent = pl.col("reason").eq_missing(pl.lit("transparent"))
    told = (
        pl.when(transparent).then(pl.lit("has transparent pixels: refused")).otherwise(pl.lit("opaque: taken as it is"))
    )
    return one_each(rows.filter(pl.col("alpha")), told)


def cmyk(rows: pl.DataFrame) -> pl.DataFrame:
    """Pictures for printers."""
    return one_each(rows.filter(pl.col("cmyk")), "CMYK: refused")


def sixteen_bit(rows: pl.DataFrame) -> pl.DataFrame:
    """Pictures with more levels than a model sees."""
    return one_each(rows.filter(pl.col("sixteen_bit")), "16 bits a sample: refused")


def exif_rotation(rows: pl.DataFrame) -> pl.DataFrame:
    """Pictures that are stored turned or mirrored."""
    return one_each(rows.filter(pl.col("turned")), "EXIF asks for it to be turned or mirrored")


def exif_gps(rows: pl.DataFrame) -> pl.DataFrame:
    """Pictures that say where they were taken."""
    return one_each(rows.filter(pl.col("gps")), "EXIF has a place")


def exif_present(rows: pl.DataFrame) -> pl.DataFrame:
    """All pictures with EXIF, those that are turned or placed included."""
    return one_each(rows.filter(pl.col("exif")), "EXIF is there")


def size_outlier(rows: pl.DataFrame) -> pl.DataFrame:
    """Rare and far from the median of the source, whichever way the picture lies."""
    width, height = pl.col("seen_width").cast(pl.Float64), pl.col("seen_height").cast(pl.Float64)
    sized = rows.filter((width > 0) & (height > 0)).with_columns(
        ((width * height).log() / 2).alias("size"),
        (pl.max_horizontal(width, height) / pl.min_horizontal(width, height)).log().alias("shape"),
    )
    off = pl.any_horizontal(_off(name, sign) for name in ("size", "shape") for sign in (1, -1))
    times = (pl.col("size") - pl.col("size").median().over("source")).exp()
    told = pl.format("{}x{}: {} times the usual side", "seen_width", "seen_height", times.round(2))
    return one_each(sized.with_columns(off.alias("off"), told.alias("told")).filter("off"), pl.col("told"))


def _off(name: str, sign: int) -> pl.Expr:
    """Far to one side of the source's median, measured in the logarithm, and rare."""
    beyond = sign * (pl.col(name) - pl.col(name).median().over("source"))
    spread = 1.4826 * beyond.abs().median().over("source")
    far = (beyond > pl.lit(FAR).log()) & (beyond > SPREADS * spread)
    # all that are far to this side count, not only those beyond the spread: two regular sizes are no outliers
    share = (beyond > pl.lit(FAR).log()).sum().over("source")
    return far & (share <= pl.max_horizontal(pl.lit(1), RARE * pl.len().over("source")))
