"""Gives batch norm with known statistics, where nothing takes it along, two numbers per channel that are computed once.

TorchInductor would compute 1 / sqrt(var + eps) again for every element.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx

from .functions import Norm, batch_norm, value_of


def factor(graph: fx.Graph) -> None:
    """Rewrites, in place, every batch norm with known statistics as `x * scale + shift`.

    Args:
        graph: as Dynamo captured it, of an inference.
    """
    for node in graph.find_nodes(op="call_function", target=F.batch_norm):
        src = node.args[0] if node.args else node.kwargs.get("input")
        value = value_of(src)
        if not isinstance(src, fx.Node) or value is None or not value.is_floating_point() or value.dim() < 2:
            continue
        norm = batch_norm(node, src)
        if norm is None:
            continue
        with graph.inserting_before(node):
            made = _scaled(graph, src, value, norm)
        made.meta = dict(node.meta)
        node.replace_all_uses_with(made)
        graph.erase_node(node)


def _scaled(graph: fx.Graph, src: fx.Node, value: torch.Tensor, norm: Norm) -> fx.Node:
    dtype = torch.promote_types(value.dtype, torch.float32)

    def call(target: Any, *args: Any) -> fx.Node:
        return graph.call_function(target, args)

    def wide(node: fx.Node) -> fx.Node:
        held = value_of(node)
        return node if held is not None and held.dtype == dtype else graph.call_method("to", (node, dtype))

    scale = call(torch.rsqrt, call(operator.add, wide(norm.var), norm.eps))
    if norm.weight is not None:
        scale = call(operator.mul, scale, wide(norm.weight))
    shift = call(operator.neg, call(operator.mul, wide(norm.mean), scale))
    if norm.bias is not None:
        shift = call(operator.add, shift, wide(norm.bias))
    # A concatenation is written to memory, so what reads it does not compute it again.
    both = graph.call_method("view", (call(torch.stack, [scale, shift]), 2, -1, *(1,) * (value.dim() - 2)))
    scaled = call(operator.mul, wide(src), call(operator.getitem, both, 0))
    result = call(operator.add, scaled, call(operator.getitem, both, 1))
    return result if dtype == value.dtype else graph.call_method("to", (result, value.dtype))
