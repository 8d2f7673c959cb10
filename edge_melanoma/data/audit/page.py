"""The audit as a page: the verdict, every check that fired with its pictures, and the numbers behind the others."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image

from edge_melanoma.data.audit.checks import KINDS, Check
from edge_melanoma.data.audit.report import LIMITS, AuditReport
from edge_melanoma.report import Page

LISTED = 20  # findings of one check
WIDE = 720  # pixels: a phone scrolls it


def page(report: AuditReport, sheets: Mapping[str, Image.Image]) -> Page:
    """The page; `sheets` are the thumbnails of the checks that have any."""
    fired = [check for check in report.checks if check.fired]
    failing = sum(check.level == "fail" for check in fired)
    made = Page(f"Audit of {report.name}", synthetic=report.synthetic, lead=_lead(failing, len(fired) - failing))
    made.figures(
        [
            (f"{report.rows:,}", "rows"),
            (f"{report.pictures:,}", "pictures looked at"),
            (str(failing), "failing checks"),
            (str(len(fired) - failing), "warnings"),
        ]
    )
    made.heading("All checks")
    made.table(("check", "level", "findings", "pictures", "example"), report.table())
    for check in fired:
        _section(made, check, sheets.get(check.name))
    made.heading("What was measured")
    _measured(made, report)
    return made


def _lead(failing: int, warning: int) -> str:
    if failing:
        return f"The audit fails: {failing} checks found what must be mended before anything is trained."
    return "The audit passes" + (f", with {warning} warnings to be known." if warning else ": nothing was found.")


def _section(made: Page, check: Check, sheet: Image.Image | None) -> None:
    kind = KINDS[check.name]
    made.heading(check.name)
    made.note(f"{kind.meaning} {kind.remedy}", tone=kind.level)
    if sheet is not None:
        made.picture(sheet, alt=f"the first pictures found by {check.name}", wide=sheet.width > WIDE)
    made.items(check.examples(LISTED))
    if check.count > LISTED:
        made.paragraph(f"{check.count - LISTED:,} more are in `findings.csv`.")


def _measured(made: Page, report: AuditReport) -> None:
    if report.associations:
        rows = [(a.column, a.target, round(a.cramers_v, 3), a.lesions) for a in report.associations]
        made.table(
            ("column", "goes with", "Cramér's V", "lesions"),
            rows,
            caption="Source and centre against the diagnosis, a lesion counted once; 0 is independent, 1 is the same.",
        )
    if report.told:
        alone = [(told.column, round(told.auc, 3), told.melanomas, told.others) for told in report.told]
        made.table(
            ("column alone", "AUC for melanoma", "melanoma lesions", "other lesions"),
            alone,
            caption="Numbers by rank, words by the share of melanomas that they have in other lesions.",
        )
    made.items([f"{name}: {value}" for name, value in LIMITS.items()])
    made.paragraph(f"Index `{report.index_sha256}`.")
