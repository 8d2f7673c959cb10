"""A recipe: a TOML file that becomes a frozen dataclass. An unknown key or a value of the wrong kind is an error.

    [fit]                       @dataclass(frozen=True, kw_only=True)
    epochs = 30                 class FitRecipe:
                                    epochs: int = 30

What a dataclass cannot say by its types it checks in __post_init__ and raises RecipeError.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from edge_melanoma.errors import RecipeError

Recipe = TypeVar("Recipe")


def read_recipe(path: Path, kind: type[Recipe], *, changes: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe in a TOML file; `changes` are dotted keys (`fit.epochs`) that go before the file's."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read ({error}); a recipe is a TOML file in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: is not TOML ({error})") from error
    for dotted, value in (changes or {}).items():
        _put(table, dotted, value)
    return make_recipe(table, kind, where=str(path))


def names_in(folder: Path) -> tuple[str, ...]:
    """The recipes in a folder by name."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def find_in(folder: Path, named: str, kind: type[Recipe], *, changes: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe of the folder by its name, or a file."""
    path = Path(named)
    if path.suffix == ".toml":
        return read_recipe(path, kind, changes=changes)
    known = names_in(folder)
    if named not in known:
        near = difflib.get_close_matches(named, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}; or give a .toml file"
        raise RecipeError(f"recipe {named!r} is unknown; {hint}")
    return read_recipe(folder / f"{named}.toml", kind, changes=changes)


def nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as the sections of a table."""
    table: dict[str, Any] = {}
    for dotted, value in changes.items():
        _put(table, dotted, value)
    return table


def make_recipe(table: Mapping[str, Any], kind: type[Recipe], *, where: str = "recipe") -> Recipe:
    """The recipe of a table of plain values, for example of what `to_table` gave."""
    recipe: Recipe = _dataclass_of(table, kind, where)
    return recipe


def to_table(recipe: Any) -> dict[str, Any]:
    """Plain values, every default spelled out: what a run records."""
    table: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(recipe)))
    return table


def wordless(table: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's table less its description, which changes no weight."""
    return {key: value for key, value in table.items() if key != "description"}


def recipe_sha256(recipe: Any) -> str:
    """The identity of a recipe: equal for equal values, however they came about."""
    return hashlib.sha256(json.dumps(to_table(recipe), sort_keys=True).encode()).hexdigest()


def parse_change(text: str, *, flag: str = "--set", example: str = "fit.epochs=3") -> tuple[str, Any]:
    """`fit.epochs=3` as a dotted key and a TOML value; a word needs no quotes."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"{flag} {text}: give it as KEY=VALUE, for example {flag} {example}")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    if not _is_finite(parsed):
        raise RecipeError(f"{flag} {text}: finite numbers are taken, for example {flag} {example}")
    return key.strip(), parsed


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(_is_finite, items))


def _put(table: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise RecipeError(f"{dotted}: {parent} is a value, not a section")
    table[last] = value


def _dataclass_of(table: Any, kind: Any, where: str) -> Any:
    if not isinstance(table, Mapping):
        raise RecipeError(f"{where}: is {table!r}; a section with {', '.join(_names(kind))} is needed")
    for key in table:
        if key not in _names(kind):
            near = difflib.get_close_matches(str(key), _names(kind), n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(_names(kind))}"
            raise RecipeError(f"{where}: key {key!r} is unknown{hint}")
    hints = typing.get_type_hints(kind)
    values = {key: _value_of(value, hints[key], f"{where}: {key}") for key, value in table.items()}
    missing = [field.name for field in dataclasses.fields(kind) if field.name not in values and _is_required(field)]
    if missing:
        raise RecipeError(f"{where}: lacks {', '.join(missing)}")
    return kind(**values)


def _names(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value_of(value: Any, kind: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _dataclass_of(value, kind, where)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _value_of(value, next(arg for arg in args if arg is not type(None)), where)
    if origin is Literal:
        if value not in args:
            raise RecipeError(f"{where} is {value!r}; one of {', '.join(map(str, args))} is needed")
        return value
    if origin is tuple:
        return _tuple_of(value, args, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise RecipeError(f"{where} is {value!r}; {_WORDS[kind]} is needed")
    return value


def _tuple_of(value: Any, args: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise RecipeError(f"{where} is {value!r}; a list is needed")
    if args[-1] is Ellipsis:
        return tuple(_value_of(item, args[0], where) for item in value)
    if len(value) != len(args):
        raise RecipeError(f"{where} has {len(value)} values; {len(args)} are needed")
    return tuple(_value_of(item, kind, where) for item, kind in zip(value, args, strict=True))


_WORDS = {int: "a whole number", float: "a number", str: "a word in quotes", bool: "true or false"}
