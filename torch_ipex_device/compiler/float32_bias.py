"""Keeps the bias of layers in float32 where autocast would round it: kernels add float32 to bfloat16.

A batch norm that was folded into a convolution has become its bias. Rounded, it costs GoogLeNet 1.4 dB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from .functions import arguments, convolution, function, value_of

_LINEAR = ("input", "weight", "bias")


def _keeping(called: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(input: Tensor, weight: Tensor, *args: Any) -> Tensor:
        with torch.autocast("ipex", enabled=False):
            return called(input.to(weight.dtype), weight, *args)

    run.__name__ = f"{called.__name__}_with_float32_bias"
    return run


_convolution, _linear = _keeping(torch.convolution), _keeping(torch._C._nn.linear)


def keep_float32_bias(graph_module: fx.GraphModule, weights: dict[int, torch.dtype]) -> None:
    """Changes the calls of convolutions and linear layers of bfloat16 weights and float32 bias, in place.

    Args:
        graph_module: of ipex tensors, as Dynamo captured it, where autocast may be on.
        weights: the dtypes in which inputs that are parameters are read, by their places.
    """
    placeholders = graph_module.graph.find_nodes(op="placeholder")
    dtypes = {placeholders[place]: dtype for place, dtype in weights.items()}
    for node in graph_module.graph.nodes:
        value = value_of(node)
        if value is None or value.dtype != torch.bfloat16:
            continue
        is_linear = function(node) is torch._C._nn.linear
        given = tuple(arguments(node, _LINEAR).values()) if is_linear else convolution(node)
        if given and dtypes.get(given[1]) == torch.bfloat16 and dtypes.get(given[2]) == torch.float32:
            node.target, node.args, node.kwargs = _linear if is_linear else _convolution, given, {}
    graph_module.recompile()
