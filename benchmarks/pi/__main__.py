"""A Raspberry Pi without a Raspberry Pi: its userland in an emulator, with the base install of this source tree.

build   fetch and put together what is not there yet, and print the Python of each device
run     doctor, verify, predict and bench on every device, compared with this machine; ends with 6 where they differ
count   instructions per inference, and of the whole of predict; ends with 6 where they are not those committed

Run: python -m edge_melanoma.benchmarks.pi {build,run,count} --help
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_melanoma.bundle.archive import has_archive
from edge_melanoma.errors import EXIT_GATE_NOT_MET, RecipeError
from edge_melanoma.report import markdown_table

from ..program import exit_code
from .boards import BOARDS
from .build import DEFAULT_BOARDS, Workshop, build
from .cache import default_cache, say_on_stderr
from .counting import Change, changes, count_inference, count_predict, on_each_core, set_up
from .results import (
    COUNT_HEADERS,
    RUN,
    count_rows,
    model_facts,
    print_run,
    write_counts,
    write_run,
)
from .run import jobs_of, run
from .suites import SUITES
from .wheels import checkout

PICTURE = "big_12mp.jpg"  # of the golden ones, for the count of predict


def main(arguments: Sequence[str]) -> int:
    """Run one of the commands; an error of ours is one line and its own exit code."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: options.command(options))


def _parser() -> argparse.ArgumentParser:
    about, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m edge_melanoma.benchmarks.pi",
        description=about,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="{build,run,count}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--cache", type=Path, help="where the parts are kept (default: EDGE_MELANOMA_CACHE or ~/.cache)"
    )
    common.add_argument("--wheel", type=Path, help="our wheel, instead of one built from this source tree")
    boards = f"of {', '.join(BOARDS)}; repeatable (default {' and '.join(DEFAULT_BOARDS)})"
    common.add_argument("--board", action="append", metavar="BOARD", help=boards)
    writes = argparse.ArgumentParser(add_help=False)
    writes.add_argument("--out", type=Path, metavar="DIR", help="write the result there, as benchmarks/results has it")

    building = commands.add_parser("build", parents=[common], help="what is not there yet")
    building.set_defaults(command=_build)
    running = commands.add_parser("run", parents=[common, writes], help="everything on every device, compared")
    running.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE")
    running.add_argument("--pictures", type=Path, metavar="DIR", help="to predict (default: the golden ones)")
    running.add_argument("--name", default=RUN, help=f"of the result that --out writes (default {RUN})")
    running.set_defaults(command=_run)
    for command in (building, running):
        suites = f"of {', '.join(SUITES)}; repeatable (default all)"
        command.add_argument("--suite", action="append", metavar="SUITE", help=suites)
    counting = commands.add_parser("count", parents=[common, writes], help="instructions per inference")
    counting.add_argument("models", nargs="+", type=Path, metavar="MODEL", help="bundles, or any .tflite")
    counting.add_argument("--against", type=Path, metavar="JSON", help="counts that were committed; 6 where 2 %% apart")
    counting.set_defaults(command=_count)
    return parser


def _workshop(options: argparse.Namespace) -> Workshop:
    cache = options.cache.absolute() if options.cache else default_cache()
    return Workshop(cache=cache, wheel=options.wheel.absolute() if options.wheel else None)


def _build(options: argparse.Namespace) -> int:
    for device in build(
        _workshop(options), board_names=options.board or DEFAULT_BOARDS, suite_names=options.suite or SUITES
    ):
        print(f"{device.name}: {device.folder / 'bin' / 'python'}")
    return 0


def _run(options: argparse.Namespace) -> int:
    golden = checkout() / "tests" / "golden" / "golden.json"
    workshop, jobs = _workshop(options), jobs_of(options.bundles, golden=golden, pictures=options.pictures)
    devices = build(workshop, board_names=options.board or DEFAULT_BOARDS, suite_names=options.suite or SUITES)
    report = run(devices, jobs, say=say_on_stderr)
    print_run(report)
    if options.out:
        say_on_stderr(f"see {write_run(report, devices, workshop, folder=options.out, name=options.name)}")
    return 0 if report.passed else EXIT_GATE_NOT_MET


def _count(options: argparse.Namespace) -> int:
    missing = [str(path) for path in options.models if not path.is_file()]
    if missing:
        raise RecipeError(f"{missing[0]}: is no file; name bundles or .tflite files")
    committed = _committed(options.against) if options.against else {}
    workshop = _workshop(options)
    plugin, devices = set_up(workshop, options.board or DEFAULT_BOARDS)
    picture = checkout() / "tests" / "golden" / "pictures" / PICTURE
    counted: dict[str, Any] = {}
    predicted: dict[str, Any] = {}
    for path in options.models:
        name, about = model_facts(path)
        say_on_stderr(f"counting {name}")
        counted[name] = {**about, "instructions": on_each_core(devices, count_inference, path, plugin)}
        if has_archive(path.read_bytes()):
            instructions = on_each_core(devices, count_predict, path, picture, plugin)
            predicted[name] = {"picture": PICTURE, "instructions": instructions}
    print(markdown_table(COUNT_HEADERS, [list(map(str, row)) for row in count_rows(counted, predicted)]))
    if options.out:
        say_on_stderr(f"see {write_counts(counted, predicted, devices, workshop, folder=options.out)}")
    return _judged(changes(counted, committed)) if committed else 0


def _committed(path: Path) -> dict[str, Any]:
    try:
        models: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["models"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecipeError(f"--against {path}: is no result of `count --out`, whose .json is needed") from error
    return models


def _judged(found: Sequence[Change]) -> int:
    if not found:
        raise RecipeError("--against: knows none of these models; it was written for others")
    for change in found:
        say_on_stderr(f"{'ok' if change.passed else 'FAILS'}: {change}")
    return 0 if all(change.passed for change in found) else EXIT_GATE_NOT_MET


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
