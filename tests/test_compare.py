"""Models on the same pictures: a difference that is there is found, one that is not is not, unequal rows refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

pl = pytest.importorskip("polars")
pytest.importorskip("matplotlib")

from edge_melanoma.calibration import CalibrationRecipe, fit_rule  # noqa: E402
from edge_melanoma.cli.compare import compare as verb  # noqa: E402
from edge_melanoma.errors import ArtifactError, DataError, RecipeError  # noqa: E402
from edge_melanoma.evaluation import compare, evaluate, write_comparison  # noqa: E402
from edge_melanoma.evaluation.comparison_page import draw, frontier, to_markdown  # noqa: E402
from edge_melanoma.evaluation.result import METRICS_FILE, PREDICTIONS_FILE  # noqa: E402
from edge_melanoma.labels import task  # noqa: E402
from edge_melanoma.metrics import Estimate  # noqa: E402
from edge_melanoma.output import new_folder, write_json  # noqa: E402

_spec = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up: Any = importlib.util.module_from_spec(_spec)  # type: ignore[arg-type]
_spec.loader.exec_module(made_up)  # type: ignore[union-attr]

MEL = task("mel")
QUICK = {"rounds": 200}


def write_run(
    folder: Path, table: Any, predictions: Any, *, of: Any = MEL, with_rule: bool = True, **model: Any
) -> Path:
    """A run with the evaluation of its test part, less the page, which nobody reads here."""
    size = len(of.classes)
    recipe = CalibrationRecipe(rounds=20)
    rule = fit_rule(predictions, table, of, recipe, class_shares_train=[1 / size] * size) if with_rule else None
    found = evaluate(
        predictions,
        table,
        of,
        rule,
        split="test",
        rounds=20,
        without_pixels=False,
        model={"name": folder.name, **model},
    )
    with new_folder(folder / "evaluation-test", kind="evaluation") as (draft, _):
        write_json(draft / METRICS_FILE, found.to_json())
        found.predictions.write_parquet(draft / PREDICTIONS_FILE)
    return folder


@pytest.fixture(scope="module")
def table() -> Any:
    return made_up.index_table(800)


@pytest.fixture(scope="module")
def runs(table: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models that see the same lesions alike: a good one, a better one, and the good one again."""
    home = tmp_path_factory.mktemp("runs")
    good = made_up.predict(table, MEL, separation=1.6, seed=3)
    write_run(home / "good", table, good, parameters=400_000, macs=60_000_000, size_bytes=600_000)
    better = made_up.predict(table, MEL, separation=2.2, seed=3)
    write_run(home / "better", table, better, parameters=4_000_000, macs=400_000_000, size_bytes=5_000_000)
    write_run(home / "again", table, good, parameters=9_000_000, macs=900_000_000, size_bytes=9_000_000)
    return home


@pytest.fixture(scope="module")
def comparison(runs: Path) -> Any:
    return compare([runs / "good", runs / "better", runs / "again" / "evaluation-test"], **QUICK)


def test_the_better_model_is_found_better_and_the_same_one_equal(comparison: Any) -> None:
    first, better, again = comparison.standings
    assert first.differences == {}
    lead = better.differences["roc_auc"]
    assert lead.low > 0
    assert lead.value == pytest.approx(better.metrics["roc_auc"].value - first.metrics["roc_auc"].value)
    assert better.delong.p < 0.05
    same = again.differences["roc_auc"]
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert (again.delong.p, again.mcnemar.p) == (1, 1)


def test_a_run_whose_name_is_a_pattern_is_read_and_none_that_it_matches(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "good", tmp_path / "run1")
    shutil.copytree(runs / "better", tmp_path / "run[1]")
    good, better = compare([tmp_path / "run1", tmp_path / "run[1]"], **QUICK).standings
    assert good.metrics["roc_auc"].value < better.metrics["roc_auc"].value


def test_decisions_that_are_all_the_same_leave_room_for_some_that_are_not(comparison: Any) -> None:
    """The other two models decide alike on every picture; that does not show that they always would."""
    again = comparison.standings[2]
    for name in ("refer.sensitivity", "refer.specificity"):
        change = again.differences[name]
        assert (change.gained, change.lost, change.value) == (0, 0, 0)
        assert -0.12 < change.low < 0 < change.high < 0.12


def test_mcnemar_counts_the_pictures_on_which_only_one_is_right(comparison: Any, runs: Path) -> None:
    kept = [
        pl.read_parquet(runs / name / "evaluation-test" / PREDICTIONS_FILE).sort("image_id")
        for name in ("good", "better")
    ]
    right = [((frame["decision"] == "refer") == (frame["answer"] == 1)).to_numpy() for frame in kept]
    positive = (kept[0]["answer"] == 1).to_numpy()
    found = comparison.standings[1]
    assert (found.mcnemar.only_first, found.mcnemar.only_second) == (
        (right[1] & ~right[0]).sum(),
        (right[0] & ~right[1]).sum(),
    )
    assert found.mcnemar_positive.only_first == (right[1] & ~right[0] & positive).sum()


def test_a_paired_interval_is_narrower_than_that_of_either_model(comparison: Any) -> None:
    better = comparison.standings[1]
    alone, apart = better.metrics["roc_auc"], better.differences["roc_auc"]
    assert apart.high - apart.low < alone.high - alone.low


def test_metrics_are_those_of_the_evaluations(comparison: Any, runs: Path) -> None:
    said = json.loads((runs / "better" / "evaluation-test" / METRICS_FILE).read_text())["image"]["metrics"]
    found = comparison.standings[1].metrics
    for name in ("roc_auc", "pauc80", "average_precision", "brier", "refer.sensitivity", "refer.specificity"):
        assert found[name].value == pytest.approx(said[name]["value"], abs=1e-6), name


def test_intervals_of_a_difference_cover_none_about_as_often_as_they_say(tmp_path: Path) -> None:
    covered = 0
    for seed in range(20):
        table = made_up.index_table(150, seed=seed, parts=(0, 0, 0, 1), shares=(0.5, 0.3, 0.1, 0.05, 0.05, 0, 0))
        folders = [
            write_run(
                tmp_path / f"{seed}-{model}",
                table,
                made_up.predict(table, MEL, separation=1.5, seed=1000 * model + seed),
                with_rule=False,
            )
            for model in (1, 2)
        ]
        apart = compare(folders, rounds=150).standings[1].differences["roc_auc"]
        covered += apart.low <= 0 <= apart.high
    assert covered >= 17


def test_different_pictures_are_refused_unless_the_common_ones_will_do(table: Any, runs: Path, tmp_path: Path) -> None:
    fewer = table.filter(pl.col("site_group") != "trunk")
    other = write_run(tmp_path / "other", fewer, made_up.predict(fewer, MEL))
    with pytest.raises(DataError, match=r"different pictures: \d+ only in .*good.*P0\d+.*--common-rows"):
        compare([runs / "good", other], **QUICK)
    found = compare([runs / "good", other], common_rows=True, **QUICK)
    test = pl.col("split") == "test"
    assert found.rows == fewer.filter(test).height
    assert found.left_out == table.filter(test).height - found.rows


def test_other_answers_and_other_patients_are_refused(table: Any, runs: Path, tmp_path: Path) -> None:
    first = table.filter((pl.col("split") == "test") & (pl.col("dx") == "NV"))["image_id"][0]
    changed = {
        "answers": table.with_columns(
            pl.when(pl.col("image_id") == first).then(pl.lit("MEL")).otherwise(pl.col("dx")).alias("dx")
        ),
        "patients or lesions": table.with_columns(("X" + pl.col("lesion_id")).alias("lesion_id")),
    }
    for what, other in changed.items():
        run = write_run(tmp_path / what.split()[0], other, made_up.predict(other, MEL))
        with pytest.raises(DataError, match=f"other {what} than .* has for P0"):
            compare([runs / "good", run], **QUICK)


def test_another_task_is_refused(table: Any, runs: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "dx7", table, made_up.predict(table, task("dx7")), of=task("dx7"))
    with pytest.raises(DataError, match=r"differs from that of .* in name: dx7, not mel"):
        compare([runs / "good", other], **QUICK)


def test_seven_classes_are_compared_as_classes(table: Any, tmp_path: Path) -> None:
    seven = task("dx7")
    folders = [
        write_run(tmp_path / f"m{separation}", table, made_up.predict(table, seven, separation=separation), of=seven)
        for separation in (1.2, 2.5)
    ]
    first, found = compare(folders, **QUICK).standings
    assert found.differences["classes.balanced_accuracy"].low > 0
    for standing, folder in zip((first, found), folders, strict=True):
        alone = json.loads((folder / "evaluation-test" / "metrics.json").read_text())["image"]["metrics"]
        assert standing.metrics["classes.balanced_accuracy"].value == pytest.approx(
            alone["classes.balanced_accuracy"]["value"], abs=1e-6
        )


def test_a_model_without_a_rule_is_compared_on_what_needs_none(table: Any, runs: Path, tmp_path: Path) -> None:
    bare = write_run(tmp_path / "bare", table, made_up.predict(table, MEL), with_rule=False)
    found = compare([runs / "good", bare], **QUICK).standings[1]
    assert "refer.sensitivity" not in found.metrics
    assert found.mcnemar is None
    assert found.delong is not None


def test_a_table_has_no_row_without_a_figure_and_says_who_has_no_rule(
    comparison: Any, table: Any, runs: Path, tmp_path: Path
) -> None:
    write_run(tmp_path / "bare", table, made_up.predict(table, MEL, seed=4), with_rule=False)
    text = to_markdown(compare([tmp_path / "bare", runs / "good"], **QUICK))
    assert "`bare`: no decision rule" in text
    differences = text.partition("Differences to the first")[2]
    assert "Δ ROC-AUC" in differences
    assert "sensitivity of refer" not in differences
    assert "McNemar" not in differences
    assert "no decision rule" not in to_markdown(comparison)
    assert "McNemar" in to_markdown(comparison)


def test_what_is_not_to_be_believed_is_said_first(comparison: Any, runs: Path, table: Any, tmp_path: Path) -> None:
    leaky = write_run(tmp_path / "leaky", table, made_up.predict(table, MEL, seed=4))
    path = leaky / "evaluation-test" / METRICS_FILE
    document, text = json.loads(path.read_text()), "leak, allowed by request: 3 lesions"
    path.write_text(json.dumps({**document, "remarks": [{"tone": "fail", "text": text}, *document["remarks"]]}))
    found = compare([runs / "good", leaky], **QUICK)
    assert next(iter(found.to_json().items())) == ("failures", [f"`leaky`: {text}"])
    assert to_markdown(found).split("\n\n")[1] == f"**Fail.** `leaky`: {text}."
    page = draw(found)
    assert page.index("<code>leaky</code>: leak, allowed") < page.index("Side by side</h2>")
    assert comparison.failures == ()
    assert "Fail." not in to_markdown(comparison)


def test_models_of_one_name_are_told_apart(table: Any, runs: Path, tmp_path: Path) -> None:
    twin = write_run(tmp_path / "good", table, made_up.predict(table, MEL, seed=9))
    names = [standing.name for standing in compare([runs / "good", twin], **QUICK).standings]
    assert len(set(names)) == 2


def test_what_is_no_evaluation_is_refused_with_what_would_be(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="1 given: two or more"):
        compare([runs / "good"])
    with pytest.raises(ArtifactError, match=r"is no evaluation and has no evaluation-val; .*evaluate .*--split val"):
        compare([runs / "good", runs / "better"], split="val")
    with pytest.raises(ArtifactError, match="does not exist"):
        compare([runs / "good", tmp_path / "nowhere"])
    broken = tmp_path / "broken"
    with new_folder(broken, kind="evaluation") as (draft, _):
        (draft / METRICS_FILE).write_text("{}")
    with pytest.raises(ArtifactError, match=r"is broken .*evaluate again"):
        compare([runs / "good", broken])


def test_the_frontier_holds_what_nothing_cheaper_beats() -> None:
    def auc(value: float) -> Estimate:
        return Estimate(value=value, low=value, high=value, level=0.95, groups=9, rounds=9)

    points = {"small": (1.0, auc(0.8)), "worse": (2.0, auc(0.7)), "equal": (3.0, auc(0.8)), "large": (4.0, auc(0.9))}
    assert frontier(points) == ["small", "large"]


def test_a_comparison_is_a_folder_with_page_markdown_and_numbers(comparison: Any, tmp_path: Path) -> None:
    write_comparison(comparison, tmp_path / "out")
    said = json.loads(
        (tmp_path / "out" / "compare.json").read_text(), parse_constant=lambda word: pytest.fail(f"{word} in JSON")
    )
    assert [standing["name"] for standing in said["standings"]] == ["good", "better", "again"]
    assert said["standings"][1]["model"]["macs"] == 400_000_000
    markdown = (tmp_path / "out" / "compare.md").read_text()
    assert str(comparison.standings[1].metrics["roc_auc"]) in markdown
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("<img") == 3  # the AUCs, and the AUC against both costs
    assert "Not a medical device" in page
    assert "Not a medical device" in markdown


def test_the_verb_compares_runs_and_prints_the_table(runs: Path, tmp_path: Path) -> None:
    app = Typer()
    app.command()(verb)
    argv = [str(runs / "good"), str(runs / "better"), "--out", str(tmp_path / "out"), "--rounds", "100"]
    done = CliRunner().invoke(app, argv)
    assert done.exit_code == 0, done.output
    assert "| ROC-AUC" in done.output
    assert (tmp_path / "out" / "index.html").is_file()
    again = CliRunner().invoke(app, argv)
    assert isinstance(again.exception, ArtifactError)
    as_json = CliRunner().invoke(app, [*argv, "--force", "--json"])
    assert np.isfinite(json.loads(as_json.stdout)["standings"][1]["differences_to_first"]["roc_auc"]["value"])
