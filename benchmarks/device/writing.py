"""A report on disk: the page, Markdown, everything as JSON, and a file for each device and artefact.

index.html  bench.md  bench.json   the whole report
results/DEVICE-ARTEFACT.json       one measurement each, a report of its own that --compare reads as well
"""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from edge_melanoma.errors import ArtifactError
from edge_melanoma.output import new_folder, write_file, write_json

from .compare import Comparison
from .page import to_html, to_markdown
from .result import KIND, Measurement, Report, read_report

JSON_FILE, MARKDOWN_FILE, PAGE_FILE, RESULTS = "bench.json", "bench.md", "index.html", "results"
MAX_REPORT_BYTES = 64 << 20
MAX_NAME = 200  # letters: file systems take 255, of which writing needs some


def write_report(report: Report, out: Path, *, comparison: Comparison | None = None, force: bool = False) -> None:
    """Write all of it to a new folder, or nothing."""
    with new_folder(out, kind=KIND, force=force) as (draft, about):
        write_json(draft / JSON_FILE, report.to_json())
        write_file(draft / MARKDOWN_FILE, to_markdown(report, comparison))
        write_file(draft / PAGE_FILE, to_html(report, comparison))
        (draft / RESULTS).mkdir()
        for found, name in zip(report.measurements, file_names(report.measurements), strict=True):
            alone = replace(report, measurements=(found,), failures=())
            write_json(draft / RESULTS / f"{name}.json", alone.to_json())
        about["artefacts"] = {found.name: found.artefact.sha256 for found in report.measurements}
        about["devices"] = sorted({found.device.name for found in report.measurements})


def file_names(measurements: Sequence[Measurement]) -> list[str]:
    """One for each; those that would be called alike are numbered."""
    names: list[str] = []
    for found in measurements:
        name = _file_name(found)
        numbered = (f"{name}-{number}" if number > 1 else name for number in count(1))
        names.append(next(each for each in numbered if each not in names))
    return names


def _file_name(found: Measurement) -> str:
    """Of the device and the artefact, in letters that every file system takes."""
    stem = Path(found.name).stem
    plain = re.sub(r"[^a-z0-9.]+", "-", f"{found.device.name}-{stem}".lower())
    return plain[:MAX_NAME].strip("-.")


def read_earlier(path: Path) -> Report:
    """A report from its JSON file, or from the folder that --out wrote."""
    file = path / JSON_FILE if path.is_dir() else path
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a device may be read for ever, a pipe waited for
            raise ArtifactError(f"{file}: is no file but a folder, device or pipe; name a report of --json or --out")
        with file.open("rb") as stream:
            data = stream.read(MAX_REPORT_BYTES + 1)
    except OSError as error:
        raise ArtifactError(f"{file}: cannot be read ({error.strerror}); name a report of --json or --out") from error
    if len(data) > MAX_REPORT_BYTES:
        raise ArtifactError(f"{file}: is larger than any report; name one that --json or --out wrote")
    return read_report(data, name=str(file))
