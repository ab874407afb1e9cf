"""The recipe of INT8 inference: a JSON list of entries, read, checked and written. docs/int8_recipe.md specifies it."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from torch_ipex_device.core.errors import error

from . import atomic, checks


@dataclasses.dataclass
class Entry:
    """What the recipe says about one operator.

    Attributes:
        id: position in the recipe, from 0.
        name: kind of operator, for example "Convolution".
        algorithm: how scales follow from what calibration saw, for example "min_max".
        weight_granularity: "per_channel" or "per_tensor".
        inputs_scale: quantisation steps per unit, one number for each input.
        outputs_scale: quantisation steps per unit of the result, one number.
        inputs_uint8_used: whether an input is held in uint8, else in int8.
        outputs_uint8_used: the same of the result.
        quantized: whether the operator computes in int8.
        version: of the format; None in files of the archived tool.
        op: name of the operator in PyTorch, or None.
        module: dotted path of the `torch.nn.Module` that called, "" for the outermost, None if not known.
        weight_shape: shape of the weight, None if there is none.
        percentile: of absolute values; counts only with the algorithm "percentile".
        extras: fields of others, kept as they were.
    """

    id: int
    name: str
    algorithm: str
    weight_granularity: str
    inputs_scale: list[float]
    outputs_scale: list[float]
    inputs_uint8_used: list[bool]
    outputs_uint8_used: list[bool]
    quantized: bool
    version: int | None = 1
    op: str | None = None
    module: str | None = None
    weight_shape: list[int] | None = None
    percentile: float = 99.99
    extras: dict[str, Any] = dataclasses.field(default_factory=dict)


_FIELDS = tuple(field.name for field in dataclasses.fields(Entry) if field.name != "extras")


def load(path: str | os.PathLike[str]) -> list[Entry]:
    """Reads and checks a recipe.

    Args:
        path: a file that `save` or the archived tool wrote, or that somebody edited.

    Returns:
        One entry for each operator, in order of execution.

    Raises:
        ValueError: E401, the file is no valid recipe.
        OSError: the file cannot be read.

    Example:
        >>> [entry.name for entry in ipex.int8.load("recipe.json")]
        ['Convolution', 'Relu', 'Linear']
    """
    where = os.fspath(path)
    content = Path(path).read_bytes()
    try:
        data = json.loads(content.decode("utf-8-sig"), object_pairs_hook=checks.unique)
    except ValueError as broken:
        raise error("E401", where, f"no JSON: {broken}; {checks.accepted()}") from None
    except RecursionError:
        raise error("E401", where, f"too many lists or objects inside of each other; {checks.accepted()}") from None
    return validate(data, where)


def save(path: str | os.PathLike[str], entries: Iterable[Entry]) -> None:
    """Writes a recipe, all of it or nothing: a reader sees the old file or the new one.

    An existing file keeps its permissions. A link stays a link; the file that it leads to is written.

    Args:
        path: the file.
        entries: in order of execution.

    Raises:
        ValueError: E401, an entry is not valid; nothing is written.
        OSError: the file cannot be written.

    Example:
        >>> entries = ipex.int8.load("recipe.json")
        >>> entries[0].quantized = False
        >>> ipex.int8.save("recipe.json", entries)
    """
    where = os.fspath(path)
    entries = check(entries, where)
    text = _text([_object(entry, number, where) for number, entry in enumerate(entries)])
    atomic.write(path, text.encode())


def validate(data: object, where: str) -> list[Entry]:
    """Checks a recipe against recipe.schema.json, and what a schema cannot say.

    Args:
        data: what `json.load` returned.
        where: the file or function that an error names.

    Returns:
        One entry for each operator, in order of execution; they share nothing that can be changed with `data`, except
        the values of `extras`.

    Raises:
        ValueError: E401 with the first problem: which entry, which field, its value, what is accepted.

    Example:
        >>> ipex.int8.validate([], "recipe.json")
        []
    """
    problem = next(checks.problems(data), None)
    if problem is not None:
        raise error("E401", where, problem)
    assert isinstance(data, list)
    return [_entry(number, item) for number, item in enumerate(data)]


def check(entries: Iterable[Entry], where: str) -> list[Entry]:
    """Returns copies of entries that could be saved.

    Args:
        entries: in order of execution.
        where: the file or function that an error names.

    Raises:
        ValueError: E401, an entry is not valid.
    """
    return validate([_object(entry, number, where) for number, entry in enumerate(entries)], where)


def is_legacy(entries: Sequence[Entry]) -> bool:
    """Whether a recipe is one of the archived tool: no entry says a version.

    Args:
        entries: what `load` returned.
    """
    return all(entry.version is None for entry in entries)


def _entry(number: int, item: dict[str, Any]) -> Entry:
    values = {key: value for key, value in item.items() if key in _FIELDS}
    values["id"] = number
    values["version"] = None if "version" not in item else int(item["version"])
    for key in ("inputs_scale", "outputs_scale"):
        values[key] = [float(scale) for scale in item[key]]
    for key in ("inputs_uint8_used", "outputs_uint8_used"):
        values[key] = list(item[key])
    if item.get("weight_shape") is not None:
        values["weight_shape"] = [int(size) for size in item["weight_shape"]]
    if "percentile" in item:
        values["percentile"] = float(item["percentile"])
    return Entry(**values, extras={key: value for key, value in item.items() if key not in _FIELDS})


def _object(entry: Entry, number: int, where: str) -> dict[str, Any]:
    """An entry as the object of the file: fields that say nothing are left out."""
    for key in entry.extras:
        if key in _FIELDS:
            raise error(
                "E401", where, f"entry {number} ({entry.name}), extras: got the field {key}; accepted: other names"
            )
    found = {key: getattr(entry, key) for key in _FIELDS if getattr(entry, key) is not None}
    if entry.algorithm != "percentile" and entry.percentile == Entry.percentile:
        del found["percentile"]
    return found | entry.extras


def _text(objects: list[dict[str, Any]]) -> str:
    """JSON with one field a line, indented by 2."""
    blocks = []
    for item in objects:
        lines = [f"    {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in item.items()]
        blocks.append("  {\n" + ",\n".join(lines) + "\n  }")
    return "[\n" + ",\n".join(blocks) + "\n]\n" if blocks else "[]\n"
