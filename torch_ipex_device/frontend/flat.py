"""Traces a model whatever its arguments and results are made of: a trace takes and gives tensors only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree


def trace(model: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Callable[..., Any]:
    """Returns a function that computes what the model does, for arguments like these, in the dtypes that it gives.

    Args:
        model: in evaluation mode.
        arguments: positional arguments; whatever in them is no tensor becomes a constant.
        keywords: keyword arguments.

    Raises:
        Exception: of any class, if the model cannot be traced.
    """
    from torch_ipex_device.compiler import torchscript

    leaves, structure = pytree.tree_flatten((arguments, keywords))
    plan = _Plan(leaves, structure)
    enabled, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
    with torch.no_grad():
        dtypes = [leaf.dtype for leaf in pytree.tree_leaves(model(*arguments, **keywords)) if isinstance(leaf, Tensor)]
    with torch.autocast("ipex", dtype=dtype, enabled=enabled):  # the trace computes there, by the rules of that device
        captured = torchscript.capture(_Flat(model, plan), tuple(leaf for leaf in leaves if isinstance(leaf, Tensor)))
    results, results_structure = plan.results, plan.results_structure
    assert results_structure is not None

    def run(*arguments: Any, **keywords: Any) -> Any:
        tensors = [leaf for leaf in pytree.tree_leaves((arguments, keywords)) if isinstance(leaf, Tensor)]
        with torch.no_grad():
            found = (result.to(dtype) for result, dtype in zip(captured(*tensors), dtypes, strict=True))
        return pytree.tree_unflatten(
            [next(found) if value is _TENSOR else value for value in results], results_structure
        )

    return run


_TENSOR = object()


class _Plan:
    """What arguments and results are made of besides tensors. Copies of the module share it."""

    def __init__(self, leaves: list[Any], structure: pytree.TreeSpec) -> None:
        self.leaves = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self.places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        self.structure = structure
        self.results: list[Any] = []
        self.results_structure: pytree.TreeSpec | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> _Plan:
        return self


class _Flat(nn.Module):
    """A model as a module of tensors."""

    def __init__(self, model: nn.Module, plan: _Plan) -> None:
        super().__init__()
        self.model = model
        self.plan = plan
        self.eval()

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        leaves = list(self.plan.leaves)
        for place, tensor in zip(self.plan.places, tensors, strict=True):
            leaves[place] = tensor
        arguments, keywords = pytree.tree_unflatten(leaves, self.plan.structure)
        leaves, self.plan.results_structure = pytree.tree_flatten(self.model(*arguments, **keywords))
        self.plan.results = [_TENSOR if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        return tuple(leaf for leaf in leaves if isinstance(leaf, Tensor))
