"""The command line: python -m tooling [STEP …] [--bundle FILE]."""

from __future__ import annotations

import argparse
import fcntl
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edge_melanoma.errors import EXIT_GATE_NOT_MET, EdgeMelanomaError

from .apk import apk
from .app import app
from .app_parts import ENJARIFY, ROBOLECTRIC_PARTS, TFLITE_API
from .app_tests import bench, screen
from .core import EXPECTATIONS, core
from .expectations import write_expectations
from .fetch import fetch, missing
from .parts import ALL_PARTS
from .places import BUILT, DEFAULT_BUNDLE
from .recovered import recovered
from .report import StepReport, write_reports
from .sizes import sizes
from .times import times

REPORT = BUILT / "report.json"


def parts(_: Path) -> StepReport:
    """Fetch every part that is not in the cache yet."""
    wanted = (*ALL_PARTS, TFLITE_API, ENJARIFY, *ROBOLECTRIC_PARTS)
    fetched = len(missing(wanted))
    found = fetch(wanted)
    size = sum(path.stat().st_size for path in found.values())
    return StepReport(name="parts", facts={"parts": len(found), "fetched now": fetched, "bytes": size})


def expectations(bundle: Path) -> StepReport:
    """Write down what Python makes of everything, for Gradle's own test run: -Pedgemelanoma.expectations=FOLDER."""
    written = write_expectations(EXPECTATIONS, bundle=bundle)
    return StepReport(name="expectations", facts={"folder": str(EXPECTATIONS), "written now": str(written)})


STEPS: dict[str, Callable[[Path], StepReport]] = {
    "parts": parts,
    "expectations": expectations,
    "core": core,
    "times": times,
    "app": app,
    "bench": bench,
    "screen": screen,
    "apk": apk,
    "recovered": recovered,
    "sizes": sizes,
}
DEFAULT = ("parts", "core", "app", "bench", "screen", "apk", "recovered")


def main(argv: list[str] | None = None) -> int:
    """Run the steps in their order; 0 when all passed, 5 when a part is missing, 6 when one did not pass."""
    parser = argparse.ArgumentParser(prog="python -m tooling", description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"{', '.join(STEPS)}; default: {' '.join(DEFAULT)}")
    parser.add_argument(
        "--bundle", type=Path, default=DEFAULT_BUNDLE, help="the bundle to prove (default: the package's reference)"
    )
    parser.add_argument("--report", type=Path, default=REPORT, help="where the JSON of all steps goes")
    options = parser.parse_args(argv)
    unknown = [step for step in options.steps if step not in STEPS]
    if unknown:
        parser.error(f"unknown step {unknown[0]}; known: {', '.join(STEPS)}")
    with alone():
        return _run(options.steps or DEFAULT, options.bundle.resolve(), options.report)


def _run(steps: Sequence[str], bundle: Path, report_to: Path) -> int:
    reports: list[StepReport] = []
    try:
        for step in steps:
            begun = time.monotonic()
            report = STEPS[step](bundle)
            reports.append(replace(report, duration_s=round(time.monotonic() - begun, 1)))
            print(reports[-1].to_text(), flush=True)
    except EdgeMelanomaError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        write_reports(reports, report_to)
    return EXIT_GATE_NOT_MET if any(report.problems for report in reports) else 0


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other run writes to the build folder."""
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, also by a crash
        yield


if __name__ == "__main__":
    sys.exit(main())
