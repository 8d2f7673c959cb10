"""What each way of conversion costs and keeps, on one float run: ours, and what a user would do without us.

All models are made from the same run, judged on the same test pictures by the default gate, and timed turn by turn.
Each look at the test part is written into the run.
Run: python -m edge_melanoma.benchmarks.conversion RUN [--index INDEX] [--kinds KIND …] [--bundle BUNDLE] [--count]
         [--name NAME] [--quick]
RUN is a folder that `edge-melanoma train` wrote; INDEX is the one it was trained on, if that has moved; BUNDLE is one
that RUN was converted to. --count counts each one's instructions, too, on the emulated cores of Raspberry Pis.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_melanoma.data.index import Index, read_index
from edge_melanoma.errors import ArtifactError
from edge_melanoma.evaluation import log_test_opening
from edge_melanoma.fitting.network import load_network
from edge_melanoma.fitting.weights_file import file_sha256
from edge_melanoma.metrics.estimate import number
from edge_melanoma.parity import ParityReport
from edge_melanoma.report import markdown_table
from edge_melanoma.run_folder import Run, open_run
from edge_melanoma.runtime.cost import quartiles_of_ratios, time_laps

from .conversion_judging import TEST, Bench, decoded, set_up
from .conversion_ways import FIRST, FLOAT32, KINDS, OURS, LeftOutError, Made, by_bundle, by_command, by_hand
from .host import write_result
from .pi.build import DEFAULT_BOARDS, Workshop
from .pi.cache import default_cache
from .pi.counting import count_inference, on_each_core
from .pi.counting import set_up as set_up_counting

ROUNDS, QUICK_ROUNDS = 2000, 100
LAPS = 60  # more than a conversion takes for itself: here quartiles are told, too
PACKAGES = ("tensorflow", "ai-edge-litert", "ai-edge-quantizer", "numpy")
HEADERS = (
    "way",
    "kB",
    "kB, zlib",
    "time / float32",
    "test AUC",
    "change of AUC (95 %)",
    "sensitivity, frozen",
    "decisions changed",
    "at the worse threshold",
    "p99 change of probability",
    "default gate",
)
OF_COUNTS = (
    "Instructions of one inference in one thread, counted in an emulator (cortex-a72 is a Raspberry Pi 4, cortex-a76 a "
    "Raspberry Pi 5). They are no times: caches, memory and what a core does at once are not in them."
)


def make_all(
    kinds: Sequence[str],
    bench: Bench,
    index: Index,
    given: Path | None,
    network: Any,
    *,
    bundle: Path | None = None,
    quick: bool = False,
) -> tuple[list[Made], dict[str, str]]:
    """Every model that could be made, and why the others could not."""
    left_out, run, parts = {}, bench.run, bench.parts
    made = [] if bundle is None else [by_bundle(bundle, run)]
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            print(f"{kind} …", flush=True)
            try:
                if kind in OURS:
                    made.append(by_command(kind, run.folder, given, Path(folder), quick=quick))
                else:
                    first = parts.table[parts.rows["train"][:FIRST]]
                    made.append(by_hand(kind, network, decoded(run, index, first), turns=run.turns))
            except LeftOutError as error:
                if kind == FLOAT32:  # the others are beside it
                    raise
                left_out[kind] = str(error)
                print(f"{kind} is left out: {error}", flush=True)
    return sorted(made, key=lambda each: each.kind != FLOAT32), left_out


def count_all(made: Sequence[Made]) -> dict[str, dict[str, Any]]:
    """Kind -> core -> the instructions of one inference there."""
    plugin, devices = set_up_counting(Workshop(cache=default_cache()), DEFAULT_BOARDS)
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        for each in made:
            print(f"counting {each.kind} …", flush=True)
            path = Path(folder) / f"{each.kind}.tflite"
            path.write_bytes(each.model)
            counts[each.kind] = on_each_core(devices, count_inference, path, plugin)
    return counts


def judge_all(bench: Bench, made: Sequence[Made], left_out: dict[str, str], *, rounds: int) -> dict[str, ParityReport]:
    """All of them by the default gate; the look is written into the run. What cannot be opened is left out, too."""
    tflite_float = next(bench.said_by(each.model, name=FLOAT32)[TEST] for each in made if each.kind == FLOAT32)
    reports = {}
    for each in made:
        print(f"judging {each.kind} …", flush=True)
        try:
            reports[each.kind] = bench.judge(each.model, tflite_float, name=each.title, rounds=rounds)
        except ArtifactError as error:
            left_out[each.kind] = str(error)
            print(f"{each.kind} is left out: {error}", flush=True)
    seen = {kind: report.views["refitted"].auc.after for kind, report in reports.items()}
    facts = {"index_sha256": bench.run.about["index_sha256"], "task": bench.run.task.name}
    log_test_opening(bench.run.folder, {"verb": "benchmarks.conversion", **facts, "seen": {"auc": seen}})
    return reports


def in_numbers(
    made: Made, report: ParityReport, times: Sequence[float], instructions: Mapping[str, Any]
) -> dict[str, Any]:
    """One way in numbers: no picture is named."""
    frozen, refitted = report.views["frozen"], report.views["refitted"]
    return {
        "kind": made.kind,
        "way": made.title,
        "model_sha256": hashlib.sha256(made.model).hexdigest(),
        "bytes": made.bytes,
        "compressed_bytes": made.compressed_bytes,
        "seconds_of_the_command": round(made.seconds, 1),
        "float_layers": list(made.float_layers),
        "remarks": list(made.remarks),
        "time_over_float32": dict(zip(("q25", "median", "q75"), (round(each, 4) for each in times), strict=True)),
        "instructions": dict(instructions),
        "auc": refitted.auc.to_json(),
        "sensitivity_frozen": frozen.sensitivity.to_json(),
        "sensitivity_refitted": refitted.sensitivity.to_json(),
        "specificity_frozen": frozen.specificity.to_json(),
        "decisions_changed_frozen": frozen.flip_rates["any change"].to_json(),
        "changed_at_refer_frozen": frozen.flip_rates["refer or not"].to_json(),
        "changed_at_low_frozen": frozen.flip_rates["low or not"].to_json(),
        "positives_to_low_frozen": frozen.positives_moved("low"),
        "p99_probability_change": {view.name: number(view.p99_probability_change) for view in (frozen, refitted)},
        "largest_logit_change": number(report.logits.largest),
        "passes_the_default_gate": report.passed,
        "failed_checks": [row.name for row in report.failed_rows],
        "failed_hard": [row.name for row in report.failed_rows if row.hard],
    }


def table_rows(found: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The float network first, then a row for each way."""
    auc, sensitivity = found[0]["auc"]["before"], found[0]["sensitivity_frozen"]["before"]
    cores = tuple(found[0]["instructions"])
    keras = ["Keras, float", "", "", "", f"{auc:.4f}", "", f"{sensitivity:.3f}", "", "", "", "", *("" for _ in cores)]
    return [keras, *([*_row(each), *_counts(each, found[0], cores)] for each in found)]


def headers(found: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """With a column for each core that instructions were counted on."""
    return (*HEADERS, *(f"instructions on {core}, of float32's" for core in found[0]["instructions"]))


def _counts(found: Mapping[str, Any], float32: Mapping[str, Any], cores: Sequence[str]) -> list[str]:
    cells = []
    for core in cores:
        here, there = (each["instructions"][core]["all"] for each in (found, float32))
        cells.append(f"{here / 1e6:,.1f} M, {here / there:.2f}")
    return cells


def _row(found: Mapping[str, Any]) -> list[str]:
    auc, times = found["auc"], found["time_over_float32"]
    return [
        found["way"],
        f"{found['bytes'] / 1e3:,.0f}",
        f"{found['compressed_bytes'] / 1e3:,.0f}",
        "1" if found["kind"] == FLOAT32 else f"{times['median']:.2f} ({times['q25']:.2f} to {times['q75']:.2f})",
        f"{auc['after']:.4f}",
        f"{auc['difference']:+.4f} ({auc['low']:+.4f} to {auc['high']:+.4f})",
        f"{found['sensitivity_frozen']['after']:.3f}",
        _count(found["decisions_changed_frozen"]),
        _count(max((found[f"changed_at_{name}_frozen"] for name in ("refer", "low")), key=lambda rate: rate["value"])),
        f"{found['p99_probability_change']['refitted']:.4f}",
        verdict(found["failed_checks"], found["failed_hard"]),
    ]


def _count(rate: Mapping[str, Any]) -> str:
    return f"{rate['value']:.2%} ({rate['successes']})"


def verdict(failed: Sequence[str], hard: Sequence[str]) -> str:
    """Passed, or the checks that failed; hard ones marked."""
    return "passes" if not failed else f"fails: {', '.join(f'{name}!' if name in hard else name for name in failed)}"


def remarks_of(bench: Bench, made: Sequence[Made], left_out: Mapping[str, str], rounds: int) -> tuple[str, ...]:
    """What the table cannot say of itself."""
    rows = len(bench.parts.rows[TEST])
    return (
        f"{rows:,} test pictures; intervals by {rounds:,} draws of whole groups, paired; `frozen`: the float model's "
        "temperature and thresholds. AUC, p99 and the gate are as the model ships, with its own rule where the gate "
        "asks for that. `!`: a hard failure.",
        "Sizes are of the bare models. Times are of one thread, all models in turn, each lap over float32's of that "
        "lap: median (quartiles).",
        "Every row of ours went through `edge-melanoma convert` with a gate so lax that the model was written; the "
        "last column is the gate that it has by default.",
        "One test part and one training: differences of a few changed decisions are chance.",
        "The pictures (HAM10000) are for non-commercial use, and no part of this repository."
        if "CC-BY-NC-4.0" in bench.run.about["licenses"]
        else "The pictures are no part of this repository.",
        *(f"{each.title}: {'; '.join(each.remarks)}." for each in made if each.remarks),
        *((f"Left out, because it failed here: {', '.join(left_out)}.",) if left_out else ()),
    )


def write(name: str, found: Sequence[Mapping[str, Any]], facts: Mapping[str, Any], **texts: Any) -> Path:
    """Write the result as conversion-NAME; the command in it is that of this module."""
    result = {**facts, "ways": list(found)}
    title = f"What each way of conversion costs and keeps: {facts['backbone']} at {facts['size']}"
    return write_result(
        f"conversion-{name}",
        title,
        result,
        headers(found),
        table_rows(found),
        module="conversion",
        packages=PACKAGES,
        **texts,
    )


def hashes_of(run: Run, bundle: Path | None) -> dict[str, str]:
    """The SHA-256 of what all ways begin with, and of the bundle that was made before."""
    hashes = {"weights": file_sha256(run.weights), "index": run.about["index_sha256"]}
    return hashes if bundle is None else {**hashes, "bundle": file_sha256(bundle)}


def words_of(arguments: argparse.Namespace, kinds: Sequence[str]) -> tuple[str, ...]:
    """The command's arguments, as far as they change the result."""
    chosen = () if set(kinds) == set(KINDS) else ("--kinds", *kinds)
    chosen += ("--bundle", arguments.bundle.name) if arguments.bundle else ()
    chosen += ("--count",) if arguments.count else ()
    chosen += ("--name", arguments.name) if arguments.name else ()
    return ("RUN", *chosen)


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--index", type=Path, metavar="INDEX")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--bundle", type=Path, metavar="BUNDLE", help="a row more: a bundle made of RUN before")
    parser.add_argument("--count", action="store_true", help="instructions, too, on the emulated cores")
    parser.add_argument("--name", help="of the result; by default the backbone's")
    parser.add_argument("--quick", action="store_true", help="a trial of the benchmark: little training, nothing kept")
    return parser


def asked_for(arguments: argparse.Namespace) -> list[str]:
    """The kinds in their order; the others stand beside float32."""
    return [kind for kind in KINDS if kind in arguments.kinds or kind == FLOAT32]


def main(argv: Sequence[str] | None = None) -> None:
    """Make, judge and time all kinds; write the result, or only print it when it was a quick trial."""
    arguments = parser().parse_args(argv)
    kinds = asked_for(arguments)
    run = open_run(arguments.run)
    index = read_index(arguments.index or Path(run.about["index"]))
    network, rounds = load_network(run), QUICK_ROUNDS if arguments.quick else ROUNDS
    bench = set_up(run, index, network)
    hashes = hashes_of(run, arguments.bundle)
    asked = {"bundle": arguments.bundle, "quick": arguments.quick}
    made, left_out = make_all(kinds, bench, index, arguments.index, network, **asked)
    reports = judge_all(bench, made, left_out, rounds=rounds)
    made = [each for each in made if each.kind in reports]
    laps = time_laps({each.kind: each.model for each in made}, bench.tensors[TEST][0], laps=LAPS)
    times = quartiles_of_ratios(laps, reference=FLOAT32)
    counts = count_all(made) if arguments.count else {}
    found = [in_numbers(each, reports[each.kind], times[each.kind], counts.get(each.kind, {})) for each in made]
    if arguments.quick:
        print(markdown_table(headers(found), table_rows(found)))
        return
    model = run.about["model"]
    facts = {"backbone": model["backbone"], "size": model["size"], "sha256": hashes}
    facts |= {"rounds": rounds, "left_out": sorted(left_out)}
    name = arguments.name or model["backbone"]
    remarks = (*remarks_of(bench, made, left_out, rounds), *((OF_COUNTS,) if counts else ()))
    texts = {"arguments": words_of(arguments, kinds), "remarks": remarks}
    print(write(name, found, facts, **texts).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
