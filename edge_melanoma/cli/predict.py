"""`predict`: pictures in, decisions out, one line each as soon as it is known."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.names import as_text, one_line
from edge_melanoma.notice import NOTICE

if TYPE_CHECKING:
    from edge_melanoma.bundle import Bundle
    from edge_melanoma.prediction import Answer

# plain escape codes: importing rich would take as long as twenty predictions
COLOURS = {"refer": "red", "uncertain": "yellow", "low": None, "error": "magenta"}
CSV_COLUMNS = ("picture", "melanoma_probability", "decision", "reasons", "error")
SAID = {"error": "could not be read"}
WIDEST = max(map(len, COLOURS))


def predict(
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURE...", help="Files, folders, patterns; - is a picture, or names of some, on standard input."
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            *("--model", "-m"),
            metavar="BUNDLE",
            help="The bundle to ask: a file, or reference or reference-small of the package.",
            show_default="reference",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each picture.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a column for each class.")] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="For the model.", show_default="as many as help")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="To decode pictures with.", show_default="all cores")
    ] = None,
) -> None:
    """Say low, uncertain or refer of dermoscopic pictures, and why it abstains.

    Ends with code 3 where a picture could not be judged; the others are judged all the same.
    """
    from edge_melanoma.bundle import open_bundle
    from edge_melanoma.models import find_bundle
    from edge_melanoma.prediction import find_pictures, run
    from edge_melanoma.runtime import introduce

    if as_json and as_csv:
        raise RecipeError("--json and --csv: one form of output at a time")
    bundle = open_bundle(find_bundle(model))
    given = find_pictures(pictures, standard_input=_standard_input)
    predictor = introduce(bundle, threads=threads)
    for warning in predictor.warnings:
        _warn(warning)
    answers = _watched(run(predictor, given, workers=workers), total=len(given))
    if as_json or as_csv:
        typer.echo(NOTICE, err=True)  # a program reads the rest
    if as_json:
        found = _print_json(answers, bundle, engine=str(predictor.model.engine))
    elif as_csv:
        found = _print_csv(answers, bundle)
    else:
        found = _print_lines(answers, bundle, width=max(len(one_line(each.name)) for each in given))
    raise typer.Exit(DataError.exit_code if found["error"] else 0)


def _standard_input() -> bytes:
    from edge_melanoma.prediction.given import read_input

    if sys.stdin is None:  # Python's word for closed
        raise DataError("standard input: is closed; give a picture to it, or name one")
    if sys.stdin.isatty():
        _warn("reading a picture, or names of pictures, from the terminal; Ctrl-D ends it")
    return read_input(sys.stdin.buffer)


def _warn(text: str) -> None:
    typer.echo(f"warning: {one_line(text)}", err=True)


def _watched(answers: Iterator[Answer], *, total: int) -> Iterator[Answer]:
    """The same, with a bar on the terminal where the answers themselves go elsewhere."""
    if total == 1:
        yield from answers
        return
    from edge_melanoma.cli.console import progress_bar

    with nullcontext(None) if sys.stdout.isatty() else progress_bar("predict") as on_progress:
        for done, answer in enumerate(answers, start=1):
            if on_progress:
                on_progress(done, total)
            yield answer


def _outcome(answer: Answer) -> str:
    return answer.prediction.decision if answer.prediction else "error"


def _print_json(answers: Iterator[Answer], bundle: Bundle, *, engine: str) -> Counter[str]:
    import json

    manifest = bundle.manifest
    model = {
        "name": manifest.model.name,
        "bundle_sha256": bundle.sha256,
        "engine": engine,
        "synthetic": manifest.data.synthetic,
        "commercial_use": manifest.licence.commercial,
        "medical_device": False,
    }
    found: Counter[str] = Counter()
    for answer in answers:
        found[_outcome(answer)] += 1
        print(as_text(json.dumps(answer.to_json(model), ensure_ascii=False)), flush=True)
    return found


def _print_csv(answers: Iterator[Answer], bundle: Bundle) -> Counter[str]:
    import csv

    classes = bundle.manifest.task.classes
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow([*CSV_COLUMNS, *(f"score_{name}" for name in classes), "bundle_sha256"])
    found: Counter[str] = Counter()
    for answer in answers:
        found[_outcome(answer)] += 1
        line = answer.to_json({})
        scores = line["scores"]
        row: list[Any] = [line["picture"], line["melanoma_probability"], line["decision"], "; ".join(line["reasons"])]
        out.writerow([*row, line["error"], *(scores.get(name) for name in classes), bundle.sha256])
    return found


def _print_lines(answers: Iterator[Answer], bundle: Bundle, *, width: int) -> Counter[str]:
    manifest = bundle.manifest
    if manifest.synthetic_banner:
        typer.secho(manifest.synthetic_banner, bold=True)
    found: Counter[str] = Counter()
    for answer in answers:
        outcome = _outcome(answer)
        found[outcome] += 1
        rest = f"  {_probability(answer)}  {one_line(answer.picture):{width}}  {one_line(_why(answer))}"
        typer.echo(typer.style(f"{outcome:{WIDEST}}", fg=COLOURS[outcome]) + rest.rstrip())
    for text in _closing(found, bundle):
        typer.echo(f"\n{text}")
    return found


def _probability(answer: Answer) -> str:
    return f"{_per_cent(answer.prediction.probability):>7}" if answer.prediction else " " * 7


def _per_cent(share: float) -> str:
    """Thresholds lie near 1 %, so two digits there."""
    return f"{100 * share:.{1 if share >= 0.1 else 2}f} %"


def _why(answer: Answer) -> str:
    if answer.prediction is None:
        return answer.error or ""
    return "; ".join(reason.words for reason in answer.prediction.reasons)


def _closing(found: Counter[str], bundle: Bundle) -> Sequence[str]:
    manifest = bundle.manifest
    counts = ", ".join(f"{found[word]} {SAID.get(word, word)}" for word in COLOURS if found[word])
    rule = bundle.rule
    return (
        f"{counts}. The percentage is the probability of {_positives(bundle)} where {_per_cent(rule.prior_deploy)} of "
        f"such pictures show it; low is below {_per_cent(rule.threshold_low.value)}, refer from "
        f"{_per_cent(rule.threshold_refer.value)} on. Model: {manifest.model.name}, {bundle.sha256[:12]}.",
        *([] if manifest.licence.commercial else ["Not for commercial use."]),
        manifest.notice,
    )


def _positives(bundle: Bundle) -> str:
    rule = bundle.rule
    return " or ".join(rule.classes[place] for place in rule.positive)
