"""A recipe says exactly what it is: no unknown key, no value of the wrong kind, every default recorded."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from edge_melanoma.errors import RecipeError
from edge_melanoma.recipe import make_recipe, parse_change, read_recipe, recipe_sha256, to_table


@dataclass(frozen=True, kw_only=True)
class Fit:
    epochs: int = 30
    rate: float = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    patience: int | None = None


@dataclass(frozen=True, kw_only=True)
class Whole:
    name: str
    fit: Fit = field(default_factory=Fit)
    sizes: tuple[int, ...] = (96,)
    pair: tuple[int, float] = (1, 2.0)
    on: bool = False


def read(tmp_path, text, **options):
    (tmp_path / "r.toml").write_text(text)
    return read_recipe(tmp_path / "r.toml", Whole, **options)


def test_values_and_defaults_come_together(tmp_path):
    recipe = read(tmp_path, 'name = "a"\nsizes = [96, 128]\n[fit]\nepochs = 3\nrate = 1\npatience = 5')
    assert recipe == Whole(name="a", sizes=(96, 128), fit=Fit(epochs=3, rate=1.0, patience=5))
    assert isinstance(recipe.fit.rate, float)


def test_a_recorded_recipe_is_read_back_equal():
    recipe = Whole(name="a", fit=Fit(epochs=7))
    again = make_recipe(to_table(recipe), Whole)
    assert again == recipe
    assert recipe_sha256(again) == recipe_sha256(recipe) != recipe_sha256(Whole(name="a"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "a"\n[fit]\nepoch = 3', r"fit: key 'epoch' is unknown; did you mean epochs\?"),
        ('name = "a"\nzebra = 3', "key 'zebra' is unknown; known: name, fit"),
        ("[fit]\nepochs = 3", "lacks name"),
        ('name = "a"\n[fit]\nepochs = 3.5', "epochs is 3.5; a whole number is needed"),
        ('name = "a"\n[fit]\nepochs = true', "epochs is True; a whole number is needed"),
        ('name = "a"\n[fit]\nrate = "fast"', "rate is 'fast'; a number is needed"),
        ('name = "a"\n[fit]\nschedule = "step"', "schedule is 'step'; one of cosine, constant is needed"),
        ('name = "a"\nfit = 3', "fit: is 3; a section with epochs"),
        ('name = "a"\nsizes = 96', "sizes is 96; a list is needed"),
        ('name = "a"\npair = [1]', "pair has 1 values; 2 are needed"),
        ("name = ", "is not TOML"),
    ],
)
def test_a_wrong_recipe_says_where_and_what_would_be_right(tmp_path, text, message):
    with pytest.raises(RecipeError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RecipeError, match=r"none\.toml: does not exist"):
        read_recipe(tmp_path / "none.toml", Whole)


def test_changes_from_the_command_line_go_before_the_file(tmp_path):
    changes = dict([parse_change("fit.epochs=4"), parse_change("fit.schedule=constant"), parse_change("on=true")])
    recipe = read(tmp_path, 'name = "a"\n[fit]\nepochs = 3', changes=changes)
    assert (recipe.fit.epochs, recipe.fit.schedule, recipe.on) == (4, "constant", True)
    with pytest.raises(RecipeError, match="give it as KEY=VALUE"):
        parse_change("fit.epochs")
    for value in ("nan", "-inf", "[1.0, nan]", "{a = [inf]}"):
        with pytest.raises(RecipeError, match=r"--set fit.rate=.*: finite numbers are taken, for example --set"):
            parse_change(f"fit.rate={value}")
    assert parse_change("name=nana") == ("name", "nana")
    with pytest.raises(RecipeError, match="name is a value, not a section"):
        read(tmp_path, 'name = "a"', changes={"name.x": 1})
