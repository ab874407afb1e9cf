"""The inductor path: our operators where they are faster, TorchInductor for the rest. For inference and training."""

from __future__ import annotations

import copy
import functools
import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx

from torch_ipex_device import _C
from torch_ipex_device.version import __version__

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
    return compile_fused(graph_module, example_inputs, compile_fx, settings)


def compile_fused(
    graph_module: fx.GraphModule,
    example_inputs: Sequence[Any],
    compile_with: Callable[..., Any],
    settings: dict[str, Any],
) -> Callable[..., Any]:
    """Returns what `compile_with` makes of the graph and its inputs once the graph calls our operators.

    Args:
        graph_module: of tensors on CPU or of tensors on ipex; it stays as it is.
        example_inputs: as Dynamo gives them.
        compile_with: of the graph, its inputs and `config_patches`; of TorchInductor.
        settings: of `torch._inductor.config`.
    """
    from . import direct_calls

    direct_calls.register()
    trains = torch.is_grad_enabled() and any(
        isinstance(value, torch.Tensor) and value.requires_grad for value in example_inputs
    )
    ours = _copied(graph_module)
    fuse(ours, trains)
    in_order = _copied(ours)
    channels_last(in_order)
    compile_ours = functools.partial(compile_with, config_patches={**_settings_of_this_build(), **settings})
    try:
        return compile_ours(in_order, list(example_inputs))
    except (RuntimeError, ValueError) as cause:
        if "view" not in str(cause):
            raise
    return compile_ours(ours, list(example_inputs))  # a view needs the order of the program


def _settings_of_this_build() -> dict[str, Any]:
    """Returns settings of `torch._inductor.config` by which caches on disk tell our builds apart.

    They hold what operators of ours were traced into, and programs that call them. The setting is one that is meant for
    packages of AOTInductor, has no effect on code, and is in force when backward is compiled, later, too.
    """
    from torch._inductor import config

    build = f"{__version__} {os.stat(inspect.getfile(_C)).st_mtime_ns}"
    return {"aot_inductor.metadata": {**config.aot_inductor.metadata, "torch_ipex_device": build}}


def _copied(graph_module: fx.GraphModule) -> fx.GraphModule:
    """Returns a graph of its own with the same tensors: an optimizer's step writes them."""
    made = fx.GraphModule(graph_module, copy.deepcopy(graph_module.graph))
    made.meta.update(graph_module.meta)
    return made
