"""What is wrong with an index, found before anything is trained on it.

Every picture is read and decoded once, on all cores; the rows are compared with each other in columns. A check that
fails means that results would be wrong; one that warns, that something must be known. Every check is reported, also
when it found nothing.

    checks.py     every check by name: what it means, what to do
    facts.py      the one look at every picture
    files.py      checks of files      table.py  of rows      shortcuts.py  of what tells melanoma without a look
    report.py     the result           page.py, sheet.py      for people
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from edge_melanoma.data.audit import files, shortcuts, table
from edge_melanoma.data.audit.checks import KINDS, Check, about_the_table
from edge_melanoma.data.audit.facts import look_at_pictures
from edge_melanoma.data.audit.page import page
from edge_melanoma.data.audit.report import AuditReport
from edge_melanoma.data.audit.sheet import packed, sheet_of
from edge_melanoma.data.index import Index
from edge_melanoma.notice import SYNTHETIC_BANNER
from edge_melanoma.output import new_folder, write_file, write_json
from edge_melanoma.parallel import OnProgress, silent

__all__ = ["KINDS", "AuditReport", "Check", "examine", "run"]

KIND = "audit"
REPORT_FILE, PAGE_FILE, SHEET_FILE, FINDINGS_FILE = "audit.json", "index.html", "findings.png", "findings.csv"


def run(
    index: Index,
    out: Path,
    *,
    force: bool = False,
    workers: int | None = None,
    on_progress: OnProgress = silent,
) -> AuditReport:
    """Audit an index and write the report to the folder `out`."""
    with new_folder(out, kind=KIND, force=force) as (draft, about):
        report = examine(index, workers=workers, on_progress=on_progress)
        about.update(index_sha256=report.index_sha256, passes=not report.failed, synthetic=report.synthetic)
        report.findings().write_csv(draft / FINDINGS_FILE)
        drawn = {check.name: sheet_of(index, check) for check in report.checks if check.fired}
        sheets = {name: sheet for name, sheet in drawn.items() if sheet is not None}
        if sheets:
            banner = f" ({SYNTHETIC_BANNER})" if report.synthetic else ""
            packed(list(sheets.values()), title=f"Audit of {report.name}{banner}").save(draft / SHEET_FILE)
        write_file(draft / PAGE_FILE, page(report, sheets).to_html())
        write_json(draft / REPORT_FILE, report.to_json())
    return report


def examine(index: Index, *, workers: int | None = None, on_progress: OnProgress = silent) -> AuditReport:
    """Make every check."""
    rows = look_at_pictures(index, workers=workers, on_progress=on_progress)
    associations = tuple(shortcuts.associations(index.table))
    told = tuple(shortcuts.telling_columns(index.table))
    found = {
        **_of_files(rows, index),
        **_of_rows(rows, index),
        "source-label": about_the_table(shortcuts.as_text(one) for one in associations if one.strong),
        "metadata-leak": about_the_table(f"{one.column}: AUC {one.auc:.2f}" for one in told if one.telling),
    }
    return AuditReport(
        name=index.folder.name if index.folder else "index",
        index_sha256=index.sha256,
        rows=rows.height,
        pictures=int(rows["seen_sha256"].is_not_null().sum()),
        synthetic=index.is_synthetic,
        checks=tuple(Check(name=name, findings=found[name]) for name in KINDS),
        associations=associations,
        told=told,
    )


def _of_files(rows: pl.DataFrame, index: Index) -> dict[str, pl.DataFrame]:
    return {
        "unreadable": files.unreadable(rows),
        "missing": files.missing(rows),
        "orphan": files.orphan(index.about.get("orphans", ())),
        "alpha-channel": files.alpha_channel(rows),
        "cmyk": files.cmyk(rows),
        "sixteen-bit": files.sixteen_bit(rows),
        "exif-rotation": files.exif_rotation(rows),
        "exif-gps": files.exif_gps(rows),
        "exif-present": files.exif_present(rows),
        "size-outlier": files.size_outlier(rows),
    }


def _of_rows(rows: pl.DataFrame, index: Index) -> dict[str, pl.DataFrame]:
    near, near_across = table.near_duplicates(rows)
    # a part of a data set has not the numbers of the whole
    published = {} if index.about.get("subset") else index.about.get("published_counts", {})
    return {
        "duplicate-id": table.duplicate_id(rows),
        "conflicting-label": table.conflicting_label(rows),
        "lesion-of-several-patients": table.lesion_of_several_patients(rows),
        "leak-group": table.leak_group(rows),
        "leak-hash": table.leak_hash(rows),
        "unknown-label": table.unknown_label(rows),
        "fingerprint": table.published_counts(rows, published),
        "augmented-outside-train": table.augmented_outside_train(rows),
        "exact-duplicate": table.exact_duplicate(rows),
        "near-duplicate": near,
        "near-duplicate-across-splits": near_across,
        "few-positives": table.few_positives(rows),
        "licence-mix": table.licence_mix(rows),
    }
