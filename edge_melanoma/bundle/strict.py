"""JSON that is read strictly and written in one form: what stands in a bundle is exactly what its dataclasses say.

Every key must be there and none other, every value of its type, every number finite. One value has one text, so that a
file can be compared with what we would write. A report, of which older ones are read too, may have a field that was
`added_later`: where it is missing, it is null.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from edge_melanoma.errors import ArtifactError, RecipeError

Kind = TypeVar("Kind")
Free = Mapping[str, Any]
"""An object whose keys are not ours to fix: a recipe, metrics. Its values are JSON and finite."""

_INTEGER_LIMIT = 2**63
_ADDED_LATER = "added later"
_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}


def added_later() -> Any:
    """A field that older files lack; None there."""
    return dataclasses.field(default=None, metadata={_ADDED_LATER: True})


def canonical(value: Any) -> bytes:
    """The one text of a JSON value; without indentation, which Python's encoder pays for with ten times the time."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{text}\n".encode()


def parse(data: bytes, where: str) -> Any:
    """The value of a JSON text; whether the text is in its one form is seen by writing it again."""
    try:
        value = json.loads(
            data.decode("utf-8"),
            parse_float=_finite,
            parse_int=_short,
            parse_constant=_finite,
        )
        for text in texts(value):
            if not text.replace("\n", "").isprintable():  # a terminal would obey them, and messages quote them
                raise ValueError(f"holds characters that cannot be printed: {_shown(text)}")
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{where}: is not JSON as this tool writes it ({_in_short(error)})") from error
    return value


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value


def _short(text: str) -> int:
    value = int(text)
    if not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        raise ValueError(f"{text[:20]}… is too large a number")
    return value


def _in_short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def to_json(value: Any) -> Any:
    """The JSON of a dataclass, with every field; what has a `to_json` of its own keeps it."""
    if isinstance(value, str | int | float):
        return value
    if hasattr(value, "to_json"):
        return value.to_json()
    if dataclasses.is_dataclass(value):
        return fields_to_json(value)
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def fields_to_json(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, for a `to_json` that adds to them."""
    return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}


def from_json(kind: type[Kind], value: Any, where: str) -> Kind:
    """A dataclass from JSON; the message of an error names the key."""
    read: Kind = _value_of(value, kind, where)
    return read


def fields_from_json(kind: type[Kind], value: Any, where: str) -> Kind:
    """A dataclass from JSON by its fields, for a `from_json` that does more."""
    hints = _hints(typing.cast(Any, kind))
    given = _object(value, where)
    later = {field.name for field in dataclasses.fields(typing.cast(Any, kind)) if _ADDED_LATER in field.metadata}
    missing = [key for key in hints if key not in given and key not in later]
    unknown = [key for key in given if key not in hints]
    if missing:
        raise ArtifactError(f"{where}: lacks {', '.join(missing)}")
    if unknown:
        raise ArtifactError(f"{where}: key {unknown[0]!r} is unknown; known: {', '.join(hints)}")
    values = {key: _value_of(given[key], hint, f"{where}.{key}") for key, hint in hints.items() if key in given}
    try:
        return kind(**values)
    except RecipeError as error:
        raise ArtifactError(f"{where}: {error}") from error


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def _value_of(value: Any, kind: Any, where: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return _plain(value, where)
    if hasattr(kind, "from_json"):
        return _own(kind, value, where)
    if dataclasses.is_dataclass(kind):
        return fields_from_json(typing.cast(type, kind), value, where)
    if origin in (Union, types.UnionType):
        return _one_of(value, args, where)
    if origin is Literal:
        return _choice(value, args, where)
    if origin is tuple:
        return tuple(_value_of(item, args[0], f"{where}[{i}]") for i, item in enumerate(_list(value, where)))
    if origin is not None:  # Mapping[str, …]
        return {key: _value_of(item, args[1], f"{where}.{key}") for key, item in _object(value, where).items()}
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise ArtifactError(f"{where}: is {_shown(value)}; {_WORDS[kind]} is needed")
    return value


def _own(kind: Any, value: Any, where: str) -> Any:
    try:
        return kind.from_json(value)
    except (ArtifactError, RecipeError) as error:
        raise ArtifactError(f"{where}: {error}") from error


def _one_of(value: Any, kinds: tuple[Any, ...], where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    if len(others) == 1:
        return _value_of(value, others[0], where)
    if type(value) not in others or (type(value) is float and not math.isfinite(value)):
        raise ArtifactError(f"{where}: is {_shown(value)}; {' or '.join(_WORDS[kind] for kind in kinds)} is needed")
    return value


def _choice(value: Any, known: tuple[Any, ...], where: str) -> Any:
    if not any(type(value) is type(item) and value == item for item in known):
        raise ArtifactError(f"{where}: is {_shown(value)}; known: {', '.join(map(str, known))}")
    return value


def _plain(value: Any, where: str) -> Any:
    """Any finite JSON."""
    if isinstance(value, Mapping):
        return {key: _plain(item, f"{where}.{key}") for key, item in _object(value, where).items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if type(value) not in _WORDS or (type(value) is float and not math.isfinite(value)):
        raise ArtifactError(f"{where}: is {_shown(value)}; JSON with finite numbers is needed")
    return value


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(type(key) is str for key in value):
        raise ArtifactError(f"{where}: is {_shown(value)}; an object is needed")
    return value


def _list(value: Any, where: str) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ArtifactError(f"{where}: is {_shown(value)}; a list is needed")
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
