"""Traces modules into functions that own their graphs: weights go when the function goes.

What PyTorch traces and freezes stays for the life of the process, with its constants: graphs belong to classes of one table,
and freezing copies them. A function that is made of a graph has a table of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def frozen_trace(program: nn.Module, tensors: tuple[Tensor, ...]) -> Callable[..., Any]:
    """Returns a function that computes what a module does; its weights are constants.

    Args:
        program: in evaluation mode; it stays as it is.
        tensors: example inputs.

    Raises:
        RuntimeError: the module cannot be traced, or branches on values.
    """
    traced = torch.jit.trace(program, tensors, check_trace=False, strict=False).eval()
    torch._C._jit_pass_inline(traced.graph)
    given = [path for path, module in _modules(program) if isinstance(module, torch.jit.ScriptModule)]
    for path, module in _modules(traced):
        is_given = any(path == each or path.startswith(f"{each}.") for each in given)
        if path and not is_given and module._c._has_method("forward"):
            _empty(module._c._get_method("forward").graph)
    frozen = torch.jit.freeze(traced)
    graph = frozen.graph.copy()
    _empty(traced.graph)
    _empty(frozen.graph)
    if next(graph.inputs()).uses():  # it writes an attribute of its own
        function = torch._C._create_function_from_graph("forward", graph)
        return lambda *args: function(frozen._c, *args)
    graph.eraseInput(0)
    made: Callable[..., Any] = torch._C._create_function_from_graph("forward", graph)
    return made


def _modules(module: nn.Module) -> list[tuple[str, Any]]:
    return list(module.named_modules(remove_duplicate=False))


def _empty(graph: Any) -> None:
    """Takes all nodes from a graph that nobody runs any more."""
    constant = graph.create("prim::Constant")
    graph.prependNode(constant)
    for output in graph.outputs():
        output.replaceAllUsesWith(constant.output())
    torch._C._jit_pass_dce_allow_deleting_nodes_with_side_effects(graph)
