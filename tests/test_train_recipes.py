"""The recipes that come with the package are whole, and ask for networks that exist."""

import pytest

from edge_melanoma.errors import RecipeError
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
