"""The recipes that come with the package are whole, and ask for networks that exist."""

import importlib.util
from pathlib import Path

import pytest

from edge_melanoma.errors import DataError, RecipeError
from edge_melanoma.recipe import make_recipe, to_table
from edge_melanoma.train.backbones import backbone
from edge_melanoma.train.recipe import TrainRecipe
from edge_melanoma.train.recipes import find_recipe, names


def test_there_is_one_for_the_default_for_ham10000_and_for_every_study():
    assert set(names()) >= {"quick", "ham10000-mobile", *(f"study-s00{n}" for n in range(5))}


@pytest.mark.parametrize("name", names())
def test_a_shipped_recipe_is_whole(name):
    recipe = find_recipe(name)
    assert recipe.description
    backbone(recipe.model.backbone).check_size(recipe.model.size)
    assert make_recipe(to_table(recipe), TrainRecipe) == recipe


def test_study_4_keeps_its_own_table():
    recipe = find_recipe("study-s004")
    assert (recipe.augment, recipe.task.name, recipe.model.size) == ("seed004", "dx7", 224)


def test_an_unknown_recipe_names_a_near_one_or_all():
    with pytest.raises(RecipeError, match="did you mean quick"):
        find_recipe("quik")
    with pytest.raises(RecipeError, match="known: ham10000-mobile, quick"):
        find_recipe("xyz")
    with pytest.raises(RecipeError, match="does not exist"):
        find_recipe("none.toml")


def test_a_validation_part_without_melanoma_cannot_choose_an_epoch_by_its_auc(tmp_path):
    pl = pytest.importorskip("polars")
    from edge_melanoma.data.index import Index
    from edge_melanoma.train.run import run

    spec = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
    made_up = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made_up)
    lacking = made_up.index_table().filter((pl.col("split") != "val") | (pl.col("dx") != "MEL"))
    index = Index(table=lacking, roots={"ham10000": tmp_path}, folder=Path("split"))
    recipe = make_recipe({"task": {"name": "dx7"}}, TrainRecipe)
    with pytest.raises(
        DataError, match=r"split: 0 of \d+ pictures of the val part are mel, .* set fit\.monitor to loss"
    ):
        run(recipe, index, tmp_path / "run")
    assert not (tmp_path / "run").exists()
