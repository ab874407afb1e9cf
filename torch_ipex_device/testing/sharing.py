"""Describes how the results of an operator share memory and identity with its arguments and with each other."""

from __future__ import annotations

import torch

from .flatten import components, tensors_in


def describe_sharing(result: object, arguments: object) -> list[str]:
    """Describes each tensor of `result` in words that are equal on two devices iff the sharing is.

    Args:
        result: What an operator returned.
        arguments: All its arguments, `out=` tensors included.

    Returns:
        One line per tensor of `result`, naming the argument that it is, the arguments and earlier results whose
        storage it shares, and the argument that is its `_base`.

    Example:
        >>> x = torch.ones(3)
        >>> describe_sharing(x[1:], (x,))
        ['view of argument 0; shares storage with argument 0']
    """
    given = {f"argument {index}": tensor for index, tensor in enumerate(tensors_in(arguments))}
    lines = []
    known = dict(given)
    for index, tensor in enumerate(tensors_in(result)):
        facts = [f"is {name}" for name, other in known.items() if other is tensor]
        sharers = [name for name, other in known.items() if _storages(other) & _storages(tensor)]
        base = [name for name, other in given.items() if other is tensor._base]
        if tensor._is_view() and (base or sharers):  # a view of what nobody else holds is as good as fresh
            facts.append(f"view of {base[0] if base else 'something else'}")
        if sharers:
            facts.append("shares storage with " + ", ".join(sharers))
        lines.append("; ".join(facts) or "fresh")
        known[f"result {index}"] = tensor
    return lines


def _storages(tensor: torch.Tensor) -> set[int]:
    return {part.untyped_storage()._cdata for part in components(tensor)}
