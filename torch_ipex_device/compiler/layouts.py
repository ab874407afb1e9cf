"""Keeps images in channels-last order between convolutions, and gives results the strides that the program expects."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from .functions import value_of

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def channels_last(graph_module: fx.GraphModule) -> None:
    """Makes convolutions of ours read, and so write, channels-last tensors, in place."""
    graph = graph_module.graph
    changed = False
    for node in graph.find_nodes(op="call_function", target=torch.ops.torch_ipex.convolution.default):
        value = value_of(node.args[0])
        if value is None or value.dim() not in _FORMATS:
            continue
        with graph.inserting_before(node):
            ordered = graph.call_method("contiguous", (node.args[0],), {"memory_format": _FORMATS[value.dim()]})
        ordered.meta["example_value"] = value
        node.replace_input_with(node.args[0], ordered)
        changed = True
    if changed:
        _keep_results(graph)
        graph_module.recompile()


def _keep_results(graph: fx.Graph) -> None:
    output = graph.output_node()

    def kept(result: Any) -> Any:
        value = value_of(result)
        if value is None or value.dim() not in _FORMATS or not value.is_contiguous() or result.op == "placeholder":
            return result
        with graph.inserting_before(output):
            return graph.call_method("contiguous", (result,))

    output.args = (fx.map_arg(output.args[0], kept),)
