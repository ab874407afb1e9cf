"""Replaces convolutions and linear layers, with what follows them, by operators of `torch.ops.torch_ipex`.

    conv2d -> batch_norm -> += shortcut -> relu_   becomes   torch_ipex.convolution(..., shortcut, "relu", statistics)

Gradients need the intermediate results, so where they are recorded every operator is replaced alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from .batch_norm import factor
from .functions import Norm, addend, arguments, batch_norm, convolution, function, mutates, unary, value_of

_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_LINEAR = ("input", "weight", "bias")
_ADDMM = ("input", "mat1", "mat2")
_ATTENTION = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale")


def fuse(graph_module: fx.GraphModule, trains: bool) -> int:
    """Rewrites the graph in place.

    Args:
        graph_module: as Dynamo captured it.
        trains: whether gradients are recorded.

    Returns:
        How many operators it has that are ours.
    """
    graph = graph_module.graph
    places = {node: place for place, node in enumerate(graph.nodes)}
    barriers = [node for node in graph.nodes if mutates(node)]
    count = 0
    for node in list(graph.nodes):
        head = _convolution(graph, node) or _linear(graph, node) or (None if trains else _attention(node))
        if head is None:
            continue
        if not trains and head.may_grow:
            _grow(head, places, barriers)
        _replace(graph, head)
        count += 1
    if not trains:
        factor(graph)
    graph.lint()
    graph_module.recompile()
    return count


@dataclass
class _Head:
    """An operator of ours, and the nodes that it replaces."""

    op: Any
    args: tuple[Any, ...]
    chain: list[fx.Node]
    transposed_weight: bool = False
    may_grow: bool = True
    norm: Norm | None = None
    other: fx.Node | None = None
    post_op: str = ""
    made: list[fx.Node] = field(default_factory=list)  # for its arguments

    @property
    def kwargs(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.other is not None:
            found["other"] = self.other
        if self.post_op:
            found["post_op"] = self.post_op
        if self.norm is not None:
            names = {
                "norm_mean": "mean",
                "norm_var": "var",
                "norm_weight": "weight",
                "norm_bias": "bias",
                "norm_eps": "eps",
            }
            found.update({name: getattr(self.norm, attribute) for name, attribute in names.items()})
        return found


def _is_ours(*nodes: Any) -> bool:
    """Whether all are tensors on CPU or on ipex of a dtype that our kernels have."""
    values = [value_of(node) for node in nodes]
    return all(
        value is not None and value.device.type in ("cpu", "ipex") and value.dtype in _DTYPES for value in values
    )


def _convolution(graph: fx.Graph, node: fx.Node) -> _Head | None:
    given = convolution(node)
    if given is None or not _is_ours(*given[:2]):
        return None
    return _Head(torch.ops.torch_ipex.convolution.default, given, [node])


def _linear(graph: fx.Graph, node: fx.Node) -> _Head | None:
    called = function(node)
    op = torch.ops.torch_ipex.linear.default
    if called is torch._C._nn.linear:
        given = arguments(node, _LINEAR)
        weight = value_of(given["weight"])
        if _is_ours(given["input"], given["weight"]) and weight is not None and weight.dim() == 2:
            return _Head(op, (given["input"], given["weight"], given["bias"]), [node])
    if called is torch.addmm and set(node.kwargs) <= set(_ADDMM):
        given = arguments(node, _ADDMM)
        bias = value_of(given["input"])
        if _is_ours(*given.values()) and bias is not None and bias.dim() == 1:
            return _Head(op, (given["mat1"], given["mat2"], given["input"]), [node], transposed_weight=True)
    return None


def _attention(node: fx.Node) -> _Head | None:
    if function(node) is not torch._C._nn.scaled_dot_product_attention or node.kwargs.get("enable_gqa"):
        return None
    names = (*_ATTENTION, "enable_gqa")
    given = arguments(node, names)
    value = value_of(given["query"])
    tensors = [given[name] for name in ("query", "key", "value")]
    if not _is_ours(*tensors) or value is None or value.dim() != 4 or len(node.args) > len(_ATTENTION):
        return None
    options = (given["attn_mask"], given["dropout_p"] or 0.0, bool(given["is_causal"]), given["scale"])
    return _Head(
        torch.ops.torch_ipex.scaled_dot_product_attention.default, (*tensors, *options), [node], may_grow=False
    )


def _grow(head: _Head, places: dict[fx.Node, int], barriers: list[fx.Node]) -> None:
    """Adds what follows to the head, as long as nobody else sees what lies between."""
    takes_norm = head.op is torch.ops.torch_ipex.convolution.default
    first = places[head.chain[0]]
    while len(head.chain[-1].users) == 1:
        last, user = head.chain[-1], next(iter(head.chain[-1].users))
        if user not in places or any(
            first < places[node] < places[user] and node not in head.chain for node in barriers if node in places
        ):
            return
        fresh = head.other is None and not head.post_op
        if takes_norm and fresh and head.norm is None and (norm := batch_norm(user, last)):
            head.norm = norm
        elif fresh and (other := addend(user, last)) is not None:
            head.other = other
        elif not head.post_op and (name := unary(user, last)):
            head.post_op = name
        else:
            return
        head.chain.append(user)


def _replace(graph: fx.Graph, head: _Head) -> None:
    last = head.chain[-1]
    with graph.inserting_before(last):
        args = head.args
        if head.transposed_weight:
            args = (args[0], graph.call_method("t", (args[1],)), *args[2:])
        made = graph.call_function(head.op, args, head.kwargs)
    made.meta = dict(last.meta)
    last.replace_all_uses_with(made)
    for node in reversed(head.chain):
        graph.erase_node(node)
