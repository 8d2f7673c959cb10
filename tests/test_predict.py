"""`predict` says of each picture what the bundle makes of it, in order, and a bad one stops none of the others."""

import csv
import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_melanoma.bundle import open_bundle
from edge_melanoma.capture import Reason
from edge_melanoma.errors import DataError
from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER
from edge_melanoma.prediction import Given, find_pictures, given, run
from edge_melanoma.runtime import Look, Predictor

TINY = Path(__file__).parent / "golden" / "tiny"
BUNDLE = TINY / "tiny_bundle.tflite"
PICTURES = Path(__file__).parent / "golden" / "pictures"


@pytest.fixture(scope="module")
def predictor():
    return Predictor(open_bundle(BUNDLE))


@pytest.fixture(scope="module")
def folder(predictor, tmp_path_factory):
    """The golden pictures of the bundle as files, in a folder within a folder, and things that are no pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "deeper").mkdir()
    for number, pixels in enumerate(predictor.bundle.golden.inputs):
        place = folder / "deeper" if number % 2 else folder
        Image.fromarray(pixels).save(place / f"{number}.PNG" if number == 2 else place / f"{number}.png", format="PNG")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def of_folder(folder):
    """Its pictures by number: as the golden vectors are ordered."""
    return sorted(
        (path for path in folder.rglob("*") if path.suffix.lower() == ".png"), key=lambda path: int(path.stem)
    )


def command(*argv, code=0, stdin=b"", **environment):
    done = subprocess.run(
        [sys.executable, "-m", "edge_melanoma", "predict", *map(str, argv)],
        input=stdin,
        capture_output=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == code, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_name_cannot_pass_for_an_answer(folder, tmp_path):
    name = "ok.png\nlow         0.00 %  other.png"
    shutil.copy(folder / "0.png", tmp_path / name)
    out, _ = command(tmp_path, "--model", BUNDLE)
    assert sum(line.startswith(("low ", "uncertain ", "refer ")) for line in out.splitlines()) == 1
    assert "ok.png\\nlow" in out
    (row,) = json_lines(command(tmp_path, "--model", BUNDLE, "--json")[0])
    assert row["picture"].endswith(name)


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names of any bytes")
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_name_that_is_no_text_comes_through_json(folder, tmp_path, locale):
    name = b"l\xe4sion.png"
    shutil.copy(folder / "0.png", os.path.join(os.fsencode(tmp_path), name))  # noqa: PTH118 - Path has no bytes
    out, _ = command(tmp_path, "--model", BUNDLE, "--json", LC_ALL=locale)
    (row,) = json_lines(out)
    assert row["picture"].endswith("l\N{REPLACEMENT CHARACTER}sion.png")
    assert bytes.fromhex(row["picture_bytes_hex"]) == os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names of any bytes")
def test_names_that_are_no_text_are_read_by_strict_readers_of_json(tmp_path):
    polars = pytest.importorskip("polars", reason="needs the data extra")
    names = ["before.png", os.fsdecode(b"l\xe4sion.png"), "läsion.png"]
    table = polars.read_ndjson(command(*names, "--model", BUNDLE, "--json", code=3)[0].encode())
    assert table["picture"].to_list() == ["before.png", "l\N{REPLACEMENT CHARACTER}sion.png", "läsion.png"]
    assert table["picture_bytes_hex"].to_list() == [None, b"l\xe4sion.png".hex(), None]


def test_a_closed_standard_input_is_told():
    done = subprocess.run(
        [sys.executable, "-m", "edge_melanoma", "predict", "-", "--model", str(BUNDLE)],
        capture_output=True, preexec_fn=lambda: os.close(0), text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "standard input: is closed" in done.stderr


# what is said of a picture


def test_the_golden_pictures_as_files_get_the_golden_probabilities(predictor, folder):
    golden = predictor.bundle.golden
    found = [predictor.predict(path) for path in of_folder(folder)]
    if np.array_equal(predictor.model.raw(golden.inputs), golden.outputs):  # else this engine rounds otherwise
        assert [each.probability for each in found] == pytest.approx(golden.probability.tolist(), abs=1e-12)
    assert [each.decision for each in found] == predictor.bundle.rule.decisions(golden.probability)


def test_scores_add_up_to_one_and_those_of_the_positive_classes_to_the_probability(predictor, folder):
    for path in of_folder(folder):
        found = predictor.predict(path)
        assert sum(found.scores.values()) == pytest.approx(1)
        assert found.scores["melanoma"] == pytest.approx(found.probability)


def test_seven_scores_are_a_softmax_moved_to_the_shares_of_use():
    rule = dataclasses.replace(
        open_bundle(BUNDLE).rule,
        classes=("akiec", "bcc", "mel"),
        positive=(2,),
        shares_train=(0.3, 0.3, 0.4),
        shares_deploy=(0.5, 0.4, 0.1),
    )
    z = np.array([0.3, -1.0, 2.0])
    odds = [np.exp(z[i] / rule.temperature.value) * rule.shares_deploy[i] / rule.shares_train[i] for i in range(len(z))]
    assert rule.scores(z) == pytest.approx([each / sum(odds) for each in odds])
    assert rule.scores(z)[2] == pytest.approx(rule.probability(z))


def test_it_says_why_it_abstains(predictor):
    golden, rule = predictor.bundle.golden, predictor.bundle.rule
    uncertain = rule.decisions(golden.probability).index("uncertain")
    sure = rule.decisions(golden.probability).index("refer")
    fit = Look(tensor=golden.inputs[0], reasons=())
    assert predictor.decide(golden.logits[sure], fit).reasons == ()
    (between,) = predictor.decide(golden.logits[uncertain], fit).reasons
    assert between.code == "between"
    blurred = Reason(code="blurred", words="too blurred to be judged")
    found = predictor.decide(golden.logits[sure], Look(tensor=golden.inputs[0], reasons=(blurred,)))
    assert (found.decision, found.reasons) == ("uncertain", (blurred,))


def test_logits_that_are_not_finite_are_no_decision(predictor):
    with pytest.raises(DataError, match="not finite"):
        predictor.decide(np.array([np.nan, 0], np.float32), Look(tensor=predictor.bundle.golden.inputs[0], reasons=()))


# many pictures


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_answers_come_in_the_order_of_the_pictures_whatever_the_workers(predictor, folder, workers):
    paths = of_folder(folder) * 7
    given = [Given(name=f"{number} {path}", source=path) for number, path in enumerate(paths)]
    given.insert(3, Given(name="lost", source=Path("no-such-picture.jpg")))
    found = list(run(predictor, given, workers=workers))
    assert [each.picture for each in found] == [each.name for each in given]
    assert found[3].error == "does not exist"
    alone = [predictor.predict(path).probability for path in paths]
    assert [each.prediction.probability for each in found if each.prediction] == alone


def test_an_answer_is_there_before_all_pictures_are_read(predictor, folder):
    """Of a long list, no more than a few are decoded in advance."""
    path = of_folder(folder)[0]
    seen = []

    class Counting(list):
        def __iter__(self):
            for each in super().__iter__():
                seen.append(each)
                yield each

    answers = run(predictor, Counting([Given(name="x", source=path)] * 500), workers=2)
    next(answers)
    assert len(seen) < 20
    answers.close()


def test_a_folder_stands_for_the_pictures_below_it_and_a_pattern_for_those_it_matches(folder):
    def names(*named):
        return [each.name for each in find_pictures([str(name) for name in named], standard_input=bytes)]

    everything = sorted(str(path) for path in of_folder(folder))
    assert sorted(names(folder)) == everything
    assert names(folder) == names(folder)
    assert names(folder / "**" / "*.png") == sorted(name for name in everything if name.endswith(".png"))
    assert names(folder / "0.png", folder / "0.png") == [str(folder / "0.png")] * 2


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path, folder):
    odd = tmp_path / "mole[1].png"
    odd.write_bytes(of_folder(folder)[0].read_bytes())
    (found,) = find_pictures([str(odd)], standard_input=bytes)
    assert found.source == odd


def test_an_empty_name_is_not_the_working_directory(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (found,) = find_pictures([""], standard_input=bytes)
    assert found.source is None
    assert "is an empty name" in found.problem
    out, _ = command("", folder / "0.png", "--model", BUNDLE, "--json", code=3)
    assert [(row["picture"], row["error"] is None) for row in json_lines(out)] == [
        ("", False),
        (str(folder / "0.png"), True),
    ]


def test_a_pattern_too_long_for_a_name_matches_nothing():
    (found,) = find_pictures(["a" * 5000 + "*"], standard_input=bytes)
    assert "matches nothing" in found.problem


def test_what_a_pattern_matches_is_a_file_whatever_it_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(b"")
    (tmp_path / "[b]").symlink_to("nowhere")

    def refuse():
        raise AssertionError("standard input is read")

    assert [each.source for each in find_pictures(["?", "*]"], standard_input=refuse)] == [Path("-"), Path("[b]")]


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "holds neither"), (b"\n\n", "holds neither"), (b"a\0b", "neither")]
)
def test_an_input_without_a_picture_is_told(content, says):
    (found,) = find_pictures(["-"], standard_input=lambda: content)
    assert says in found.problem


@pytest.mark.parametrize("size", [999, 1000, 1001, 10**6])
def test_standard_input_is_read_no_further_than_it_is_taken(monkeypatch, size):
    monkeypatch.setattr(given, "MAX_INPUT_BYTES", 1000)
    monkeypatch.setattr(given, "PIECE_BYTES", 64)
    stream = io.BytesIO(b"x" * size)
    data = given.read_input(stream)
    assert len(data) == stream.tell() == min(size, 1001)
    if size > 1000:
        with pytest.raises(DataError, match="standard input: more than 1,000 bytes"):
            find_pictures(["-"], standard_input=lambda: data)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs an input without end")
def test_an_input_without_end_comes_to_one():
    code = (
        "import sys\nfrom edge_melanoma import cli\nfrom edge_melanoma.prediction import given\n"
        "given.MAX_INPUT_BYTES = 1 << 20\nsys.argv = ['edge-melanoma', *sys.argv[1:]]\ncli.main()\n"
    )
    with Path("/dev/zero").open("rb") as zeros:
        done = subprocess.run(
            [sys.executable, "-c", code, "predict", "-", "--model", str(BUNDLE)],
            stdin=zeros, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr


# the command


def test_a_table_has_a_line_each_the_notice_and_says_that_it_is_synthetic(folder):
    out, _ = command(folder, "--model", BUNDLE)
    lines = out.splitlines()
    assert lines[0] == SYNTHETIC_BANNER
    assert lines[-1] == NOTICE
    assert [line.split()[0] for line in lines[1:7]] == [
        predict.decision for predict in map(Predictor(open_bundle(BUNDLE)).predict, sorted(of_folder(folder)))
    ]
    assert "the probability lies between the thresholds" in out
    decisions = [line.split()[0] for line in lines[1:7]]
    counts = ", ".join(f"{decisions.count(word)} {word}" for word in ("refer", "uncertain", "low"))
    assert any(line.startswith(f"{counts}. ") for line in lines)


def test_json_has_the_same_keys_for_good_and_bad_pictures_and_the_code_tells(folder):
    bad = PICTURES / "refused_cut.jpg"
    out, _ = command(bad, folder / "0.png", "nowhere.jpg", "--model", BUNDLE, "--json", code=3)
    lines = json_lines(out)
    assert [line["picture"] for line in lines] == [str(bad), str(folder / "0.png"), "nowhere.jpg"]
    assert len({tuple(line) for line in lines}) == 1
    assert {"picture", "melanoma_probability", "decision", "reasons", "scores", "model"} <= lines[0].keys()
    assert lines[0]["error"].startswith("ends too early")
    assert lines[0]["decision"] is None
    assert lines[1]["error"] is None
    assert lines[1]["model"]["bundle_sha256"] == open_bundle(BUNDLE).sha256
    assert lines[1]["model"]["synthetic"] is True


def test_csv_is_read_back_by_a_csv_reader(folder):
    out, told = command(folder, "--model", BUNDLE, "--csv")
    assert NOTICE in told
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 6
    assert {row["bundle_sha256"] for row in rows} == {open_bundle(BUNDLE).sha256}
    assert all(float(row["score_melanoma"]) == pytest.approx(float(row["melanoma_probability"])) for row in rows)


def test_a_picture_or_names_on_standard_input_are_the_same_as_arguments(folder):
    path = of_folder(folder)[1]
    out, told = command(path, "--model", BUNDLE, "--json")
    direct = json_lines(out)
    assert NOTICE in told
    assert direct[0]["model"]["medical_device"] is False
    piped = json_lines(command("-", "--model", BUNDLE, "--json", stdin=path.read_bytes())[0])
    named = json_lines(command("-", "--model", BUNDLE, "--json", stdin=f"{path}\n".encode())[0])
    assert named == direct
    assert [{**line, "picture": str(path)} for line in piped] == direct


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (["x.jpg", "--model", "no.tflite"], 4, "no.tflite: does not exist"),
        (["x.jpg", "--model", str(TINY / "tiny_int8.tflite")], 4, "is a plain .tflite"),
        (["x.jpg", "--model", str(BUNDLE), "--json", "--csv"], 2, "one form of output at a time"),
        (["x.jpg", "--model", str(BUNDLE), "--threads", "50000"], 2, "50000 threads: 1 to"),
    ],
)
def test_what_cannot_be_asked_is_one_line_with_its_code(argv, code, says):
    out, err = command(*argv, code=code)
    assert not out
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_it_imports_nothing_heavy(folder):
    code = (
        "import sys\nfrom edge_melanoma.cli import command\n"
        f"try: command(['predict'])(['predict', {str(folder)!r}, '--model', {str(BUNDLE)!r}])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = ('tensorflow', 'tf_keras', 'polars', 'pandas', 'sklearn', 'matplotlib', 'h5py', 'rich.progress')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    one = code.replace(repr(str(folder)), repr(str(of_folder(folder)[0])))
    done = subprocess.run([sys.executable, "-c", one], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
