"""The inductor path: our operators where they are faster, TorchInductor for the rest. For inference and training."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx

from .fuse import fuse
from .layouts import channels_last


def compile_graph(
    graph_module: fx.GraphModule,
    example_inputs: Sequence[Any],
    mode: str | None = None,
    options: dict[str, Any] | None = None,
) -> Callable[..., Any]:
    """Returns the compiled graph.

    Args:
        graph_module: of CPU tensors; it stays as it is.
        example_inputs: as Dynamo gives them.
        mode: of `torch.compile`.
        options: settings of `torch._inductor.config`.
    """
    from torch._inductor import list_mode_options
    from torch._inductor.compile_fx import compile_fx

    settings = {**(list_mode_options(mode) if mode else {}), **(options or {})}
    trains = torch.is_grad_enabled() and any(
        isinstance(value, torch.Tensor) and value.requires_grad for value in example_inputs
    )
    ours = copy.deepcopy(graph_module)
    fuse(ours, trains)
    in_order = copy.deepcopy(ours)
    channels_last(in_order)
    compile_with: Any = functools.partial(compile_fx, example_inputs_=list(example_inputs), config_patches=settings)
    try:
        return compile_with(in_order)
    except (RuntimeError, ValueError) as cause:
        if "view" not in str(cause):
            raise
    return compile_with(ours)  # a view needs the order of the program
