"""The page of a look at a data set: what to see, and why it matters, in plain words beside each plot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations

import polars as pl
from PIL import Image

from edge_melanoma import plots
from edge_melanoma.data.eda.counts import NO_DX, NOT_TOLD, Count
from edge_melanoma.data.eda.metadata import CROSSED
from edge_melanoma.data.eda.page_pictures import add_pictures, add_samples, add_tone
from edge_melanoma.data.eda.result import EdaResult
from edge_melanoma.labels import DIAGNOSES, TASKS
from edge_melanoma.report import Cell, Page, Share


def draw(result: EdaResult, sheet: Image.Image | None) -> str:
    """The page as HTML."""
    page = Page(f"A look at {result.title}", synthetic=result.synthetic, lead=result.in_short() + ".")
    _add_figures(page, result)
    _add_classes(page, result)
    _add_centres(page, result)
    if sheet is not None:
        add_samples(page, result, sheet)
    add_pictures(page, result)
    add_tone(page, result)
    _add_metadata(page, result)
    _add_baseline(page, result)
    _add_origin(page, result)
    return page.to_html()


def _add_figures(page: Page, result: EdaResult) -> None:
    counted, best = result.counts.all, result.baseline.best
    figures = [(f"{counted.pictures:,}", "pictures")]
    figures += [(f"{counted.lesions:,}", "lesions")] if counted.lesions else []
    figures += [(f"{counted.patients:,}", "patients")] if counted.patients else []
    figures.append((f"{counted.melanomas:,}", f"pictures of melanoma, {100 * result.melanoma_share:.1f} %"))
    figures += [(f"{best.value:.3f}", "melanoma AUC without seeing a pixel")] if best else []
    if result.measured.unreadable:
        figures.append((f"{len(result.measured.unreadable):,}", "pictures that cannot be read"))
    page.figures(figures)


def _add_classes(page: Page, result: EdaResult) -> None:
    counts = result.counts
    page.heading("Classes")
    if not counts.by_class:
        page.paragraph("The index has no rows.")
        return
    name, most = next(iter(counts.by_class.items()))
    share = most.pictures / counts.all.pictures
    page.paragraph(
        f"The most frequent class, {name}, has {100 * share:.0f} % of the pictures: who always answers {name} is right "
        "that often, so accuracy alone says little. " + _pictures_per_lesion(result)
    )
    series = {"pictures": [c.pictures for c in counts.by_class.values()]}
    if counts.all.lesions:
        series["lesions"] = [c.lesions or 0 for c in counts.by_class.values()]
    png = plots.bars(list(counts.by_class), series, label="number", synthetic=result.synthetic)
    page.plot(png, alt="bars: pictures and lesions of each class")
    page.table(*_count_table("class", counts.by_class, counts.all, meaning=True))
    if counts.copies:
        page.paragraph(f"{counts.copies:,} augmented copies are left out of everything on this page.")
    _add_parts(page, result)
    page.heading("Tasks", level=3)
    page.paragraph("What each task makes of these classes, with actinic keratosis in its default place.")
    page.table(["task", "question", "pictures per answer"], _task_rows(result))


def _pictures_per_lesion(result: EdaResult) -> str:
    if not result.counts.all.lesions:
        return "The index does not say which pictures show the same lesion."
    per_lesion = {name: c.of_lesions / c.lesions for name, c in result.counts.by_class.items() if c.lesions}
    most = max(per_lesion, key=lambda name: per_lesion[name])
    return (
        f"A lesion was photographed up to {per_lesion[most]:.1f} times on average ({most}): pictures of one lesion are "
        "not independent, so a split and an interval must keep them together."
    )


def _add_parts(page: Page, result: EdaResult) -> None:
    counts = result.counts
    page.heading("Parts", level=3)
    if not counts.by_split:
        page.paragraph("The index is not split yet; `edge-melanoma data split` keeps lesions and patients together.")
        return
    page.paragraph("Every part should have about the same share of melanoma, and none too few to measure with.")
    page.table(*_count_table("part", counts.by_split, counts.all))
    pictures: Counter[tuple[str, str]] = Counter()
    for cell in counts.cells.iter_rows(named=True):
        pictures[cell["dx"], cell["split"] or "none"] += cell["pictures"]
    rows: list[list[Cell]] = [[name, *(pictures[name, part] for part in counts.by_split)] for name in counts.by_class]
    page.table(["class", *counts.by_split], rows, caption="Pictures of each class in each part")


def _task_rows(result: EdaResult) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for name, answers in result.counts.tasks.items():
        told = ", ".join(f"{answer} {n:,}" for answer, n in answers.items() if n or answer != "left out")
        rows.append([f"`{name}`", TASKS[name], told])
    return rows


def _count_table(
    name: str, counts: Mapping[str, Count], everything: Count, *, meaning: bool = False
) -> tuple[list[str], list[list[Cell]]]:
    """Headers and rows; what the index does not tell apart has no column."""
    columns: list[tuple[str, list[Cell]]] = [(name, list(counts))]
    if meaning:
        columns.append(("meaning", [DIAGNOSES.get(key, "the label is in no vocabulary") for key in counts]))
    columns.append(("pictures", [c.pictures for c in counts.values()]))
    columns.append(("share", [Share(c.pictures / everything.pictures) for c in counts.values()]))
    columns += [("lesions", [c.lesions for c in counts.values()])] if everything.lesions else []
    columns += [("patients", [c.patients for c in counts.values()])] if everything.patients else []
    if not meaning:
        columns.append(("melanomas", [c.melanomas for c in counts.values()]))
        columns.append(("melanoma share", [Share(c.melanomas / c.pictures) for c in counts.values()]))
    return [header for header, _ in columns], [list(row) for row in zip(*(c for _, c in columns), strict=True)]


def _add_centres(page: Page, result: EdaResult) -> None:
    places = result.counts.by_centre or result.counts.by_source
    page.heading("Centres")
    if len(places) < 2:
        page.paragraph("All pictures come from one source, and it tells no centres apart.")
        return
    apart = _furthest_apart(places)
    if apart is None:
        page.paragraph(
            "The centres' shares of melanoma are within a factor of two, or their pictures too few to tell: the centre "
            "says little about the diagnosis."
        )
    else:
        (low, few), (high, many) = apart
        page.note(
            f"`{low}` has {100 * few.pictures / result.counts.all.pictures:.0f} % of the pictures, and "
            f"{_per_cent(few)} of them are melanoma; in `{high}` it is {_per_cent(many)}. Every camera leaves its mark "
            "on its pictures, so a model can learn the centre and look as if it had learned melanoma.",
            tone="warn",
        )
    page.table(*_count_table("centre", places, result.counts.all))


def _per_cent(counted: Count) -> str:
    return f"{100 * _melanoma_share(counted):.1f} %"


def _furthest_apart(places: Mapping[str, Count]) -> tuple[tuple[str, Count], tuple[str, Count]] | None:
    """Of the centres that differ, the two that differ most; of all pairs, as the extremes may be too small to tell."""
    known = sorted(places.items(), key=lambda item: _melanoma_share(item[1]))
    apart = [(low, high) for low, high in combinations(known, 2) if _differ(low[1], high[1])]
    return max(apart, key=lambda pair: _melanoma_share(pair[1][1]) - _melanoma_share(pair[0][1]), default=None)


def _differ(few: Count, many: Count) -> bool:
    """Are the shares of melanoma a factor of two apart, and by no chance (z > 4)?"""
    p, q = _melanoma_share(few), _melanoma_share(many)
    mean = (few.melanomas + many.melanomas) / (few.pictures + many.pictures)
    error = (mean * (1 - mean) * (1 / few.pictures + 1 / many.pictures)) ** 0.5
    return q >= 2 * p and q - p > 4 * error


def _melanoma_share(counted: Count) -> float:
    return counted.melanomas / counted.pictures


def _add_metadata(page: Page, result: EdaResult) -> None:
    found, classes = result.metadata, result.metadata.classes
    page.heading("Beside the picture")
    page.paragraph(
        "What is known of patient and lesion, by class. Where the classes differ here, a model can be right for "
        "reasons that are not in the skin; where values are missing more often in one class, their absence tells it."
    )
    with page.columns():
        if any(map(len, found.age.values())):
            png = plots.distributions(
                found.age, title="Age", label="years", highlight="MEL", width_in=5.3, synthetic=result.synthetic
            )
            page.plot(png, alt="age by class", caption="5th to 95th percentile, middle half, median.")
        for column, frame in found.crossed.items():
            if column == "site" and "site_group" in found.crossed:
                continue  # its table is below
            parts = {row["value"]: [float(row[name]) for name in classes] for row in frame.iter_rows(named=True)}
            title = _sentence(CROSSED[column])
            png = plots.stacked_shares(
                classes, parts, title=title, label="share", unknown=NOT_TOLD, synthetic=result.synthetic
            )
            caption = "Tells the diagnosis, so it is never an input." if column == "dx_confirm" else ""
            page.plot(png, alt=f"{CROSSED[column]} by class", caption=caption)
    _add_missing(page, result)
    with page.details("All counts by class"):
        for column, frame in found.crossed.items():
            page.heading(_sentence(CROSSED[column]), level=3)
            page.table(
                [column.replace("place", "centre"), *frame.columns[1:]], [list(row) for row in frame.iter_rows()]
            )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _add_missing(page: Page, result: EdaResult) -> None:
    rows: list[list[Cell]] = []
    for name, n, absent, told in result.metadata.missing.filter(pl.col("missing") > 0).iter_rows():
        melanoma = [None if share is None else f"{100 * share:.1f} %" for share in (absent, told)]
        rows.append([f"`{name}`", n, Share(n / result.counts.all.pictures), *melanoma])
    headers = ["column", "missing", "share", "melanoma where missing", "melanoma where told"]
    page.table(headers, rows, caption="Missing values; what is not listed is complete")


def _add_baseline(page: Page, result: EdaResult) -> None:
    baseline = result.baseline
    page.heading("Melanoma without a pixel")
    if baseline.best is None:
        page.paragraph("How far melanoma can be told without the picture cannot be said from this index.")
    else:
        alone = baseline.auc.get("centre")
        page.paragraph(
            f"Trees that never see a picture reach an AUC of {baseline.best.value:.3f} for melanoma"
            + (f", and of {alone.value:.3f} from the centre alone. " if alone else ". ")
            + ("Chance is 0.5" if baseline.best.low > 0.5 else "That is no better than chance, 0.5")
            + ". A model trained on these pictures is worth what it adds to that: print its AUC on the "
            "same data always beside this one."
        )
        names = {f"from {inputs}": auc for inputs, auc in baseline.auc.items()}
        png = plots.intervals(names, label="AUC, 95 % interval", chance=0.5, synthetic=result.synthetic)
        page.plot(png, alt="the AUC of each set of inputs with its interval")
        rows = [[inputs, f"{e.value:.3f}", f"{e.low:.3f}–{e.high:.3f}"] for inputs, e in baseline.auc.items()]
        page.table(["inputs", "AUC", "95 % interval"], rows)
    page.items([f"No AUC from {inputs}: {reason}." for inputs, reason in baseline.why_not.items()])
    with page.details("How it was measured"):
        page.paragraph(
            f"{baseline.rows:,} pictures in {baseline.groups:,} groups (patient, else lesion, else the picture alone), "
            "dealt out to five folds with equal shares of melanoma. Gradient-boosted trees answer for each fold after "
            "learning from the other four; one AUC over all answers. The interval: 2,000 bootstrap rounds that draw "
            "whole groups, apart for those with and without melanoma. How the diagnosis was made is no input. Another "
            "seed deals other folds; on HAM10000 that moves the AUC by up to 0.008."
        )


def _add_origin(page: Page, result: EdaResult) -> None:
    with page.details("Where this page comes from"):
        page.items(
            [
                f"Index `{result.index_sha256}`, seed {result.seed}.",
                "Every number of this page is in `eda.json`; the statistics of each picture are in "
                "`image_stats.parquet`.",
                f"`{NOT_TOLD}`: the source has no value. `{NO_DX}`: the source's label is in no vocabulary of ours.",
            ]
        )
