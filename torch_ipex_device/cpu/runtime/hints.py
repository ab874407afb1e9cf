"""`MultiStreamModuleHint`: how arguments are split into parts for streams, and results joined."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from torch_ipex_device.core.errors import error

_ACCEPTED = "integers, None, and lists, tuples and dictionaries of them"


class MultiStreamModuleHint:
    """Says for every argument, or for the result, in which dimension it is split or joined.

    Args:
        args: one for each positional argument: a dimension, None for a value that every stream gets as it is (of results:
            the one of the first stream), or a list, tuple or dictionary of them for an argument of that structure.
        kwargs: the same for arguments by name, or for the entries of a result that is a dictionary.

    Attributes:
        args: as given, a list.
        kwargs: as given.

    Raises:
        TypeError: E101, something else.

    Source: the archived extension's class of this name.

    Example:
        >>> hint = ipex.cpu.runtime.MultiStreamModuleHint(0, (0, None), mask=1)
        >>> hint.args, hint.kwargs
        ([0, (0, None)], {'mask': 1})
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = list(args)
        self.kwargs = kwargs
        _check(self.args)
        _check(self.kwargs)

    @property
    def args_len(self) -> int:
        """Number of positional arguments."""
        return len(self.args)

    @property
    def kwargs_len(self) -> int:
        """Number of arguments by name."""
        return len(self.kwargs)


def split(hint: MultiStreamModuleHint, arguments: tuple[Sequence[Any], Mapping[str, Any]], streams: int) -> list[Any]:
    """Returns arguments for at most `streams` calls: pairs of positional ones and those by name.

    Parts differ by at most one entry, the first ones have more. Fewer entries than streams make fewer parts, none makes one.

    Raises:
        ValueError: E103, arguments that differ from the hint, or sizes that differ from each other.
    """
    described = (tuple(hint.args), hint.kwargs)
    given = (tuple(arguments[0]), dict(arguments[1]))
    sizes = {each.size(dim) for dim, each in _leaves(described, given) if dim is not None}
    if len(sizes) != 1:
        got = f"got sizes {sorted(sizes)} to split" if sizes else "got an input_split_hint that splits nothing"
        raise error("E103", "MultiStreamModule", f"{got}; accepted: one size for all that is split")
    size = sizes.pop()
    count = max(min(size, streams), 1)
    ends = [0]
    for stream in range(count):
        ends.append(ends[-1] + size // count + (stream < size % count))
    return [_narrowed(described, given, start, end) for start, end in itertools.pairwise(ends)]


def join(hint: MultiStreamModuleHint, results: Sequence[Any]) -> Any:
    """Returns one result of those of the streams.

    Raises:
        ValueError: E103, results that differ from the hint, or a hint for several results.
    """
    if bool(hint.kwargs) == bool(hint.args) or len(hint.args) > 1:
        got = f"got {len(hint.args)} entries and {len(hint.kwargs)} by name in output_concat_hint"
        raise error("E103", "MultiStreamModule", f"{got}; accepted: one entry, or only entries by name")
    return _joined(hint.kwargs or hint.args[0], results)


def _check(hint: Any) -> None:
    if isinstance(hint, (list, tuple)):
        for each in hint:
            _check(each)
    elif isinstance(hint, dict):
        for each in hint.values():
            _check(each)
    elif hint is not None and (isinstance(hint, bool) or not isinstance(hint, int)):
        raise error("E101", "MultiStreamModuleHint", f"got {hint!r}; accepted: {_ACCEPTED}")


def _leaves(hint: Any, value: Any) -> Iterator[tuple[int | None, Any]]:
    if isinstance(hint, (list, tuple)):
        if not isinstance(value, (list, tuple)) or len(value) != len(hint):
            raise _mismatch("input_split_hint", hint, value)
        for each, part in zip(hint, value, strict=True):
            yield from _leaves(each, part)
    elif isinstance(hint, dict):
        if not isinstance(value, Mapping) or set(value) != set(hint):
            raise _mismatch("input_split_hint", hint, value)
        for key, each in hint.items():
            yield from _leaves(each, value[key])
    elif hint is not None and (not isinstance(value, Tensor) or not -value.dim() <= hint < value.dim()):
        raise _mismatch("input_split_hint", hint, value)
    else:
        yield hint, value


def _narrowed(hint: Any, value: Any, start: int, end: int) -> Any:
    if isinstance(hint, (list, tuple)):
        return type(hint)(_narrowed(each, part, start, end) for each, part in zip(hint, value, strict=True))
    if isinstance(hint, dict):
        return {key: _narrowed(each, value[key], start, end) for key, each in hint.items()}
    return value if hint is None else value.narrow(hint, start, end - start)


def _joined(hint: Any, results: Sequence[Any]) -> Any:
    first = results[0]
    if hint is None:
        return first
    if isinstance(hint, (list, tuple)):
        if not isinstance(first, (list, tuple)) or len(first) != len(hint):
            raise _mismatch("output_concat_hint", hint, first)
        return type(hint)(_joined(each, parts) for each, *parts in zip(hint, *results, strict=True))
    if isinstance(hint, dict):
        if not isinstance(first, Mapping) or not set(hint) <= set(first):
            raise _mismatch("output_concat_hint", hint, first)
        return {key: _joined(each, [result[key] for result in results]) for key, each in hint.items()}
    if not isinstance(first, Tensor) or not -first.dim() <= hint < first.dim():
        raise _mismatch("output_concat_hint", hint, first)
    return torch.cat(list(results), hint)


def _mismatch(name: str, hint: Any, value: Any) -> Exception:
    return error(
        "E103", "MultiStreamModule", f"got {_shape_of(value)} where {name} has {hint!r}; accepted: what it says"
    )


def _shape_of(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {list(value.shape)}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, Mapping):
        return f"entries {sorted(map(str, value))}"
    return type(value).__name__
