"""A pupil learns its teacher's answers; neither a teacher nor first weights may know what it is tested on."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytestmark = pytest.mark.tensorflow

from edge_melanoma import backend  # noqa: E402
from edge_melanoma.data.index import read_index  # noqa: E402
from edge_melanoma.data.parts import make_parts  # noqa: E402
from edge_melanoma.data.tensors import make_cache  # noqa: E402
from edge_melanoma.errors import ArtifactError, RecipeError  # noqa: E402
from edge_melanoma.fitting.network import load_network  # noqa: E402
from edge_melanoma.run_folder import IMAGENET_LICENCE, open_run, weights_licences  # noqa: E402
from edge_melanoma.train import folds  # noqa: E402
from edge_melanoma.train.lineage import find_first_run, find_teachers, make_teacher  # noqa: E402
from edge_melanoma.train.recipe import TeacherRecipe  # noqa: E402
from edge_melanoma.train.recipes import find_recipe  # noqa: E402
from edge_melanoma.train.run import Watch, run  # noqa: E402

TINY = {
    "model.size": 32,
    "model.backbone": "seedcnn",
    "fit.epochs": 4,
    "fit.batch": 16,
    "fit.ema": 0.9,
    "augment": "none",
    "data.workers": 1,
}


def recipe(**changes):
    return find_recipe("quick", changes={**TINY, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teaching")
    for argv in (
        ["data", "synth", "--out", "pictures", "--lesions", "90", "--size", "48", "--difficulty", "easy"],
        ["data", "ingest", "synth", "pictures", "--out", "index"],
        ["data", "split", "index", "--out", "split", "--despite-audit", "--folds", "3"],
        ["data", "split", "index", "--out", "other", "--despite-audit", "--folds", "3", "--seed", "1"],
    ):
        subprocess.run([sys.executable, "-m", "edge_melanoma", *argv], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def index(folder):
    return read_index(folder / "split")


@pytest.fixture(scope="module")
def teacher(folder, index):
    return run(recipe(), index, folder / "teacher").run


def tensors(index):
    parts = make_parts(index, recipe().task.task())
    rows = parts.table[parts.rows["val"]]
    cache = make_cache(index.pictures(rows), rows["sha256"].to_list(), recipe().model.contract(), "memory", workers=1)
    try:
        return cache.open().astype(np.float32)
    finally:
        cache.close()


def answers(model, index):
    return model.predict(tensors(index), verbose=0)


def apart(first, second):
    """What a pupil is to make small, computed anew: the variance of the difference over the classes."""
    return np.var(first - second, axis=1).mean()


def test_a_pupil_of_the_teacher_alone_gives_the_teachers_answers(folder, index, teacher):
    taught = replace(recipe(seed=5), teacher=TeacherRecipe(runs=(str(teacher.folder),), share=1.0))
    pupil = run(taught, index, folder / "pupil").run
    alone = run(recipe(seed=5), index, folder / "alone").run
    wanted = answers(load_network(teacher), index)
    assert apart(answers(load_network(pupil), index), wanted) < 0.5 * apart(answers(load_network(alone), index), wanted)
    assert pupil.about["teachers"][0]["weights_sha256"]
    assert alone.about["teachers"] is None


def test_several_teachers_answer_with_the_mean_of_their_logits(teacher, folder, index):
    other = run(recipe(seed=9), index, folder / "second").run
    both = make_teacher([teacher, other], 0.5)
    mean = (answers(load_network(teacher), index) + answers(load_network(other), index)) / 2
    found = both.model(tensors(index), training=False).numpy()
    np.testing.assert_allclose(found, mean, rtol=1e-4, atol=1e-4)


def test_each_fold_has_the_teacher_of_the_same_fold(folder, index):
    folds.run(recipe(**{"fit.epochs": 1}), index, folder / "folds", folds=3)
    taught = replace(recipe(), teacher=TeacherRecipe(runs=(str(folder / "folds"),)))
    assert [find_teachers(taught, index, fold)[0].folder.name for fold in range(3)] == ["fold0", "fold1", "fold2"]
    with pytest.raises(RecipeError, match="holds folds, and this training has none"):
        find_teachers(taught, index, None)
    begun = recipe(**{"model.weights": str(folder / "folds")})
    assert find_first_run(begun, index, 2).folder.name == "fold2"
    with pytest.raises(RecipeError, match=r"fold1 was trained on fold 1 of this index, the new network on fold 2"):
        find_first_run(recipe(**{"model.weights": str(folder / "folds" / "fold1")}), index, 2)


def test_first_weights_from_a_run_bring_its_licences_and_a_word_on_what_they_saw(folder, index, teacher):
    said = []
    larger = recipe(**{"model.weights": str(teacher.folder), "fit.epochs": 1})
    begun = run(larger, index, folder / "larger").run
    assert begun.about["weights"]["licences"] == sorted(set(index.table["license"]))
    assert weights_licences(begun.about) == tuple(begun.about["weights"]["licences"])
    elsewhere = read_index(folder / "other")
    again = run(larger, elsewhere, folder / "elsewhere", watch=Watch(on_remark=said.append)).run
    assert "whether that held pictures of this test part is not known" in said[-1]
    assert said[-1] in again.about["remarks"]
    assert not any("first weights" in remark for remark in begun.about["remarks"])


def test_a_pupil_inherits_what_its_teachers_inherited():
    about = {"weights": {"source": "none"}, "recipe": {"model": {}}, "teachers": [{"licences": ["CC-BY-NC-4.0"]}, {}]}
    assert weights_licences(about) == ("CC-BY-NC-4.0", "not stated"), "an older note does not tell"
    about = {"weights": {"source": "imagenet"}, "recipe": {"model": {}}, "teachers": [{"licences": []}]}
    assert weights_licences(about) == (IMAGENET_LICENCE,)
    about = {"weights": {"source": "w.h5"}, "recipe": {"model": {"weights_licence": "MIT"}}, "teachers": None}
    assert weights_licences(about) == ("MIT",)


@pytest.mark.parametrize(
    ("changes", "fold", "index_name", "message"),
    [
        ({}, 1, "split", "may know the pupil's test part"),
        ({}, None, "other", "may know the pupil's test part"),
        ({"model.size": 48}, None, "split", "the same model.size"),
        ({"task.name": "dx7"}, None, "split", "answers the task mel"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(folder, teacher, changes, fold, index_name, message):
    taught = replace(recipe(**changes), teacher=TeacherRecipe(runs=(str(teacher.folder),)))
    with pytest.raises(RecipeError, match=message):
        find_teachers(taught, read_index(folder / index_name), fold)


def test_the_small_reference_is_not_trained_without_its_teacher(folder, index, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(ArtifactError, match=r"teacher\.runs: reference: does not exist.*--set 'teacher\.runs="):
        find_teachers(find_recipe("reference-small"), index, None)


def test_a_share_of_nothing_is_refused():
    with pytest.raises(RecipeError, match=r"teacher\.share is 0; above 0"):
        TeacherRecipe(share=0)


def test_a_resumed_pupil_needs_the_same_teacher(folder, index, teacher):
    taught = replace(recipe(seed=5), teacher=TeacherRecipe(runs=(str(folder / "moved"),)))
    shutil.copytree(teacher.folder, folder / "moved")
    run(taught, index, folder / "again")
    note = folder / "again" / "edge-melanoma.json"
    about = json.loads(note.read_text())
    about["kind"], about["teachers"][0]["weights_sha256"] = "training", "0" * 64
    note.write_text(json.dumps(about))
    with pytest.raises(RecipeError, match="begun with another teacher"):
        run(taught, index, folder / "again", resume=True)
    assert open_run(teacher.folder).about["teachers"] is None
    backend.keras().backend.clear_session()
