"""What is wrong with a recipe: the schema and what it cannot say, in the words of error E401."""

from __future__ import annotations

import functools
import json
import math
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

Place: TypeAlias = tuple[int | str, ...]
"""Where a value is: number of the entry, field, and indices inside of it."""

_SCHEMA = Path(__file__).with_name("recipe.schema.json")
_LISTS = (("inputs_scale", "inputs_uint8_used"), ("outputs_scale", "outputs_uint8_used"))
_DEPTH = 20


class Twice:
    """Stands for the value of a field that an object has twice."""

    def __repr__(self) -> str:
        return "two values"


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of some JSON pairs, for `json.loads(object_pairs_hook=)`; a field with two values has `Twice`."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        found.update({key: Twice() for key in found if keys.count(key) > 1})
    return found


def accepted(place: Place = ()) -> str:
    """What the schema accepts at a place.

    Args:
        place: () for the list, (number,) for an entry, (number, field, ...) for a field.
    """
    found = _schema()
    if place:
        found = found["items"]
    if len(place) > 1:
        found = found["properties"].get(place[1], {"description": "finite numbers, and each field once"})
    values = found.get("enum")
    return "accepted: " + (", ".join(values) if values else found["description"])


def problems(data: object) -> Iterator[str]:
    """Yields what is wrong, the first problem first. The later checks run only if the caller found no earlier problem.

    Args:
        data: what `json.load` returned.

    Returns:
        Sentences such as `entry 3 (Linear), field quantized: got 1; accepted: true or false`.
    """
    if not isinstance(data, list):
        yield f"got {reprlib.repr(data)}; {accepted()}"
        return
    for place, value in _leaves(data):
        if isinstance(value, (dict, list, tuple)):
            yield _words(data, place[:2], f"got lists or objects inside of each other, more than {_DEPTH} deep")
        if isinstance(value, Twice) or (isinstance(value, float) and not math.isfinite(value)):
            yield _words(data, place, f"got {value!r}")
    yield from _schema_problems(data)
    for number, item in enumerate(data):
        if item.get("id", number) != number:
            yield _words(data, (number, "id"), f"got {item['id']} at position {number}")
        for scales, flags in _LISTS:
            if len(item[flags]) != len(item[scales]):
                got = f"got {len(item[flags])} of them beside {len(item[scales])} of {scales}"
                yield _words(data, (number, flags), got)


@functools.cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    return schema


def _words(data: list[Any], place: Place, got: str) -> str:
    number, *keys = place
    item = data[int(number)]
    name = item.get("name") if isinstance(item, dict) else None
    known = name in _schema()["items"]["properties"]["name"]["enum"]
    words = f"entry {number} ({name})" if known else f"entry {number}"
    if keys:
        words += f", field {keys[0]}" + "".join(f"[{key}]" for key in keys[1:])
    return f"{words}: {got}; {accepted(place)}"


def _leaves(data: list[Any]) -> Iterator[tuple[Place, object]]:
    """What is in nested lists and objects, with its place, in reading order; below a depth they count as one value."""
    waiting: list[tuple[Place, object]] = [((), data)]
    while waiting:
        place, value = waiting.pop()
        if len(place) <= _DEPTH and isinstance(value, dict):
            waiting += [((*place, key), inner) for key, inner in reversed(value.items())]
        elif len(place) <= _DEPTH and isinstance(value, (list, tuple)):
            waiting += [((*place, index), inner) for index, inner in reversed(list(enumerate(value)))]
        else:
            yield place, value


def _schema_problems(data: list[Any]) -> Iterator[str]:
    import jsonschema  # type: ignore[import-untyped] # not at the top: most programs never read a recipe

    fields = list(_schema()["items"]["properties"])
    found: list[tuple[Place, str]] = []
    for problem in jsonschema.Draft202012Validator(_schema()).iter_errors(data):
        place: Place = tuple(problem.absolute_path)
        if problem.validator == "required":
            found += [((*place, name), "missing") for name in problem.validator_value if name not in problem.instance]
        else:
            found.append((place, f"got {reprlib.repr(problem.instance)}"))
    found.sort(key=lambda each: (each[0][:1], [fields.index(str(field)) for field in each[0][1:2]]))
    yield from (_words(data, place, got) for place, got in found)
