"""A look at a data set before anything is trained on it.

Run: edge-melanoma data eda INDEX. It writes a folder:

    index.html            the page, which needs nothing else
    eda.json              every number on it, and more
    image_stats.parquet   the statistics of every picture that was measured
"""

from __future__ import annotations

from pathlib import Path

from edge_melanoma.data.eda import counts, measuring, metadata, page, samples
from edge_melanoma.data.eda.result import EdaResult
from edge_melanoma.data.index import Index
from edge_melanoma.data.no_pixel import no_pixel_baseline
from edge_melanoma.output import new_folder, write_file, write_json
from edge_melanoma.parallel import OnProgress, silent
from edge_melanoma.plots import require_matplotlib

__all__ = ["PAGE_FILE", "RESULT_FILE", "STATISTICS_FILE", "EdaResult", "run"]

PAGE_FILE, RESULT_FILE, STATISTICS_FILE = "index.html", "eda.json", "image_stats.parquet"


def run(
    index: Index,
    out: Path,
    *,
    seed: int = 0,
    max_pictures: int | None = None,
    force: bool = False,
    workers: int | None = None,
    on_progress: OnProgress = silent,
) -> EdaResult:
    """Look at an index and write what was seen to `out`; `max_pictures` measures a stratified sample."""
    require_matplotlib()
    with new_folder(out, kind="eda", force=force) as (draft, about):
        baseline = no_pixel_baseline(index.table, seed=seed)
        counted = counts.count(index.table)
        classes = tuple(counted.by_class)
        measured = measuring.measure_index(
            index, max_pictures=max_pictures, seed=seed, workers=workers, on_progress=on_progress
        )
        sheet = samples.draw_sheet(index, classes, seed=seed, synthetic=index.is_synthetic)
        result = EdaResult(
            title=str(index.about.get("title") or ", ".join(counted.by_source) or "an index"),
            index_sha256=index.sha256,
            synthetic=index.is_synthetic,
            seed=seed,
            counts=counted,
            metadata=metadata.describe(index.table, classes),
            measured=measured,
            samples=sheet.rows if sheet else (),
            baseline=baseline,
        )
        write_file(draft / PAGE_FILE, page.draw(result, sheet.image if sheet else None))
        write_json(draft / RESULT_FILE, result.to_json())
        measured.table.write_parquet(draft / STATISTICS_FILE)
        about.update(
            {"index_sha256": result.index_sha256, "seed": seed, "synthetic": result.synthetic, "title": result.title}
        )
    return result
