"""The part of the page that is about pixels: samples, statistics, the tone of the skin."""

from __future__ import annotations

import polars as pl
from PIL import Image

from edge_melanoma import plots
from edge_melanoma.data.eda.image_stats import STATISTICS, TONES
from edge_melanoma.data.eda.result import EdaResult
from edge_melanoma.report import Cell, Page, Share

_DRAWN = {  # statistic -> title, unit
    "brightness": ("Brightness", "mean luma, 0–255"),
    "contrast": ("Contrast", "standard deviation of luma"),
    "saturation_mean": ("Saturation", "mean, 0–1"),
    "lab_l_mean": ("Lightness L*", "mean, 0–100"),
    "lab_a_mean": ("Green to red, a*", "mean"),
    "lab_b_mean": ("Blue to yellow, b*", "mean"),
    "laplacian_variance": ("Sharpness", "variance of the Laplacian"),
    "noise_sigma": ("Noise", "σ in gray levels (Immerkær)"),
    "dark_corner_share": ("Dark corners", "share of the picture"),
}
_SHOWN_UNREADABLE = 10


def add_samples(page: Page, result: EdaResult, sheet: Image.Image) -> None:
    """Some pictures of each class."""
    page.heading("Samples")
    page.paragraph(
        f"Chosen by seed {result.seed}, from different lesions where there are enough. Look for what does not belong "
        "to the lesion and is more frequent in one class: rulers, ink, black corners, a camera's colour."
    )
    names = ", ".join(f"{row.name}: {', '.join(row.chosen)}" for row in result.samples)
    page.picture(sheet, alt=f"sample pictures; {names}", wide=True)


def add_pictures(page: Page, result: EdaResult) -> None:
    """The statistics by class."""
    measured = result.measured
    page.heading("Pictures in numbers")
    _add_unreadable(page, result)
    if not measured.table.height:
        page.paragraph("The index has no pictures that can be measured (tables only).")
        return
    measured_on = f"{measured.table.height:,} pictures"
    if measured.sampled:
        measured_on += (
            f", drawn by seed {result.seed} from {measured.available:,}, evenly from the classes (what is said of all "
            "pictures together is weighted back)"
        )
    page.paragraph(
        f"Measured on {measured_on}, each reduced to at most 256 pixels a side. The line runs from the 5th to the 95th "
        "percentile, the bar spans the middle half, the dot is the median; melanoma is orange."
    )
    _add_strongest(page, result)
    with page.columns(width_rem=19):
        for statistic, (title, unit) in _DRAWN.items():
            values = measured.by_class(statistic, result.metadata.classes)
            png = plots.distributions(values, title=title, label=unit, highlight="MEL", synthetic=result.synthetic)
            page.plot(png, alt=f"{title} by class")
    _add_sizes(page, result)
    with page.details("Every statistic: how far it tells melanoma, and its median in each centre"):
        _add_all_statistics(page, result)


def _add_unreadable(page: Page, result: EdaResult) -> None:
    unreadable = result.measured.unreadable
    if not unreadable:
        return
    page.note(
        f"{len(unreadable):,} pictures cannot be read; `edge-melanoma data audit` lists all defects.", tone="fail"
    )
    rows: list[list[Cell]] = [[f"`{image_id}`", problem] for image_id, problem in unreadable.items()]
    page.table(["picture", "problem"], rows[:_SHOWN_UNREADABLE])
    if len(rows) > _SHOWN_UNREADABLE:
        page.paragraph(f"The other {len(rows) - _SHOWN_UNREADABLE:,} are in `eda.json`.")


def _add_strongest(page: Page, result: EdaResult) -> None:
    aucs = result.measured.aucs()
    if aucs:
        name, auc = next(iter(aucs.items()))
        page.paragraph(
            f"The single number that tells melanoma best is `{name}`, with an AUC of {auc:.2f} (chance: 0.50). Part of "
            "such a difference is the lesion, part the camera; compare the medians of the centres below."
        )


def _add_sizes(page: Page, result: EdaResult) -> None:
    sizes = result.measured.table.group_by(pl.col("width", "height").cast(pl.Int64)).len()
    sizes = sizes.sort("len", "width", "height", descending=[True, False, False])
    shares = [(f"{w} × {h}", n, f"{w / h:.2f}", Share(n / sizes["len"].sum())) for w, h, n in sizes.head(8).iter_rows()]
    more = f"; {sizes.height - 8:,} further sizes" if sizes.height > 8 else ""
    page.table(
        ["size", "pictures", "aspect", "share"],
        shares,
        caption=f"Sizes of the upright pictures, most frequent first{more}",
    )


def _add_all_statistics(page: Page, result: EdaResult) -> None:
    measured, aucs = result.measured, result.measured.aucs()
    places = (
        measured.table.group_by("place").len().sort("len", "place", descending=[True, False])["place"][:8].to_list()
    )
    medians = {
        place: measured.table.filter(pl.col("place").eq_missing(place)).select(
            pl.col(STATISTICS).fill_nan(None).median()
        )
        for place in places
    }
    rows: list[list[Cell]] = []
    for statistic in STATISTICS:
        auc = f"{aucs[statistic]:.3f}" if statistic in aucs else None
        rows.append([f"`{statistic}`", auc, *(medians[place][statistic][0] for place in places)])
    caption = "The AUC for melanoma of each statistic alone, and its median in each centre (the largest eight)"
    page.table(["statistic", "melanoma AUC", *(str(place) for place in places)], rows, caption=caption)


def add_tone(page: Page, result: EdaResult) -> None:
    """The image-estimated tone."""
    tones, told = result.measured.tones(), pl.col("tone").is_not_null()
    if not sum(tones.values()):
        return
    light = result.measured.share(pl.col("tone").is_in(["very light", "light"]), told)
    bluish = result.measured.share(pl.col("ita_deg") > 90, told)
    page.heading("Image-estimated tone")
    page.paragraph(
        f"How light the skin around the lesion looks: {100 * light:.0f} % of "
        "the pictures look light or very light, and on what is rare here a model is neither trained nor tested. This "
        "is a property of the picture, not of the patient, for the light of the dermatoscope is in it: "
        f"{100 * bluish:.0f} % of the angles are above 90°, bluer than any skin is."
    )
    with page.columns():
        png = plots.bars(
            [name for name, _ in TONES],
            {"pictures": list(tones.values())},
            title="Pictures of each tone",
            label="pictures",
            synthetic=result.synthetic,
        )
        page.plot(png, alt="bars: pictures of each image-estimated tone")
        by_class = result.measured.by_class("ita_deg", result.metadata.classes)
        png = plots.distributions(
            by_class, title="Angle", label="ITA in degrees", highlight="MEL", width_in=5.3, synthetic=result.synthetic
        )
        page.plot(png, alt="individual typology angle by class")
    too_little = result.measured.table["tone"].null_count()
    with page.details("How it is estimated"):
        page.paragraph(
            "ITA = atan2(L* − 50, b*), the median over patches along the border of the picture, inside a rim of 4 % "
            "and without what Otsu's threshold calls lesion or corner. Above 55° very light, 41° light, 28° "
            f"intermediate, 10° tan, −30° brown, else dark. {too_little:,} measured pictures show too little skin."
        )
